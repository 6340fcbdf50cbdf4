//! U(t): how many users should exist at time t, and so when each one starts and stops.
//!
//! All arithmetic is on integers (nanoseconds and users), so every agent computes the same instants and no
//! error accumulates. In a rise from `a` to `b` users over `d`, user `u` starts when the line reaches `u`:
//! `(u - a)·d/(b - a)` after the rise began. In a fall it stops when the line comes back to `u`; so the user
//! that started last stops first.
//!
//! ```text
//! users
//!   4 |         ,-----------.            user 3:         ========
//!   3 |       ,'             \           user 2:       ==========
//!   2 |     ,'                \          user 1:     ==============
//!   1 |   ,'                   \         user 0:   =================
//!   0 +--'----------------------`--> t
//! ```

mod restart;

use crate::slot::Slot;
use metrics::unit::Rate;
pub use restart::Restarts;
use std::time::Duration;

/// One straight piece of U(t).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Users at its end.
    pub users: u32,
    /// How it gets there.
    pub shape: Shape,
    /// How long it lasts.
    pub length: Duration,
}

/// How a [`Stage`] gets to its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `over:` a straight line from where the last stage ended.
    Ramp,
    /// `for:` at once, then constant.
    Hold,
}

/// U(t) from the first start to the end of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    segments: Vec<Segment>,
    end_ns: u64,
}

/// A straight line from `from` users at `start_ns` to `to` users `length_ns` later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    start_ns: u64,
    length_ns: u64,
    from: u32,
    to: u32,
    /// Users per time while it rises or falls; kept as it was asked for, because a length rounded to whole
    /// nanoseconds would not give it back.
    slope: Rate,
}

/// One stretch of a user's existence, as offsets from T0: it starts at `start` and begins nothing new from
/// `stop` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it starts.
    pub start: Duration,
    /// When it stops; always later than `start`.
    pub stop: Duration,
}

impl Schedule {
    /// Longest schedule: a little over a year, so that nanoseconds times users stay far from overflow.
    pub const MAX_LENGTH: Duration = Duration::from_hours(400 * 24);

    /// `users` at `spawn_rate` (all at once without one), for `duration` from the first start.
    pub fn constant(users: u32, spawn_rate: Option<Rate>, duration: Duration) -> Schedule {
        let ramp = ramp_length(users, spawn_rate);
        let hold = duration.saturating_sub(ramp);
        let mut schedule = Schedule::stages(&[
            Stage { users, shape: Shape::Ramp, length: ramp },
            Stage { users, shape: Shape::Hold, length: hold },
        ]);
        if let Some(rate) = spawn_rate {
            schedule.segments[0].slope = rate;
        }
        schedule.end_ns = nanos(duration);
        schedule
    }

    /// `users` at `spawn_rate`, then for `hold` once the ramp is over.
    pub fn held(users: u32, spawn_rate: Option<Rate>, hold: Duration) -> Schedule {
        Schedule::constant(users, spawn_rate, ramp_length(users, spawn_rate) + hold)
    }

    /// Straight pieces one after the other, starting from no users.
    pub fn stages(stages: &[Stage]) -> Schedule {
        let (mut start_ns, mut level) = (0, 0);
        let segments = stages
            .iter()
            .map(|stage| {
                let from = match stage.shape {
                    Shape::Ramp if stage.length > Duration::ZERO => level,
                    _ => stage.users,
                };
                let length_ns = nanos(stage.length);
                let slope = Rate { count: u64::from(from.abs_diff(stage.users)), per_ns: length_ns };
                let segment = Segment { start_ns, length_ns, from, to: stage.users, slope };
                start_ns += segment.length_ns;
                level = stage.users;
                segment
            })
            .collect();
        Schedule { segments, end_ns: start_ns }
    }

    /// When the run ends: nothing new begins from here on.
    pub fn end(&self) -> Duration {
        Duration::from_nanos(self.end_ns)
    }

    /// The most users that ever exist at once; slots are `0..max_users`.
    pub fn max_users(&self) -> u32 {
        let peak = |s: &Segment| {
            if s.from < s.to { self.users_at_ns(s.end_ns().min(self.end_ns) - 1) } else { s.from }
        };
        self.segments.iter().filter(|s| s.start_ns < self.end_ns).map(peak).max().unwrap_or(0)
    }

    /// The most users that are asked for, also when the run ends before its ramp reaches them.
    pub fn asked_users(&self) -> u32 {
        self.segments.iter().map(|s| s.from.max(s.to)).max().unwrap_or(0)
    }

    /// U(t): users that exist at `t` after T0, those that start exactly then included.
    pub fn users_at(&self, t: Duration) -> u32 {
        self.users_at_ns(nanos(t))
    }

    /// When the users first number [`max_users`](Schedule::max_users).
    pub fn full_at(&self) -> Duration {
        match self.max_users() {
            0 => Duration::ZERO,
            n => self.lives(Slot(n - 1)).first().map_or(Duration::ZERO, |life| life.start),
        }
    }

    /// When user `slot` exists, in order of time. Empty for a slot that the schedule never reaches.
    pub fn lives(&self, slot: Slot) -> Vec<Life> {
        let mut lives = Vec::new();
        let mut since: Option<u64> = None;
        let mut close = |since: &mut Option<u64>, stop: u64| {
            if let Some(start) = since.take()
                && start < stop
            {
                lives.push(Life { start: Duration::from_nanos(start), stop: Duration::from_nanos(stop) });
            }
        };
        for segment in self.segments.iter().filter(|s| s.start_ns < self.end_ns) {
            if slot.0 < segment.from {
                since.get_or_insert(segment.start_ns);
            } else {
                close(&mut since, segment.start_ns);
            }
            if let Some(crossing) = segment.crossing(slot).filter(|&t| t < self.end_ns) {
                if segment.from < segment.to {
                    since.get_or_insert(crossing);
                } else {
                    close(&mut since, crossing);
                }
            }
        }
        close(&mut since, self.end_ns);
        lives
    }

    /// ∫U(t)dt over the whole run: what the users add up to if every one keeps its times.
    pub fn user_time(&self) -> Duration {
        (0..self.max_users())
            .flat_map(|slot| self.lives(Slot(slot)))
            .map(|life| life.stop.saturating_sub(life.start))
            .sum()
    }

    fn users_at_ns(&self, t: u64) -> u32 {
        if t >= self.end_ns {
            return 0;
        }
        self.segments.iter().rev().find(|s| s.start_ns <= t).map_or(0, |s| s.users_at(t - s.start_ns))
    }
}

impl Segment {
    fn end_ns(&self) -> u64 {
        self.start_ns + self.length_ns
    }

    /// When the line crosses `slot`, if it does: the user's start in a rise, its stop in a fall.
    fn crossing(&self, slot: Slot) -> Option<u64> {
        let (low, high) = (self.from.min(self.to), self.from.max(self.to));
        if !(low..high).contains(&slot.0) {
            return None;
        }
        let travelled = if self.from < self.to { slot.0 - low } else { high - slot.0 };
        let offset =
            (u128::from(travelled) * u128::from(self.slope.per_ns)).div_ceil(u128::from(self.slope.count));
        Some(self.start_ns + offset as u64)
    }

    /// Users `offset` nanoseconds after the segment's start; counts exactly the slots whose
    /// [`crossing`](Segment::crossing) is not later (rise) or later (fall).
    fn users_at(&self, offset: u64) -> u32 {
        if self.from == self.to || offset >= self.length_ns {
            return self.to;
        }
        let travelled = u128::from(offset) * u128::from(self.slope.count) / u128::from(self.slope.per_ns);
        let travelled = travelled.min(u128::from(self.from.abs_diff(self.to))) as u32;
        if self.from < self.to { (self.from + travelled + 1).min(self.to) } else { self.from - travelled }
    }
}

fn ramp_length(users: u32, spawn_rate: Option<Rate>) -> Duration {
    let Some(rate) = spawn_rate else { return Duration::ZERO };
    let ns = (u128::from(users) * u128::from(rate.per_ns)).div_ceil(u128::from(rate.count));
    Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX)).min(Schedule::MAX_LENGTH)
}

fn nanos(duration: Duration) -> u64 {
    duration.min(Schedule::MAX_LENGTH).as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = 1_000_000_000;

    fn secs(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[expect(clippy::unnecessary_wraps, reason = "what schedules take")]
    fn per_second(count: u64) -> Option<Rate> {
        Some(Rate { count, per_ns: S })
    }

    #[test]
    fn a_thousand_users_at_ten_per_second_start_a_tenth_of_a_second_apart() {
        let schedule = Schedule::constant(1000, per_second(10), secs(300.0));
        for slot in 0..1000 {
            let start = Duration::from_millis(100 * u64::from(slot));
            assert_eq!(schedule.lives(Slot(slot)), [Life { start, stop: secs(300.0) }]);
        }
        assert_eq!(schedule.lives(Slot(1000)), []);
        assert_eq!(schedule.max_users(), 1000);
        assert_eq!(schedule.full_at(), secs(99.9));
        assert_eq!(schedule.users_at(Duration::ZERO), 1);
        assert_eq!(schedule.users_at(secs(0.0999)), 1);
        assert_eq!(schedule.users_at(secs(0.1)), 2);
        assert_eq!(schedule.users_at(secs(99.9)), 1000);
        assert_eq!(schedule.users_at(secs(299.999)), 1000);
        assert_eq!(schedule.users_at(secs(300.0)), 0);
    }

    #[test]
    fn a_run_shorter_than_its_ramp_ends_on_time() {
        let schedule = Schedule::constant(1000, per_second(10), secs(2.0));
        assert_eq!((schedule.max_users(), schedule.asked_users()), (20, 1000));
        assert_eq!(schedule.end(), secs(2.0));
        assert_eq!(schedule.lives(Slot(20)), []);
    }

    #[test]
    fn hold_counts_from_the_end_of_the_ramp() {
        let schedule = Schedule::held(100, per_second(10), secs(5.0));
        assert_eq!(schedule.end(), secs(15.0));
        assert_eq!(Schedule::held(100, None, secs(5.0)).lives(Slot(99))[0].start, Duration::ZERO);
    }

    #[test]
    fn spikes_start_and_stop_the_same_users_last_in_first_out() {
        let schedule = Schedule::stages(&[
            Stage { users: 2, shape: Shape::Ramp, length: secs(2.0) },
            Stage { users: 4, shape: Shape::Hold, length: secs(3.0) },
            Stage { users: 0, shape: Shape::Ramp, length: secs(4.0) },
        ]);
        let life = |start, stop| vec![Life { start: secs(start), stop: secs(stop) }];
        assert_eq!(schedule.lives(Slot(0)), life(0.0, 9.0));
        assert_eq!(schedule.lives(Slot(1)), life(1.0, 8.0));
        assert_eq!(schedule.lives(Slot(2)), life(2.0, 7.0));
        assert_eq!(schedule.lives(Slot(3)), life(2.0, 6.0));
        assert_eq!(schedule.user_time(), secs(9.0 + 7.0 + 5.0 + 4.0));
    }

    #[test]
    fn a_user_can_live_twice() {
        let stage = |users, shape, s| Stage { users, shape, length: secs(s) };
        let schedule = Schedule::stages(&[
            stage(2, Shape::Hold, 1.0),
            stage(0, Shape::Hold, 1.0),
            stage(2, Shape::Ramp, 2.0),
        ]);
        assert_eq!(
            schedule.lives(Slot(1)),
            [Life { start: secs(0.0), stop: secs(1.0) }, Life { start: secs(3.0), stop: secs(4.0) }]
        );
    }

    fn stages() -> impl Strategy<Value = Vec<Stage>> {
        let stage = (0_u32..60, any::<bool>(), 0_u64..30_000_000_000).prop_map(|(users, ramp, ns)| Stage {
            users,
            shape: if ramp { Shape::Ramp } else { Shape::Hold },
            length: Duration::from_nanos(ns),
        });
        prop::collection::vec(stage, 1..8)
    }

    proptest! {
        #[test]
        fn users_at_counts_exactly_the_lives(stages in stages(), at in 0.0_f64..1.1) {
            let schedule = Schedule::stages(&stages);
            let t = schedule.end().mul_f64(at);
            let alive = (0..60)
                .filter(|&s| schedule.lives(Slot(s)).iter().any(|l| l.start <= t && t < l.stop))
                .count();
            prop_assert_eq!(schedule.users_at(t) as usize, alive);
        }

        #[test]
        fn max_users_is_reached_and_never_exceeded(stages in stages()) {
            let schedule = Schedule::stages(&stages);
            let max = schedule.max_users();
            prop_assert_eq!(schedule.lives(Slot(max)), []);
            if max > 0 {
                prop_assert_eq!(schedule.users_at(schedule.full_at()), max);
            }
        }

        #[test]
        fn starts_keep_the_asked_rate_exactly(users in 1_u32..500, count in 1_u64..1000, per_s in 1_u64..100) {
            let rate = Rate { count, per_ns: per_s * S };
            let schedule = Schedule::held(users, Some(rate), secs(1.0));
            for slot in 0..users {
                let start = schedule.lives(Slot(slot))[0].start.as_nanos();
                prop_assert_eq!(start, (u128::from(slot) * u128::from(rate.per_ns)).div_ceil(u128::from(count)));
            }
        }
    }
}
