//! Whether measurements meet a threshold.

use super::bound::Bound;
use super::observed::{Judged, Observed};
use super::{Metric, Op, Threshold};
use crate::interval::{Confidence, Interval, binomial_ranks};
use crate::latencies::Latencies;
use crate::{SeriesStats, Tally};
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
    /// Nothing was measured, or less than the threshold asks for; never a pass.
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
    /// Of a percentile, where its true value lies 95 of 100 times. See [`Interval`].
    pub interval: Option<Interval>,
    /// The value of the threshold, in the metric's unit, that lies within that interval, so that chance alone could turn
    /// the outcome; the one that decided, if both do.
    pub straddled: Option<f64>,
}

/// From so many samples on, their mean is taken to vary as a normal distribution does.
const ENOUGH_FOR_A_MEAN: u64 = 30;

impl Threshold {
    /// Judges `stats`, collected over `elapsed`.
    ///
    /// Without requests there is no data, whatever the metric; a rate over no time is no data either, and nor is less than
    /// the [`samples`](Threshold::samples) that the threshold asks for.
    /// Latencies have the precision of the [`Histogram`](crate::Histogram): percentiles and the maximum are
    /// never too low, the minimum is never too high.
    pub fn judge(&self, stats: &SeriesStats, elapsed: Duration) -> Judgement {
        let judged = Judged::from(stats);
        if judged.requests() == 0 { Judgement::no_data(0) } else { self.judge_any(&judged, elapsed) }
    }

    /// Judges a window of `elapsed`, in a run that had requests before or will have some: that there are none in the
    /// window is a `rate` or a `count` of 0. Latencies and shares of none are no data.
    pub fn judge_window(&self, tally: &Tally, elapsed: Duration) -> Judgement {
        self.judge_any(&Judged::from(tally), elapsed)
    }

    /// Whether a run that has gone on for `elapsed` will miss this threshold, however it goes on: what only grows (a
    /// maximum, a number of failures) is over the limit, or the whole interval in which the true value lies 999 of 1000
    /// times is (of a share: what was seen would not be seen once in 2000 times if the limit were just met). A rate has no such interval, and is taken as it is. What may still be met, such as `count >= 1000`, is
    /// not missed before the end.
    pub fn is_lost(&self, tally: &Tally, elapsed: Duration) -> bool {
        let judged = Judged::from(tally);
        let failed = judged.requests() > 0 && self.judge_any(&judged, elapsed).status == Status::Fail;
        failed && self.cannot_recover(&judged, elapsed)
    }

    /// The value that decides between failure and the rest.
    pub(super) fn last_bound(&self) -> Bound {
        self.limit.unwrap_or(self.target)
    }

    fn judge_any<L: Latencies>(&self, judged: &Judged<'_, L>, elapsed: Duration) -> Judgement {
        let samples = judged.requests();
        let observed = judged.measure(self.metric, elapsed);
        let Some(observed) = observed.filter(|_| self.samples.is_none_or(|least| samples >= least)) else {
            return Judgement::no_data(samples);
        };
        let meets = |bound: Bound| self.op.holds(observed.compare(bound));
        let status = if meets(self.target) {
            Status::Pass
        } else if self.limit.is_some_and(meets) {
            Status::Warn
        } else {
            Status::Fail
        };
        let interval = match self.metric {
            Metric::Latency(percentile) => Some(judged.interval(percentile, Confidence::Usual)),
            _ => None,
        };
        let mut bounds = vec![self.target];
        bounds.extend(self.limit);
        if status == Status::Fail {
            bounds.reverse();
        }
        let straddled = interval.and_then(|i| bounds.into_iter().find(|bound| self.straddles(i, *bound)));
        Judgement {
            observed: Some(observed.value()),
            status,
            samples,
            interval,
            straddled: straddled.map(Bound::value),
        }
    }

    /// Whether one end of the interval meets the bound and the other does not.
    fn straddles(&self, interval: Interval, bound: Bound) -> bool {
        let (low, high) = interval.ends();
        let holds = |latency: Duration| self.op.holds(Observed::Latency(latency).compare(bound));
        // That a percentile is exactly a value is sure of nothing that varies.
        !matches!(self.op, Op::Equal | Op::NotEqual) && holds(low) != holds(high)
    }

    fn cannot_recover<L: Latencies>(&self, judged: &Judged<'_, L>, elapsed: Duration) -> bool {
        let bound = self.last_bound();
        let Some(observed) = judged.measure(self.metric, elapsed) else { return false };
        let upper = matches!(self.op, Op::Less | Op::LessOrEqual);
        let lower = matches!(self.op, Op::Greater | Op::GreaterOrEqual);
        let holds = |latency: Duration| self.op.holds(Observed::Latency(latency).compare(bound));
        match self.metric {
            Metric::Max | Metric::Count | Metric::Failures => {
                upper || (self.op == Op::Equal && observed.compare(bound).is_gt())
            }
            Metric::Min => lower || (self.op == Op::Equal && observed.compare(bound).is_lt()),
            _ if !upper && !lower => false,
            Metric::Rate => true,
            Metric::Latency(percentile) => {
                let (low, high) = judged.interval(percentile, Confidence::High).ends();
                !holds(low) && !holds(high)
            }
            // A sum of few is not yet normal.
            Metric::Mean if judged.requests() < ENOUGH_FOR_A_MEAN => false,
            Metric::Mean => {
                let (Observed::Latency(mean), Some(deviation)) = (&observed, judged.deviation()) else {
                    return false;
                };
                let error = deviation.div_f64((judged.requests() as f64).sqrt());
                let error = error.mul_f64(Confidence::High.deviations());
                !holds(mean.saturating_sub(error)) && !holds(*mean + error)
            }
            Metric::SuccessRate | Metric::ErrorRate => {
                let Observed::Share { part, whole } = observed else { return false };
                // Whether so few, or so many, would be seen if the limit were just met.
                let ranks = binomial_ranks(bound.value() / 100.0, whole, Confidence::High);
                let too_many = ranks.high.is_some_and(|high| part >= high);
                let too_few = ranks.low.is_some_and(|low| part < low);
                if upper { too_many } else { too_few }
            }
        }
    }
}

impl Judgement {
    /// Nothing can be said of so few requests.
    fn no_data(samples: u64) -> Judgement {
        Judgement { observed: None, status: Status::NoData, samples, interval: None, straddled: None }
    }
}

impl Interval {
    /// Both ends; what is not bounded goes as far as latencies go.
    fn ends(self) -> (Duration, Duration) {
        (self.low.unwrap_or(Duration::ZERO), self.high.unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests;
