//! The end of a run: what has begun is torn down, streams are closed, the outcome is told.

use super::agent::Agent;
use super::{Cause, Fleet, NotStarted, Outcome, Output, Phase, SessionId};
use std::time::Duration;

/// What is known when nobody has users any more.
#[derive(Debug)]
pub(super) struct Ending {
    /// T0, or why there was none.
    pub(super) started: Result<Duration, NotStarted>,
    /// When, since T0, and why it was stopped.
    pub(super) stopped: Option<(Duration, Cause)>,
}

impl Fleet {
    /// Nobody has users any more: what has begun is torn down, then the run is over.
    pub(super) fn conclude(&mut self, now: Duration, started: Result<Duration, NotStarted>) {
        let stopped = match self.phase {
            Phase::Running { stopped, .. } => stopped.zip(self.cause.take()),
            Phase::Mustering { .. } | Phase::TearingDown | Phase::Over => None,
        };
        let started = match (started, &self.journal_failed) {
            // It was stopped because of that.
            (Err(NotStarted::Interrupted), Some(reason)) => Err(NotStarted::Journal(reason.clone())),
            (started, _) => started,
        };
        let begun = started.is_ok() || self.chores.setup_has_begun();
        self.ending = Some(Ending { started, stopped });
        // Not if it has ended, which is the rule.
        self.stop_setup(now);
        if begun && self.config.chores.teardown.is_some() {
            self.phase = Phase::TearingDown;
            self.tear_down(now);
        } else {
            self.finish();
        }
    }

    pub(super) fn finish(&mut self) {
        let Some(Ending { started, stopped }) = self.ending.take() else { return };
        self.phase = Phase::Over;
        let (setup, teardown) = self.chores.ends(&self.config.chores);
        let sessions: Vec<SessionId> =
            self.agents.iter().map(|a| a.session).chain(self.greeting.keys().copied()).collect();
        for session in sessions {
            self.outputs.push_back(Output::Close { session });
        }
        self.greeting.clear();
        let agents =
            self.agents.iter().filter(|a| started.is_ok() && a.most_users > 0).map(Agent::outcome).collect();
        self.outputs.push_back(Output::Finished(Outcome {
            started,
            stopped,
            start_skew: self.start_skew,
            agents,
            setup,
            teardown,
        }));
    }
}
