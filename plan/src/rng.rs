//! Randomness as a function of (seed, slot, iteration).
//!
//! User 417 makes the same choices wherever it runs, on whichever agent, before and after it moved: nothing
//! random is drawn from a stream that other users share.

use crate::chore::ChoreKind;
use crate::slot::Slot;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator behind every random choice of a user.
pub type UserRng = Xoshiro256PlusPlus;

/// Which part of a user's life a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its `on_start` steps.
    OnStart,
    /// One iteration, 0-based, its task choice and the pause after it included.
    Iteration(u64),
}

/// The stream of `part` of the life of user `slot` in a run with `seed`.
pub fn user_rng(seed: u64, slot: Slot, part: Part) -> UserRng {
    let part = match part {
        Part::OnStart => 0,
        Part::Iteration(n) => n.wrapping_add(1),
    };
    stream(seed, u64::from(slot.0), part)
}

/// The stream of a chore in a run with `seed`.
pub fn chore_rng(seed: u64, kind: ChoreKind) -> UserRng {
    // No slot is that high.
    stream(seed, u64::MAX, kind as u64)
}

fn stream(seed: u64, whose: u64, part: u64) -> UserRng {
    UserRng::seed_from_u64(word(seed, &[whose, part]))
}

/// 64 random bits that are a function of `seed` and `words`.
pub(crate) fn word(seed: u64, words: &[u64]) -> u64 {
    words.iter().fold(mix(seed), |state, word| mix(state ^ word))
}

/// The stream behind the gaps between a run's arrivals, the same on every agent.
pub(crate) fn arrivals_rng(seed: u64) -> UserRng {
    UserRng::seed_from_u64(mix(mix(seed) ^ ARRIVALS))
}

/// No slot has this number, so no user shares the stream.
const ARRIVALS: u64 = 1 << 32;

/// The SplitMix64 finaliser (Steele, Lea, Flood 2014): every input bit flips each output bit half the time,
/// so neighbouring slots and iterations get unrelated streams.
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use std::collections::HashSet;

    #[test]
    fn a_stream_depends_on_seed_slot_and_part_and_on_nothing_else() {
        let draw = |seed, slot, part| user_rng(seed, Slot(slot), part).random::<u64>();
        assert_eq!(draw(7, 417, Part::Iteration(3)), draw(7, 417, Part::Iteration(3)));
        let mut seen = HashSet::new();
        for seed in 0..4 {
            for kind in [ChoreKind::Setup, ChoreKind::Teardown] {
                assert!(seen.insert(chore_rng(seed, kind).random::<u64>()));
            }
            for slot in 0..50 {
                assert!(seen.insert(draw(seed, slot, Part::OnStart)));
                for n in 0..50 {
                    assert!(seen.insert(draw(seed, slot, Part::Iteration(n))));
                }
            }
        }
    }
}
