//! Whether requests became slower or faster from one run to another, on the full distributions of their latencies.
//!
//! **What is compared.** Each request's latencies, in blocks of time: histograms of equal stretches of the measured time,
//! such as a report's intervals or the lines of `latency.hlog`. For each request two tests are made:
//!
//! - the *probability of superiority*: how probable it is that a request of the current run takes longer than one of the base
//!   run (ties count half), which is 50 % where nothing has changed. Its test is that of Mann and Whitney for clustered samples
//!   (N. A. Obuchowski, *Nonparametric analysis of clustered ROC curve data*, Biometrics 53, 1997), which sees any shift of
//!   the whole distribution;
//! - the *share of slow requests*: of both runs, how many are above their common p95, which sees what happens in the tail alone.
//!
//! Both compare with what their figures vary from block to block within a run, by Welch's t with the degrees of freedom of the
//! run with fewer blocks, and no test is taken as surer than an exchange of the blocks would be. The p-values of all requests
//! and both tests are adjusted together (S. Holm, *A simple sequentially rejective multiple test procedure*, 1979), so that
//! the whole comparison of two equal runs raises a false alarm at most as often as [`Settings::alarm`] says, whatever the number
//! of requests.
//!
//! **What is assumed.** Samples within a block may depend on each other as they like: of one user, of one slow second. Blocks are
//! taken as independent, so they have to be longer than what disturbs a service for a while; ten seconds are, mostly. Where
//! there are no blocks, samples are taken as independent ([`Basis::Samples`]), which those of a load test are not quite: the
//! p-value is then too small. What is different for the whole of a run, such as another neighbour on the machine, no test
//! can tell from a change of the service: for that reason nothing is an alarm that shifts a percentile by less than
//! [`Settings::shift`].
//!
//! Failures are compared by [`compare_failures`].
//!
//! ```
//! use metrics::compare::{Change, Comparison, Pair, Settings};
//! use metrics::SparseHistogram;
//! use std::time::Duration;
//!
//! // As a report stores them: encoded, block by block. Here they are made up.
//! let block = |ms: u64| -> Vec<u8> {
//!     let histogram: SparseHistogram = (0..20).map(|n| Duration::from_millis(ms + n)).collect();
//!     let mut bytes = Vec::new();
//!     histogram.encode_v2(&mut bytes);
//!     bytes
//! };
//! let run = |ms: u64| -> Vec<SparseHistogram> {
//!     let read = |n: u64| {
//!         let mut histogram = SparseHistogram::new();
//!         histogram.merge_v2(&block(ms + n % 3)).expect("what was encoded");
//!         histogram
//!     };
//!     (0..30).map(read).collect()
//! };
//! let login = Pair { name: "POST /login".to_owned(), base: run(100), current: run(120) };
//! let comparison = Comparison::new(&[login], Settings::default());
//! assert_eq!(comparison.rows[0].change, Change::Slower);
//! ```

mod blocks;
mod failures;
mod placement;
mod shift;
mod student;
#[cfg(test)]
mod tests;

pub use failures::{Counts, FailureChange, FailurePair, FailureRow, FailureSettings, compare_failures};
pub use shift::Shift;

use crate::{Percentile, SparseHistogram};
use blocks::Blocks;

/// One request of both runs.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// Who it is; told back.
    pub name: String,
    /// Its latencies in the base run, in blocks of equal length in order of time.
    pub base: Vec<SparseHistogram>,
    /// The same of the current run.
    pub current: Vec<SparseHistogram>,
}

/// When to raise an alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How often the comparison of two equal runs may raise one, from 0 to 1.
    pub alarm: f64,
    /// The smallest shift of a percentile that is worth one, as a share of the base: 0.05 is 5 %.
    pub shift: f64,
}

impl Default for Settings {
    /// 1 % false alarms, 5 % of shift.
    fn default() -> Settings {
        Settings { alarm: 0.01, shift: 0.05 }
    }
}

/// What the comparison of two runs says.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// By request, in the order in which they were given.
    pub rows: Vec<Row>,
}

/// What it says of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Who it is.
    pub name: String,
    /// Samples of the base run.
    pub base_samples: u64,
    /// Samples of the current run.
    pub current_samples: u64,
    /// What became of the median; `None` without samples on both sides.
    pub p50: Option<Shift>,
    /// What became of the 95th percentile.
    pub p95: Option<Shift>,
    /// What became of the 99th percentile; it is told and not tested.
    pub p99: Option<Shift>,
    /// How probable it is that a request of the current run takes longer than one of the base run, from 0 to 1.
    pub superiority: Option<f64>,
    /// How probable at least so much of a difference is between equal runs, adjusted for all that was tested: the smaller of
    /// the two tests.
    pub p_value: Option<f64>,
    /// What the tests compare with.
    pub basis: Basis,
    /// What has changed.
    pub change: Change,
}

/// What the tests compare a difference with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The blocks of both runs: of the base, of the current.
    Blocks(usize, usize),
    /// Single samples, as if they were independent: one of the runs has fewer than 8 blocks.
    Samples,
    /// Nothing: there are too few samples.
    Nothing,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Significantly slower, by at least the shift that is asked for.
    Slower,
    /// Significantly faster, likewise.
    Faster,
    /// Nothing that is significant and large enough.
    None,
    /// It cannot be said: fewer than 30 samples in one of the runs, or none at all.
    Unknown,
}

/// Fewest samples of a request that say anything.
const MIN_SAMPLES: u64 = 30;

impl Comparison {
    /// Compares each request of the current run with that of the base run.
    pub fn new(pairs: &[Pair], settings: Settings) -> Comparison {
        let tested: Vec<Tested> = pairs.iter().map(Tested::new).collect();
        let raw: Vec<Option<f64>> =
            tested.iter().flat_map(|t| [t.location.map(|l| l.p_value), t.tail.map(|l| l.p_value)]).collect();
        let adjusted = holm(&raw);
        let rows = pairs.iter().zip(&tested).zip(adjusted.chunks(2));
        Comparison { rows: rows.map(|((pair, t), p_values)| t.row(pair, p_values, settings)).collect() }
    }

    /// Whether any request became slower.
    pub fn is_slower(&self) -> bool {
        self.rows.iter().any(|row| row.change == Change::Slower)
    }
}

/// A test's outcome: positive where the current run is slower.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// The estimate less what it is without a change.
    difference: f64,
    p_value: f64,
}

/// What is known of a request before the p-values are adjusted.
struct Tested {
    samples: (u64, u64),
    p50: Option<Shift>,
    p95: Option<Shift>,
    p99: Option<Shift>,
    location: Option<Outcome>,
    tail: Option<Outcome>,
    basis: Basis,
}

impl Tested {
    fn new(pair: &Pair) -> Tested {
        let (base, current) = (Blocks::new(&pair.base), Blocks::new(&pair.current));
        let samples = (base.total.count(), current.total.count());
        let basis = match (base.usable(), current.usable()) {
            _ if samples.0 < MIN_SAMPLES || samples.1 < MIN_SAMPLES => Basis::Nothing,
            (Some(base), Some(current)) => Basis::Blocks(base, current),
            _ => Basis::Samples,
        };
        let tested = basis != Basis::Nothing;
        let by_blocks = matches!(basis, Basis::Blocks(..));
        let shift = |p| Shift::new(&base, &current, p, by_blocks);
        Tested {
            samples,
            p50: shift(Percentile::P50),
            p95: shift(Percentile::P95),
            p99: shift(Percentile::P99),
            location: tested.then(|| placement::location(&base, &current, by_blocks)),
            tail: tested.then(|| shift::tail(&base, &current, Percentile::P95, by_blocks)),
            basis,
        }
    }

    fn row(&self, pair: &Pair, p_values: &[Option<f64>], settings: Settings) -> Row {
        let [location, tail] = [p_values[0], p_values[1]];
        let shown = |outcome: Option<Outcome>, p_value: Option<f64>, shift: Option<Shift>| {
            let (outcome, shift) = (outcome?, shift?.relative);
            let significant = p_value? <= settings.alarm;
            // The test and the percentile have to agree.
            let agree = outcome.difference.signum() == shift.signum() && shift.abs() >= settings.shift;
            (significant && agree && shift != 0.0).then_some(shift)
        };
        let found = [shown(self.location, location, self.p50), shown(self.tail, tail, self.p95)];
        let change = match found.into_iter().flatten().fold(0.0_f64, f64::max) {
            _ if self.basis == Basis::Nothing => Change::Unknown,
            slower if slower > 0.0 => Change::Slower,
            _ if found.iter().flatten().next().is_some() => Change::Faster,
            _ => Change::None,
        };
        Row {
            name: pair.name.clone(),
            base_samples: self.samples.0,
            current_samples: self.samples.1,
            p50: self.p50,
            p95: self.p95,
            p99: self.p99,
            superiority: self.location.map(|location| location.difference + 0.5),
            p_value: [location, tail].into_iter().flatten().reduce(f64::min),
            basis: self.basis,
            change,
        }
    }
}

/// Holm's adjustment: what is `None` was not tested.
fn holm(raw: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..raw.len()).filter(|&at| raw[at].is_some()).collect();
    order.sort_by(|&a, &b| raw[a].unwrap_or(1.0).total_cmp(&raw[b].unwrap_or(1.0)));
    let (mut adjusted, mut largest) = (vec![None; raw.len()], 0.0_f64);
    for (rank, &at) in order.iter().enumerate() {
        let left = (order.len() - rank) as f64;
        largest = largest.max((raw[at].unwrap_or(1.0) * left).min(1.0));
        adjusted[at] = Some(largest);
    }
    adjusted
}
