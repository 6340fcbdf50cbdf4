//! The end of an agent that was told to leave.

use super::run::Run;
use super::{Exit, Output, Session, State};
use proto::message::FromAgent;
use std::time::Duration;

/// How long running iterations may take to finish when the agent is told to leave.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long after that their results may take to arrive.
pub(super) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The process was asked to end.
#[derive(Debug)]
pub(super) struct Leaving {
    /// Why, for a person.
    pub(super) reason: String,
    /// When it ends, come what may.
    pub(super) until: Duration,
}

impl Session {
    pub(super) fn leave(&mut self, now: Duration, reason: String) {
        if self.leaving.is_none() {
            self.leaving = Some(Leaving { reason, until: now + LEAVE_TIMEOUT + DELIVERY_TIMEOUT });
            if self.run.as_ref().is_some_and(Run::makes_load) {
                self.outputs.push_back(Output::StopUsers { timeout: LEAVE_TIMEOUT });
            }
            self.stop_chore();
        }
        self.leave_when_done();
    }

    /// Leaves if that is asked for, and nothing is left to end or to deliver.
    pub(super) fn leave_when_done(&mut self) {
        let Some(Leaving { reason, .. }) = &self.leaving else { return };
        // What an earlier process left waits for another one, unless it is on its way already.
        let elsewhere = self.recovering && !matches!(self.state, State::Attached { .. });
        let running = self.run.as_ref().is_some_and(Run::is_running) && !elsewhere;
        let busy = running || self.chores.is_going_on();
        if busy || matches!(self.state, State::Left) {
            return;
        }
        if matches!(self.state, State::Attached { .. }) {
            let goodbye = FromAgent::Goodbye { reason: reason.clone() };
            self.send(goodbye);
            self.outputs.push_back(Output::Hangup);
        }
        self.exit(Exit::Left);
    }

    /// Nobody took what was left to deliver.
    pub(super) fn leave_overdue(&mut self) {
        if let Some(run) = &self.run {
            let (id, kept, coordinator) = (&run.id, run.outbox.undelivered(), &self.coordinator);
            let fate = if self.keeping {
                "kept for an agent that is started with the same spool directory"
            } else {
                "dropped"
            };
            let text = format!(
                "run {id}: {coordinator} did not take the results of {kept} requests; they are {fate}"
            );
            self.note(text);
        }
        self.outputs.push_back(Output::Hangup);
        self.exit(Exit::Left);
    }
}
