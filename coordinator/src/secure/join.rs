//! What is known of one join string, and how it is written down. Pure.

use proto::Fingerprint;
use std::collections::BTreeSet;

/// First words of the file of a join string.
const HEADER: &str = "muster join 1";

/// What is known of one join string: never its secret, only what it is good for and whom it let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Seconds since 1970; nobody new is let in from then on.
    pub expires_at: u64,
    /// How many keys it lets in.
    pub uses: u32,
    /// The keys that it let in. They stay welcome.
    pub admitted: BTreeSet<Fingerprint>,
}

/// How a key stands with a join string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was let in before.
    Admitted,
    /// It can be let in.
    Welcome,
    /// Too late, by so many seconds.
    Expired(u64),
    /// So many others were let in, and no more may be.
    UsedUp(u32),
}

impl Join {
    /// A join string that nobody used yet.
    pub fn new(expires_at: u64, uses: u32) -> Join {
        Join { expires_at, uses, admitted: BTreeSet::new() }
    }

    /// How `key` stands with it at `unix_now` (seconds since 1970).
    pub fn standing(&self, unix_now: u64, key: &Fingerprint) -> Standing {
        if self.admitted.contains(key) {
            return Standing::Admitted;
        }
        match unix_now.checked_sub(self.expires_at) {
            Some(late) => Standing::Expired(late),
            None if self.admitted.len() >= self.uses as usize => Standing::UsedUp(self.uses),
            None => Standing::Welcome,
        }
    }

    /// The text of its file: a line about itself, and one for each key.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER} {} {}\n", self.expires_at, self.uses);
        for key in &self.admitted {
            text.push_str(&Join::line(key));
        }
        text
    }

    /// The line that is appended when `key` is let in.
    pub fn line(key: &Fingerprint) -> String {
        format!("{key}\n")
    }

    /// Reads [`to_text`](Join::to_text). A line that was not written to its end is left out: nobody was told that
    /// its key was let in.
    pub fn parse(text: &str) -> Option<Join> {
        let (first, rest) = text.split_once('\n')?;
        let (expires_at, uses) = first.strip_prefix(HEADER)?.trim().split_once(' ')?;
        Some(Join {
            expires_at: expires_at.parse().ok()?,
            uses: uses.parse().ok()?,
            admitted: rest.lines().filter_map(Fingerprint::parse).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(n: u8) -> Fingerprint {
        Fingerprint::of(&[n])
    }

    #[test]
    fn a_string_lets_in_so_many_keys_until_its_end_and_those_for_ever() {
        let mut join = Join::new(1_000, 2);
        let check = |join: &Join, now: u64, n: u8, expected: Standing| {
            assert_eq!(join.standing(now, &key(n)), expected, "key {n} at {now}");
        };
        check(&join, 0, 1, Standing::Welcome);
        check(&join, 999, 1, Standing::Welcome);
        check(&join, 1_000, 1, Standing::Expired(0));
        check(&join, 1_060, 1, Standing::Expired(60));
        join.admitted.insert(key(1));
        check(&join, 999, 2, Standing::Welcome);
        join.admitted.insert(key(2));
        check(&join, 999, 3, Standing::UsedUp(2));
        check(&join, 5_000, 2, Standing::Admitted);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_a_torn_end_loses_its_key_only(
            expires_at: u64, uses: u32, keys in proptest::collection::btree_set(any::<u8>(), 0..9), cut in 0_usize..44
        ) {
            let mut join = Join::new(expires_at, uses);
            join.admitted = keys.into_iter().map(key).collect();
            let text = join.to_text();
            prop_assert_eq!(Join::parse(&text), Some(join.clone()));
            let torn = format!("{text}{}", &Join::line(&key(200))[..cut.min(42)]);
            prop_assert_eq!(Join::parse(&torn), Some(join));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(muster join 1 )?.{0,60}\n?.{0,60}") {
            let _ = Join::parse(&text);
        }
    }
}
