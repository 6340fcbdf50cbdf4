//! A histogram that holds only the slots that have samples.

use crate::{DecodeError, Histogram, Percentile, hdr_v2, slot};
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
        let payload = hdr_v2::payload(bytes)?;
        let added = hdr_v2::walk(payload, |_, _| ())?;
        hdr_v2::walk(payload, |slot, count| {
            let slot = u16::try_from(slot).expect("there are 23 552 slots");
            let held = self.counts.entry(slot).or_default();
            *held = held.saturating_add(count);
        })?;
        self.total = self.total.saturating_add(added);
        Ok(added)
    }

    /// As [`Histogram::percentile`] has it; `None` without samples.
    pub fn percentile(&self, p: Percentile) -> Option<Duration> {
        let rank = p.rank(self.total);
        let mut reached = 0_u64;
        let (slot, _) = self.counts.iter().find(|(_, count)| {
            reached = reached.saturating_add(**count);
            reached >= rank
        })?;
        Some(Duration::from_micros(slot::highest(usize::from(*slot))))
    }

    /// Adds all its samples to `histogram`.
    pub fn add_to(&self, histogram: &mut Histogram) {
        for (&slot, &count) in &self.counts {
            histogram.add_slot(usize::from(slot), count);
        }
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
            let mut copy = Histogram::new();
            sparse.add_to(&mut copy);
            prop_assert_eq!(copy, dense);
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
