//! What did happen: samples, histograms, windows, merging, percentiles and threshold sentences.
//!
//! **Invariant:** this crate is pure. It never reads a clock, draws entropy, does I/O or knows an async
//! runtime; instants arrive as [`Duration`](std::time::Duration)s since the start of the run (T0).
//!
//! Reading order: [`Histogram`] (latencies), [`SparseHistogram`] (the same where there are few), [`Sample`] (one request), [`Recorder`] (a thread's cells),
//! [`Window`] (one second of them), [`SeriesStats`] (what a series adds up to), [`Threshold`] (what counts
//! as good).

pub mod compare;
mod counts;
mod dense;
mod error_table;
mod fingerprint;
mod hdr_v2;
mod histogram;
mod interval;
mod latencies;
mod percentile;
mod recorder;
mod sample;
#[cfg(test)]
mod simulated;
mod slot;
mod sparse;
mod stats;
mod tally;
pub mod threshold;
pub mod unit;
mod window;

pub use counts::Counts;
pub use dense::DenseHistogram;
pub use error_table::{ErrorCount, ErrorTable};
pub use hdr_v2::DecodeError;
pub use histogram::Histogram;
pub use interval::{Confidence, Interval, Ranks};
pub use percentile::Percentile;
pub use recorder::Recorder;
pub use sample::{ErrorKind, Failure, Phases, Sample, SeriesId};
pub use sparse::SparseHistogram;
pub use stats::{PhaseSums, SeriesStats, Traffic};
pub use tally::Tally;
pub use threshold::Threshold;
pub use window::{ArrivalCounts, Window};
