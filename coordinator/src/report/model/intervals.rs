//! The measured time in stretches, each with its histograms.

use super::EncodedHistogram;
use serde::{Deserialize, Serialize};

/// The measured time in stretches. All together hold what the totals hold: a request that arrived too late for its
/// stretch is in the one that was open then.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IntervalsPart {
    /// Seconds of each; it doubles whenever the histograms of a run would become too large.
    pub length_s: u32,
    /// The stretches in which a request ended, in order of time.
    pub rows: Vec<IntervalRow>,
}

/// One stretch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IntervalRow {
    /// Its first second since T0.
    pub t_s: u32,
    /// Requests that failed in it.
    pub failures: u64,
    /// Bytes read in it.
    pub bytes_in: u64,
    /// The series that ended in it.
    pub series: Vec<IntervalSeries>,
}

/// What one series did in a stretch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IntervalSeries {
    /// Which row of `requests`, from 0.
    pub request: usize,
    /// Its latencies, as `latency_hdr` of that row.
    pub latency_hdr: EncodedHistogram,
}
