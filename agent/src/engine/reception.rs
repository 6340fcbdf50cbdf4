//! When the arrivals of a thread come: those of an open load whose turn it is for one of its slots.
//!
//! Pure: the exact instants come from the plan; the thread asks what is due.

use super::deal::Hand;
use plan::Plan;
use plan::arrivals::{Arrivals, Times, home, next_of};
use plan::slot::{Seat, Slot};
use std::collections::BTreeMap;
use std::time::Duration;

/// An iteration that is to start at `at` since T0, whatever the users are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Counted through the whole fleet.
    pub(super) number: u64,
    pub(super) at: Duration,
    /// Whose turn it is.
    pub(super) home: Slot,
}

/// The arrivals of a hand of slots in order.
#[derive(Debug)]
pub(super) struct Reception {
    arrivals: Arrivals,
    seed: u64,
    users: u32,
    /// The slots, and the first arrival that each may serve.
    hand: BTreeMap<Slot, u64>,
    /// Behind the last arrival that was taken.
    taken: Times,
    /// Where to look for the next one.
    from: u64,
    /// At `next`.
    ahead: Times,
    next: Option<Arrival>,
}

impl Reception {
    /// The arrivals of `hand`; `None` when the load of `plan` is not open.
    pub(super) fn new(plan: &Plan, hand: &Hand) -> Option<Reception> {
        let arrivals = plan.arrivals.clone()?;
        let times = Times::new(&arrivals, plan.seed);
        let mut reception = Reception {
            arrivals,
            seed: plan.seed,
            users: plan.schedule.max_users(),
            hand: BTreeMap::new(),
            taken: times.clone(),
            from: 0,
            ahead: times,
            next: None,
        };
        reception.reassign(hand, Duration::ZERO);
        Some(reception)
    }

    /// Goes on with the slots of `hand`, when all that was due at `now` is taken. What comes for new ones before their
    /// seats allow is another agent's; where seats say nothing, what came before `now` is.
    pub(super) fn reassign(&mut self, hand: &Hand, now: Duration) {
        let joins = |seat: &Seat| {
            let since = if seat.not_before.is_zero() { now } else { seat.not_before };
            Times::new(&self.arrivals, self.seed).count_before(since)
        };
        let first = |seat: &Seat| {
            self.hand.get(&seat.slot).map_or_else(|| joins(seat), |&first| first.max(self.from))
        };
        self.hand = hand.values().map(|seat| (seat.slot, first(seat))).collect();
        self.from = self.hand.values().copied().min().unwrap_or(self.from);
        if self.from < self.taken.number() {
            self.taken = Times::new(&self.arrivals, self.seed);
        }
        self.look();
    }

    /// When the next one comes; `None` when none does.
    pub(super) fn next_at(&self) -> Option<Duration> {
        self.next.map(|arrival| arrival.at)
    }

    /// Takes the next arrival that is due at `now`.
    pub(super) fn due(&mut self, now: Duration) -> Option<Arrival> {
        let arrival = self.next.filter(|arrival| arrival.at <= now)?;
        self.taken.clone_from(&self.ahead);
        self.from = arrival.number + 1;
        self.look();
        Some(arrival)
    }

    /// Finds the first arrival from `from` on that one of the slots may serve.
    fn look(&mut self) {
        self.ahead.clone_from(&self.taken);
        self.next = loop {
            let Some(number) = next_of(&self.hand, self.users, self.from) else { break None };
            let home = home(number, self.users);
            if number >= self.hand[&home] {
                break self.ahead.at(number).map(|at| Arrival { number, at, home });
            }
            self.from = number + 1;
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Bundle, Settings};
    use proptest::prelude::*;

    fn plan(arrivals: &str, users: u32) -> Plan {
        let source = format!(
            "version: 1\nname: T\ntarget: http://localhost\nload: {{ arrivals: {arrivals}, max_users: {users}, duration: 10s }}\n\
             users: {{ U: {{ tasks: {{ t: {{ get: / }} }} }} }}\n"
        );
        let bundle = Bundle { file: "plan.yaml".into(), source, settings: Settings::default() };
        bundle.compile().unwrap_or_else(|e| panic!("{e}"))
    }

    fn hand(slots: impl IntoIterator<Item = u32>, not_before: Duration) -> Hand {
        slots
            .into_iter()
            .map(|slot| (Slot(slot), Seat { slot: Slot(slot), not_before, iteration: 0 }))
            .collect()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The numbers of what is due at `now`.
    fn due(reception: &mut Reception, now: Duration) -> Vec<u64> {
        std::iter::from_fn(|| reception.due(now)).map(|arrival| arrival.number).collect()
    }

    #[test]
    fn slots_take_turns() {
        let plan = plan("10/s", 4);
        let mut reception = Reception::new(&plan, &hand([1, 2], ms(0))).expect("an open load");
        assert_eq!(reception.next_at(), Some(ms(100)));
        assert_eq!(due(&mut reception, ms(99)), [0_u64; 0]);
        assert_eq!(due(&mut reception, ms(100)), [1]);
        assert_eq!(due(&mut reception, ms(1000)), [2, 5, 6, 9, 10]);
        assert_eq!(due(&mut reception, ms(1_000_000)).last(), Some(&98));
        assert_eq!(reception.next_at(), None);
    }

    #[test]
    fn arrivals_of_slots_that_move_are_taken_over_from_when_their_seats_allow() {
        let plan = plan("10/s", 4);
        let mut reception = Reception::new(&plan, &hand([0], ms(0))).expect("an open load");
        assert_eq!(due(&mut reception, ms(450)), [0, 4]);
        reception.reassign(&hand([0, 1], ms(0)), ms(450));
        assert_eq!(due(&mut reception, ms(1000)), [5, 8, 9]);
        // 11 was due at 1.1 s, and is taken over a little late; it is not too early for its seat.
        reception.reassign(&hand([0, 3], ms(1050)), ms(1200));
        assert_eq!(due(&mut reception, ms(1200)), [11, 12]);
        let mut late = hand([2], ms(1500));
        late.extend(hand([0], ms(0)));
        reception.reassign(&late, ms(1200));
        assert_eq!(due(&mut reception, ms(2000)), [16, 18, 20]);
        reception.reassign(&Hand::new(), ms(2000));
        assert_eq!(due(&mut reception, ms(3000)), [0_u64; 0]);
        // A seat that says nothing does not bring back the past.
        reception.reassign(&hand([3], ms(0)), ms(3000));
        assert_eq!(due(&mut reception, ms(3500)), [31, 35]);
    }

    proptest! {
        #[test]
        fn hands_that_change_make_every_arrival_once(
            poisson: bool, changes in prop::collection::vec((1_u64..4000, prop::collection::vec(0_usize..3, 6)), 1..5),
        ) {
            let plan = plan(if poisson { "{ rate: 50/s, pattern: poisson }" } else { "50/s" }, 6);
            let owned = |owners: &[usize], owner, from| {
                hand((0..6).filter(|&slot| owners[slot as usize] == owner), Duration::from_nanos(from))
            };
            let mut agents: Vec<Reception> = (0..3)
                .map(|owner| Reception::new(&plan, &owned(&changes[0].1, owner, 0)).expect("open"))
                .collect();
            let (mut now, mut all) = (ms(0), Vec::new());
            for (after, owners) in &changes {
                now += ms(*after);
                for (owner, agent) in agents.iter_mut().enumerate() {
                    // What is due right then stays with the one that has it.
                    all.extend(due(agent, now));
                    agent.reassign(&owned(owners, owner, now.as_nanos() as u64 + 1), now);
                }
            }
            for agent in &mut agents {
                all.extend(due(agent, Duration::MAX));
            }
            all.sort_unstable();
            let expected = Times::new(plan.arrivals.as_ref().expect("open"), plan.seed).count_before(ms(10_000));
            prop_assert_eq!(all, (0..expected).collect::<Vec<_>>());
        }
    }
}
