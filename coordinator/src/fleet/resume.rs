//! The coordinator's own faults: it was killed and started again, or it cannot keep what happens any more.
//!
//! A fleet that is started again was told everything that the one before it had kept (see [`journal`](crate::journal)), so
//! it knows all that anybody heard of. What it does not know is who was granted a lease since, and who is still there.
//! So it takes every stream for broken and every lease for renewed just now, and gives nobody's users away before those
//! are surely over: agents that come back by then go on as if nothing had happened.

use super::agent::{Delivery, Orphans, Stage};
use super::reattach::DELIVERY;
use super::{AgentId, Cause, Fleet, LAST_WINDOW_GRACE, Parting, Phase, SILENCE, SessionId};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is said of streams that ended with the coordinator.
const RESTARTED: &str = "the coordinator was started again";

impl Fleet {
    /// Nothing was heard until `now`, and nobody is attached; an `embedded` agent will not be, either.
    pub(super) fn resumed(&mut self, now: Duration, embedded: bool) {
        self.greeting.clear();
        let lease_over = now + SILENCE;
        match &mut self.phase {
            Phase::Mustering { until } => *until = now + self.config.agents_timeout,
            // Agents whose users have ended meanwhile have windows to deliver.
            Phase::Running { overdue, .. } => {
                *overdue = (*overdue).max(lease_over + DELIVERY.max(LAST_WINDOW_GRACE));
            }
            Phase::TearingDown | Phase::Over => {}
        }
        if embedded {
            self.embedded_is_gone(now);
        } else {
            self.streams_are_gone(now);
        }
        if let Phase::Running { t0, .. } = self.phase {
            let here = self.agents.iter().filter(|agent| agent.is_live()).count();
            let (at, left) = (now.saturating_sub(t0).as_secs_f64(), SILENCE.as_secs_f64());
            self.note(format!(
                "the coordinator is back {at:.1} s into the run; {here} agents have {left:.1} s to attach again"
            ));
        }
    }

    fn streams_are_gone(&mut self, now: Duration) {
        if !matches!(self.phase, Phase::Mustering { .. }) {
            self.chores.wait_for_lease(now);
        }
        let attached: Vec<SessionId> = self.agents.iter().filter(|a| !a.gone).map(|a| a.session).collect();
        for agent in &mut self.agents {
            if agent.stage == Stage::Running {
                (agent.leased, agent.heard) = (now, now);
            }
            if let Delivery::Open { awaited: Some(until) } = &mut agent.delivery {
                *until = (*until).max(now + DELIVERY);
            }
            if let Orphans::FreeAt(at) = &mut agent.orphans {
                *at = (*at).max(now + SILENCE);
            }
        }
        // It is not known when they broke: at the latest when this coordinator was there to see it.
        for session in attached {
            self.lose_chore(session, now, RESTARTED);
            self.detached(now, session, RESTARTED.to_owned());
        }
    }

    /// The embedded agent ended with the process that this one succeeds: soon after that was last told anything.
    fn embedded_is_gone(&mut self, now: Duration) {
        let ended = now.min(self.told + SILENCE);
        let here: Vec<SessionId> = self.agents.iter().filter(|a| !a.gone).map(|a| a.session).collect();
        for session in here {
            self.lose(ended, session, "it ended with the coordinator that it ran in", Parting::Stopped);
        }
        for agent in &mut self.agents {
            agent.delivery = Delivery::Closed;
        }
    }

    /// The newest window that is kept of the agent whose stream is `session`, if later ones cannot be.
    pub fn newest_kept(&self, session: SessionId) -> Option<u64> {
        self.agents.iter().find(|agent| agent.is_on(session))?.kept
    }

    /// From now on nothing can be kept, so no agent can be told that it is: the run stops.
    pub(super) fn journal_failed(&mut self, now: Duration, reason: String, unkept: &BTreeMap<AgentId, u64>) {
        for agent in &mut self.agents {
            agent.kept = Some(unkept.get(&agent.id).map_or(agent.applied, |first| first.saturating_sub(1)));
        }
        self.warn(&format!("the journal of the run cannot be written ({reason}); stopping the run"));
        self.journal_failed = Some(reason.clone());
        self.stop(now, Cause::Journal(reason));
    }
}
