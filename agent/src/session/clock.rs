//! The coordinator's clock, as seen from here.
//!
//! A renewal and its grant make one measurement, as in NTP (RFC 5905, section 8): the coordinator read its clock between
//! the sending of the one and the arrival of the other, so half of that time is the most that the middle is wrong by,
//! however unlike the two ways are. Of the eight surest measurements the one that is surest now counts (section 10): the
//! shortest, unless it is so old that drift has made it worse. Both clocks are monotonic, so that stepping a wall clock
//! moves nothing.

use std::time::Duration;

/// Measurements that are kept.
const KEPT: usize = 8;

/// How far two clocks may drift apart, in millionths of the time that has passed: as far as a lease allows for.
const DRIFT_PPM: u128 = 1000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Clock {
    measured: Vec<Measurement>,
}

#[derive(Clone, Copy, Debug)]
struct Measurement {
    /// When the grant arrived here.
    at: Duration,
    /// From the sending of the renewal.
    round_trip: Duration,
    /// Nanoseconds to add to a time here to get the time there.
    offset: i128,
}

impl Measurement {
    fn error(&self, now: Duration) -> Duration {
        let drift = now.saturating_sub(self.at).as_nanos() * DRIFT_PPM / 1_000_000;
        self.round_trip / 2 + Duration::from_nanos(u64::try_from(drift).unwrap_or(u64::MAX))
    }
}

impl Clock {
    /// Takes in that the coordinator's clock showed `theirs` between `sent` and `arrived`.
    pub(super) fn measured(&mut self, sent: Duration, arrived: Duration, theirs: Duration) {
        let round_trip = arrived.saturating_sub(sent);
        let middle = sent + round_trip / 2;
        let offset = nanos(theirs) - nanos(middle);
        self.measured.push(Measurement { at: arrived, round_trip, offset });
        if self.measured.len() > KEPT {
            // Not the oldest: what is known must not grow worse because streams become slow.
            self.measured.sort_by_key(|measurement| measurement.error(arrived));
            self.measured.pop();
        }
    }

    /// Whether there are few measurements yet.
    pub(super) fn wants_more(&self) -> bool {
        self.measured.len() < KEPT
    }

    /// How far off the idea of the coordinator's clock may be at `now`; `None` without a measurement.
    pub(super) fn error(&self, now: Duration) -> Option<Duration> {
        self.surest(now).map(|measurement| measurement.error(now))
    }

    /// When the coordinator's clock surely shows `theirs`, on the clock here: not before it does, and up to twice the
    /// error after. `None` without a measurement. A time before this clock began is its beginning.
    pub(super) fn here(&self, now: Duration, theirs: Duration) -> Option<Duration> {
        let surest = self.surest(now)?;
        let here = nanos(theirs) - surest.offset + nanos(surest.error(now));
        Some(Duration::from_nanos(u64::try_from(here.max(0)).unwrap_or(u64::MAX)))
    }

    fn surest(&self, now: Duration) -> Option<&Measurement> {
        self.measured.iter().min_by_key(|measurement| measurement.error(now))
    }
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).expect("2^64 s are fewer than 2^94 ns")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_middle_of_the_shortest_round_trip_counts() {
        let mut clock = Clock::default();
        assert_eq!((clock.error(ms(0)), clock.here(ms(0), ms(7))), (None, None));
        clock.measured(ms(1000), ms(1100), ms(90_060));
        assert_eq!(clock.error(ms(1100)), Some(ms(50)));
        assert_eq!(clock.here(ms(1100), ms(90_010)), Some(ms(1050)));
        clock.measured(ms(2000), ms(2002), ms(91_001));
        assert_eq!((clock.error(ms(2002)), clock.here(ms(2002), ms(91_000))), (Some(ms(1)), Some(ms(2001))));
        clock.measured(ms(3000), ms(3900), ms(92_001));
        let error = ms(1) + Duration::from_micros(1_898);
        assert_eq!(clock.error(ms(3900)), Some(error), "a slow one changes nothing");
        assert_eq!(clock.here(ms(3900), ms(5)), Some(Duration::ZERO), "before this clock began");
    }

    #[test]
    fn a_measurement_grows_old() {
        let mut clock = Clock::default();
        clock.measured(ms(0), ms(2), ms(1));
        let hour = Duration::from_secs(3600);
        assert_eq!(clock.error(hour + ms(2)), Some(ms(1 + 3600)), "a thousandth of an hour");
        clock.measured(hour, hour + ms(10), hour + ms(20));
        assert_eq!(
            clock.error(hour + ms(10)),
            Some(ms(5)),
            "a fresh one is surer, though its way was longer"
        );
        for n in 0..8 {
            assert_eq!(clock.wants_more(), n < 6);
            clock.measured(hour, hour + ms(20), hour);
        }
        let error = ms(5) + Duration::from_micros(10);
        assert_eq!(clock.error(hour + ms(20)), Some(error), "slower ones do not displace it");
    }

    proptest! {
        /// Whatever the two ways take, the estimate is never early, and late by no more than it says.
        #[test]
        fn the_error_bounds_the_truth(
            offset in -900_000_i64..900_000,
            trips in prop::collection::vec((0_u64..500, 0_u64..500, 0_u64..5_000), 1..20),
        ) {
            let theirs = |here: u64| ms((1_000_000 + here).checked_add_signed(offset).unwrap());
            let (mut clock, mut now) = (Clock::default(), 0);
            for (there, back, pause) in trips {
                clock.measured(ms(now), ms(now + there + back), theirs(now + there));
                now += there + back + pause;
                let (here, error) = (clock.here(ms(now), theirs(now)).unwrap(), clock.error(ms(now)).unwrap());
                let late = here.checked_sub(ms(now));
                prop_assert!(late.is_some_and(|late| late <= 2 * error), "{here:?} for {now} ms, error {error:?}");
            }
        }
    }
}
