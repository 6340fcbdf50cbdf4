//! When each user of a thread starts.
//!
//! Pure: the exact instants come from the plan's schedule, sorted once; the thread asks what is due.

use plan::schedule::{Life, Schedule};
use plan::slot::Slot;
use std::collections::BTreeSet;
use std::time::Duration;

/// A user that is to exist from now on, until `stop` since T0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Start {
    pub(super) at: Duration,
    pub(super) slot: Slot,
    pub(super) stop: Duration,
}

/// The starts of a set of slots in order of time, then slot.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Latest first, so that taking the next one is a pop.
    upcoming: Vec<Start>,
}

impl Pacer {
    /// Every life of `slots` that is not over at `now`: those that should already have begun are due at once,
    /// also when their user runs (which then keeps running).
    pub(super) fn new(schedule: &Schedule, slots: &BTreeSet<Slot>, now: Duration) -> Pacer {
        let start = |slot: Slot| move |life: Life| Start { at: life.start, slot, stop: life.stop };
        let mut upcoming: Vec<Start> = slots
            .iter()
            .flat_map(|&slot| schedule.lives(slot).into_iter().map(start(slot)))
            .filter(|start| start.stop > now)
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
        let slots = slots.iter().map(|&s| Slot(s)).collect();
        let mut pacer = Pacer::new(schedule, &slots, ms(built));
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
}
