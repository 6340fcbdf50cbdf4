//! The probability of superiority, and its test.

use super::blocks::{Block, Blocks};
use super::{Outcome, student};
use crate::latencies::Latencies as _;

/// Where each value stands among the samples of the other run.
struct Placement {
    /// Slot, samples below it, samples in it; in rising order.
    slots: Vec<(usize, f64, f64)>,
    count: f64,
}

impl Placement {
    fn among(other: &Blocks) -> Placement {
        let mut below = 0.0;
        let slots = other.total.filled().map(|(slot, count)| {
            let row = (slot, below, count as f64);
            below += count as f64;
            row
        });
        Placement { slots: slots.collect(), count: other.total.count() as f64 }
    }

    /// What share of the other samples is below `slot`; those in it count half.
    fn of(&self, slot: usize) -> f64 {
        let at = self.slots.partition_point(|(own, ..)| *own < slot);
        match self.slots.get(at) {
            Some((own, below, within)) if *own == slot => (below + within / 2.0) / self.count,
            Some((_, below, _)) => below / self.count,
            None => 1.0,
        }
    }

    fn sum(&self, block: &Block) -> f64 {
        block.slots.iter().map(|(slot, count)| self.of(*slot) * *count as f64).sum()
    }

    fn square_sum(&self, block: &Block) -> f64 {
        block.slots.iter().map(|(slot, count)| self.of(*slot).powi(2) * *count as f64).sum()
    }
}

/// The probability that a sample of `current` is larger than one of `base`, less one half, and its test.
pub(super) fn location(base: &Blocks, current: &Blocks, by_blocks: bool) -> Outcome {
    let (among_base, among_current) = (Placement::among(base), Placement::among(current));
    let (m, n) = (base.total.count() as f64, current.total.count() as f64);
    let all =
        |placement: &Placement, blocks: &Blocks| blocks.blocks.iter().map(|b| placement.sum(b)).sum::<f64>();
    // Of a base sample: the share of current ones below it, which is what it loses by.
    let (base_mean, current_mean) = (all(&among_current, base) / m, all(&among_base, current) / n);
    let (base_variance, current_variance) = if by_blocks {
        (
            base.variance(base_mean, |block| among_current.sum(block)),
            current.variance(current_mean, |block| among_base.sum(block)),
        )
    } else {
        let of = |placement: &Placement, blocks: &Blocks, mean: f64, count: f64| {
            let squares: f64 = blocks.blocks.iter().map(|b| placement.square_sum(b)).sum();
            ((squares - count * mean * mean) / (count - 1.0).max(1.0) / count).max(0.0)
        };
        (of(&among_current, base, base_mean, m), of(&among_base, current, current_mean, n))
    };
    let difference = current_mean - 0.5;
    let units = super::shift::units(base, current, by_blocks);
    Outcome { difference, p_value: student::welch(difference, base_variance, current_variance, units) }
}
