//! A histogram that holds only the slots that have samples.

use crate::histogram::micros;
use crate::latencies::Latencies;
use crate::{Counts, DecodeError, Histogram, Percentile, hdr_v2, slot};
use std::collections::BTreeMap;
use std::time::Duration;

/// A histogram of the same geometry as [`Histogram`], for where there are many of them with few samples each: what one
/// agent says of itself, of a thousand agents. It takes about 20 bytes for each slot with a sample, where a [`Histogram`]
/// takes 184 KiB at once, and is slower to add to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseHistogram {
    counts: BTreeMap<u16, u64>,
    total: u64,
}

impl SparseHistogram {
    /// Without samples.
    pub fn new() -> SparseHistogram {
        SparseHistogram::default()
    }

    /// Samples in it.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Adds the histogram encoded in `bytes`; all or nothing. Returns how many samples it held. What is more than can be
    /// counted stays at the most.
    ///
    /// # Errors
    /// Anything but the uncompressed V2 encoding of a histogram with this geometry.
    pub fn merge_v2(&mut self, bytes: &[u8]) -> Result<u64, DecodeError> {
        let counts = Counts::from_v2(bytes)?;
        self.add(&counts);
        Ok(counts.count())
    }

    /// Adds the samples of a histogram that was read. What is more than can be counted stays at the most.
    pub fn add(&mut self, read: &Counts) {
        for (slot, count) in read.slots() {
            let slot = u16::try_from(slot).expect("there are 23 552 slots");
            let held = self.counts.entry(slot).or_default();
            *held = held.saturating_add(count);
        }
        self.total = self.total.saturating_add(read.count());
    }

    /// Takes out the histogram encoded in `bytes`, which was added before; all or nothing. What is not in it is not
    /// taken out.
    ///
    /// # Errors
    /// Anything but the uncompressed V2 encoding of a histogram with this geometry.
    pub fn remove_v2(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let payload = hdr_v2::payload(bytes)?;
        hdr_v2::walk(payload, |_, _| ())?;
        hdr_v2::walk(payload, |slot, count| {
            let slot = u16::try_from(slot).expect("there are 23 552 slots");
            let Some(held) = self.counts.get_mut(&slot) else { return };
            let taken = count.min(*held);
            *held -= taken;
            self.total -= taken.min(self.total);
            if *held == 0 {
                self.counts.remove(&slot);
            }
        })?;
        Ok(())
    }

    /// Adds all samples of `other`. What is more than can be counted stays at the most.
    pub fn merge(&mut self, other: &SparseHistogram) {
        for (&slot, &count) in &other.counts {
            let held = self.counts.entry(slot).or_default();
            *held = held.saturating_add(count);
        }
        self.total = self.total.saturating_add(other.total);
    }

    /// Appends the V2 encoding to `out`: the bytes that a [`Histogram`] of the same samples has.
    pub fn encode_v2(&self, out: &mut Vec<u8>) {
        hdr_v2::encode(self.filled(), out);
    }

    /// As [`Histogram::percentile`] has it; `None` without samples.
    pub fn percentile(&self, p: Percentile) -> Option<Duration> {
        self.value_at(p)
    }

    /// Adds all its samples to `histogram`.
    pub fn add_to(&self, histogram: &mut Histogram) {
        for (&slot, &count) in &self.counts {
            histogram.add_slot(usize::from(slot), count);
        }
    }
}

impl Latencies for SparseHistogram {
    fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().map(|(&slot, &count)| (usize::from(slot), count))
    }

    fn held(&self) -> u64 {
        self.total
    }
}

impl FromIterator<Duration> for SparseHistogram {
    /// As [`Histogram::record`] records each.
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> SparseHistogram {
        let mut histogram = SparseHistogram::new();
        for latency in latencies {
            let slot = slot::slot_of(micros(latency).clamp(slot::LOW, slot::HIGH));
            *histogram.counts.entry(u16::try_from(slot).expect("there are 23 552 slots")).or_default() += 1;
            histogram.total += 1;
        }
        histogram
    }
}

impl From<&Histogram> for SparseHistogram {
    fn from(histogram: &Histogram) -> SparseHistogram {
        let narrow = |slot| u16::try_from(slot).expect("there are 23 552 slots");
        let counts = histogram.filled().map(|(slot, count)| (narrow(slot), count)).collect();
        SparseHistogram { counts, total: histogram.count() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(histogram: &Histogram) -> Vec<u8> {
        let mut bytes = Vec::new();
        histogram.encode_v2(&mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn it_says_what_a_dense_one_says(parts in prop::collection::vec(prop::collection::vec(1_u64..5_000_000, 0..40), 0..5)) {
            let (mut dense, mut sparse) = (Histogram::new(), SparseHistogram::new());
            for part in parts {
                let mut histogram = Histogram::new();
                for us in &part {
                    histogram.record(Duration::from_micros(*us));
                }
                prop_assert_eq!(sparse.merge_v2(&encoded(&histogram)), Ok(part.len() as u64));
                dense.merge(&histogram);
            }
            prop_assert_eq!(sparse.count(), dense.count());
            for p in [Percentile::P50, Percentile::P99, Percentile::P99_9] {
                prop_assert_eq!(sparse.percentile(p), dense.percentile(p));
            }
            prop_assert_eq!((sparse.shortest(), sparse.longest()), (dense.min(), dense.max()));
            prop_assert_eq!((sparse.average(), sparse.deviation()), (dense.mean(), dense.stddev()));
            let mut copy = Histogram::new();
            sparse.add_to(&mut copy);
            prop_assert_eq!(&copy, &dense);
            prop_assert_eq!(SparseHistogram::from(&dense), sparse.clone());
            let mut bytes = Vec::new();
            sparse.encode_v2(&mut bytes);
            prop_assert_eq!(bytes, encoded(&dense));
        }

        #[test]
        fn what_was_added_is_taken_out_again(parts in prop::collection::vec(prop::collection::vec(1_u64..5_000_000, 0..40), 1..6)) {
            let of = |samples: &[u64]| {
                let mut histogram = Histogram::new();
                for us in samples {
                    histogram.record(Duration::from_micros(*us));
                }
                histogram
            };
            let mut window = SparseHistogram::new();
            for part in &parts {
                window.merge_v2(&encoded(&of(part))).unwrap();
            }
            for (taken, part) in parts.iter().enumerate() {
                window.remove_v2(&encoded(&of(part))).unwrap();
                prop_assert_eq!(&window, &SparseHistogram::from(&of(&parts[taken + 1..].concat())));
            }
            // What is not in it changes nothing.
            window.remove_v2(&encoded(&of(&[7, 8]))).unwrap();
            prop_assert_eq!(window, SparseHistogram::new());
        }
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut histogram = Histogram::new();
        histogram.record(Duration::from_millis(3));
        let mut bytes = encoded(&histogram);
        let mut sparse = SparseHistogram::new();
        assert_eq!(sparse.merge_v2(&bytes), Ok(1));
        let before = sparse.clone();
        bytes.pop();
        assert!(sparse.merge_v2(&bytes).is_err());
        assert!(sparse.merge_v2(&[]).is_err());
        assert_eq!(sparse, before);
    }
}
