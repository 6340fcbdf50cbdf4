//! Latencies in few buckets, as metric systems take them.

use metrics::Histogram;

/// Upper bounds of the classic buckets in seconds, without the last one, which has none.
pub const BOUNDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// How fine native buckets are: 2^3 of them double a latency, so each is 9 % wide. It is what Prometheus' own libraries take.
pub const SCHEMA: i32 = 3;

/// The latencies of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// How many there are.
    pub count: u64,
    /// Their sum in seconds, to 0.1 %.
    pub sum: f64,
    /// How many are in each classic bucket, the one without an upper bound last.
    pub classic: [u64; BOUNDS.len() + 1],
    /// Native buckets that are not empty, in order: bucket `i` ends at 2^(i/8) seconds and holds its end.
    pub native: Vec<(i32, u64)>,
}

impl Distribution {
    /// Of `latencies`. A latency counts as the highest value of its slot, as percentiles do.
    pub fn of(latencies: &Histogram) -> Distribution {
        let mut distribution = Distribution::default();
        let per_doubling = f64::from(1 << SCHEMA);
        for (latency, count) in latencies.iter_recorded() {
            let seconds = latency.as_secs_f64();
            distribution.count = distribution.count.saturating_add(count);
            let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
            distribution.classic[bucket] = distribution.classic[bucket].saturating_add(count);
            let index = (seconds.log2() * per_doubling).ceil() as i32;
            match distribution.native.last_mut() {
                Some((last, held)) if *last == index => *held = held.saturating_add(count),
                _ => distribution.native.push((index, count)),
            }
        }
        distribution.sum = latencies.mean().unwrap_or_default().as_secs_f64() * distribution.count as f64;
        distribution
    }

    /// Adds the latencies of another series.
    pub fn add(&mut self, other: &Distribution) {
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        for (count, more) in self.classic.iter_mut().zip(other.classic) {
            *count = count.saturating_add(more);
        }
        for (index, count) in &other.native {
            match self.native.binary_search_by_key(index, |(known, _)| *known) {
                Ok(at) => self.native[at].1 = self.native[at].1.saturating_add(*count),
                Err(at) => self.native.insert(at, (*index, *count)),
            }
        }
    }

    /// The native buckets as Prometheus has them on the wire: spans of neighbours (their distance from the one before, their
    /// number), and for each bucket by how much it holds more than the one before.
    pub fn spans(&self) -> (Vec<(i32, u32)>, Vec<i64>) {
        let (mut spans, mut deltas): (Vec<(i32, u32)>, Vec<i64>) = Default::default();
        let (mut next, mut before) = (0, 0);
        for (index, count) in &self.native {
            match spans.last_mut() {
                Some((_, length)) if *index == next => *length += 1,
                _ => spans.push((index - next, 1)),
            }
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            deltas.push(count - before);
            (next, before) = (index + 1, count);
        }
        if spans.is_empty() {
            // That it is a native histogram is told by its having a span.
            spans.push((0, 0));
        }
        (spans, deltas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn of(milliseconds: &[u64]) -> Distribution {
        let mut histogram = Histogram::new();
        for ms in milliseconds {
            histogram.record(Duration::from_millis(*ms));
        }
        Distribution::of(&histogram)
    }

    #[test]
    fn latencies_are_in_the_buckets_that_end_above_them() {
        let found = of(&[1, 2, 3, 70, 71, 1_000, 100_000]);
        assert_eq!(found.count, 7);
        assert_eq!(found.classic, [1, 1, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
        assert!((found.sum - 101.147).abs() < 0.1, "{}", found.sum);
        // 2^(-79/8) is 1.06 ms; the slot of 1 s ends above it.
        let native = [(-79, 1), (-71, 1), (-67, 1), (-30, 2), (1, 1), (54, 1)];
        assert_eq!(found.native, native);
        assert_eq!(found.spans().0, [(-79, 1), (7, 1), (3, 1), (36, 1), (30, 1), (52, 1)]);
        assert_eq!(found.spans().1, [1, 0, 0, 1, -1, 0]);
        assert_eq!(of(&[]).spans(), (vec![(0, 0)], vec![]));
        assert_eq!(of(&[10, 10, 11, 11]).spans(), (vec![(-53, 2)], vec![2, 0]));
    }

    proptest! {
        #[test]
        fn buckets_hold_all_latencies_and_add_up(
            one in prop::collection::vec(1_u64..3_600_000, 0..50),
            other in prop::collection::vec(1_u64..3_600_000, 0..50),
        ) {
            let both = of(&[one.clone(), other.clone()].concat());
            let mut sum = of(&one);
            sum.add(&of(&other));
            prop_assert_eq!(&sum.classic, &both.classic);
            prop_assert_eq!(&sum.native, &both.native);
            prop_assert_eq!(both.classic.iter().sum::<u64>(), both.count);
            prop_assert_eq!(both.native.iter().map(|(_, count)| count).sum::<u64>(), both.count);
            prop_assert!((sum.sum - both.sum).abs() <= both.sum * 1e-6);
            // What stands on the wire says the same.
            let (spans, deltas) = both.spans();
            let (mut at, mut held, mut deltas, mut read) = (0, 0, deltas.into_iter(), Vec::new());
            for (distance, length) in spans {
                at += distance;
                for _ in 0..length {
                    held += deltas.next().unwrap();
                    read.push((at, held as u64));
                    at += 1;
                }
            }
            prop_assert_eq!(read, both.native);
        }
    }
}
