//! The slots of a histogram: which values share a count.
//!
//! The geometry is HdrHistogram's for 1 µs to 1 h with 3 significant digits: 2048 slots of 1 µs, then 1024
//! slots for each doubling, so that a slot is never wider than 1/1024 of its values.

/// Smallest latency told apart, in µs.
pub(crate) const LOW: u64 = 1;
/// Largest latency told apart, in µs: one hour.
pub(crate) const HIGH: u64 = 3_600_000_000;
/// Significant decimal digits.
pub(crate) const DIGITS: u8 = 3;
/// The slot of [`HIGH`], the last one that we fill.
pub(crate) const LAST: usize = slot_of(HIGH);

/// 2^10 is the first power of two with 3 digits of precision.
const HALF_BITS: u32 = 10;
const HALF: u64 = 1 << HALF_BITS;

/// The slot that counts `value` µs.
pub(crate) const fn slot_of(value: u64) -> usize {
    // How often the value must be halved to fit into the 2 * HALF slots of width 1.
    let halvings = (u64::BITS - (value | (2 * HALF - 1)).leading_zeros()) - (HALF_BITS + 1);
    (halvings as usize) * (HALF as usize) + (value >> halvings) as usize
}

/// The smallest value in `slot`, in µs.
pub(crate) const fn lowest(slot: usize) -> u64 {
    let slot = slot as u64;
    (slot - halvings(slot) * HALF) << halvings(slot)
}

/// The largest value in `slot`, in µs; at most [`HIGH`].
pub(crate) const fn highest(slot: usize) -> u64 {
    let value = lowest(slot) + width(slot) - 1;
    if value < HIGH { value } else { HIGH }
}

/// The middle value of `slot`, rounded up, in µs; at most [`HIGH`].
pub(crate) const fn middle(slot: usize) -> u64 {
    let value = lowest(slot) + width(slot) / 2;
    if value < HIGH { value } else { HIGH }
}

const fn width(slot: usize) -> u64 {
    1 << halvings(slot as u64)
}

/// How often the values of `slot` were halved to find it.
const fn halvings(slot: u64) -> u64 {
    (slot / HALF).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_library() {
        let library = hdrhistogram::Histogram::<u64>::new_with_bounds(LOW, HIGH, DIGITS).unwrap();
        assert!(LAST < library.distinct_values());
        let mut next = 0;
        for slot in 0..=LAST {
            let value = lowest(slot);
            assert_eq!(value, next, "slots leave no gap");
            next = library.next_non_equivalent(value);
            assert_eq!(slot_of(value), slot);
            assert_eq!(slot_of(next - 1), slot);
            assert_eq!(highest(slot), (next - 1).min(HIGH));
            assert_eq!(middle(slot), library.median_equivalent(value).min(HIGH));
            assert!(width(slot) == 1 || width(slot) * 1_024 <= value, "0.1 % in slot {slot}");
        }
        assert!(next > HIGH);
    }
}
