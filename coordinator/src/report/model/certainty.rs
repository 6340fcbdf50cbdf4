//! How sure a figure is, and which part of the run it is of.

use serde::{Deserialize, Serialize};

/// Where the true percentiles lie, 95 of 100 times, in milliseconds: `[low, high]`. An end that so few samples cannot
/// bound is null, and so are both without samples. The ends are samples of exact binomial ranks; samples are taken as
/// independent of each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct LatencyIntervals {
    pub p50: [Option<f64>; 2],
    pub p75: [Option<f64>; 2],
    pub p90: [Option<f64>; 2],
    pub p95: [Option<f64>; 2],
    pub p99: [Option<f64>; 2],
    pub p99_9: [Option<f64>; 2],
}

/// The sliding window that a threshold was judged by: its worst one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WindowPart {
    /// Its first second since T0.
    pub from_s: u32,
    /// The second since T0 at which it ends.
    pub to_s: u32,
    /// How many windows were judged: one at the end of each second, once there was a whole one after the warm-up.
    pub judged: u64,
    /// How many of them missed the target.
    pub missed: u64,
}
