//! Slots: which user is what.

use crate::model::ClassId;

/// Global user index, 0-based, unique in the fleet. It fixes the user's class, random seed and data rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// The class of every slot: a smooth weighted interleave in which any prefix of the slots holds each class's
/// weight to within one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    /// One period; slot `s` has class `wheel[s % wheel.len()]`.
    wheel: Vec<ClassId>,
}

impl Classes {
    /// Largest sum of weights after division by their greatest common divisor: the length of one period.
    pub const MAX_PERIOD: u64 = 100_000;

    /// The interleave of classes `0..weights.len()`; `None` when there is no class, a weight is 0, or the
    /// period would be longer than [`MAX_PERIOD`](Classes::MAX_PERIOD).
    ///
    /// Job `j` of a class of weight `w` among weights that add up to `W` may take slot `floor(j·W/w)` at the
    /// earliest and `ceil((j+1)·W/w) - 1` at the latest; the released job with the earliest deadline goes
    /// first. That is P-fair scheduling of unit jobs on one processor (Baruah et al. 1996; Steiner and
    /// Yeomans 1993), which meets every deadline, so every prefix of `n` slots holds more than `n·w/W - 1` and
    /// fewer than `n·w/W + 1` users of the class. (Nginx's smooth weighted round robin does not promise that.)
    pub fn new(weights: &[u32]) -> Option<Classes> {
        let divisor = weights.iter().fold(0, |a, &b| gcd(a, b));
        if weights.is_empty() || weights.contains(&0) {
            return None;
        }
        let weights: Vec<u64> = weights.iter().map(|&w| u64::from(w / divisor)).collect();
        let period: u64 = weights.iter().sum();
        if period > Classes::MAX_PERIOD {
            return None;
        }
        let mut placed = vec![0_u64; weights.len()];
        let wheel = (0..period)
            .map(|slot| {
                let next = (0..weights.len())
                    .filter(|&c| placed[c] * period / weights[c] <= slot)
                    .min_by_key(|&c| ((placed[c] + 1) * period).div_ceil(weights[c]))
                    .expect("the weights add up to the period, so some class is always released");
                placed[next] += 1;
                ClassId(next as u32)
            })
            .collect();
        Some(Classes { wheel })
    }

    /// The class of `slot`.
    pub fn of(&self, slot: Slot) -> ClassId {
        self.wheel[slot.0 as usize % self.wheel.len()]
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

    proptest! {
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
