//! Chores: what the session does about setup and teardown.
//!
//! A chore belongs to the plan that the engine has prepared, not to the run's users: setup comes before they are
//! started, teardown after their last window is out. Each is run at most once for a prepared plan, and none beside users.

use super::run::Run;
use super::{Output, Session, State};
use bytes::Bytes;
use plan::chore::ChoreKind;
use proto::message::{ChoreReport, FromAgent, RunId};

/// The plan that the engine has, and its chores.
#[derive(Debug, Default)]
pub(super) struct Chores {
    /// The run of that plan.
    pub(super) prepared: Option<RunId>,
    going_on: Option<ChoreKind>,
    begun: Vec<ChoreKind>,
}

impl Chores {
    pub(super) fn is_going_on(&self) -> bool {
        self.going_on.is_some()
    }

    /// Whether a chore of this run is going on.
    pub(super) fn is_of(&self, run: &RunId) -> bool {
        self.is_going_on() && self.prepared.as_ref() == Some(run)
    }
}

impl Session {
    pub(super) fn run_chore(&mut self, run: &RunId, kind: ChoreKind) {
        let users = self.run.as_ref().is_some_and(Run::has_users);
        let chores = &mut self.chores;
        let knows = chores.prepared.as_ref() == Some(run) && !chores.begun.contains(&kind);
        if knows && !chores.is_going_on() && !users && !self.engine_clearing && self.leaving.is_none() {
            chores.begun.push(kind);
            chores.going_on = Some(kind);
            self.note(format!("{} of run {run} begins", kind.name()));
            self.outputs.push_back(Output::Chore(kind));
        }
    }

    pub(super) fn setup_values(&mut self, run: &RunId, values: Bytes) {
        if self.chores.prepared.as_ref() == Some(run) {
            self.outputs.push_back(Output::SeeSetup(values));
        }
    }

    /// The engine's chore has ended.
    pub(super) fn chore_done(&mut self, mut report: Box<ChoreReport>) {
        match (self.chores.going_on.take(), &self.chores.prepared) {
            (Some(kind), Some(run)) if kind == report.chore => {
                report.run = run.clone();
                self.note(format!("{} of run {run} is over", kind.name()));
                self.send(FromAgent::ChoreDone(report));
                self.leave_when_done();
            }
            // That of a run that was given up.
            _ => {
                self.engine_clearing = false;
                self.prepare_when_free();
            }
        }
    }

    /// Stops the chore because nobody wants its end any more. Nothing else is prepared before it has ended.
    pub(super) fn abandon_chore(&mut self) {
        if self.chores.going_on.take().is_some() {
            self.outputs.push_back(Output::StopChore);
            self.engine_clearing = true;
        }
        self.chores = Chores::default();
    }

    /// Lets the chore end now; its report follows.
    pub(super) fn stop_chore(&mut self) {
        if matches!(self.state, State::Attached { .. }) && self.chores.is_going_on() {
            self.outputs.push_back(Output::StopChore);
        }
    }
}

#[cfg(test)]
mod tests;
