//! The pause between iterations.

use metrics::unit::UnitError;
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
    /// Reads `1s..3s`, `constant 2s`, `2s`, `pacing 5s`, `rate 0.5/s`, `exponential 2s` or `none`.
    pub fn parse(text: &str) -> Result<Wait, UnitError> {
        let _ = text;
        todo!()
    }

    /// The pause after an iteration that began `spent` ago.
    pub fn pause(&self, spent: Duration, rng: &mut impl Rng) -> Duration {
        let _ = (spent, rng);
        todo!()
    }
}
