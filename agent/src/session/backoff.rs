//! How long to wait before dialling again.

use std::time::Duration;

/// Pauses that double from a quarter of a second to five seconds, each shortened by up to half so that a
/// fleet does not dial in step. The jitter is a function of the seed and the attempt.
#[derive(Debug)]
pub(super) struct Backoff {
    seed: u64,
    attempts: u32,
}

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

impl Backoff {
    pub(super) fn new(seed: u64) -> Backoff {
        Backoff { seed, attempts: 0 }
    }

    /// Failed attempts since the last success.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    pub(super) fn next_pause(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        // A multiplicative hash is enough to keep agents apart.
        let hash = (self.seed ^ u64::from(self.attempts)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        whole / 2 + (whole / 2).mul_f64((hash >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_seconds_and_start_again_after_a_success() {
        for seed in 0..100 {
            let mut backoff = Backoff::new(seed);
            for attempt in 0..40_u32 {
                let whole = FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST);
                let pause = backoff.next_pause();
                assert!(pause >= whole / 2 && pause <= whole, "attempt {attempt}: {pause:?}");
            }
            backoff.reset();
            assert!(backoff.next_pause() <= FIRST);
        }
    }
}
