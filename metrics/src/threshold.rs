//! Threshold sentences: `METRIC OP VALUE [critical VALUE] [over WINDOW] [abort]`.

use crate::{Percentile, SeriesStats, unit::UnitError};
use std::time::Duration;

/// What a threshold looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Share of requests that succeeded.
    SuccessRate,
    /// Share of requests that failed.
    ErrorRate,
    /// Smallest latency.
    Min,
    /// Mean latency.
    Mean,
    /// A latency percentile: `p50 p90 p95 p99 p99.9`, any number of up to three decimals.
    Latency(Percentile),
    /// Largest latency.
    Max,
    /// Requests per time.
    Rate,
    /// Requests.
    Count,
    /// Failed requests.
    Failures,
}

/// How the observed value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// One parsed sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The sentence as it was written, white space folded.
    pub expression: String,
    /// What it looks at.
    pub metric: Metric,
    /// How it compares.
    pub op: Op,
    /// The value to meet, in the metric's [`unit`](Metric::unit).
    pub value: f64,
    /// With `critical`: missing `value` is a warning, missing this one a failure.
    pub critical: Option<f64>,
    /// With `over`: judged on a sliding window of this length.
    pub over: Option<Duration>,
    /// Whether breaking it stops the run.
    pub abort: bool,
}

/// How a threshold came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Met.
    Pass,
    /// The target was missed, the critical value was not.
    Warn,
    /// Missed.
    Fail,
    /// Nothing was measured; never a pass.
    NoData,
}

/// A threshold's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The observed value in the metric's unit; `None` without data.
    pub observed: Option<f64>,
    /// How it came out.
    pub status: Status,
    /// How many samples it rests on.
    pub samples: u64,
}

impl Metric {
    /// `"%"`, `"ms"`, `"/s"` or `""` (a count).
    pub fn unit(self) -> &'static str {
        todo!()
    }
    /// As written in a plan: `success_rate`, `p95`, ...
    pub fn name(self) -> String {
        todo!()
    }
}

impl Threshold {
    /// Parses one sentence.
    pub fn parse(text: &str) -> Result<Threshold, UnitError> {
        let _ = text;
        todo!()
    }
    /// Judges `stats`, collected over `elapsed`.
    pub fn judge(&self, stats: &SeriesStats, elapsed: Duration) -> Judgement {
        let _ = (stats, elapsed);
        todo!()
    }
}
