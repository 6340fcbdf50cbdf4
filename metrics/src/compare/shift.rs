//! By how much a percentile shifted, and whether more requests are slow.

use super::blocks::Blocks;
use super::{Outcome, student};
use crate::interval::Confidence;
use crate::latencies::Latencies as _;
use crate::{Percentile, SparseHistogram, slot};
use std::time::Duration;

/// What became of a percentile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// It was this.
    pub base: Duration,
    /// It is this.
    pub current: Duration,
    /// By how much of the base it grew: 0.1 is 10 % slower, -0.1 is 10 % faster.
    pub relative: f64,
    /// The growth is not less than this, 95 of 100 times (not adjusted for other requests); `None` where so few samples
    /// cannot tell.
    pub low: Option<f64>,
    /// Nor more than this.
    pub high: Option<f64>,
}

impl Shift {
    /// `None` where one of the runs has no samples. The interval is made of those of both percentiles (R. S. Woodruff,
    /// *Confidence intervals for medians and other position measures*, JASA 47, 1952), put together on the scale of logarithms
    /// (A. Donner, G. Y. Zou, *Closed-form confidence intervals for functions of the normal mean and standard deviation*, 2012:
    /// MOVER).
    pub(super) fn new(base: &Blocks, current: &Blocks, p: Percentile, by_blocks: bool) -> Option<Shift> {
        let (before, after) = (Position::new(base, p, by_blocks)?, Position::new(current, p, by_blocks)?);
        let micros = |slot: usize| slot::highest(slot) as f64;
        let ratio = |after: usize, before: usize| (micros(after) / micros(before)).ln();
        let growth = ratio(after.at, before.at);
        let low = after
            .low
            .zip(before.high)
            .map(|(low, high)| growth - ratio(after.at, low).hypot(ratio(high, before.at)));
        let high = after
            .high
            .zip(before.low)
            .map(|(high, low)| growth + ratio(high, after.at).hypot(ratio(before.at, low)));
        let duration = |slot: usize| Duration::from_micros(slot::highest(slot));
        Some(Shift {
            base: duration(before.at),
            current: duration(after.at),
            relative: growth.exp_m1(),
            low: low.map(f64::exp_m1),
            high: high.map(f64::exp_m1),
        })
    }
}

/// The slot of a percentile, and those between which it lies.
struct Position {
    at: usize,
    low: Option<usize>,
    high: Option<usize>,
}

impl Position {
    fn new(run: &Blocks, p: Percentile, by_blocks: bool) -> Option<Position> {
        let count = run.total.count();
        let at = run.total.slot_at_rank(p.rank(count))?;
        if !by_blocks {
            let ranks = p.interval_ranks(count, Confidence::Usual);
            let slot_at = |rank: Option<u64>| rank.and_then(|rank| run.total.slot_at_rank(rank));
            return Some(Position { at, low: slot_at(ranks.low), high: slot_at(ranks.high) });
        }
        let share = f64::from(p.thousandths()) / 1e5;
        let slow = share_above(&run.total, at);
        // Never surer than of requests that are independent: where nothing is above a percentile, blocks do not vary at all.
        let least = share * (1.0 - share) / count as f64;
        let error = run.variance(slow, |block| block.above(at) as f64).max(least).sqrt();
        let error = error * student::quantile(0.975, run.usable().unwrap_or(2) as f64 - 1.0);
        let slot_at = |share: f64| {
            let rank = (share * count as f64).ceil();
            (rank >= 1.0 && rank <= count as f64).then(|| run.total.slot_at_rank(rank as u64)).flatten()
        };
        Some(Position { at, low: slot_at(share - error), high: slot_at(share + error) })
    }
}

fn share_above(histogram: &SparseHistogram, slot: usize) -> f64 {
    let above = histogram.filled().filter(|(own, _)| *own > slot).map(|(_, count)| count).sum::<u64>();
    above as f64 / histogram.count() as f64
}

/// Whether a larger share of the requests of `current` is above what `p` of both runs together is.
pub(super) fn tail(base: &Blocks, current: &Blocks, p: Percentile, by_blocks: bool) -> Outcome {
    let mut both = base.total.clone();
    both.merge(&current.total);
    let limit = both.slot_at_rank(p.rank(both.count())).unwrap_or_default();
    let (before, after) = (share_above(&base.total, limit), share_above(&current.total, limit));
    let variance = |run: &Blocks, share: f64| {
        if by_blocks {
            run.variance(share, |block| block.above(limit) as f64)
        } else {
            share * (1.0 - share) / run.total.count() as f64
        }
    };
    let difference = after - before;
    let (before, after) = (variance(base, before), variance(current, after));
    Outcome {
        difference,
        p_value: student::welch(difference, before, after, units(base, current, by_blocks)),
    }
}

/// How many units that vary independently both runs have.
pub(super) fn units(base: &Blocks, current: &Blocks, by_blocks: bool) -> (f64, f64) {
    let of = |run: &Blocks| match run.usable() {
        Some(blocks) if by_blocks => blocks as f64,
        _ => run.total.count() as f64,
    };
    (of(base), of(current))
}
