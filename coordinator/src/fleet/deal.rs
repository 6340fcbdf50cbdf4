//! Which agent runs which user.

use plan::slot::{Classes, Slot};

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
    let mut hands: Vec<Vec<Slot>> = vec![Vec::new(); capacities.len()];
    let mut of_class: Vec<Vec<u32>> = vec![Vec::new(); capacities.len()];
    for slot in (0..users).map(Slot) {
        let class = classes.of(slot).0 as usize;
        let agent = (0..hands.len())
            .filter(|&agent| hands[agent].len() < capacities[agent] as usize)
            .min_by_key(|&agent| (hands[agent].len(), of_class[agent].get(class).copied().unwrap_or(0)))?;
        hands[agent].push(slot);
        let counts = &mut of_class[agent];
        if counts.len() <= class {
            counts.resize(class + 1, 0);
        }
        counts[class] += 1;
    }
    Some(hands)
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
