//! Which protocol version two ends speak.

use std::fmt;
use std::ops::RangeInclusive;

/// The protocol versions that this build speaks.
pub const SUPPORTED: Versions = Versions { min: 1, max: 1 };

/// A range of protocol versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Oldest.
    pub min: u32,
    /// Newest.
    pub max: u32,
}

impl Versions {
    /// The newest version that both sides speak.
    pub fn negotiate(self, other: Versions) -> Option<u32> {
        let newest = self.max.min(other.max);
        (newest >= self.min && newest >= other.min).then_some(newest)
    }

    /// The range as a range.
    pub fn range(self) -> RangeInclusive<u32> {
        self.min..=self.max
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min)
        } else {
            write!(f, "{} to {}", self.min, self.max)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_wins() {
        let check = |a: (u32, u32), b: (u32, u32), expected| {
            let (a, b) = (Versions { min: a.0, max: a.1 }, Versions { min: b.0, max: b.1 });
            assert_eq!(a.negotiate(b), expected, "{a} with {b}");
            assert_eq!(b.negotiate(a), expected, "{b} with {a}");
        };
        check((1, 1), (1, 1), Some(1));
        check((1, 3), (2, 5), Some(3));
        check((1, 2), (3, 4), None);
        check((3, 1), (1, 3), None);
        check((0, u32::MAX), (7, 7), Some(7));
    }
}
