//! The users of a thread that exist, when each one is to stop, and which of them are leaving.

use super::deal::Hand;
use plan::slot::Slot;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// When a user begins nothing new any more. May move both ways while the user exists.
#[derive(Debug)]
pub(super) struct StopTime {
    at: Cell<Duration>,
    /// Wakes the user, if it waits, to look again. One permit is kept, so no change is missed.
    pub(super) moved: Notify,
}

impl StopTime {
    /// As an offset from T0.
    pub(super) fn at(&self) -> Duration {
        self.at.get()
    }

    fn set(&self, at: Duration) {
        if self.at.replace(at) != at {
            self.moved.notify_one();
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: RefCell<BTreeMap<Slot, Member>>,
    /// The iterations with which users that left would go on, and whether they gave up.
    left: RefCell<BTreeMap<Slot, (u64, bool)>>,
    /// The slots that are to be here.
    assigned: RefCell<BTreeSet<Slot>>,
    /// When users are aborted that are here and not to be.
    deadlines: RefCell<BTreeMap<Slot, Duration>>,
    /// Users that left and were not to be here, and the second in which each last told what it ended.
    departed: RefCell<BTreeMap<Slot, u32>>,
    /// Told when the last user is gone.
    pub(super) emptied: Notify,
}

#[derive(Debug)]
struct Member {
    stop: Rc<StopTime>,
    task: Option<AbortHandle>,
}

impl Roster {
    /// Users that exist.
    pub(super) fn len(&self) -> u32 {
        self.members.borrow().len() as u32
    }

    /// Lets `slot` exist until `stop`. If its user already does, only its stop time moves and the answer is
    /// `None`; otherwise the answer is the new user's place, which it gives up by dropping it. A user that was here
    /// before goes on where it left, any other with `iteration`, and whoever has come further counts.
    pub(super) fn admit(self: &Rc<Self>, slot: Slot, stop: Duration, iteration: u64) -> Option<Place> {
        let mut members = self.members.borrow_mut();
        if let Some(member) = members.get(&slot) {
            member.stop.set(stop);
            self.deadlines.borrow_mut().remove(&slot);
            return None;
        }
        let stop = Rc::new(StopTime { at: Cell::new(stop), moved: Notify::new() });
        members.insert(slot, Member { stop: stop.clone(), task: None });
        let (left, gave_up) = self.left.borrow().get(&slot).copied().unwrap_or_default();
        let iteration = Cell::new(iteration.max(left));
        Some(Place {
            roster: self.clone(),
            slot,
            stop,
            iteration,
            gave_up: Cell::new(gave_up),
            told: Cell::new(0),
        })
    }

    /// Remembers the task of a user that has just been admitted, for [`abort`](Roster::abort).
    pub(super) fn attach(&self, slot: Slot, task: AbortHandle) {
        if let Some(member) = self.members.borrow_mut().get_mut(&slot) {
            member.task = Some(task);
        }
    }

    /// Lets the users of `hand` be here, now or later, and every other begin nothing new from `now` on; it is
    /// [overdue](Roster::abort_overdue) when it is still here after `patience`.
    pub(super) fn retain(&self, hand: &Hand, now: Duration, patience: Duration) {
        *self.assigned.borrow_mut() = hand.keys().copied().collect();
        let mut deadlines = self.deadlines.borrow_mut();
        for (&slot, member) in self.members.borrow().iter().filter(|(slot, _)| !hand.contains_key(slot)) {
            member.stop.set(member.stop.at().min(now));
            deadlines.entry(slot).or_insert(now.saturating_add(patience));
        }
    }

    /// Lets all users begin nothing new from `now` on.
    pub(super) fn stop_all(&self, now: Duration) {
        for member in self.members.borrow().values() {
            member.stop.set(member.stop.at().min(now));
        }
    }

    /// Drops the users that were to leave by `now` and are still here, as soon as the runtime gets to it.
    pub(super) fn abort_overdue(&self, now: Duration) {
        let overdue: Vec<Slot> = self
            .deadlines
            .borrow_mut()
            .extract_if(.., |_, deadline| *deadline <= now)
            .map(|(slot, _)| slot)
            .collect();
        let tasks: Vec<AbortHandle> = {
            let members = self.members.borrow();
            overdue.iter().filter_map(|slot| members.get(slot)?.task.clone()).collect()
        };
        tasks.iter().for_each(AbortHandle::abort);
    }

    /// When a user is overdue next.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.borrow().values().copied().min()
    }

    /// The users that are here and not to be, and those that left and told something in a second that is not below
    /// `closed`: nobody else may have their slots yet.
    pub(super) fn leaving(&self, closed: u32) -> Vec<Slot> {
        let mut departed = self.departed.borrow_mut();
        departed.retain(|_, told| *told >= closed);
        let (members, assigned) = (self.members.borrow(), self.assigned.borrow());
        let leaving: BTreeSet<Slot> = members.keys().chain(departed.keys()).copied().collect();
        leaving.difference(&assigned).copied().collect()
    }

    /// Drops all users where they stand, as soon as the runtime gets to it.
    pub(super) fn abort(&self) {
        let tasks: Vec<AbortHandle> = self.members.borrow().values().filter_map(|m| m.task.clone()).collect();
        tasks.iter().for_each(AbortHandle::abort);
    }
}

/// A user's place in the roster.
#[derive(Debug)]
pub(super) struct Place {
    roster: Rc<Roster>,
    pub(super) slot: Slot,
    pub(super) stop: Rc<StopTime>,
    /// The iteration that its user begins next.
    pub(super) iteration: Cell<u64>,
    /// Whether it does none of those that are left to it.
    pub(super) gave_up: Cell<bool>,
    /// The second in which it last told what it ended.
    pub(super) told: Cell<u32>,
}

impl Place {
    /// The iteration at hand is never begun again here, also when it was cut short.
    pub(super) fn pass_iteration(&self) {
        self.iteration.set(self.iteration.get() + 1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.roster.left.borrow_mut().insert(self.slot, (self.iteration.get(), self.gave_up.get()));
        self.roster.deadlines.borrow_mut().remove(&self.slot);
        if !self.roster.assigned.borrow().contains(&self.slot) {
            self.roster.departed.borrow_mut().insert(self.slot, self.told.get());
        }
        let mut members = self.roster.members.borrow_mut();
        members.remove(&self.slot);
        if members.is_empty() {
            self.roster.emptied.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::slot::Seat;

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_user_exists_once_and_leaves_by_dropping_its_place() {
        let roster = Rc::new(Roster::default());
        let place = roster.admit(Slot(7), secs(5), 0).expect("new");
        assert!(roster.admit(Slot(7), secs(9), 0).is_none());
        assert_eq!((roster.len(), place.stop.at()), (1, secs(9)));
        drop(place);
        assert_eq!(roster.len(), 0);
        assert!(roster.admit(Slot(7), secs(9), 0).is_some());
    }

    #[test]
    fn a_user_goes_on_where_it_left_or_where_its_seat_says() {
        let roster = Rc::new(Roster::default());
        let check = |seat: u64, expected: u64, ended: u64| {
            let place = roster.admit(Slot(7), secs(5), seat).expect("new");
            assert_eq!(place.iteration.get(), expected);
            place.iteration.set(expected + ended);
        };
        check(4, 4, 3);
        check(4, 7, 0);
        check(9, 9, 1);
        check(0, 10, 0);
    }

    #[test]
    fn users_outside_the_set_stop_now_and_may_return() {
        let roster = Rc::new(Roster::default());
        let (a, b) = (roster.admit(Slot(0), secs(5), 0).unwrap(), roster.admit(Slot(1), secs(5), 0).unwrap());
        roster.retain(&Hand::from([(Slot(1), Seat::fresh(Slot(1)))]), secs(2), secs(9));
        assert_eq!((a.stop.at(), b.stop.at()), (secs(2), secs(5)));
        roster.stop_all(secs(3));
        assert_eq!((a.stop.at(), b.stop.at()), (secs(2), secs(3)));
        assert!(roster.admit(Slot(0), secs(8), 0).is_none());
        assert_eq!(a.stop.at(), secs(8));
    }

    #[test]
    fn who_is_not_to_be_here_is_leaving_until_it_is_gone_and_all_that_it_ended_is_told() {
        let roster = Rc::new(Roster::default());
        let hand =
            |slots: &[u32]| -> Hand { slots.iter().map(|&s| (Slot(s), Seat::fresh(Slot(s)))).collect() };
        let leaving = |closed| roster.leaving(closed).iter().map(|slot| slot.0).collect::<Vec<_>>();
        roster.retain(&hand(&[0, 1, 2]), secs(0), secs(9));
        let places: Vec<Place> = (0..3).map(|s| roster.admit(Slot(s), secs(99), 0).unwrap()).collect();
        assert_eq!(leaving(1), [0; 0]);
        roster.retain(&hand(&[2, 7]), secs(3), secs(9));
        assert_eq!((leaving(3), roster.next_deadline()), (vec![0, 1], Some(secs(12))));
        roster.retain(&hand(&[2]), secs(5), secs(9));
        assert_eq!(roster.next_deadline(), Some(secs(12)), "the time that it has does not begin again");
        let mut places = places.into_iter();
        let (a, b) = (places.next().unwrap(), places.next().unwrap());
        b.told.set(6);
        drop((a, b));
        assert_eq!(leaving(6), [1], "0 is gone; what 1 ended in second 6 is not in the seconds below it");
        assert_eq!((leaving(7), roster.next_deadline()), (vec![], None));
        drop(places);
        assert_eq!(leaving(7), [0; 0], "2 is to be here");
        roster.retain(&hand(&[]), secs(8), secs(9));
        assert_eq!(leaving(8), [0; 0]);
    }
}
