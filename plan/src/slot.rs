//! Slots: which user is what.

use crate::model::ClassId;
use std::time::Duration;

/// Global user index, 0-based, unique in the fleet. It fixes the user's class, random seed and data rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// A slot as it is given to an agent: where its user goes on, and from when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// The slot.
    pub slot: Slot,
    /// The iteration, 0-based, with which its user goes on; 0 for one that has not been anywhere yet. What its agent knows
    /// better stands: a user never goes back.
    pub iteration: u64,
    /// Since T0: its user does not start before this, whatever the schedule says. Zero leaves it to the schedule.
    pub not_before: Duration,
}

/// How far a user has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Progress {
    /// The user.
    pub slot: Slot,
    /// The iteration with which it goes on.
    pub iteration: u64,
    /// Whether it stopped by itself and does none of those that are left to it. Told in runs of so many iterations.
    pub gave_up: bool,
}

/// Which users an agent has at a moment: those of the assignment that it follows, and those that are leaving. Absolute,
/// so that a later one replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// The assignment in force; 0 before the first.
    pub revision: u64,
    /// Users that are still there though that assignment has them no more, or what they ended is not told yet; strictly
    /// rising. Any other slot that it does not have is free.
    pub leaving: Vec<Slot>,
}

impl Seat {
    /// The seat of a user that has not been anywhere yet.
    pub fn fresh(slot: Slot) -> Seat {
        Seat { slot, iteration: 0, not_before: Duration::ZERO }
    }
}

/// How many of the users are of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// A share of the users that the fixed classes leave, relative to the other weights.
    Weight(u32),
    /// So many users; fewer only when there are fewer users than all fixed classes together want.
    Fixed(u32),
}

/// The class of every slot. The fixed classes have the first slots, the weighted ones share the rest; each
/// part is a smooth interleave in which any prefix of its slots holds each class's portion to within one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    /// Slots that belong to the fixed classes.
    fixed_users: u32,
    /// Empty when no class is fixed.
    fixed: Wheel,
    /// Empty when every class is fixed.
    weighted: Wheel,
}

impl Classes {
    /// Largest sum of weights after division by their greatest common divisor: the length of one period.
    pub const MAX_PERIOD: u64 = 100_000;

    /// The interleave of weighted classes `0..weights.len()`; `None` as for [`shared`](Classes::shared).
    pub fn new(weights: &[u32]) -> Option<Classes> {
        Classes::shared(&weights.iter().map(|&weight| Share::Weight(weight)).collect::<Vec<_>>())
    }

    /// The interleave of classes `0..shares.len()`; `None` when there is no class, a share is 0, the fixed
    /// users are more than `u32` holds, or the period of the fixed or of the weighted classes would be longer
    /// than [`MAX_PERIOD`](Classes::MAX_PERIOD).
    pub fn shared(shares: &[Share]) -> Option<Classes> {
        let portion = |fixed: bool| -> Vec<u32> {
            let of = |share: &Share| match *share {
                Share::Fixed(users) if fixed => users,
                Share::Weight(weight) if !fixed => weight,
                _ => 0,
            };
            shares.iter().map(of).collect()
        };
        if shares.is_empty() || shares.iter().any(|s| matches!(s, Share::Weight(0) | Share::Fixed(0))) {
            return None;
        }
        let fixed = portion(true);
        Some(Classes {
            fixed_users: fixed.iter().try_fold(0_u32, |sum, &users| sum.checked_add(users))?,
            fixed: Wheel::new(&fixed)?,
            weighted: Wheel::new(&portion(false))?,
        })
    }

    /// The class of `slot`. When every class is fixed, slots beyond their users go on in the same order.
    pub fn of(&self, slot: Slot) -> ClassId {
        match slot.0.checked_sub(self.fixed_users) {
            Some(beyond) if !self.weighted.order.is_empty() => self.weighted.at(beyond),
            _ => self.fixed.at(slot.0),
        }
    }

    /// How many slots below `slot` have the class of `slot`: the number of a user within its class.
    pub fn rank(&self, slot: Slot) -> u32 {
        match slot.0.checked_sub(self.fixed_users) {
            Some(beyond) if !self.weighted.order.is_empty() => self.weighted.rank(beyond),
            _ => self.fixed.rank(slot.0),
        }
    }

    /// How many of the slots `0..users` have each class; as long as the list of classes.
    pub fn counts(&self, classes: usize, users: u32) -> Vec<u32> {
        let mut counts = vec![0; classes];
        let fixed = if self.weighted.order.is_empty() { users } else { users.min(self.fixed_users) };
        self.fixed.count(fixed, &mut counts);
        self.weighted.count(users - fixed, &mut counts);
        counts
    }

    /// The most users that there are classes for; `None` when weighted classes take any number.
    pub fn limit(&self) -> Option<u32> {
        self.weighted.order.is_empty().then_some(self.fixed_users)
    }
}

/// One period of an interleave.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wheel {
    order: Vec<ClassId>,
    /// For each place of `order`, how often its class stands before it.
    ranks: Vec<u32>,
    /// How often each class stands in `order`.
    portions: Vec<u32>,
}

impl Wheel {
    /// The interleave of those classes whose portion is not 0; `None` when its period is too long.
    ///
    /// Job `j` of a class of weight `w` among weights that add up to `W` may take slot `floor(j·W/w)` at the
    /// earliest and `ceil((j+1)·W/w) - 1` at the latest; the released job with the earliest deadline goes
    /// first. That is P-fair scheduling of unit jobs on one processor (Baruah et al. 1996; Steiner and
    /// Yeomans 1993), which meets every deadline, so every prefix of `n` slots holds more than `n·w/W - 1` and
    /// fewer than `n·w/W + 1` users of the class. (Nginx's smooth weighted round robin does not promise that.)
    fn new(portions: &[u32]) -> Option<Wheel> {
        let divisor = portions.iter().fold(0, |a, &b| gcd(a, b)).max(1);
        let weights: Vec<u64> = portions.iter().map(|&w| u64::from(w / divisor)).collect();
        let period: u64 = weights.iter().sum();
        if period > Classes::MAX_PERIOD {
            return None;
        }
        let mut placed = vec![0_u64; weights.len()];
        let mut ranks = Vec::with_capacity(period as usize);
        let order = (0..period)
            .map(|slot| {
                let next = (0..weights.len())
                    .filter(|&c| weights[c] > 0 && placed[c] * period / weights[c] <= slot)
                    .min_by_key(|&c| ((placed[c] + 1) * period).div_ceil(weights[c]))
                    .expect("the weights add up to the period, so some class is always released");
                ranks.push(placed[next] as u32);
                placed[next] += 1;
                ClassId(next as u32)
            })
            .collect();
        let portions = weights.iter().map(|&weight| weight as u32).collect();
        Some(Wheel { order, ranks, portions })
    }

    /// How often the class at `index` stands before it.
    fn rank(&self, index: u32) -> u32 {
        let period = self.order.len() as u32;
        let (rounds, at) = (index / period, (index % period) as usize);
        rounds * self.portions[self.order[at].0 as usize] + self.ranks[at]
    }

    /// Adds how often each class stands in the first `slots` places.
    fn count(&self, slots: u32, counts: &mut [u32]) {
        let Some(period) = u32::try_from(self.order.len()).ok().filter(|&period| period > 0) else { return };
        for (count, portion) in counts.iter_mut().zip(&self.portions) {
            *count += slots / period * portion;
        }
        for class in &self.order[..(slots % period) as usize] {
            counts[class.0 as usize] += 1;
        }
    }

    fn at(&self, index: u32) -> ClassId {
        self.order[index as usize % self.order.len()]
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn interleaves_are_smooth() {
        let check = |weights: &[u32], expected: &str| {
            let classes = Classes::new(weights).unwrap();
            let got: String =
                (0..expected.len() as u32).map(|s| char::from(b'A' + classes.of(Slot(s)).0 as u8)).collect();
            assert_eq!(got, expected, "{weights:?}");
        };
        check(&[1], "AAA");
        check(&[1, 1], "ABAB");
        check(&[3, 1], "AAABAAAB");
        check(&[6, 2], "AAABAAAB");
        check(&[1, 2, 3], "CBCABCCBCABC");
    }

    #[test]
    fn impossible_weights_are_refused() {
        assert_eq!(Classes::new(&[]), None);
        assert_eq!(Classes::new(&[3, 0]), None);
        assert_eq!(Classes::new(&[99_999, 2]), None);
        assert!(Classes::new(&[99_999, 1]).is_some());
        assert!(Classes::new(&[1_000_000, 500_000]).is_some());
    }

    #[test]
    fn fixed_classes_come_first() {
        use Share::{Fixed, Weight};
        let check = |shares: &[Share], expected: &str, limit: Option<u32>| {
            let classes = Classes::shared(shares).unwrap();
            let got: String =
                (0..expected.len() as u32).map(|s| char::from(b'A' + classes.of(Slot(s)).0 as u8)).collect();
            assert_eq!((got.as_str(), classes.limit()), (expected, limit), "{shares:?}");
        };
        check(&[Weight(1), Fixed(2)], "BBAAAA", None);
        check(&[Fixed(2), Weight(2), Fixed(2), Weight(1)], "ACACBBDBBD", None);
        check(&[Fixed(4), Fixed(2)], "AABAAB", Some(6));
        assert_eq!(Classes::shared(&[Fixed(0)]), None);
        assert_eq!(Classes::shared(&[Fixed(u32::MAX), Fixed(u32::MAX)]), None);
        assert_eq!(Classes::shared(&[Fixed(99_999), Fixed(2), Weight(1)]), None);
    }

    fn shares() -> impl Strategy<Value = Vec<Share>> {
        let share = (any::<bool>(), 1_u32..60)
            .prop_map(|(fixed, n)| if fixed { Share::Fixed(n) } else { Share::Weight(n) });
        prop::collection::vec(share, 1..8)
    }

    proptest! {
        #[test]
        fn ranks_and_counts_are_what_counting_gives(shares in shares(), users in 0_u32..800) {
            let classes = Classes::shared(&shares).unwrap();
            let mut counts = vec![0; shares.len()];
            for slot in (0..users).map(Slot) {
                let count = &mut counts[classes.of(slot).0 as usize];
                prop_assert_eq!(classes.rank(slot), *count, "{:?}", slot);
                *count += 1;
            }
            prop_assert_eq!(classes.counts(shares.len(), users), counts);
        }

        #[test]
        fn fixed_classes_have_their_users_and_weights_the_rest(shares in shares(), beyond in 0_u32..300) {
            let classes = Classes::shared(&shares).unwrap();
            let fixed = |share: &Share| if let Share::Fixed(n) = share { *n } else { 0 };
            let weight = |share: &Share| if let Share::Weight(n) = share { u64::from(*n) } else { 0 };
            let first: u32 = shares.iter().map(fixed).sum();
            let total: u64 = shares.iter().map(weight).sum();
            let beyond = if total == 0 { 0 } else { beyond };
            let mut users = vec![0_u32; shares.len()];
            for n in 0..first + beyond {
                users[classes.of(Slot(n)).0 as usize] += 1;
                for (have, share) in users.iter().zip(&shares) {
                    let (have, seen) = (u64::from(*have), u64::from(n) + 1);
                    if n < first {
                        // Cut in proportion, to within one user, and no weighted user yet.
                        let (have, want) = (have * u64::from(first), seen * u64::from(fixed(share)));
                        prop_assert!(have.abs_diff(want) < u64::from(first), "{share:?} after {seen}");
                    } else if let Share::Fixed(wanted) = share {
                        prop_assert_eq!(have, u64::from(*wanted));
                    } else {
                        let (have, want) = (have * total, (seen - u64::from(first)) * weight(share));
                        prop_assert!(have.abs_diff(want) < total, "{share:?} after {seen}");
                    }
                }
            }
        }

        #[test]
        fn any_prefix_holds_the_weights_to_within_one_user(
            weights in prop::collection::vec(1_u32..200, 1..12),
        ) {
            let classes = Classes::new(&weights).unwrap();
            let total: u64 = weights.iter().map(|&w| u64::from(w)).sum();
            let mut users = vec![0_u64; weights.len()];
            for n in 1..=2 * total {
                users[classes.of(Slot(n as u32 - 1)).0 as usize] += 1;
                for (class, &weight) in weights.iter().enumerate() {
                    // |users - n·w/W| < 1, in integers.
                    let (have, want) = (users[class] * total, n * u64::from(weight));
                    prop_assert!(have.abs_diff(want) < total, "class {class} after {n} slots");
                }
            }
        }
    }
}
