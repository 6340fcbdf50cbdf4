//! A percentile as an exact integer.

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
}
