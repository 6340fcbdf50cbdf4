//! A percentile as an exact integer.

use crate::unit::{Decimal, UnitError, quoted};
use std::fmt;

/// A percentile in thousandths of a percent: p99.9 is 99 900. Exact, so ranks are too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile(u32);

impl Percentile {
    /// Median.
    pub const P50: Percentile = Percentile(50_000);
    /// Upper quartile.
    pub const P75: Percentile = Percentile(75_000);
    /// 90th percentile.
    pub const P90: Percentile = Percentile(90_000);
    /// 95th percentile.
    pub const P95: Percentile = Percentile(95_000);
    /// 99th percentile.
    pub const P99: Percentile = Percentile(99_000);
    /// 99.9th percentile.
    pub const P99_9: Percentile = Percentile(99_900);

    /// Parses `p50`, `p99.9`, `p99.999`.
    ///
    /// # Errors
    /// Anything else, more than three decimals, zero, and more than 100.
    pub fn parse(text: &str) -> Result<Percentile, UnitError> {
        let refused = |reason: &str| {
            UnitError::new(format!("{} {reason}", quoted(text)), "write one such as `p95` or `p99.9`")
        };
        let number = text.strip_prefix('p').ok_or_else(|| refused("is not a percentile"))?;
        let amount = Decimal::parse(number).map_err(|_| refused("is not a percentile"))?;
        let thousandths =
            amount.times(1_000).ok_or_else(|| refused("is a percentile with more than three decimals"))?;
        match u32::try_from(thousandths) {
            Ok(thousandths @ 1..=100_000) => Ok(Percentile(thousandths)),
            _ => Err(refused("is not above 0 and up to 100")),
        }
    }

    /// Thousandths of a percent: 1 to 100 000.
    pub fn thousandths(self) -> u32 {
        self.0
    }

    /// Nearest rank: which of `count` samples in rising order, counted from 1, is the smallest that at least
    /// this percentage does not exceed. `ceil(p * count / 100 %)`, at least 1.
    pub fn rank(self, count: u64) -> u64 {
        let rank = (u128::from(self.0) * u128::from(count)).div_ceil(100_000);
        u64::try_from(rank).expect("a percentile is at most 100 %, so the rank is at most the count").max(1)
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1_000, self.0 % 1_000);
        if fraction == 0 {
            return write!(formatter, "p{whole}");
        }
        let decimals = format!("{fraction:03}");
        write!(formatter, "p{whole}.{}", decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_read_and_written_exactly() {
        for (text, thousandths, shown) in [
            ("p50", 50_000, "p50"),
            ("p99.9", 99_900, "p99.9"),
            ("p99.90", 99_900, "p99.9"),
            ("p99.999", 99_999, "p99.999"),
            ("p0.001", 1, "p0.001"),
            ("p100", 100_000, "p100"),
        ] {
            let percentile = Percentile::parse(text).unwrap();
            assert_eq!(percentile.thousandths(), thousandths, "{text}");
            assert_eq!(percentile.to_string(), shown, "{text}");
        }
        for text in ["", "p", "50", "P50", "p0", "p100.001", "p99.9999", "p-5", "p9e1", "p 50", "p.5", "p5."]
        {
            let error = Percentile::parse(text).unwrap_err();
            assert_eq!(error.remedy, "write one such as `p95` or `p99.9`", "{text}");
        }
    }

    #[test]
    fn ranks_are_nearest_ranks() {
        for (percentile, count, rank) in [
            (Percentile::P50, 0, 1),
            (Percentile::P50, 1, 1),
            (Percentile::P50, 2, 1),
            (Percentile::P50, 3, 2),
            (Percentile::P95, 102, 97),
            (Percentile::P99_9, 1_000, 999),
            (Percentile::P99_9, 1_001, 1_000),
            (Percentile(1), 1_000, 1),
            (Percentile(100_000), u64::MAX, u64::MAX),
        ] {
            assert_eq!(percentile.rank(count), rank, "{percentile} of {count}");
        }
        for thousands in 1..=200 {
            assert_eq!(Percentile::P99_9.rank(thousands * 1_000), thousands * 999);
        }
    }
}
