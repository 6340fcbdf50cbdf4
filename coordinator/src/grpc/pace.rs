//! How often an agent may speak.

use proto::limits::{MAX_MESSAGE_BURST, MAX_MESSAGE_RATE};
use std::time::Duration;
use tokio::time::Instant;

/// What one message costs.
const COST: Duration = Duration::from_micros(1_000_000 / MAX_MESSAGE_RATE as u64);

/// A stream's allowance: so many messages in a second over time, and so many more at once.
#[derive(Debug)]
pub(super) struct Pace {
    /// When everything that was said so far would have been said at an even pace.
    even: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Pace {
        Pace { even: now }
    }

    /// Takes note of a message that came at `now`; why it was one too many, if it was.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), String> {
        self.even = self.even.max(now) + COST;
        if self.even <= now + COST * MAX_MESSAGE_BURST {
            return Ok(());
        }
        Err(format!(
            "it sent more than {MAX_MESSAGE_BURST} messages at once, or {MAX_MESSAGE_RATE} in a second over time"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_once_and_an_even_pace_for_ever() {
        let (now, mut pace) = (Instant::now(), Pace::new(Instant::now()));
        let at = |ms: u64| now + Duration::from_millis(ms);
        let taken = (0..1000).take_while(|_| pace.take(at(1)).is_ok()).count();
        assert_eq!(taken, MAX_MESSAGE_BURST as usize);
        let problem = pace.take(at(1)).expect_err("one too many");
        assert!(problem.contains("256 messages at once, or 10 in a second"), "{problem}");

        let mut even = Pace::new(now);
        let allowed = |n: &u64| even.take(at(n * 1000 / u64::from(MAX_MESSAGE_RATE))).is_ok();
        assert_eq!((0..100_000).filter(allowed).count(), 100_000);
        let mut quick = Pace::new(now);
        let mut allowed = |n: &u64| quick.take(at(n * 900 / u64::from(MAX_MESSAGE_RATE))).is_ok();
        assert!((0..100_000).any(|n| !allowed(&n)), "a tenth more is too much in the end");
    }
}
