//! What a threshold's metric is of some measurements, exactly.

use super::Metric;
use super::bound::{Bound, milliseconds};
use crate::latencies::Latencies;
use crate::unit::MILLIONTHS_PER_PERCENT;
use crate::{Percentile, SeriesStats, Tally};
use std::cmp::Ordering;
use std::time::Duration;

/// A measurement, exact.
pub(super) enum Observed {
    /// `part` of `whole` requests.
    Share { part: u64, whole: u64 },
    /// A latency.
    Latency(Duration),
    /// `requests` in so many nanoseconds.
    Rate { requests: u64, elapsed_ns: u64 },
    /// A number of requests.
    Count(u64),
}

/// Requests to judge, wherever they are kept.
pub(super) struct Judged<'a, L> {
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) latency: &'a L,
}

impl<'a> From<&'a SeriesStats> for Judged<'a, crate::Histogram> {
    fn from(stats: &'a SeriesStats) -> Self {
        Judged { ok: stats.ok, failed: stats.failed, latency: &stats.latency }
    }
}

impl<'a> From<&'a Tally> for Judged<'a, crate::SparseHistogram> {
    fn from(tally: &'a Tally) -> Self {
        Judged { ok: tally.ok, failed: tally.failed, latency: &tally.latency }
    }
}

impl<L: Latencies> Judged<'_, L> {
    pub(super) fn requests(&self) -> u64 {
        self.ok.saturating_add(self.failed)
    }

    /// The metric over `elapsed`; `None` where there is nothing to say. Without requests there is still their number.
    pub(super) fn measure(&self, metric: Metric, elapsed: Duration) -> Option<Observed> {
        let requests = self.requests();
        let share = |part: u64| (requests > 0).then_some(Observed::Share { part, whole: requests });
        let latency = |latency: Option<Duration>| latency.map(Observed::Latency);
        match metric {
            Metric::SuccessRate => share(self.ok),
            Metric::ErrorRate => share(self.failed),
            Metric::Min => latency(self.latency.shortest()),
            Metric::Mean => latency(self.latency.average()),
            Metric::Latency(percentile) => latency(self.latency.value_at(percentile)),
            Metric::Max => latency(self.latency.longest()),
            Metric::Rate => {
                let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
                (elapsed_ns > 0).then_some(Observed::Rate { requests, elapsed_ns })
            }
            Metric::Count => Some(Observed::Count(requests)),
            Metric::Failures => Some(Observed::Count(self.failed)),
        }
    }

    /// How many of the latencies are not above `bound`, as they would be reported.
    pub(super) fn not_above(&self, bound: Duration) -> u64 {
        let value = |slot| Duration::from_micros(crate::slot::highest(slot));
        let fast = self.latency.filled().take_while(|(slot, _)| value(*slot) <= bound);
        fast.fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// How many latencies there are.
    pub(super) fn held(&self) -> u64 {
        self.latency.held()
    }

    /// Where the true percentile lies.
    pub(super) fn interval(&self, p: Percentile, confidence: crate::interval::Confidence) -> crate::Interval {
        crate::interval::interval_of(self.latency, p, confidence)
    }

    /// How far latencies are from their mean.
    pub(super) fn deviation(&self) -> Option<Duration> {
        self.latency.deviation()
    }
}

impl Observed {
    pub(super) fn compare(&self, bound: Bound) -> Ordering {
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

    pub(super) fn value(&self) -> f64 {
        match self {
            Observed::Share { part, whole } => *part as f64 * 100.0 / *whole as f64,
            Observed::Latency(latency) => milliseconds(*latency),
            Observed::Rate { requests, elapsed_ns } => *requests as f64 * 1e9 / *elapsed_ns as f64,
            Observed::Count(count) => *count as f64,
        }
    }
}
