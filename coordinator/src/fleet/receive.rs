//! What an agent says, and what the fleet makes of it.

use super::agent::{Agent, Sequence, Stage};
use super::{Fleet, LEASE, Output, Parting, SessionId};
use proto::defect::{Defect, seeded};
use proto::message::{FromAgent, RejectCode, ToAgent, WindowReport};
use std::time::Duration;

impl Fleet {
    pub(super) fn received(&mut self, now: Duration, session: SessionId, message: FromAgent) {
        if self.greeting.contains_key(&session) {
            if let FromAgent::Hello(hello) = message {
                self.hello(now, session, hello);
            } else {
                let message = "the first message must be Hello".to_owned();
                self.turn_away(session, RejectCode::Protocol, message);
            }
            return;
        }
        let Some(index) = self.whereabouts(session).filter(|&index| !self.agents[index].gone) else { return };
        let agent = &mut self.agents[index];
        agent.heard = now;
        match message {
            FromAgent::Hello(_) => self.drop_agent(now, session, "it said Hello twice"),
            FromAgent::Renew { n, users: _ } => {
                agent.leased = now;
                self.send(session, ToAgent::Lease { n, ttl: LEASE, clock: now });
                self.ask_for_clock(session);
            }
            FromAgent::PlanState { run, state } if run == self.config.run => {
                self.plan_state(now, session, state);
            }
            FromAgent::AssignAck { run, revision, clock_error } if run == self.config.run => {
                agent.clock_error = clock_error.map(|error| (error, now));
                if agent.stage == Stage::Assigned && (revision == self.revision || agent.late) {
                    agent.stage = Stage::Armed;
                }
                self.rooms_changed |= agent.is_standby();
            }
            FromAgent::Window(window) if window.run == self.config.run => self.window(now, session, window),
            FromAgent::ChoreDone(report) if report.run == self.config.run => {
                self.chore_done(now, session, report);
            }
            FromAgent::Draining { reason } => self.draining(now, session, &reason),
            FromAgent::Goodbye { reason } => {
                self.outputs.push_back(Output::Close { session });
                self.lose(now, session, &format!("it left: {reason}"), Parting::Stopped);
            }
            FromAgent::PlanState { .. }
            | FromAgent::AssignAck { .. }
            | FromAgent::Window(_)
            | FromAgent::ChoreDone(_) => {}
        }
    }

    fn window(&mut self, now: Duration, session: SessionId, mut window: Box<WindowReport>) {
        let Some(index) = self.whereabouts(session) else { return };
        let agent = &mut self.agents[index];
        if !matches!(agent.stage, Stage::Running | Stage::Finished | Stage::Lost(_)) {
            return self.drop_agent(now, session, "it sent a window before the start");
        }
        let judged = agent.judge(&window, self.config.n_series, &self.iterations, self.revision);
        let newest = agent.newest;
        if judged == Ok(Sequence::Next)
            && let Err(problem) = self.plausible(now, &window, newest)
        {
            return self.drop_agent(now, session, &problem);
        }
        let agent = &mut self.agents[index];
        match judged {
            Err(problem) => {
                agent.claimed = agent.claimed.max(window.cumulative.started);
                return self.drop_agent(now, session, &problem);
            }
            Ok(Sequence::Repeated) => {}
            Ok(Sequence::Next) => {
                if agent.has_lost_its_users() {
                    window.progress.clear();
                }
                agent.apply(&window);
                if seeded(Defect::M13) && matches!(agent.stage, Stage::Lost(_)) {
                    return self.send(session, ToAgent::WindowAck { run: window.run, seq: window.seq });
                }
                self.iterations.apply(&window.progress);
                let roll = std::mem::take(&mut window.roll);
                let (finished, delivered, id) = (agent.stage == Stage::Finished, agent.delivered, agent.id);
                if agent.stage == Stage::Running {
                    self.see_health(index, &window);
                }
                self.outputs.push_back(Output::Apply { agent: id, window });
                if finished {
                    self.outputs.push_back(Output::Gone { agent: id });
                    self.ended_early(now, session);
                } else if delivered {
                    self.delivered(session);
                }
                self.see_roll(now, session, &roll);
            }
        }
        let applied = self.agents[index].applied;
        self.send(session, ToAgent::WindowAck { run: self.config.run.clone(), seq: applied });
    }

    /// What came over `session` cannot be.
    pub(super) fn broke(&mut self, now: Duration, session: SessionId, problem: String) {
        if self.greeting.contains_key(&session) {
            self.turn_away(session, RejectCode::Protocol, problem);
        } else {
            self.drop_agent(now, session, &problem);
        }
    }

    /// Ends the stream of an agent that broke the protocol.
    pub(super) fn drop_agent(&mut self, now: Duration, session: SessionId, problem: &str) {
        let done = |agent: &&Agent| agent.session == session && !agent.gone && !agent.is_live();
        if let Some(name) = self.agents.iter().find(done).map(|agent| agent.hello.name.clone()) {
            self.warn(&format!("agent {name}, which had no users any more, was dropped: {problem}"));
        }
        self.send(session, ToAgent::Reject { code: RejectCode::Protocol, message: problem.to_owned() });
        self.outputs.push_back(Output::Close { session });
        self.lose(now, session, problem, Parting::Barred);
    }
}
