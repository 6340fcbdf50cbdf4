//! A node's clock: never goes back, but drifts, and may jump ahead.

use std::time::Duration;

const MILLION: i128 = 1_000_000;

/// What a node's clock shows, as a function of true time.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// How much faster than true time it runs, in millionths.
    drift_ppm: i64,
    since: Duration,
    shown: Duration,
}

impl Clock {
    /// Shows `shown` when the world begins.
    pub(super) fn new(drift_ppm: i64, shown: Duration) -> Clock {
        Clock { drift_ppm, since: Duration::ZERO, shown }
    }

    /// What it shows at true time `now`.
    pub(super) fn read(&self, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.since).as_nanos().cast_signed();
        self.shown + nanos(passed * (MILLION + i128::from(self.drift_ppm)) / MILLION)
    }

    /// The first true time, to the microsecond, at which it shows `shown` or more; `now` if it does already.
    pub(super) fn when(&self, now: Duration, shown: Duration) -> Duration {
        let wait = shown.saturating_sub(self.read(now)).as_nanos().cast_signed();
        let wait = (wait * MILLION).div_euclid(MILLION + i128::from(self.drift_ppm));
        let mut at = now + nanos(wait);
        while self.read(at) < shown {
            at += Duration::from_micros(1);
        }
        at
    }

    /// Jumps `by` ahead, as the clock of a machine does that was asleep or moved.
    pub(super) fn step(&mut self, now: Duration, by: Duration) {
        self.shown = self.read(now) + by;
        self.since = now;
    }
}

fn nanos(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_what_it_is_asked_for_and_not_before() {
        for drift in [-1000, 0, 37, 1000] {
            let mut clock = Clock::new(drift, Duration::from_secs(90_000));
            for n in 1..200_u32 {
                let now = Duration::from_millis(37) * n;
                if n % 50 == 0 {
                    clock.step(now, Duration::from_millis(900));
                }
                let shown = clock.read(now) + Duration::from_micros(777) * n;
                let at = clock.when(now, shown);
                assert!(clock.read(at) >= shown, "drift {drift}, {n}");
                let before = at.saturating_sub(Duration::from_micros(3));
                assert!(before < now || clock.read(before) < shown, "drift {drift}, {n}");
            }
        }
    }
}
