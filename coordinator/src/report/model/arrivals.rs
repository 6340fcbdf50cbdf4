//! What became of the arrivals of an open load.

use serde::{Deserialize, Serialize};

/// What became of the arrivals of an open load, over the whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArrivalsPart {
    /// Those that came by the plan.
    pub scheduled: u64,
    /// Those that were served: each is an iteration.
    pub started: u64,
    /// Those that were not, because every user was busy. What is neither started nor dropped, nobody made.
    pub dropped: u64,
    /// After the warm-up, how late they were served.
    pub start_error_ms: StartErrorPart,
}

/// Times in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct StartErrorPart {
    pub p50: Option<f64>,
    pub p90: Option<f64>,
    pub p99: Option<f64>,
    pub max: Option<f64>,
}
