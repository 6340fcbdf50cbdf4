//! Whether measurements meet a threshold.

use super::bound::{Bound, milliseconds};
use super::{Metric, Threshold};
use crate::SeriesStats;
use crate::unit::MILLIONTHS_PER_PERCENT;
use std::cmp::Ordering;
use std::time::Duration;

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

/// A measurement, exact.
enum Observed {
    /// `part` of `whole` requests.
    Share { part: u64, whole: u64 },
    /// A latency.
    Latency(Duration),
    /// `requests` in so many nanoseconds.
    Rate { requests: u64, elapsed_ns: u64 },
    /// A number of requests.
    Count(u64),
}

impl Threshold {
    /// Judges `stats`, collected over `elapsed`.
    ///
    /// Without requests there is no data, whatever the metric; a rate over no time is no data either.
    /// Latencies have the precision of the [`Histogram`](crate::Histogram): percentiles and the maximum are
    /// never too low, the minimum is never too high.
    pub fn judge(&self, stats: &SeriesStats, elapsed: Duration) -> Judgement {
        let samples = stats.requests();
        let Some(observed) = Observed::measure(self.metric, stats, elapsed) else {
            return Judgement { observed: None, status: Status::NoData, samples };
        };
        let meets = |bound: Bound| self.op.holds(observed.compare(bound));
        let status = if meets(self.target) {
            Status::Pass
        } else if self.limit.is_some_and(meets) {
            Status::Warn
        } else {
            Status::Fail
        };
        Judgement { observed: Some(observed.value()), status, samples }
    }
}

impl Observed {
    fn measure(metric: Metric, stats: &SeriesStats, elapsed: Duration) -> Option<Observed> {
        let requests = stats.requests();
        if requests == 0 {
            return None;
        }
        Some(match metric {
            Metric::SuccessRate => Observed::Share { part: stats.ok, whole: requests },
            Metric::ErrorRate => Observed::Share { part: stats.failed, whole: requests },
            Metric::Min => Observed::Latency(stats.latency.min()?),
            Metric::Mean => Observed::Latency(stats.latency.mean()?),
            Metric::Latency(percentile) => Observed::Latency(stats.latency.percentile(percentile)?),
            Metric::Max => Observed::Latency(stats.latency.max()?),
            Metric::Rate => {
                let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
                if elapsed_ns == 0 {
                    return None;
                }
                Observed::Rate { requests, elapsed_ns }
            }
            Metric::Count => Observed::Count(requests),
            Metric::Failures => Observed::Count(stats.failed),
        })
    }

    fn compare(&self, bound: Bound) -> Ordering {
        match (self, bound) {
            (Observed::Share { part, whole }, Bound::Share(millionths)) => {
                let observed = u128::from(*part) * u128::from(100 * MILLIONTHS_PER_PERCENT);
                observed.cmp(&(u128::from(millionths) * u128::from(*whole)))
            }
            (Observed::Latency(latency), Bound::Latency(bound)) => latency.cmp(&bound),
            (Observed::Rate { requests, elapsed_ns }, Bound::Rate(rate)) => {
                let observed = u128::from(*requests) * u128::from(rate.per_ns);
                observed.cmp(&(u128::from(rate.count) * u128::from(*elapsed_ns)))
            }
            (Observed::Count(count), Bound::Count(bound)) => count.cmp(&bound),
            _ => unreachable!("the bounds of a threshold are of its metric's quantity"),
        }
    }

    fn value(&self) -> f64 {
        match self {
            Observed::Share { part, whole } => *part as f64 * 100.0 / *whole as f64,
            Observed::Latency(latency) => milliseconds(*latency),
            Observed::Rate { requests, elapsed_ns } => *requests as f64 * 1e9 / *elapsed_ns as f64,
            Observed::Count(count) => *count as f64,
        }
    }
}

#[cfg(test)]
mod tests;
