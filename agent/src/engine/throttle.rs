//! The most requests and messages per second, of all users of the agent together (`--max-rps`), whatever a plan says.
//!
//! A bucket that refills evenly and holds [`BURST`]'s worth: each request takes the next free moment, and waits for it.
//! The moments are one number that all threads share, so a request costs one atomic addition, and without the cap none.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How much may be made up for at once after a time with fewer requests: what comes unevenly is not held back as long as it
/// is not too much.
const BURST: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(super) struct Throttle {
    origin: Instant,
    /// Between two requests, rounded up: never more than the cap.
    interval_ns: u64,
    /// When the bucket will be empty, in nanoseconds since the origin, if nothing is taken from now on.
    taken_until_ns: AtomicU64,
}

impl Throttle {
    /// At most so many per second. Empty at first, so that the first second is no exception.
    pub(super) fn new(rps: NonZero<u32>, now: Instant) -> Throttle {
        let throttle = Throttle {
            origin: now,
            interval_ns: 1_000_000_000_u64.div_ceil(u64::from(rps.get())),
            taken_until_ns: AtomicU64::new(0),
        };
        throttle.empty(now);
        throttle
    }

    /// Forgets who waits, and what could be made up for.
    pub(super) fn empty(&self, now: Instant) {
        self.taken_until_ns.store(self.since_origin(now) + nanos(BURST), Ordering::Relaxed);
    }

    /// Takes the next free moment; how long after `now` it is.
    pub(super) fn take(&self, now: Instant) -> Duration {
        let now_ns = self.since_origin(now);
        let next = |until: u64| until.max(now_ns).saturating_add(self.interval_ns);
        let before = self.taken_until_ns.update(Ordering::Relaxed, Ordering::Relaxed, next);
        Duration::from_nanos(before.saturating_sub(now_ns).saturating_sub(nanos(BURST)))
    }

    fn since_origin(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.origin))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn throttle(rps: u32, origin: Instant) -> Throttle {
        Throttle::new(NonZero::new(rps).expect("not 0"), origin)
    }

    #[test]
    fn requests_that_come_at_once_go_evenly() {
        let origin = Instant::now();
        let throttle = throttle(50, origin);
        let waits: Vec<u128> = (0..4).map(|_| throttle.take(origin).as_millis()).collect();
        assert_eq!(waits, [0, 20, 40, 60]);
        throttle.empty(origin + Duration::from_secs(9));
        assert_eq!(throttle.take(origin + Duration::from_secs(9)), Duration::ZERO, "nobody waits any more");
    }

    #[test]
    fn what_was_not_used_is_made_up_for_a_little() {
        let origin = Instant::now();
        let throttle = throttle(100, origin);
        let later = origin + Duration::from_secs(60);
        let waits: Vec<u128> = (0..13).map(|_| throttle.take(later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 20], "a tenth of a second's, and one");
    }

    proptest! {
        /// Whatever comes when, and however late it is served.
        #[test]
        fn never_more_than_the_cap(rps in 1_u32..2_000, gaps in prop::collection::vec(0_u64..30_000, 1..600)) {
            let origin = Instant::now();
            let throttle = throttle(rps, origin);
            let mut now = origin;
            let mut starts: Vec<Duration> = gaps
                .into_iter()
                .map(|gap| {
                    now += Duration::from_micros(gap);
                    now + throttle.take(now) - origin
                })
                .collect();
            starts.sort();
            // In integers: quotients of floating-point numbers fall short of whole ones.
            let allowed = |time: Duration| time.as_nanos() * u128::from(rps) / 1_000_000_000 + 1;
            for (n, first) in starts.iter().enumerate() {
                for (m, last) in starts.iter().enumerate().skip(n + 1) {
                    let apart = last.saturating_sub(*first);
                    prop_assert!((m - n) as u128 <= allowed(apart + BURST), "{} in {apart:?}", m - n + 1);
                }
            }
            let whole = starts.last().copied().unwrap_or_default();
            prop_assert!(starts.len() as u128 <= allowed(whole), "{} in {whole:?}", starts.len());
        }
    }
}
