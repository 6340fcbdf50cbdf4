//! The users of a thread between two arrivals.
//!
//! An arrival is served by the user of the slot whose turn it is; if that one is busy, by the user of the same class
//! that has been idle longest, so that the classes keep their shares. If all of them are busy, it is dropped.

use plan::model::ClassId;
use plan::slot::{Classes, Slot};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a thread keeps of its idle users; `U` is what is kept of one.
#[derive(Debug)]
pub(super) struct Lobby<U> {
    room: RefCell<Room<U>>,
}

#[derive(Debug)]
struct Room<U> {
    idle: BTreeMap<Slot, Idle<U>>,
    /// Idle slots of each class, the one that has been idle longest first.
    queues: BTreeMap<ClassId, BTreeSet<(Duration, Slot)>>,
    /// Slots that serve an arrival, or never will again.
    busy: BTreeSet<Slot>,
    /// Slots that may wait here.
    welcome: BTreeSet<Slot>,
}

#[derive(Debug)]
struct Idle<U> {
    since: Duration,
    /// `None` before its first arrival.
    user: Option<U>,
}

impl<U> Default for Lobby<U> {
    fn default() -> Lobby<U> {
        let (idle, queues, busy, welcome) = Default::default();
        Lobby { room: RefCell::new(Room { idle, queues, busy, welcome }) }
    }
}

impl<U> Lobby<U> {
    /// Lets the users of `slots` wait here from `now` on, and nobody else.
    pub(super) fn welcome(&self, slots: impl Iterator<Item = Slot>, classes: &Classes, now: Duration) {
        let mut room = self.room.borrow_mut();
        let room = &mut *room;
        room.welcome = slots.collect();
        let gone: Vec<Slot> = room.idle.keys().filter(|slot| !room.welcome.contains(slot)).copied().collect();
        for slot in gone {
            room.leave(slot, classes);
        }
        for slot in room.welcome.clone() {
            if !room.idle.contains_key(&slot) && !room.busy.contains(&slot) {
                room.enter(slot, Idle { since: now, user: None }, classes);
            }
        }
    }

    /// Who serves the arrival whose turn it is for `home`, and what was kept of that user; `None` when all users of its
    /// class are busy.
    pub(super) fn take(&self, home: Slot, classes: &Classes) -> Option<(Slot, Option<U>)> {
        let mut room = self.room.borrow_mut();
        let slot =
            if room.idle.contains_key(&home) { home } else { room.queues.get(&classes.of(home))?.first()?.1 };
        let idle = room.leave(slot, classes)?;
        room.busy.insert(slot);
        Some((slot, idle.user))
    }

    /// The user of `slot` is idle again.
    pub(super) fn give_back(&self, slot: Slot, user: U, classes: &Classes, now: Duration) {
        let mut room = self.room.borrow_mut();
        room.busy.remove(&slot);
        if room.welcome.contains(&slot) {
            room.enter(slot, Idle { since: now, user: Some(user) }, classes);
        }
    }
}

impl<U> Room<U> {
    fn enter(&mut self, slot: Slot, idle: Idle<U>, classes: &Classes) {
        self.queues.entry(classes.of(slot)).or_default().insert((idle.since, slot));
        self.idle.insert(slot, idle);
    }

    fn leave(&mut self, slot: Slot, classes: &Classes) -> Option<Idle<U>> {
        let idle = self.idle.remove(&slot)?;
        if let Some(queue) = self.queues.get_mut(&classes.of(slot)) {
            queue.remove(&(idle.since, slot));
        }
        Some(idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        lobby: Lobby<u32>,
        classes: Classes,
    }

    /// Slots 0, 2, 4, ... are of one class, 1, 3, 5, ... of another.
    fn rig(slots: u32) -> Rig {
        let rig = Rig { lobby: Lobby::default(), classes: Classes::new(&[1, 1]).expect("two classes") };
        rig.lobby.welcome((0..slots).map(Slot), &rig.classes, Duration::ZERO);
        rig
    }

    impl Rig {
        fn take(&self, home: u32) -> Option<(u32, Option<u32>)> {
            self.lobby.take(Slot(home), &self.classes).map(|(slot, user)| (slot.0, user))
        }

        fn give_back(&self, slot: u32, s: u64) {
            self.lobby.give_back(Slot(slot), 100 + slot, &self.classes, Duration::from_secs(s));
        }
    }

    #[test]
    fn arrivals_go_home_or_to_the_one_that_has_waited_longest() {
        let rig = rig(6);
        assert_eq!(rig.take(2), Some((2, None)));
        assert_eq!(rig.take(0), Some((0, None)));
        assert_eq!(rig.take(2), Some((4, None)), "2 is busy, and 4 is of its class");
        assert_eq!(rig.take(2), None, "the idle ones are of another class");
        rig.give_back(4, 2);
        rig.give_back(0, 3);
        assert_eq!(rig.take(2), Some((4, Some(104))));
        assert_eq!(rig.take(1), Some((1, None)));
        rig.give_back(2, 4);
        assert_eq!(rig.take(2), Some((2, Some(102))), "at home again, though 0 has waited longer");
    }

    #[test]
    fn users_of_slots_that_move_away_leave_when_they_are_idle() {
        let rig = rig(3);
        let welcome = |slots: &[u32], s| {
            rig.lobby.welcome(slots.iter().map(|&s| Slot(s)), &rig.classes, Duration::from_secs(s));
        };
        assert_eq!(rig.take(0), Some((0, None)));
        welcome(&[2, 4], 1);
        rig.give_back(0, 2);
        assert_eq!(rig.take(0), Some((2, None)));
        assert_eq!(rig.take(0), Some((4, None)));
        assert_eq!(rig.take(0), None);
        welcome(&[2, 0], 3);
        assert_eq!(rig.take(2), Some((0, None)), "2 is back, and still busy");
        rig.give_back(2, 4);
        assert_eq!(rig.take(0), Some((2, Some(102))));
    }
}
