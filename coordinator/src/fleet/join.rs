//! Agents that come when the run has begun.
//!
//! Such an agent is prepared like the others: it has the plan, knows the coordinator's clock and how far off its idea of it
//! may be, and has acknowledged an assignment of no users. Then it is a standby, and makes no load and no windows. With its
//! first users it is told T0, which is past, and takes its place in the run as it stands.

use super::agent::{Agent, Stage};
use super::{Fleet, Output, Phase, SILENCE, SessionId};
use proto::message::{Hello, RejectCode, ToAgent};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What to do with an agent that comes when the run has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnAgentJoin {
    /// It gets users of agents that are lost or leave, and those that found no room.
    #[default]
    Standby,
    /// Besides, it gets its share of the users that others have.
    Share,
    /// It is not taken in.
    Refuse,
}

impl Agent {
    /// Whether it is ready to take users in a run that began without it.
    pub(super) fn is_standby(&self) -> bool {
        self.late && self.stage == Stage::Armed && self.clock_error.is_some() && !self.gone
    }
}

impl Fleet {
    /// Whether the agent of `session` came late, and was given no users yet.
    pub(super) fn is_standby(&self, session: SessionId) -> bool {
        self.agents.iter().any(|a| a.session == session && a.late && !a.has_begun())
    }

    /// Why an agent that comes during the run is not taken in.
    pub(super) fn unwanted_late(&self, now: Duration, hello: &Hello) -> Option<(RejectCode, String)> {
        let (name, run) = (&hello.name, &self.config.run);
        if self.config.on_agent_join == OnAgentJoin::Refuse {
            let text = format!(
                "run {run} has begun without agent {name}, and takes in no others (--on-agent-join refuse)"
            );
            return Some((RejectCode::Late, text));
        }
        if matches!(self.phase, Phase::Running { stopped: Some(_), .. }) {
            return Some((RejectCode::Late, format!("run {run} is about to end")));
        }
        // Who cannot be heard any more has its name until its lease is over, but not for another life of its own.
        let twin =
            self.agents.iter().find(|agent| agent.hello.name == *name && agent.is_live() && !agent.gone)?;
        let (peer, silent) = (&twin.peer, now.saturating_sub(twin.heard));
        Some(if silent < SILENCE / 2 {
            let text = format!(
                "an agent named {name} is attached already, from {peer}; start this one with another --name"
            );
            (RejectCode::Name, text)
        } else {
            let text = format!(
                "an agent named {name} was attached from {peer}, and may be yet; ask again in a moment"
            );
            (RejectCode::Wait, text)
        })
    }

    /// Moves those that came late on as far as their stages allow, and gives them users.
    pub(super) fn muster_late(&mut self, now: Duration) {
        let Phase::Running { stopped: None, .. } = self.phase else { return };
        self.prepare_waiting();
        for index in 0..self.agents.len() {
            if self.agents[index].stage == Stage::Ready {
                self.agents[index].stage = Stage::Assigned;
                self.send_seats(index);
            }
        }
        self.share(now);
    }

    /// A standby has its first users: it starts.
    pub(super) fn begin_late(&mut self, index: usize, at: Duration) {
        let Phase::Running { t0, .. } = self.phase else { return };
        let agent = &mut self.agents[index];
        agent.stage = Stage::Running;
        agent.joined = Some(at);
        let (session, name) = (agent.session, agent.hello.name.clone());
        let member = agent.member();
        self.outputs.push_back(Output::Joined { agent: member, at });
        self.note(format!("agent {name} joins the run {:.1} s after its start", at.as_secs_f64()));
        self.send_setup_values(session);
        self.send_seats(index);
        let after = t0.saturating_sub(t0 + at);
        self.send(session, ToAgent::Start { run: self.config.run.clone(), after, t0 });
    }

    /// Asks the agent of `session` again how far off its idea of the clock may be, if it is a standby but for that.
    pub(super) fn ask_for_clock(&mut self, session: SessionId) {
        let unknown =
            |a: &Agent| a.session == session && a.late && a.stage == Stage::Armed && a.clock_error.is_none();
        if let Some(index) = self.agents.iter().position(unknown) {
            self.send_seats(index);
        }
    }

    /// Whether nobody makes load any more, or can be given the users that nobody has.
    pub(super) fn nobody_is_left(&self) -> bool {
        let comes = |agent: &Agent| !agent.has_begun();
        let works = |agent: &&Agent| agent.has_begun() || self.chores.is_on(agent.session);
        let hope = || self.live().any(comes) && !(self.stranded.is_empty() && self.waiting.is_empty());
        let stopped = !matches!(self.phase, Phase::Running { stopped: None, .. });
        !self.live().any(|agent| works(&agent)) && !self.waits_for_deliveries() && (stopped || !hope())
    }
}
