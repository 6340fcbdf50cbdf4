//! What only the driver of a run knows about it.

use super::AgentId;
use crate::fleet::{AgentOutcome, ChoreEnd, ChoreStatus, HandedOver};
pub use crate::fleet::{Left, Lost};
use jiff::Timestamp;
use proto::message::{Cumulative, RunId};
use std::time::Duration;

/// What only the driver of a run knows about it, told once at its end.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// The run.
    pub run_id: RunId,
    /// SHA-256 of the plan file's text, in hexadecimal: what `sha256sum` says of the file.
    pub plan_sha256: String,
    /// T0, or when the run was given up if it never began.
    pub started_at: Timestamp,
    /// The same on the clock of [`AgentFacts::attached`].
    pub t0: Duration,
    /// When the last agent had finished or was given up.
    pub ended_at: Timestamp,
    /// From T0 to the schedule's end, or to the interruption: the time that rates are per. Requests that end
    /// while running iterations finish are counted, that time is not, so one slow iteration dilutes no rate.
    pub measured: Duration,
    /// The furthest that an agent's first second was from T0, where that was measured.
    pub start_skew: Option<Duration>,
    /// Every agent that was given users.
    pub agents: Vec<AgentFacts>,
    /// When, since T0, someone interrupted the run.
    pub interrupted: Option<Duration>,
    /// When, since T0, all its iterations were done, in a run of so many.
    pub done: Option<Duration>,
    /// Whether it was given up.
    pub gave_up: Option<GaveUp>,
    /// When, since T0, a threshold with `abort` stopped it.
    pub aborted: Option<Duration>,
    /// Why the run never began, for a person.
    pub not_started: Option<String>,
    /// What became of setup, if the plan has one.
    pub setup: Option<ChoreEnd>,
    /// What became of teardown, if the plan has one.
    pub teardown: Option<ChoreEnd>,
}

impl RunFacts {
    /// Whether there was no run because a step of setup failed, or setup took too long.
    pub fn setup_failed(&self) -> bool {
        let failed = |end: &ChoreEnd| matches!(end.status, ChoreStatus::Failed(_));
        self.not_started.is_some() && self.setup.as_ref().is_some_and(failed)
    }

    /// Whether anything was done that a report can tell of.
    pub fn did_anything(&self) -> bool {
        self.not_started.is_none() || self.setup.as_ref().is_some_and(|end| end.agent.is_some())
    }

    /// When, since T0, the run was stopped before its schedule ended.
    pub(super) fn stopped(&self) -> Option<Duration> {
        self.interrupted.or(self.done).or(self.aborted).or(self.gave_up.as_ref().map(|gave_up| gave_up.at))
    }
}

/// A run that was not to go on, or could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GaveUp {
    /// When it was stopped, since T0.
    pub at: Duration,
    /// Why.
    pub why: WhyGivenUp,
}

/// Why a run was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyGivenUp {
    /// It was not to go on without the agent of this name.
    AgentLost(String),
    /// Its journal could not be written. For a person.
    Journal(String),
}

/// One agent as the fleet knows it at the end.
#[derive(Clone, Debug)]
pub struct AgentFacts {
    /// Its number.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Version of its program.
    pub build: String,
    /// Processor cores it may use.
    pub cores: u32,
    /// When it attached, on the fleet's clock.
    pub attached: Duration,
    /// The most users it was given at once.
    pub users_assigned: u32,
    /// Windows of it that were applied.
    pub windows_applied: u64,
    /// What the last of them said about the run so far.
    pub last_cumulative: Cumulative,
    /// Whether its last window of the run was applied.
    pub finished: bool,
    /// Whether it was lost.
    pub lost: Option<Lost>,
    /// When it was given its first users, since T0, if the run had begun without it.
    pub joined: Option<Duration>,
    /// Whether it left before the end.
    pub left: Option<Left>,
    /// What became of its users when it was lost or left.
    pub handed_over: Option<HandedOver>,
}

impl From<&AgentOutcome> for AgentFacts {
    fn from(outcome: &AgentOutcome) -> AgentFacts {
        AgentFacts {
            id: outcome.id,
            name: outcome.name.clone(),
            build: outcome.build.clone(),
            cores: outcome.cores,
            attached: outcome.attached,
            users_assigned: outcome.users,
            windows_applied: outcome.windows,
            last_cumulative: outcome.cumulative,
            finished: outcome.finished,
            lost: outcome.lost.clone(),
            joined: outcome.joined,
            left: outcome.left.clone(),
            handed_over: outcome.handed_over,
        }
    }
}
