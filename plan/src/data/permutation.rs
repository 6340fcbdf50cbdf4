//! A shuffle that nobody stores.

use crate::rng::word;

/// Where `index` goes in the shuffle of `0..length` that `key` chooses; `index` is below `length`.
///
/// A balanced Feistel network permutes the smallest power of four that holds `length`; what comes out too
/// large goes in again ("cycle walking", Black and Rogaway 2002), which takes fewer than four rounds on average.
pub(super) fn shuffled(index: u64, length: u64, key: u64) -> u64 {
    debug_assert!(index < length, "{index} is not below {length}");
    let bits = 64 - length.saturating_sub(1).leading_zeros();
    let half = bits.div_ceil(2).max(1);
    let mask = (1_u64 << half) - 1;
    let mut at = index;
    loop {
        let (mut left, mut right) = (at >> half, at & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (word(key, &[round, right]) & mask));
        }
        at = (left << half) | right;
        if at < length {
            return at;
        }
    }
}
