//! When users that fell out of a running schedule may start again: never faster than the plan starts its own.

use super::Schedule;
use metrics::unit::Rate;
use std::time::Duration;

/// The instants, as offsets from T0, at which users may start again, one each. At the pace of the steepest rise of
/// the schedule, and not while one is under way, whose own starts have the pace already. At once if the schedule
/// starts users at once anywhere.
#[derive(Debug)]
pub struct Restarts<'a> {
    schedule: &'a Schedule,
    /// `None`: at once.
    rate: Option<Rate>,
    from_ns: u64,
    /// Restarts since `from_ns`.
    count: u64,
}

impl Schedule {
    /// The restarts from `from` on, without end; those after the schedule's end come too late.
    pub fn restarts(&self, from: Duration) -> Restarts<'_> {
        Restarts { schedule: self, rate: self.steepest_rise(), from_ns: super::nanos(from), count: 0 }
    }

    /// Users per time in the steepest rise; `None` if any is a jump.
    fn steepest_rise(&self) -> Option<Rate> {
        let mut level = 0;
        let mut steepest: Option<Rate> = None;
        for segment in self.segments.iter().filter(|s| s.start_ns < self.end_ns) {
            if segment.from > level {
                return None;
            }
            let slope = segment.slope;
            let steeper = |than: Rate| {
                u128::from(slope.count) * u128::from(than.per_ns)
                    > u128::from(than.count) * u128::from(slope.per_ns)
            };
            if segment.from < segment.to && steepest.is_none_or(steeper) {
                steepest = Some(slope);
            }
            level = segment.to;
        }
        steepest
    }

    /// The first instant from `t` on at which no rise is under way.
    fn calm_from(&self, t: u64) -> u64 {
        let rises = self.segments.iter().filter(|s| s.from < s.to);
        rises.fold(t, |t, rise| if rise.start_ns <= t && t < rise.end_ns() { rise.end_ns() } else { t })
    }
}

impl Iterator for Restarts<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let Some(rate) = self.rate else { return Some(Duration::from_nanos(self.from_ns)) };
        let offset =
            (u128::from(self.count) * u128::from(rate.per_ns)).div_ceil(u128::from(rate.count.max(1)));
        let at = self.from_ns.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX));
        let calm = self.schedule.calm_from(at);
        if calm > at {
            (self.from_ns, self.count) = (calm, 0);
        }
        self.count += 1;
        Some(Duration::from_nanos(calm))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Shape, Stage};
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The first restarts from `from` on, in milliseconds.
    fn check(schedule: &Schedule, from: u64, expected: &[u128]) {
        let got: Vec<u128> =
            schedule.restarts(ms(from)).take(expected.len()).map(|at| at.as_millis()).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn users_start_again_at_the_pace_of_the_ramp_and_after_it() {
        let rate = Rate { count: 10, per_ns: 1_000_000_000 };
        let ramp = Schedule::constant(30, Some(rate), ms(60_000));
        check(&ramp, 10_000, &[10_000, 10_100, 10_200]);
        check(&ramp, 1_250, &[3_000, 3_100, 3_200]);
        check(&ramp, 3_000, &[3_000, 3_100]);
        check(&Schedule::constant(30, None, ms(60_000)), 10_000, &[10_000, 10_000]);
    }

    #[test]
    fn the_steepest_rise_sets_the_pace_and_a_jump_sets_none() {
        let stage = |users, shape, s| Stage { users, shape, length: Duration::from_secs(s) };
        let hills = [
            stage(10, Shape::Ramp, 10),
            stage(10, Shape::Hold, 1),
            stage(30, Shape::Ramp, 10),
            stage(0, Shape::Ramp, 1),
            stage(5, Shape::Ramp, 10),
        ];
        let schedule = Schedule::stages(&hills);
        check(&schedule, 10_000, &[10_000, 10_500, 21_000, 21_500, 32_000, 32_500]);
        let jump = [hills.as_slice(), &[stage(6, Shape::Hold, 10)]].concat();
        check(&Schedule::stages(&jump), 10_000, &[10_000, 10_000]);
        let jump_at_once = [stage(6, Shape::Ramp, 0), stage(9, Shape::Ramp, 10)];
        check(&Schedule::stages(&jump_at_once), 5_000, &[5_000, 5_000]);
    }
}
