//! Latency histogram: microseconds, 3 significant digits, 1 µs to 1 h.

use crate::{DecodeError, Percentile};
use std::time::Duration;

/// A latency histogram with one fixed geometry for the whole fleet, so that merging is exact: the merged
/// histogram equals the one that a single recorder would have made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {}

impl Histogram {
    /// An empty histogram; allocates nothing until the first sample.
    pub fn new() -> Histogram {
        todo!()
    }
    /// Records one latency (rounded to the nearest µs, at least 1 µs, clamped to 1 h and counted as clamped).
    pub fn record(&mut self, latency: Duration) {
        let _ = latency;
        todo!()
    }
    /// Adds all samples of `other`. Exact, commutative and associative.
    pub fn merge(&mut self, other: &Histogram) {
        let _ = other;
        todo!()
    }
    /// Samples recorded.
    pub fn count(&self) -> u64 {
        todo!()
    }
    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }
    /// Smallest sample, to the histogram's precision; `None` without samples.
    pub fn min(&self) -> Option<Duration> {
        todo!()
    }
    /// Largest sample, to the histogram's precision; `None` without samples.
    pub fn max(&self) -> Option<Duration> {
        todo!()
    }
    /// Mean over the histogram's values; `None` without samples.
    pub fn mean(&self) -> Option<Duration> {
        todo!()
    }
    /// Population standard deviation; `None` without samples.
    pub fn stddev(&self) -> Option<Duration> {
        todo!()
    }
    /// The smallest recorded value that at least `p` of the samples do not exceed (nearest rank, integer
    /// arithmetic); `None` without samples.
    pub fn percentile(&self, p: Percentile) -> Option<Duration> {
        let _ = p;
        todo!()
    }
    /// Appends the V2 encoding to `out`.
    pub fn encode_v2(&self, out: &mut Vec<u8>) {
        let _ = out;
        todo!()
    }
    /// Adds the histogram encoded in `bytes` to this one without building it; all or nothing. Returns how
    /// many samples it held.
    pub fn merge_v2(&mut self, bytes: &[u8]) -> Result<u64, DecodeError> {
        let _ = bytes;
        todo!()
    }
}
