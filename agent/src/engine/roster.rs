//! The users of a thread that exist, and when each one is to stop.

use super::deal::Hand;
use plan::slot::Slot;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
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
            return None;
        }
        let stop = Rc::new(StopTime { at: Cell::new(stop), moved: Notify::new() });
        members.insert(slot, Member { stop: stop.clone(), task: None });
        let (left, gave_up) = self.left.borrow().get(&slot).copied().unwrap_or_default();
        let iteration = Cell::new(iteration.max(left));
        Some(Place { roster: self.clone(), slot, stop, iteration, gave_up: Cell::new(gave_up) })
    }

    /// Remembers the task of a user that has just been admitted, for [`abort`](Roster::abort).
    pub(super) fn attach(&self, slot: Slot, task: AbortHandle) {
        if let Some(member) = self.members.borrow_mut().get_mut(&slot) {
            member.task = Some(task);
        }
    }

    /// Lets every user that is not in `hand` begin nothing new from `now` on.
    pub(super) fn retain(&self, hand: &Hand, now: Duration) {
        let members = self.members.borrow();
        for (_, member) in members.iter().filter(|(slot, _)| !hand.contains_key(slot)) {
            member.stop.set(member.stop.at().min(now));
        }
    }

    /// Lets all users begin nothing new from `now` on.
    pub(super) fn stop_all(&self, now: Duration) {
        self.retain(&Hand::new(), now);
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
        roster.retain(&Hand::from([(Slot(1), Seat::fresh(Slot(1)))]), secs(2));
        assert_eq!((a.stop.at(), b.stop.at()), (secs(2), secs(5)));
        roster.stop_all(secs(3));
        assert_eq!((a.stop.at(), b.stop.at()), (secs(2), secs(3)));
        assert!(roster.admit(Slot(0), secs(8), 0).is_none());
        assert_eq!(a.stop.at(), secs(8));
    }
}
