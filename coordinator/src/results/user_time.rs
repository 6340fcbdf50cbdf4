//! User-seconds: how much of the asked load was there.

use plan::Plan;
use plan::schedule::Schedule;
use plan::slot::Slot;
use std::time::Duration;

/// How much of the asked load was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserTime {
    /// The area under the schedule, exactly; up to the interruption if there was one.
    pub target: Duration,
    /// What of it was not there: each second counts the users that were short at its end.
    pub missing: Duration,
}

impl UserTime {
    /// What was there of the target.
    pub fn actual(&self) -> Duration {
        self.target.saturating_sub(self.missing)
    }
}

/// How far an agent may be off when it counts its users at a second's end. A user that is due within this of
/// the end is not missed, and neither are the users of a schedule that ends with the second.
const COUNTING_SLACK: Duration = Duration::from_millis(500);

/// Counts the users that were short, second by second.
#[derive(Clone, Debug)]
pub(super) struct Shortfall {
    schedule: Schedule,
    /// Nobody is wanted from here on.
    end: Duration,
    /// Whole seconds from T0 in which nobody is missed much: nothing is judged by them.
    warmup: Duration,
    next: u32,
    user_seconds: u64,
    /// Those of them after the warm-up.
    measured_user_seconds: u64,
    /// In an open load nobody is missed, and neither is anybody whose share of a run's iterations is done. What was
    /// asked for is what was needed: the user-seconds that users were busy.
    busy: Option<u64>,
}

impl Shortfall {
    pub(super) fn new(plan: &Plan) -> Shortfall {
        Shortfall {
            end: plan.schedule.end(),
            schedule: plan.schedule.clone(),
            warmup: plan.warmup,
            busy: (plan.arrivals.is_some() || plan.iterations.is_some()).then_some(0),
            next: 0,
            user_seconds: 0,
            measured_user_seconds: 0,
        }
    }

    /// Users that are wanted at the end of `second`, those that start right then included, as the agents count
    /// theirs; of the last second, just before the schedule's end.
    pub(super) fn target(&self, second: u32) -> u32 {
        let last = self.end.saturating_sub(Duration::from_nanos(1));
        let end = end_of(second);
        let start = end.saturating_sub(Duration::from_secs(1));
        self.users_at(if start < self.end { end.min(last) } else { end })
    }

    /// Nobody is wanted from `end` on.
    pub(super) fn stop(&mut self, end: Duration) {
        self.end = self.end.min(end);
    }

    /// `users` existed at the end of `second`; nobody reported the seconds since the last one.
    pub(super) fn second(&mut self, second: u32, users: u32) {
        if let Some(busy) = &mut self.busy {
            *busy += u64::from(users);
            return;
        }
        self.silence(second);
        if second >= self.next {
            self.miss(second, self.wanted(second).saturating_sub(users));
            self.next = second.saturating_add(1);
        }
    }

    /// Nobody reported the seconds before `second`.
    pub(super) fn silence(&mut self, second: u32) {
        // Nothing is missing after the schedule's end, so the loop is bounded by the plan, not by a peer.
        let until = second.min(u32::try_from(self.end.as_secs()).unwrap_or(u32::MAX));
        while self.next < until {
            self.miss(self.next, self.target(self.next));
            self.next += 1;
        }
        self.next = self.next.max(second);
    }

    /// What was asked for, and what of it was missing; nobody reported the rest of it. First of the whole run,
    /// then of what followed its warm-up.
    pub(super) fn finish(mut self) -> (UserTime, UserTime) {
        if let Some(busy) = self.busy {
            let needed = UserTime { target: Duration::from_secs(busy), missing: Duration::ZERO };
            return (needed, needed);
        }
        self.silence(u32::MAX);
        let since = |from: Duration, user_seconds: u64| {
            let slots = (0..self.schedule.max_users()).map(Slot);
            let target: Duration = slots
                .flat_map(|slot| self.schedule.lives(slot))
                .map(|life| life.stop.min(self.end).saturating_sub(life.start.max(from)))
                .sum();
            UserTime { target, missing: Duration::from_secs(user_seconds).min(target) }
        };
        (since(Duration::ZERO, self.user_seconds), since(self.warmup, self.measured_user_seconds))
    }

    fn miss(&mut self, second: u32, users: u32) {
        self.user_seconds += u64::from(users);
        if u64::from(second) >= self.warmup.as_secs() {
            self.measured_user_seconds += u64::from(users);
        }
    }

    /// The fewest users that the schedule can mean by the end of `second`.
    fn wanted(&self, second: u32) -> u32 {
        let end = end_of(second);
        self.users_at(end.saturating_sub(COUNTING_SLACK)).min(self.users_at(end + COUNTING_SLACK))
    }

    fn users_at(&self, t: Duration) -> u32 {
        if t < self.end { self.schedule.users_at(t) } else { 0 }
    }
}

/// How many of the `users` at the end of `second` were there for it, taken as one: of those that came in its last
/// tenth a tenth. More than were there at its end are not counted.
pub(super) fn present(schedule: &Schedule, second: u32, users: u32) -> u32 {
    let start = Duration::from_secs(u64::from(second));
    let at_the_end = u64::from(schedule.users_at(end_of(second)));
    // In the middle of each twentieth.
    let sampled = (0..20).map(|n| u64::from(schedule.users_at(start + Duration::from_millis(25 + 50 * n))));
    let all: u64 = sampled.map(|users| users.min(at_the_end)).sum();
    (u64::from(users) * all).checked_div(20 * at_the_end).map_or(users, |present| present as u32)
}

fn end_of(second: u32) -> Duration {
    Duration::from_secs(u64::from(second) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 users at once for 10 s, of which 3 s are warm-up.
    fn shortfall() -> Shortfall {
        let plan = crate::results::fixture::plan(&[]);
        Shortfall::new(&Plan { warmup: Duration::from_secs(3), ..plan })
    }

    #[test]
    fn users_missed_during_the_warm_up_are_told_apart() {
        let mut shortfall = shortfall();
        for (second, users) in [(0, 0), (1, 5), (2, 9), (3, 8), (4, 10), (5, 10), (6, 10), (7, 10), (8, 10)] {
            shortfall.second(second, users);
        }
        let (all, measured) = shortfall.finish();
        let secs = |time: UserTime| (time.target.as_secs(), time.missing.as_secs());
        assert_eq!((secs(all), secs(measured)), ((100, 10 + 5 + 1 + 2 + 10), (70, 2 + 10)));
    }

    #[test]
    fn users_that_come_late_in_a_second_are_there_for_part_of_it() {
        let check = |schedule: &Schedule, second: u32, users: u32, expected: u32| {
            assert_eq!(present(schedule, second, users), expected, "second {second}");
        };
        let jump = Schedule::constant(100, None, Duration::from_secs(3));
        check(&jump, 0, 10, 10);
        check(&jump, 1, 10, 10);
        check(&jump, 2, 10, 10);
        check(&jump, 9, 0, 0);
        let ramp = crate::results::fixture::ramp();
        check(&ramp, 0, 2, 1);
        check(&ramp, 8, 10, 9);
        let rate = metrics::unit::Rate { count: 100, per_ns: 1_000_000_000 };
        let steep = Schedule::constant(100, Some(rate), Duration::from_secs(3));
        check(&steep, 0, 10, 5);
        check(&steep, 1, 10, 10);
    }

    #[test]
    fn short_and_silent_seconds_count() {
        let check = |reported: &[(u32, u32)], interrupted: Option<u64>, target: u64, missing: u64| {
            let mut shortfall = shortfall();
            if let Some(at) = interrupted {
                shortfall.stop(Duration::from_secs(at));
            }
            for &(second, users) in reported {
                shortfall.second(second, users);
            }
            let (time, _) = shortfall.finish();
            let secs = (time.target.as_secs(), time.missing.as_secs(), time.actual().as_secs());
            assert_eq!(secs, (target, missing, target - missing), "{reported:?}");
        };
        let full: Vec<(u32, u32)> = (0..10).map(|second| (second, 10)).collect();
        check(&full, None, 100, 0);
        check(&[], None, 100, 100);
        // The users are gone when the last second is counted, and that is right.
        check(&full[..9], None, 100, 10);
        check(&[&full[..9], &[(9, 0)]].concat(), None, 100, 0);
        check(&[(0, 10), (1, 7), (2, 10), (5, 10), (9, 0)], None, 100, 3 + 20 + 30);
        check(&full[..4], Some(4), 40, 0);
        check(&[&full[..3], &[(3, 0), (4, 0)]].concat(), Some(4), 40, 0);
        check(&[(0, 10), (u32::MAX, 0)], None, 100, 90);
    }
}
