//! Which row it is.

use super::Source;
use super::permutation::shuffled;
use crate::rng::word;
use crate::slot::Slot;

/// How a row is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Each row at most once in the whole fleet, in order.
    Unique,
    /// In order, and from the start again.
    Sequential,
    /// Each row once, in an order that the seed chooses; then again in another.
    Shuffle,
    /// Any row, each time.
    Random,
}

/// How long a user keeps a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// For its life.
    User,
    /// For an iteration.
    Iteration,
}

/// What a user does when no unique row is left for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// It does nothing more.
    Stop,
    /// It takes a row that was used before.
    Cycle,
    /// It is counted as a failed request and does nothing more. Too few rows for the users are a mistake of
    /// the plan.
    Fail,
}

/// Whose turn it is to have a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The user.
    pub slot: Slot,
    /// Its number among the users that share the source, below `users`.
    pub rank: u64,
    /// How many users share the source; at least 1.
    pub users: u64,
    /// The user's iteration. (Where iterations are numbered through the fleet, `rank` is 0 and `users` is 1.)
    pub iteration: u64,
}

/// [`Source::row`].
pub(super) fn row(source: &Source, seed: u64, turn: &Turn) -> Option<u32> {
    let rows = u64::from(source.table.rows());
    if rows == 0 {
        return None;
    }
    let key = |what: u64| word(seed, &[u64::from(source.index), what]);
    // All turns of the fleet in one order: round after round, each user once in a round.
    let order = match source.per {
        Per::User => turn.rank.into(),
        Per::Iteration => u128::from(turn.iteration) * u128::from(turn.users.max(1)) + u128::from(turn.rank),
    };
    let (round, place) = ((order / u128::from(rows)) as u64, (order % u128::from(rows)) as u64);
    let row = match source.pick {
        Pick::Unique if round > 0 && source.when_exhausted != Exhausted::Cycle => return None,
        Pick::Unique | Pick::Sequential => place,
        Pick::Shuffle => shuffled(place, rows, key(round)),
        Pick::Random => {
            let part = match source.per {
                Per::User => 0,
                Per::Iteration => turn.iteration.wrapping_add(1),
            };
            let drawn = word(key(0), &[turn.slot.0.into(), part]);
            // Maps 64 random bits to a row; with at most 2^23 rows the bias is below 2^-40 (Lemire 2019).
            ((u128::from(drawn) * u128::from(rows)) >> 64) as u64
        }
    };
    Some(row as u32)
}
