//! The pause between iterations.

use rand::Rng;
use std::time::Duration;

/// How long a user pauses after an iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// Not at all.
    None,
    /// `constant 2s`, or a bare `2s`.
    Constant(Duration),
    /// `1s..3s`: uniform.
    Uniform {
        /// Shortest pause.
        min: Duration,
        /// Longest pause.
        max: Duration,
    },
    /// `pacing 5s` (also `rate 0.2/s`): iterations start this far apart; a late one is not caught up.
    Pacing(Duration),
    /// `exponential 2s`: the mean of the distribution; at most 20 times it.
    Exponential(Duration),
}

impl Wait {
    /// The pause after an iteration that began `spent` ago.
    pub fn pause(&self, spent: Duration, rng: &mut impl Rng) -> Duration {
        let _ = (spent, rng);
        todo!()
    }
}
