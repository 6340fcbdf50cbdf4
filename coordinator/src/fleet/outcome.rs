//! What the fleet did, for the report.

use super::{AgentId, ChoreEnd, HandedOver};
use proto::message::Cumulative;
use std::time::Duration;

/// How a run ended, as far as the fleet is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// T0 on the fleet's clock, or why the run never started.
    pub started: Result<Duration, NotStarted>,
    /// When, since T0, and why the run was stopped before its schedule ended.
    pub stopped: Option<(Duration, Cause)>,
    /// How far apart the agents' T0 may be; `None` if an agent had no idea of the coordinator's clock.
    pub start_skew: Option<Duration>,
    /// Every agent of a run that started, in the order in which they came.
    pub agents: Vec<AgentOutcome>,
    /// What became of setup, if the plan has one.
    pub setup: Option<ChoreEnd>,
    /// What became of teardown, if the plan has one.
    pub teardown: Option<ChoreEnd>,
}

/// Why a run was stopped before its schedule ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The operator wished it.
    Operator,
    /// All its iterations were done, or will never be.
    Done,
    /// A threshold with `abort` was missed.
    Threshold,
    /// This agent was lost, and the run was not to go on without it.
    AgentLost(String),
    /// What happened could not be kept any more. For a person.
    Journal(String),
}

/// Why a run never started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// Not enough agents came, or they cannot take the users. For a person.
    Agents(String),
    /// Setup failed. For a person.
    Setup(String),
    /// The operator stopped it before.
    Interrupted,
    /// What happened could not be kept. For a person.
    Journal(String),
}

/// How an agent was lost; times count from T0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Why, for a person.
    pub reason: String,
    /// When its stream broke, or when its loss was noticed if that did not break before.
    pub at: Duration,
    /// From when on it surely made no load.
    pub quiet_at: Duration,
}

/// That an agent left in good order before the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Why, for a person.
    pub reason: String,
    /// When it said so, since T0.
    pub at: Duration,
}

/// What one agent did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentOutcome {
    /// Its number.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Version of its program.
    pub build: String,
    /// Cores it may use.
    pub cores: u32,
    /// When it attached, on the fleet's clock.
    pub attached: Duration,
    /// The most users that it had at once.
    pub users: u32,
    /// When it was given its first users, since T0, if the run had begun without it.
    pub joined: Option<Duration>,
    /// Windows applied.
    pub windows: u64,
    /// Its own totals as of the last of them; `started` also as of one that was not applied.
    pub cumulative: Cumulative,
    /// Requests open at the end of the last of them.
    pub in_flight: u64,
    /// Whether its last window arrived.
    pub finished: bool,
    /// Whether it was lost.
    pub lost: Option<Lost>,
    /// Whether it left before the end.
    pub left: Option<Left>,
    /// What became of its users when it was lost or left.
    pub handed_over: Option<HandedOver>,
}
