//! What became of iterations, and of the users of agents that went.

use super::super::words::{self, Word};
use serde::{Deserialize, Serialize};

/// Iterations of a run that ends when so many are done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IterationsPart {
    /// To do.
    pub target: u64,
    /// Done, whatever their outcome.
    pub done: u64,
    /// Given up by users that stopped by themselves.
    pub given_up: u64,
}

/// What became of the users of an agent that was lost or left.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LossRow {
    /// The agent's name.
    pub agent: String,
    /// `lost`, or `left` in good order.
    #[serde(deserialize_with = "words::loss")]
    #[cfg_attr(test, schemars(schema_with = "words::loss_schema"))]
    pub kind: Word,
    /// When the coordinator noticed, in seconds since T0; null if it left in good order.
    pub lost_at_s: Option<f64>,
    /// When it said that it was about to leave, in seconds since T0; null if it did not.
    pub left_at_s: Option<f64>,
    /// Users that it had.
    pub users: u32,
    /// How many of them went on at other agents.
    pub moved: u32,
    /// How many would have, but found no room or were not to.
    pub stranded: u32,
    /// How many waited for a while, or until the end, because the agents that had room were saturated.
    pub waited: u32,
    /// When they were free to move, in seconds since T0; null if they never were.
    pub moved_at_s: Option<f64>,
}
