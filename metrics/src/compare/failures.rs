//! Whether more or fewer requests fail from one run to another.
//!
//! The test is Fisher's exact one on counts, both tails by twice the smaller. Counts are exact, but failures come in bursts: a
//! hundred of one bad second say hardly more than one. So counts are divided by the *design effect* first, which is by how much
//! more the failures of a run vary from block to block than independent ones would (J. N. K. Rao, A. J. Scott, *A simple method
//! for the analysis of clustered binary data*, Biometrics 48, 1992); of both runs, the larger one is taken for both, and rounding
//! takes away from a difference. As that effect is an estimate, a p-value is worth what Student's t gives for its
//! deviation, and never less than an exchange of the blocks would give. p-values are adjusted as those of latencies are.
//!
//! What is assumed: failures of one request are not much more bursty than those of all requests together, as it is these of
//! which the blocks are known.

use super::student::{self, ln_gamma};
use super::{Basis, MIN_SAMPLES, holm};

/// Fewer blocks than this say nothing of how failures come together.
const FEWEST: usize = 8;

/// Requests, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many there were.
    pub requests: u64,
    /// How many of them failed; no more than there were.
    pub failures: u64,
}

/// A request of both runs.
#[derive(Clone, Debug, Default)]
pub struct FailurePair {
    /// Who it is; told back.
    pub name: String,
    /// In the base run.
    pub base: Counts,
    /// In the current run.
    pub current: Counts,
}

/// When to raise an alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailureSettings {
    /// How often the comparison of two equal runs may raise one, from 0 to 1.
    pub alarm: f64,
    /// The smallest change of the share of failed requests that is worth one: 0.001 is 0.1 percentage points.
    pub points: f64,
    /// The same as a share of what it was: 0.05 is a twentieth of it.
    pub shift: f64,
}

impl Default for FailureSettings {
    /// 1 % false alarms; 0.1 percentage points, and a twentieth of what it was.
    fn default() -> FailureSettings {
        FailureSettings { alarm: 0.01, points: 0.001, shift: 0.05 }
    }
}

/// What became of the failures of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureRow {
    /// Who it is.
    pub name: String,
    /// By how much the share of failed requests rose: 0.01 is one percentage point; `None` without requests on both sides.
    pub difference: Option<f64>,
    /// It rose by no less than this, 95 of 100 times (not adjusted for other requests; R. G. Newcombe, *Interval estimation for the
    /// difference between independent proportions*, Statistics in Medicine 17, 1998, method 10).
    pub low: Option<f64>,
    /// Nor by more than this.
    pub high: Option<f64>,
    /// How probable at least so much of a difference is between equal runs, adjusted for all that was tested.
    pub p_value: Option<f64>,
    /// What the test compares with.
    pub basis: Basis,
    /// What has changed.
    pub change: FailureChange,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureChange {
    /// Significantly more of them fail, by at least what is asked for.
    More,
    /// Significantly fewer, likewise.
    Fewer,
    /// Nothing that is significant and large enough.
    None,
    /// It cannot be said: fewer than 30 requests in one of the runs.
    Unknown,
}

/// Compares the failures of each request. `base` and `current` are those of all requests together, in blocks of equal
/// length in order of time; with fewer than 8 on either side requests are taken as independent.
pub fn compare_failures(
    pairs: &[FailurePair],
    base: &[Counts],
    current: &[Counts],
    settings: FailureSettings,
) -> Vec<FailureRow> {
    let clumping = Clumping::new(base, current);
    let raw: Vec<Option<f64>> = pairs.iter().map(|pair| clumping.p_value(pair)).collect();
    let adjusted = holm(&raw);
    pairs.iter().zip(adjusted).map(|(pair, p_value)| clumping.row(pair, p_value, settings)).collect()
}

/// How failures come together.
struct Clumping {
    /// So many failures say as much as one that is independent.
    effect: f64,
    blocks: Option<(usize, usize)>,
}

impl Clumping {
    fn new(base: &[Counts], current: &[Counts]) -> Clumping {
        match (design_effect(base), design_effect(current)) {
            (Some((first, base)), Some((second, current))) => {
                Clumping { effect: first.max(second), blocks: Some((base, current)) }
            }
            _ => Clumping { effect: 1.0, blocks: None },
        }
    }

    fn p_value(&self, pair: &FailurePair) -> Option<f64> {
        if pair.base.requests < MIN_SAMPLES || pair.current.requests < MIN_SAMPLES {
            return None;
        }
        let worse = pair.current.share() > pair.base.share();
        let p_value = fisher(self.thinned(pair.base, !worse), self.thinned(pair.current, worse));
        Some(match self.blocks {
            Some((base, current)) => {
                let units = (base as f64, current as f64);
                student::estimated(p_value, units.0.min(units.1) - 1.0).max(student::least(units))
            }
            None => p_value,
        })
    }

    /// As many independent requests as these are worth, of which fewer or more failed than it seems.
    fn thinned(&self, counts: Counts, round_down: bool) -> Counts {
        let requests = (counts.requests as f64 / self.effect).floor().max(1.0);
        let failures = requests * counts.share();
        let failures = if round_down { (failures + 1e-9).floor() } else { (failures - 1e-9).ceil() };
        Counts { requests: requests as u64, failures: failures.clamp(0.0, requests) as u64 }
    }

    fn row(&self, pair: &FailurePair, p_value: Option<f64>, settings: FailureSettings) -> FailureRow {
        let some = pair.base.requests > 0 && pair.current.requests > 0;
        let difference = pair.current.share() - pair.base.share();
        let worth = settings.points.max(settings.shift * pair.base.share());
        let change = match p_value {
            None => FailureChange::Unknown,
            Some(p) if p > settings.alarm || difference.abs() < worth || difference == 0.0 => {
                FailureChange::None
            }
            Some(_) if difference > 0.0 => FailureChange::More,
            Some(_) => FailureChange::Fewer,
        };
        let interval = some.then(|| self.interval(pair));
        FailureRow {
            name: pair.name.clone(),
            difference: some.then_some(difference),
            low: interval.map(|(low, _)| low),
            high: interval.map(|(_, high)| high),
            p_value,
            basis: match (p_value, self.blocks) {
                (None, _) => Basis::Nothing,
                (Some(_), Some((base, current))) => Basis::Blocks(base, current),
                (Some(_), None) => Basis::Samples,
            },
            change,
        }
    }

    fn interval(&self, pair: &FailurePair) -> (f64, f64) {
        let freedom = self.blocks.map_or(1e6, |(base, current)| base.min(current) as f64 - 1.0);
        let z = student::quantile(0.975, freedom);
        let wilson = |counts: Counts| {
            let (n, share) = ((counts.requests as f64 / self.effect).max(1.0), counts.share());
            let (scale, centre) = (1.0 + z * z / n, share + z * z / (2.0 * n));
            let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
            ((centre - half) / scale, (centre + half) / scale)
        };
        let ((low_before, high_before), (low_after, high_after)) = (wilson(pair.base), wilson(pair.current));
        let (before, after) = (pair.base.share(), pair.current.share());
        let difference = after - before;
        let low = difference - (after - low_after).hypot(high_before - before);
        let high = difference + (high_after - after).hypot(before - low_before);
        (low.max(-1.0), high.min(1.0))
    }
}

impl Counts {
    /// What share of them failed, from 0 to 1; 0 without requests.
    pub fn share(self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.failures as f64 / self.requests as f64 }
    }
}

/// By how much more failures vary from block to block than independent ones would, at least 1, and of how many blocks.
fn design_effect(blocks: &[Counts]) -> Option<(f64, usize)> {
    let filled: Vec<Counts> = blocks.iter().filter(|block| block.requests > 0).copied().collect();
    if filled.len() < FEWEST {
        return None;
    }
    let requests: f64 = filled.iter().map(|block| block.requests as f64).sum();
    let share = filled.iter().map(|block| block.failures as f64).sum::<f64>() / requests;
    let independent = requests * share * (1.0 - share);
    let squares: f64 =
        filled.iter().map(|block| (block.failures as f64 - share * block.requests as f64).powi(2)).sum();
    let count = filled.len() as f64;
    let seen = squares * count / (count - 1.0);
    let effect = if independent > 0.0 { (seen / independent).max(1.0) } else { 1.0 };
    Some((effect, filled.len()))
}

/// Fisher's exact test: how probable so many failures of so many requests are, or fewer still (or more), when both runs fail alike;
/// twice the smaller.
fn fisher(base: Counts, current: Counts) -> f64 {
    let (n, m) = (base.requests as f64, current.requests as f64);
    let failed = base.failures as f64 + current.failures as f64;
    let observed = current.failures as f64;
    let choose = |of: f64, some: f64| ln_gamma(of + 1.0) - ln_gamma(some + 1.0) - ln_gamma(of - some + 1.0);
    let start = choose(m, observed) + choose(n, failed - observed) - choose(n + m, failed);
    let more = observed * (n + m) >= m * failed;
    let (mut at, mut term, mut sum) = (observed, 1.0_f64, 1.0_f64);
    // Terms fall from here on, at last as fast as a geometric series.
    while term > sum * 1e-13 {
        let ratio = if more {
            (m - at) * (failed - at) / ((at + 1.0) * (n - failed + at + 1.0))
        } else {
            at * (n - failed + at) / ((m - at + 1.0) * (failed - at + 1.0))
        };
        if ratio <= 0.0 {
            break;
        }
        term *= ratio;
        sum += term;
        at += if more { 1.0 } else { -1.0 };
    }
    (2.0 * start.exp() * sum).min(1.0)
}

#[cfg(test)]
mod tests;
