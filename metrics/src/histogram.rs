//! Latency histogram: microseconds, 3 significant digits, 1 µs to 1 h.

use crate::latencies::Latencies;
use crate::slot::{self, DIGITS, HIGH, LOW};
use crate::{Counts, DecodeError, Percentile, hdr_v2};
use std::fmt;
use std::time::Duration;

/// A latency histogram with one fixed geometry for the whole fleet, so that merging is exact: the merged
/// histogram equals the one that a single recorder would have made.
///
/// It knows its samples to the width of a slot (1 µs below 2.048 ms, at most 0.1 % above), and nothing beside
/// the counts of the slots: a histogram that was decoded equals the one that was encoded, statistics included.
/// Of a slot, percentiles and the maximum are its highest value, the minimum is its lowest, and mean and
/// deviation take its middle.
#[derive(Clone, Default)]
pub struct Histogram {
    /// 184 KiB of counts, made with the first sample.
    counts: Option<Box<hdrhistogram::Histogram<u64>>>,
}

impl Histogram {
    /// An empty histogram; allocates nothing until the first sample.
    pub fn new() -> Histogram {
        Histogram::default()
    }

    /// Records one latency (rounded to the nearest µs, at least 1 µs, clamped to 1 h).
    pub fn record(&mut self, latency: Duration) {
        self.allocated().saturating_record(micros(latency).clamp(LOW, HIGH));
    }

    /// Records `count` samples of one latency, as if each had been recorded. What is more than can be counted stays at
    /// the most.
    pub fn record_n(&mut self, latency: Duration, count: u64) {
        if count > 0 {
            self.allocated().saturating_record_n(micros(latency).clamp(LOW, HIGH), count);
        }
    }

    /// Adds all samples of `other`. Exact, commutative and associative.
    pub fn merge(&mut self, other: &Histogram) {
        let Some(theirs) = &other.counts else { return };
        match &mut self.counts {
            Some(ours) => ours.add(theirs.as_ref()).expect("all histograms have the same geometry"),
            ours @ None => *ours = Some(theirs.clone()),
        }
    }

    /// Samples recorded.
    pub fn count(&self) -> u64 {
        self.counts.as_ref().map_or(0, |counts| counts.len())
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Smallest sample, to the histogram's precision (never above it); `None` without samples.
    pub fn min(&self) -> Option<Duration> {
        let counts = self.counts.as_ref()?;
        Some(Duration::from_micros(slot::lowest(slot::slot_of(counts.min_nz()))))
    }

    /// Largest sample, to the histogram's precision (never below it); `None` without samples.
    pub fn max(&self) -> Option<Duration> {
        let counts = self.counts.as_ref()?;
        Some(Duration::from_micros(slot::highest(slot::slot_of(counts.max()))))
    }

    /// Mean over the histogram's values, rounded to the nearest ns; `None` without samples.
    pub fn mean(&self) -> Option<Duration> {
        self.average()
    }

    /// Population standard deviation; `None` without samples.
    pub fn stddev(&self) -> Option<Duration> {
        self.deviation()
    }

    /// The smallest recorded value that at least `p` of the samples do not exceed (nearest rank, integer
    /// arithmetic); `None` without samples.
    ///
    /// As HdrHistogram has it, the value is the highest of its slot: up to 0.1 % above the sample, never below
    /// it and never above [`max`](Histogram::max). The library's own `value_at_percentile` is one rank off
    /// where `p / 100 * count` is not exact in floating point (p99.9 of 1000 samples), so it is not used.
    pub fn percentile(&self, p: Percentile) -> Option<Duration> {
        self.value_at(p)
    }

    /// The recorded values with their counts in rising order; a value is the highest of its slot.
    pub fn iter_recorded(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.slots().map(|(slot, count)| (Duration::from_micros(slot::highest(slot)), count))
    }

    /// Appends the V2 encoding to `out`.
    pub fn encode_v2(&self, out: &mut Vec<u8>) {
        hdr_v2::encode(self.slots(), out);
    }

    /// Adds the histogram encoded in `bytes` to this one without building it; all or nothing. Returns how
    /// many samples it held.
    ///
    /// # Errors
    /// Anything but the uncompressed V2 encoding of a histogram with this geometry.
    pub fn merge_v2(&mut self, bytes: &[u8]) -> Result<u64, DecodeError> {
        let counts = Counts::from_v2(bytes)?;
        self.add(&counts)?;
        Ok(counts.count())
    }

    /// Adds the samples of a histogram that was read; all or nothing.
    ///
    /// # Errors
    /// [`DecodeError::TotalsFull`] when there would be more of them than can be counted.
    pub fn add(&mut self, read: &Counts) -> Result<(), DecodeError> {
        let (held, added) = (self.count(), read.count());
        if added > hdr_v2::MAX_TOTAL.saturating_sub(held) {
            return Err(DecodeError::TotalsFull { held, added });
        }
        if added > 0 {
            let counts = self.allocated();
            for (slot, count) in read.slots() {
                counts.saturating_record_n(slot::lowest(slot), count);
            }
        }
        Ok(())
    }

    /// How many samples the histogram encoded in `bytes` holds. What passes here, [`merge_v2`](Histogram::merge_v2)
    /// takes, unless the totals are full.
    ///
    /// # Errors
    /// Anything but the uncompressed V2 encoding of a histogram with this geometry.
    pub fn samples_in_v2(bytes: &[u8]) -> Result<u64, DecodeError> {
        hdr_v2::walk(hdr_v2::payload(bytes)?, |_, _| ())
    }

    /// The encoding of the samples of two encoded histograms together: the bytes that one recorder of all of them would
    /// have made. Builds no histogram. Exact, commutative and associative.
    ///
    /// # Errors
    /// Anything but the uncompressed V2 encoding of histograms with this geometry, and more samples than one may hold.
    pub fn sum_v2(left: &[u8], right: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut bytes = Vec::with_capacity(left.len() + right.len());
        hdr_v2::sum(hdr_v2::payload(left)?, hdr_v2::payload(right)?, &mut bytes)?;
        Ok(bytes)
    }

    /// [`percentile`](Histogram::percentile) of the histogram encoded in `bytes`, without building it; `None` without
    /// samples.
    ///
    /// # Errors
    /// Anything but the uncompressed V2 encoding of a histogram with this geometry.
    pub fn percentile_in_v2(bytes: &[u8], p: Percentile) -> Result<Option<Duration>, DecodeError> {
        let payload = hdr_v2::payload(bytes)?;
        let rank = p.rank(hdr_v2::walk(payload, |_, _| ())?);
        let (mut reached, mut found) = (0_u64, None);
        hdr_v2::walk(payload, |slot, count| {
            reached += count;
            if reached >= rank && found.is_none() {
                found = Some(Duration::from_micros(slot::highest(slot)));
            }
        })?;
        Ok(found)
    }

    /// Adds so many samples to a slot.
    pub(crate) fn add_slot(&mut self, slot: usize, count: u64) {
        self.allocated().saturating_record_n(slot::lowest(slot), count);
    }

    /// The filled slots with their counts, in rising order.
    fn slots(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().flat_map(|counts| {
            counts
                .iter_recorded()
                .map(|value| (slot::slot_of(value.value_iterated_to()), value.count_at_value()))
        })
    }

    fn allocated(&mut self) -> &mut hdrhistogram::Histogram<u64> {
        self.counts.get_or_insert_with(|| {
            let counts = hdrhistogram::Histogram::new_with_bounds(LOW, HIGH, DIGITS);
            Box::new(counts.expect("the bounds and digits are constants that the library accepts"))
        })
    }
}

impl Latencies for Histogram {
    fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.slots()
    }

    fn held(&self) -> u64 {
        self.count()
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Histogram) -> bool {
        match (&self.counts, &other.counts) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => self.is_empty() && other.is_empty(),
        }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the 23 552 slots.
        formatter
            .debug_struct("Histogram")
            .field("count", &self.count())
            .field("min", &self.min())
            .field("p50", &self.percentile(Percentile::P50))
            .field("max", &self.max())
            .finish()
    }
}

/// `time` in µs, rounded to the nearest.
pub(crate) fn micros(time: Duration) -> u64 {
    let rounded = u64::from(time.subsec_nanos() + 500) / 1_000;
    time.as_secs().saturating_mul(1_000_000).saturating_add(rounded)
}

#[cfg(test)]
mod tests;
