//! Which agent runs which user.

use plan::slot::{Classes, Slot};
use proto::defect::{Defect, seeded};

/// Deals slots `0..users` to agents that accept at most `capacities` users each. Agents' totals stay within
/// one of each other at every prefix (so ramps rise evenly) while capacity lasts, and so do the users of each
/// class wherever totals leave a choice (so no agent gets all the heavy users). `None` when the agents cannot
/// take that many.
///
/// A fixed stride would be shorter, but would send whole classes to one agent whenever the stride and the
/// period of the classes share a factor.
pub fn deal(users: u32, classes: &Classes, capacities: &[u32]) -> Option<Vec<Vec<Slot>>> {
    if capacities.iter().map(|&c| u64::from(c)).sum::<u64>() < u64::from(users) {
        return None;
    }
    let mut table = Table::new(classes, capacities);
    let dealt = if seeded(Defect::M12) { users.saturating_sub(1) } else { users };
    for slot in (0..dealt).map(Slot) {
        table.deal(slot)?;
    }
    Some(table.hands.into_iter().map(|hand| hand.dealt).collect())
}

/// Deals `slots` in the same way to agents that have users: `held` are theirs, `capacities` the most that they
/// accept. Gives what each one gets on top; slots for which there is no room are in no hand.
pub(super) fn spread(
    slots: &[Slot],
    classes: &Classes,
    held: &[&[Slot]],
    capacities: &[u32],
) -> Vec<Vec<Slot>> {
    let mut table = Table::new(classes, capacities);
    for (agent, held) in held.iter().enumerate() {
        for &slot in *held {
            table.seat(agent, slot);
        }
        table.hands[agent].dealt.clear();
    }
    for &slot in slots {
        if table.deal(slot).is_none() {
            break;
        }
    }
    table.hands.into_iter().map(|hand| hand.dealt).collect()
}

/// The agents' hands while slots are dealt.
struct Table<'a> {
    classes: &'a Classes,
    hands: Vec<Hand>,
}

struct Hand {
    capacity: usize,
    held: usize,
    /// Of them, by class.
    of_class: Vec<u32>,
    dealt: Vec<Slot>,
}

impl<'a> Table<'a> {
    fn new(classes: &'a Classes, capacities: &[u32]) -> Table<'a> {
        let hand = |&capacity: &u32| Hand {
            capacity: capacity as usize,
            held: 0,
            of_class: Vec::new(),
            dealt: Vec::new(),
        };
        Table { classes, hands: capacities.iter().map(hand).collect() }
    }

    /// Deals `slot` to whoever has least; `None` if nobody has room.
    fn deal(&mut self, slot: Slot) -> Option<()> {
        let class = self.classes.of(slot).0 as usize;
        let load = |hand: &Hand| (hand.held, hand.of_class.get(class).copied().unwrap_or(0));
        let open = self.hands.iter().enumerate().filter(|(_, hand)| hand.held < hand.capacity);
        let (agent, _) = open.min_by_key(|(_, hand)| load(hand))?;
        self.seat(agent, slot);
        Some(())
    }

    fn seat(&mut self, agent: usize, slot: Slot) {
        let class = self.classes.of(slot).0 as usize;
        let hand = &mut self.hands[agent];
        hand.dealt.push(slot);
        hand.held += 1;
        if hand.of_class.len() <= class {
            hand.of_class.resize(class + 1, 0);
        }
        hand.of_class[class] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_slot_has_one_agent_and_totals_stay_within_one(
            users in 0_u32..600,
            agents in 1_usize..9,
            weights in prop::collection::vec(1_u32..20, 1..6),
        ) {
            let classes = Classes::new(&weights).unwrap();
            let hands = deal(users, &classes, &vec![1_000_000; agents]).unwrap();
            let mut owner = vec![None; users as usize];
            for (agent, hand) in hands.iter().enumerate() {
                prop_assert!(hand.windows(2).all(|pair| pair[0] < pair[1]));
                for slot in hand {
                    prop_assert_eq!(owner[slot.0 as usize].replace(agent), None);
                }
            }
            prop_assert!(owner.iter().all(Option::is_some));
            for prefix in 0..=users {
                let totals: Vec<usize> =
                    hands.iter().map(|hand| hand.iter().filter(|s| s.0 < prefix).count()).collect();
                prop_assert!(totals.iter().max().unwrap() - totals.iter().min().unwrap() <= 1);
            }
        }

        #[test]
        fn capacities_are_kept(capacities in prop::collection::vec(0_u32..50, 1..6), users in 0_u32..200) {
            let classes = Classes::new(&[1]).unwrap();
            let room: u32 = capacities.iter().sum();
            match deal(users, &classes, &capacities) {
                None => prop_assert!(users > room),
                Some(hands) => {
                    prop_assert!(users <= room);
                    for (hand, &capacity) in hands.iter().zip(&capacities) {
                        prop_assert!(hand.len() <= capacity as usize);
                    }
                }
            }
        }
    }

    #[test]
    fn users_of_a_lost_agent_are_spread_over_those_that_have_room() {
        let classes = Classes::new(&[1, 1]).unwrap();
        let slots = |slots: &[u32]| -> Vec<Slot> { slots.iter().map(|&s| Slot(s)).collect() };
        let check = |orphans: &[u32], held: &[&[u32]], capacities: &[u32], expected: &[&[u32]]| {
            let held: Vec<Vec<Slot>> = held.iter().map(|held| slots(held)).collect();
            let held: Vec<&[Slot]> = held.iter().map(Vec::as_slice).collect();
            let expected: Vec<Vec<Slot>> = expected.iter().map(|dealt| slots(dealt)).collect();
            assert_eq!(spread(&slots(orphans), &classes, &held, capacities), expected);
        };
        check(&[2, 5, 8, 11], &[&[0, 3, 6, 9], &[1, 4, 7, 10]], &[100, 100], &[&[2, 11], &[5, 8]]);
        check(&[2, 5, 8], &[&[0], &[1, 3, 4, 6]], &[100, 100], &[&[2, 5, 8], &[]]);
        check(&[2, 5, 8], &[&[0], &[1]], &[2, 1], &[&[2], &[]]);
        check(&[2, 5, 8], &[&[0], &[1]], &[0, 3], &[&[], &[2, 5]]);
        check(&[2], &[], &[], &[]);
    }

    #[test]
    fn every_agent_gets_every_class_even_when_the_stride_divides_the_period() {
        let classes = Classes::new(&[2, 1, 1]).unwrap();
        let hands = deal(400, &classes, &[1000; 4]).unwrap();
        for hand in &hands {
            let mut counts = [0; 3];
            for &slot in hand {
                counts[classes.of(slot).0 as usize] += 1;
            }
            let near = counts.iter().zip([50_i32, 25, 25]).all(|(have, want)| (have - want).abs() <= 1);
            assert!(near, "{counts:?}");
        }
    }
}
