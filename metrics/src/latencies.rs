//! What can be asked of latencies, however they are kept.

use crate::{Percentile, slot};
use std::time::Duration;

/// Latencies by slot. What is asked of them is the same for a [`Histogram`](crate::Histogram) and a
/// [`SparseHistogram`](crate::SparseHistogram), to the last digit.
pub(crate) trait Latencies {
    /// The filled slots with their counts, in rising order.
    fn filled(&self) -> impl Iterator<Item = (usize, u64)>;

    /// How many there are.
    fn held(&self) -> u64;

    /// The slot of the sample of this rank, counted from 1; `None` beyond the last.
    fn slot_at_rank(&self, rank: u64) -> Option<usize> {
        let mut reached = 0_u64;
        let found = self.filled().find(|(_, count)| {
            reached = reached.saturating_add(*count);
            reached >= rank
        });
        found.map(|(slot, _)| slot)
    }

    /// The value that at least `p` of them do not exceed: the highest of its slot.
    fn value_at(&self, p: Percentile) -> Option<Duration> {
        let slot = self.slot_at_rank(p.rank(self.held()))?;
        Some(Duration::from_micros(slot::highest(slot)))
    }

    /// The lowest value of the first filled slot.
    fn shortest(&self) -> Option<Duration> {
        let (first, _) = self.filled().next()?;
        Some(Duration::from_micros(slot::lowest(first)))
    }

    /// The highest value of the last filled slot.
    fn longest(&self) -> Option<Duration> {
        let (last, _) = self.filled().last()?;
        Some(Duration::from_micros(slot::highest(last)))
    }

    /// Mean of the middles of their slots, rounded to the nearest ns.
    fn average(&self) -> Option<Duration> {
        let (sum, count) = self.sum_and_count()?;
        // At most 2^32 µs * 2^64 samples * 1000, so 128 bits are enough.
        let nanoseconds = (sum * 1_000 + count / 2) / count;
        Some(Duration::from_nanos(u64::try_from(nanoseconds).expect("a mean is at most one hour")))
    }

    /// Population standard deviation of the middles of their slots.
    fn deviation(&self) -> Option<Duration> {
        let (sum, count) = self.sum_and_count()?;
        let mean = sum as f64 / count as f64;
        let square = |slot| (slot::middle(slot) as f64 - mean).powi(2);
        let squares: f64 = self.filled().map(|(slot, count)| square(slot) * count as f64).sum();
        let microseconds = (squares / count as f64).sqrt();
        Some(Duration::from_nanos((microseconds * 1e3).round() as u64))
    }

    /// Sum in µs, each taken as the middle of its slot, and number; `None` without any.
    fn sum_and_count(&self) -> Option<(u128, u128)> {
        let sums = self.filled().fold((0_u128, 0_u128), |(sum, total), (slot, count)| {
            let count = u128::from(count);
            (sum + u128::from(slot::middle(slot)) * count, total + count)
        });
        (sums.1 > 0).then_some(sums)
    }
}
