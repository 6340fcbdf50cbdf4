//! What the fleet core is told of a run.

use super::{ChoreConfigs, OnAgentJoin, OnAgentLoss};
use bytes::Bytes;
use plan::finite::Finite;
use plan::schedule::Schedule;
use plan::slot::Classes;
use proto::message::{PlanDigests, RunId};
use std::time::Duration;

/// What the fleet core needs to know of a run.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// The run.
    pub run: RunId,
    /// Version of this program.
    pub build: String,
    /// The plan as it travels.
    pub bundle: Bytes,
    /// What every agent must make of it.
    pub digests: PlanDigests,
    /// Number of series.
    pub n_series: u32,
    /// Users: slots `0..users`.
    pub users: u32,
    /// Their classes.
    pub classes: Classes,
    /// When they exist.
    pub schedule: Schedule,
    /// How many iterations end the run.
    pub iterations: Option<Finite>,
    /// What to do when an agent is lost.
    pub on_agent_loss: OnAgentLoss,
    /// What to do with an agent that comes when the run has begun.
    pub on_agent_join: OnAgentJoin,
    /// Whether the load is open: arrivals, whatever the users are doing.
    pub open: bool,
    /// How long running iterations may take to finish.
    pub stop_timeout: Duration,
    /// Agents to wait for, at least 1.
    pub expect_agents: u32,
    /// How long to wait for them.
    pub agents_timeout: Duration,
    /// What runs once before the start and once after the end.
    pub chores: ChoreConfigs,
    /// What to do when they cannot take the users, for a person.
    pub capacity_remedy: String,
}
