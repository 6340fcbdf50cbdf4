//! The filled slots of an encoded histogram.

use crate::{DecodeError, hdr_v2};

/// What an encoded histogram holds, read once to be [added](crate::Histogram::add) in several places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Filled slots in rising order, and how many samples are in each.
    slots: Vec<(u16, u64)>,
    total: u64,
}

impl Counts {
    /// Reads the histogram encoded in `bytes`. Takes at most as many slots of memory as there are bytes.
    ///
    /// # Errors
    /// Anything but the uncompressed V2 encoding of a histogram with this geometry.
    pub fn from_v2(bytes: &[u8]) -> Result<Counts, DecodeError> {
        let payload = hdr_v2::payload(bytes)?;
        // A filled slot takes a byte at least, and mostly another one for the empty slots before it.
        let mut slots = Vec::with_capacity(payload.len() / 2);
        let total = hdr_v2::walk(payload, |slot, count| {
            slots.push((u16::try_from(slot).expect("there are 23 552 slots"), count));
        })?;
        Ok(Counts { slots, total })
    }

    /// Samples in it.
    pub fn count(&self) -> u64 {
        self.total
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = (usize, u64)> {
        self.slots.iter().map(|&(slot, count)| (usize::from(slot), count))
    }
}
