//! A histogram that is quick to add to.

use crate::latencies::Latencies;
use crate::{Counts, DecodeError, Histogram, Percentile, hdr_v2, slot};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A histogram of the same geometry as [`Histogram`], for where many that were read are added up: a slot costs one
/// addition, where [`Histogram`]'s library looks the slot of a value up and keeps more than counts. Takes 184 KiB from
/// the first sample on.
#[derive(Clone, Debug, Default)]
pub struct DenseHistogram {
    /// By slot; empty until the first sample.
    counts: Vec<u64>,
    /// The first and the last filled slot.
    filled: Option<(usize, usize)>,
    total: u64,
}

impl DenseHistogram {
    /// Without samples, and without memory.
    pub fn new() -> DenseHistogram {
        DenseHistogram::default()
    }

    /// Samples in it.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Adds the samples of a histogram that was read; all or nothing.
    ///
    /// # Errors
    /// [`DecodeError::TotalsFull`] when there would be more of them than can be counted.
    pub fn add(&mut self, read: &Counts) -> Result<(), DecodeError> {
        self.add_slots(read.slots(), read.count())
    }

    /// Adds all samples of `other`; all or nothing.
    ///
    /// # Errors
    /// [`DecodeError::TotalsFull`] when there would be more of them than can be counted.
    pub fn merge(&mut self, other: &DenseHistogram) -> Result<(), DecodeError> {
        self.add_slots(other.filled(), other.total)
    }

    /// Forgets all samples, and keeps the memory.
    pub fn clear(&mut self) {
        if let Some(range) = self.range() {
            self.counts[range].fill(0);
        }
        (self.filled, self.total) = (None, 0);
    }

    /// As [`Histogram::percentile`] has it; `None` without samples.
    pub fn percentile(&self, p: Percentile) -> Option<Duration> {
        self.value_at(p)
    }

    /// Appends the V2 encoding to `out`: the bytes that a [`Histogram`] of the same samples has.
    pub fn encode_v2(&self, out: &mut Vec<u8>) {
        hdr_v2::encode(self.filled(), out);
    }

    fn range(&self) -> Option<RangeInclusive<usize>> {
        self.filled.map(|(first, last)| first..=last)
    }

    fn add_slots(
        &mut self,
        slots: impl Iterator<Item = (usize, u64)>,
        added: u64,
    ) -> Result<(), DecodeError> {
        let held = self.total;
        if added > hdr_v2::MAX_TOTAL.saturating_sub(held) {
            return Err(DecodeError::TotalsFull { held, added });
        }
        if added == 0 {
            return Ok(());
        }
        if self.counts.is_empty() {
            self.counts = vec![0; slot::LAST + 1];
        }
        let (mut first, mut last) = self.filled.unwrap_or((slot::LAST, 0));
        for (slot, count) in slots {
            self.counts[slot] += count;
            (first, last) = (first.min(slot), last.max(slot));
        }
        (self.filled, self.total) = (Some((first, last)), held + added);
        Ok(())
    }
}

impl Latencies for DenseHistogram {
    fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.range()
            .into_iter()
            .flatten()
            .map(|slot| (slot, self.counts[slot]))
            .filter(|(_, count)| *count > 0)
    }

    fn held(&self) -> u64 {
        self.total
    }
}

impl From<&DenseHistogram> for Histogram {
    fn from(dense: &DenseHistogram) -> Histogram {
        let mut histogram = Histogram::new();
        for (slot, count) in dense.filled() {
            histogram.add_slot(slot, count);
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(samples: &[u64]) -> Vec<u8> {
        let mut histogram = Histogram::new();
        for us in samples {
            histogram.record(Duration::from_micros(*us));
        }
        let mut bytes = Vec::new();
        histogram.encode_v2(&mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn it_says_what_the_library_says(parts in prop::collection::vec(prop::collection::vec(1_u64..4_000_000_000, 0..40), 0..5)) {
            let (mut all, mut dense) = (Histogram::new(), DenseHistogram::new());
            let mut halves = [DenseHistogram::new(), DenseHistogram::new()];
            for (part, nth) in parts.iter().zip(0..) {
                let counts = Counts::from_v2(&encoded(part)).unwrap();
                all.add(&counts).unwrap();
                dense.add(&counts).unwrap();
                halves[nth % 2].add(&counts).unwrap();
            }
            let [mut merged, other] = halves;
            merged.merge(&other).unwrap();
            for dense in [dense, merged] {
                prop_assert_eq!((dense.count(), dense.is_empty()), (all.count(), all.is_empty()));
                for p in [Percentile::P50, Percentile::P99, Percentile::P99_9] {
                    prop_assert_eq!(dense.percentile(p), all.percentile(p));
                }
                prop_assert_eq!(&Histogram::from(&dense), &all);
                let mut bytes = Vec::new();
                dense.encode_v2(&mut bytes);
                prop_assert_eq!(bytes, encoded(&parts.concat()));
            }
        }

        #[test]
        fn nothing_is_left_of_what_was_before(before in prop::collection::vec(1_u64..4_000_000_000, 0..40), after in prop::collection::vec(1_u64..4_000_000_000, 0..40)) {
            let mut dense = DenseHistogram::new();
            dense.add(&Counts::from_v2(&encoded(&before)).unwrap()).unwrap();
            dense.clear();
            prop_assert!(dense.is_empty());
            dense.add(&Counts::from_v2(&encoded(&after)).unwrap()).unwrap();
            let mut bytes = Vec::new();
            dense.encode_v2(&mut bytes);
            prop_assert_eq!(bytes, encoded(&after));
        }
    }

    #[test]
    fn it_does_not_count_further_than_it_can() {
        let mut full = Histogram::new();
        full.record_n(Duration::from_millis(3), 1 << 40);
        let mut bytes = Vec::new();
        full.encode_v2(&mut bytes);
        let counts = Counts::from_v2(&bytes).unwrap();
        let mut dense = DenseHistogram::new();
        for _ in 0..1 << 13 {
            dense.add(&counts).unwrap();
        }
        let (held, added) = (1 << 53, 1 << 40);
        assert_eq!(dense.add(&counts), Err(DecodeError::TotalsFull { held, added }));
        assert_eq!(dense.count(), held);
    }
}
