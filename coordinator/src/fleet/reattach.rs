//! An agent's part in a run outlives its stream: streams that break, and agents that come back.
//!
//! Nothing is taken from an agent because its stream broke. It keeps its users as long as its lease lasts, and has
//! them still if it is back before that. One that comes back later has lost them, and delivers what it measured.

use super::agent::{Agent, Delivery, Stage};
use super::{Fleet, Output, Parting, Phase, RENEW, SessionId};
use proto::defect::{Defect, seeded};
use proto::message::{Hello, Resume, Resumed, ToAgent, Welcome};
use std::time::Duration;

/// How long after its loss the end of the run waits for an agent to attach again and deliver what it measured. It may do so
/// as long as the run lasts.
pub(super) const DELIVERY: Duration = Duration::from_secs(10);

impl Fleet {
    /// The stream of `session` ended by itself.
    pub(super) fn detached(&mut self, now: Duration, session: SessionId, reason: String) {
        let running = matches!(self.phase, Phase::Running { .. });
        let is_it = |a: &&mut Agent| a.is_on(session) && !a.gone && a.stage == Stage::Running && running;
        let part = self.agents.iter_mut().find(is_it);
        let Some(agent) = part else { return self.lose(now, session, &reason, Parting::Silent) };
        if seeded(Defect::M6) {
            return self.lose(now, session, &reason, Parting::Stopped);
        }
        agent.gone = true;
        let name = &agent.hello.name;
        let left = (agent.leased + super::SILENCE).saturating_sub(now).as_secs_f64();
        let text = format!("the stream of agent {name} broke ({reason}); it has {left:.1} s to attach again");
        agent.broken = Some((reason, now));
        self.note(text);
    }

    /// The agent whose part in the run `hello` is about, if it may have it back.
    pub(super) fn part(&self, hello: &Hello) -> Option<(usize, Resume)> {
        let resume = hello.resume.clone().filter(|resume| resume.run == self.config.run)?;
        let open = matches!(self.phase, Phase::Running { .. } | Phase::TearingDown);
        let is_it = |agent: &Agent| agent.part.0 == resume.session && agent.hello.name == hello.name;
        let index = self.agents.iter().position(is_it).filter(|_| open)?;
        let agent = &self.agents[index];
        let wanted = match agent.stage {
            Stage::Running | Stage::Finished => true,
            Stage::Lost(_) => agent.may_deliver(),
            Stage::Waiting | Stage::Preparing | Stage::Ready | Stage::Assigned | Stage::Armed => false,
        };
        wanted.then_some((index, resume))
    }

    /// Agent `index` has come back over the stream `session`.
    pub(super) fn reattach(
        &mut self,
        now: Duration,
        (index, resume): (usize, Resume),
        session: SessionId,
        hello: &Hello,
        protocol: u32,
    ) {
        let (old, had_stream) = (self.agents[index].session, !self.agents[index].gone);
        if had_stream && !seeded(Defect::M8) {
            self.outputs.push_back(Output::Close { session: old });
        }
        // As with any stream that breaks: the agent has given up what it ran for it.
        let leased = self.agents[index].leased;
        self.lose_chore(old, leased, "its stream broke");
        let restarted = hello.incarnation != self.agents[index].hello.incarnation;
        // One that drains has stopped its users, and its last window will say so.
        let stopped = resume.stopped && self.agents[index].left.is_none();
        if self.agents[index].stage == Stage::Running && (stopped || restarted) {
            let why = if restarted { "its process was started again" } else { "it stopped its users itself" };
            self.lose(now, old, why, Parting::Stopped);
            self.agents[index].delivery = Delivery::Open { awaited: Some(now + DELIVERY) };
        }
        let peer = self.greeting.remove(&session).map(|greeting| greeting.peer).unwrap_or_default();
        let agent = &mut self.agents[index];
        (agent.session, agent.gone, agent.broken, agent.heard) = (session, false, None, now);
        agent.peer.clone_from(&peer);
        let lost = matches!(agent.stage, Stage::Lost(_));
        let resumed = Resumed { applied: agent.kept.unwrap_or(agent.applied), lost };
        let name = &agent.hello.name;
        let text = if lost {
            format!("agent {name} is back from {peer}; it delivers what it measured")
        } else {
            format!("agent {name} is back from {peer}, its users go on")
        };
        self.note(text);
        let build = self.config.build.clone();
        let welcome = Welcome { protocol, build, session: session.0, renew: RENEW, resumed: Some(resumed) };
        self.send(session, ToAgent::Welcome(welcome));
        if self.agents[index].stage == Stage::Running {
            // What was ordered while it was away.
            self.send_seats(index);
            if let Phase::Running { stopped: Some(_), .. } = self.phase {
                let (run, timeout) = (self.config.run.clone(), self.stop_timeout());
                self.send(session, ToAgent::Stop { run, timeout });
            }
        }
    }

    /// All that the lost agent of `session` measured is in.
    pub(super) fn delivered(&mut self, session: SessionId) {
        let Some(agent) = self.agents.iter_mut().find(|a| a.session == session) else { return };
        let text =
            format!("agent {} has delivered all that it measured before it was lost", agent.hello.name);
        let id = agent.id;
        self.note(text);
        self.outputs.push_back(Output::Gone { agent: id });
    }

    /// Lost agent `index` has said goodbye: whatever it kept, it has delivered.
    pub(super) fn has_no_more(&mut self, index: usize) {
        let agent = &mut self.agents[index];
        let told = std::mem::replace(&mut agent.delivery, Delivery::Closed);
        if told != Delivery::Closed && !agent.delivered {
            let text = format!("agent {} has delivered what was left of its windows", agent.hello.name);
            self.note(text);
        }
    }

    /// Whether the end of the run waits for a lost agent to deliver what it measured.
    pub(super) fn waits_for_deliveries(&self) -> bool {
        self.agents.iter().any(|agent| agent.may_deliver() && agent.delivery.awaited().is_some())
    }

    /// When that may change without a word.
    pub(super) fn deliveries_end(&self) -> Option<Duration> {
        self.agents.iter().filter(|agent| agent.gone).filter_map(|agent| agent.delivery.awaited()).min()
    }

    /// Waits no more for lost agents that are not here, and whose time `is_over`.
    pub(super) fn deliveries_over(&mut self, is_over: impl Fn(Duration) -> bool) {
        for agent in self.agents.iter_mut().filter(|agent| agent.gone) {
            if let Delivery::Open { awaited } = &mut agent.delivery {
                *awaited = awaited.filter(|&until| !is_over(until));
            }
        }
    }
}
