//! Runs that end when so many iterations are done.

use crate::slot::Slot;

/// Iterations that all users of a run share. Which user does how many is fixed beforehand, so that it does not depend
/// on who is faster, on how many agents there are, or on one that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finite {
    total: u64,
    users: u32,
}

impl Finite {
    /// `total` iterations shared by users `0..users`, at least 1.
    pub(crate) fn new(total: u64, users: u32) -> Finite {
        Finite { total, users: users.max(1) }
    }

    /// Of all users together.
    pub fn total(self) -> u64 {
        self.total
    }

    /// How many user `slot` does: as many as every other, or one more.
    pub fn share(self, slot: Slot) -> u64 {
        if slot.0 >= self.users {
            return 0;
        }
        let users = u64::from(self.users);
        self.total / users + u64::from(u64::from(slot.0) < self.total % users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_add_up_and_differ_by_at_most_one(total in 1_u64..10_000, users in 1_u32..300) {
            let finite = Finite::new(total, users);
            let shares: Vec<u64> = (0..users + 3).map(|slot| finite.share(Slot(slot))).collect();
            prop_assert_eq!(shares.iter().sum::<u64>(), total);
            prop_assert_eq!(&shares[users as usize..], &[0, 0, 0]);
            let shares = &shares[..users as usize];
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }
}
