//! How sure a percentile is: intervals from the order statistics.
//!
//! Of `n` independent samples, the number `B` that lie below the true `p`-quantile is binomial with `n` and `p`, whatever
//! the latencies' law is. So the interval from the sample of rank `l` to that of rank `u` holds the quantile with the
//! probability `P(l <= B < u)` (H. A. David, H. N. Nagaraja, *Order Statistics*, 3rd edition, section 7.1; W. J. Conover,
//! *Practical Nonparametric Statistics*, 3rd edition, section 3.2; the same ranks as in G. J. Hahn, W. Q. Meeker,
//! *Statistical Intervals*, section 5.2). `l` is the largest rank with `P(B < l) <= a / 2`, `u` the smallest with
//! `P(B >= u) <= a / 2`: at most half of what is left of certainty on each side.
//!
//! It takes samples as independent. Those of one user after another are not quite, and a slow second makes many of them
//! slow: then the true interval is wider.

use crate::latencies::Latencies;
use crate::{Histogram, Percentile, SparseHistogram, slot};
use std::time::Duration;

/// How often an interval holds the true value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// 95 of 100 times: what reports show.
    Usual,
    /// 999 of 1000 times: what stops a run.
    High,
}

/// Where the true value of a percentile lies. An end that so few samples cannot bound is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Not below this.
    pub low: Option<Duration>,
    /// Not above this.
    pub high: Option<Duration>,
}

/// Ranks of the samples at the two ends, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// The lower end; `None` if even the smallest sample is not surely low enough.
    pub low: Option<u64>,
    /// The upper end; `None` if even the largest sample is not surely high enough.
    pub high: Option<u64>,
}

/// Up to so many samples the ranks are exact; there are at most some 320,000 terms to add.
const EXACT: u64 = 1_000_000_000;

/// Terms of the binomial that are smaller than this share of the largest change no sum.
const NEGLIGIBLE: f64 = 1e-22;

impl Confidence {
    /// The probability that the interval is too low; it is as much that it is too high.
    pub(crate) fn tail(self) -> f64 {
        match self {
            Confidence::Usual => 0.025,
            Confidence::High => 0.000_5,
        }
    }

    /// The same in standard deviations of a normal distribution.
    pub(crate) fn deviations(self) -> f64 {
        match self {
            Confidence::Usual => 1.959_963_985,
            Confidence::High => 3.290_526_731,
        }
    }
}

impl Percentile {
    /// Ranks between which the percentile of what `count` samples were drawn from lies, with this confidence. Exact up to
    /// 10^9 samples; beyond, from the normal distribution with its skewness put right (Cornish and Fisher) and one rank
    /// added at each end.
    pub fn interval_ranks(self, count: u64, confidence: Confidence) -> Ranks {
        binomial_ranks(f64::from(self.thousandths()) / 1e5, count, confidence)
    }

    /// From how many samples on both ends of the interval are known: 72 for p95.
    /// `None` for p100, which has none.
    pub fn samples_for_interval(self) -> Option<u64> {
        let p = f64::from(self.thousandths()) / 1e5;
        let rarer = p.max(1.0 - p);
        (rarer < 1.0).then(|| (Confidence::Usual.tail().ln() / rarer.ln()).ceil() as u64)
    }
}

/// The ends between which a binomial of `count` and `p` lies, with this confidence: it is below `low`, and it is `high` or more, each
/// at most as often as the confidence allows.
pub(crate) fn binomial_ranks(p: f64, count: u64, confidence: Confidence) -> Ranks {
    match count {
        0 => Ranks { low: None, high: None },
        // All or nothing, always. Of p100, samples say only what it is not below.
        _ if p >= 1.0 => Ranks { low: Some(count), high: None },
        _ if p <= 0.0 => Ranks { low: None, high: Some(1) },
        1..=EXACT => exact_ranks(p, count, confidence.tail()),
        _ => wide_ranks(p, count, confidence.deviations()),
    }
}

fn exact_ranks(p: f64, count: u64, tail: f64) -> Ranks {
    let (n, odds) = (count as f64, p / (1.0 - p));
    let mode = (((n + 1.0) * p).floor() as u64).min(count);
    // Each term from its neighbour, outwards from the largest, which is taken as 1.
    let mut terms = vec![1.0];
    let mut first = mode;
    while first > 0 && terms[terms.len() - 1] > NEGLIGIBLE {
        let k = first as f64;
        terms.push(terms[terms.len() - 1] * k / ((n - k + 1.0) * odds));
        first -= 1;
    }
    terms.reverse();
    for k in mode..count {
        let term = terms[terms.len() - 1] * (n - k as f64) / (k as f64 + 1.0) * odds;
        if term <= NEGLIGIBLE {
            break;
        }
        terms.push(term);
    }
    let total: f64 = terms.iter().sum();
    let limit = tail * total;
    // The largest rank below which there is at most `limit`.
    let mut below = 0.0;
    let skipped = terms.iter().take_while(|&&term| {
        below += term;
        below <= limit
    });
    let low = first + skipped.count() as u64;
    // The smallest rank from which on there is at most `limit`.
    let mut above = 0.0;
    let skipped = terms.iter().rev().take_while(|&&term| {
        above += term;
        above <= limit
    });
    let high = first + (terms.len() - skipped.count()) as u64;
    Ranks { low: (low > 0).then_some(low), high: (high <= count).then_some(high) }
}

fn wide_ranks(p: f64, count: u64, deviations: f64) -> Ranks {
    let n = count as f64;
    let spread = (n * p * (1.0 - p)).sqrt() * deviations;
    let centre = n * p + (1.0 - 2.0 * p) * (deviations * deviations - 1.0) / 6.0;
    let (low, high) = ((centre - spread).floor() - 1.0, (centre + spread).ceil() + 2.0);
    Ranks { low: (low >= 1.0).then_some(low as u64), high: (high <= n).then_some(high as u64) }
}

/// The interval of `p` of these latencies: from the lowest value of the one slot to the highest of the other.
pub(crate) fn interval_of(latencies: &impl Latencies, p: Percentile, confidence: Confidence) -> Interval {
    let ranks = p.interval_ranks(latencies.held(), confidence);
    let slot_at = |rank: Option<u64>| rank.and_then(|rank| latencies.slot_at_rank(rank));
    Interval {
        low: slot_at(ranks.low).map(|slot| Duration::from_micros(slot::lowest(slot))),
        high: slot_at(ranks.high).map(|slot| Duration::from_micros(slot::highest(slot))),
    }
}

impl Histogram {
    /// Where `p` of what the samples were drawn from lies, 95 of 100 times; `None` without samples. See
    /// [`interval_ranks`](Percentile::interval_ranks).
    pub fn percentile_interval(&self, p: Percentile) -> Option<Interval> {
        (!self.is_empty()).then(|| interval_of(self, p, Confidence::Usual))
    }
}

impl SparseHistogram {
    /// As [`Histogram::percentile_interval`] has it.
    pub fn percentile_interval(&self, p: Percentile) -> Option<Interval> {
        (self.count() > 0).then(|| interval_of(self, p, Confidence::Usual))
    }
}

#[cfg(test)]
mod tests;
