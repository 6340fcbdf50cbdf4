//! When each user of a thread starts.
//!
//! Pure: the exact instants come from the plan's schedule, sorted once; the thread asks what is due.

use super::deal::Hand;
use plan::schedule::{Life, Schedule};
use plan::slot::{Seat, Slot};
use std::time::Duration;

/// A user that is to exist from now on, until `stop` since T0, and goes on with `iteration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Start {
    pub(super) at: Duration,
    pub(super) slot: Slot,
    pub(super) stop: Duration,
    pub(super) iteration: u64,
}

/// The starts of a set of slots in order of time, then slot.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Latest first, so that taking the next one is a pop.
    upcoming: Vec<Start>,
}

impl Pacer {
    /// Every life of the seats in `hand` that is not over at `now`, none before its seat allows: those that should
    /// already have begun are due at once, also when their user runs (which then keeps running).
    pub(super) fn new(schedule: &Schedule, hand: &Hand, now: Duration) -> Pacer {
        let start = |seat: Seat| {
            move |Life { start, stop }: Life| Start {
                at: start.max(seat.not_before),
                slot: seat.slot,
                stop,
                iteration: seat.iteration,
            }
        };
        let mut upcoming: Vec<Start> = hand
            .values()
            .flat_map(|&seat| schedule.lives(seat.slot).into_iter().map(start(seat)))
            .filter(|start| start.stop > now && start.stop > start.at)
            .collect();
        upcoming.sort_unstable_by(|a, b| b.cmp(a));
        Pacer { upcoming }
    }

    /// Takes the next start that is due at `now`. One whose whole life went by unseen is left out.
    pub(super) fn due(&mut self, now: Duration) -> Option<Start> {
        loop {
            let start = self.upcoming.pop_if(|start| start.at <= now)?;
            if start.stop > now {
                return Some(start);
            }
        }
    }

    /// When the next start is due; `None` when there is none.
    pub(super) fn next_at(&self) -> Option<Duration> {
        self.upcoming.last().map(|start| start.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::unit::Rate;
    use plan::schedule::{Shape, Stage};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Asks at each of `times`; lists `slot@at-stop`.
    fn check(schedule: &Schedule, slots: &[u32], built: u64, times: &[u64], expected: &[&str]) {
        let seats: Vec<Seat> = slots.iter().map(|&s| Seat::fresh(Slot(s))).collect();
        check_seats(schedule, &seats, built, times, expected);
    }

    fn check_seats(schedule: &Schedule, seats: &[Seat], built: u64, times: &[u64], expected: &[&str]) {
        let hand = seats.iter().map(|&seat| (seat.slot, seat)).collect();
        let mut pacer = Pacer::new(schedule, &hand, ms(built));
        let mut at = |now: u64| {
            let due = std::iter::from_fn(|| pacer.due(ms(now)));
            let due = due.map(|s| format!("{}@{}-{}", s.slot.0, s.at.as_millis(), s.stop.as_millis()));
            due.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(times.iter().map(|&now| at(now)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn users_start_in_order_at_their_exact_time() {
        let ramp = Schedule::constant(6, Some(Rate { count: 10, per_ns: 1_000_000_000 }), ms(2000));
        check(&ramp, &[5, 1, 3], 0, &[99, 100, 299, 300, 9000], &["", "1@100-2000", "", "3@300-2000", ""]);
        check(&ramp, &[5, 1, 3], 0, &[500], &["1@100-2000 3@300-2000 5@500-2000"]);
        check(&ramp, &[0, 1], 1999, &[1999], &["0@0-2000 1@100-2000"]);
        check(&ramp, &[0, 1], 2000, &[2000], &[""]);
        check(&ramp, &[0, 6], 0, &[0, 100], &["0@0-2000", ""]);
    }

    #[test]
    fn a_user_that_lives_twice_starts_twice() {
        let hold = |users, s| Stage { users, shape: Shape::Hold, length: Duration::from_secs(s) };
        let pulses = Schedule::stages(&[hold(2, 1), hold(0, 1), hold(1, 1)]);
        check(&pulses, &[0, 1], 0, &[0, 2000], &["0@0-1000 1@0-1000", "0@2000-3000"]);
        check(&pulses, &[0, 1], 1000, &[1000, 2000], &["", "0@2000-3000"]);
        check(&pulses, &[0, 1], 0, &[2500], &["0@2000-3000"]);
    }

    #[test]
    fn nobody_starts_before_its_seat_allows() {
        let hold = |users, s| Stage { users, shape: Shape::Hold, length: Duration::from_secs(s) };
        let pulses = Schedule::stages(&[hold(2, 1), hold(0, 1), hold(1, 1)]);
        let seat = |slot, not_before| Seat { not_before: ms(not_before), ..Seat::fresh(Slot(slot)) };
        let check = |seats: &[Seat], times: &[u64], expected: &[&str]| {
            check_seats(&pulses, seats, 0, times, expected);
        };
        check(&[seat(0, 500), seat(1, 0)], &[499, 500, 2000], &["1@0-1000", "0@500-1000", "0@2000-3000"]);
        check(&[seat(0, 1000)], &[999, 1999, 2000], &["", "", "0@2000-3000"]);
        check(&[seat(0, 2600)], &[2599, 2600], &["", "0@2600-3000"]);
        check(&[seat(0, 3000)], &[2999, 9000], &["", ""]);
    }
}
