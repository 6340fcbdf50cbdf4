//! The one source of chance: a seed says everything that happens.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine and in every version.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// A stream of its own for each `part` of a seed, so that one part's draws do not change another's.
    pub(super) fn new(seed: u64, part: &[u64]) -> Dice {
        let mut dice = Dice(seed);
        for word in part {
            dice.0 = dice.word() ^ word;
        }
        dice
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..n`; `n` is at least 1. The bias is far below what a few hundred seeds can show.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.word() % n
    }

    /// One of `low..=high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so many times in a thousand.
    pub(super) fn permille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }

    /// From `low` to `high` milliseconds, to the microsecond.
    pub(super) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.between(low * 1000, high * 1000))
    }

    /// One of these.
    pub(super) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }
}
