//! What a series adds up to.

use crate::{Histogram, Phases, Sample};

/// Sums of the phases of a series' requests; a mean is `sum / count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseSums {
    /// New connections, and their total time in µs.
    pub connect: (u64, u64),
    /// TLS handshakes, and their total time in µs.
    pub tls: (u64, u64),
    /// Responses whose head arrived, and their total time to it in µs.
    pub first_byte: (u64, u64),
    /// Responses whose body was complete, and their total time from head to end in µs.
    pub body: (u64, u64),
}

impl PhaseSums {
    /// Adds one request.
    pub fn add(&mut self, phases: &Phases) {
        let _ = phases;
        todo!()
    }
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &PhaseSums) {
        let _ = other;
        todo!()
    }
}

/// Counts, bytes, phases and latencies of one series (or of several, merged).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesStats {
    /// Requests that succeeded.
    pub ok: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Where the time went.
    pub phases: PhaseSums,
    /// Latencies of all requests, failed ones too: `latency.count() == ok + failed`.
    pub latency: Histogram,
}

impl SeriesStats {
    /// Adds one request.
    pub fn record(&mut self, sample: &Sample) {
        let _ = sample;
        todo!()
    }
    /// Adds all of `other`; exact, commutative and associative.
    pub fn merge(&mut self, other: &SeriesStats) {
        let _ = other;
        todo!()
    }
    /// `ok + failed`.
    pub fn requests(&self) -> u64 {
        self.ok + self.failed
    }
}
