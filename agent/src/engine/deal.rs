//! Which engine thread runs which slot.

use plan::slot::{Seat, Slot};
use std::collections::BTreeMap;

/// The seats of one thread.
pub(super) type Hand = BTreeMap<Slot, Seat>;

/// Deals slots to threads. A slot stays on its thread for the whole run, even while it is another agent's, so
/// that a user which still finishes its iteration is never doubled by its own return.
#[derive(Debug)]
pub(super) struct Dealer {
    homes: BTreeMap<Slot, usize>,
    threads: usize,
}

impl Dealer {
    /// For `threads` threads, at least 1.
    pub(super) fn new(threads: usize) -> Dealer {
        assert!(threads > 0, "slots need at least 1 thread");
        Dealer { homes: BTreeMap::new(), threads }
    }

    /// The seats of each thread. A new slot goes to the thread that has fewest; among equals the first one
    /// moves on by one with each round, because classes alternate from slot to slot and a fixed order could
    /// put all users of a costly class on one thread.
    pub(super) fn deal(&mut self, seats: &[Seat]) -> Vec<Hand> {
        let wanted: Hand = seats.iter().map(|&seat| (seat.slot, seat)).collect();
        let mut hands = vec![Hand::new(); self.threads];
        for (slot, seat) in &wanted {
            if let Some(&home) = self.homes.get(slot) {
                hands[home].insert(*slot, *seat);
            }
        }
        for (slot, seat) in wanted {
            if self.homes.contains_key(&slot) {
                continue;
            }
            let fewest = hands.iter().map(Hand::len).min().unwrap_or(0);
            let home = (0..self.threads)
                .map(|turn| (fewest + turn) % self.threads)
                .find(|&thread| hands[thread].len() == fewest)
                .expect("some thread has the fewest slots");
            self.homes.insert(slot, home);
            hands[home].insert(slot, seat);
        }
        hands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(dealer: &mut Dealer, slots: &[u32], expected: &[&[u32]]) {
        let seats: Vec<Seat> = slots.iter().map(|&s| Seat::fresh(Slot(s))).collect();
        let hands = dealer.deal(&seats);
        let got: Vec<Vec<u32>> = hands.iter().map(|hand| hand.keys().map(|s| s.0).collect()).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn slots_are_spread_and_stay_where_they_are() {
        let dealer = &mut Dealer::new(2);
        check(dealer, &[0, 1, 2, 3, 4, 4], &[&[0, 3, 4], &[1, 2]]);
        check(dealer, &[1, 2, 3, 9], &[&[3, 9], &[1, 2]]);
        check(dealer, &[], &[&[], &[]]);
        check(dealer, &[0, 1, 4], &[&[0, 4], &[1]]);
    }

    proptest! {
        #[test]
        fn every_slot_is_dealt_once_and_evenly(count in 0_u32..200, stride in 1_u32..9, threads in 1_usize..9) {
            let seats: Vec<Seat> = (0..count).map(|n| Seat::fresh(Slot(n * stride))).collect();
            let hands = Dealer::new(threads).deal(&seats);
            let mut all: Vec<Seat> = hands.iter().flat_map(Hand::values).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, seats);
            let sizes = hands.iter().map(Hand::len);
            prop_assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
    }
}
