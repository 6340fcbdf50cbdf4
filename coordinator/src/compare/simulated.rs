//! Reports of runs that were never made, for tests.

use crate::report::Report;
use crate::report::model::{EncodedHistogram, IntervalRow, IntervalSeries, IntervalsPart, Totals};
use crate::report::tests::sample;
use metrics::{Histogram, Percentile, SparseHistogram};
use std::time::Duration;

/// Requests of a series in a second.
const PER_SECOND: usize = 6;

/// Seconds of an interval.
const INTERVAL: u32 = 5;

/// Seconds of a run.
const LENGTH: u32 = 300;

/// A run that might have been: five minutes of three requests, the first two of the group `auth`, the third of `generation`.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    /// The first request takes so many times what it should.
    pub(super) slower: f64,
    /// What share of requests fails.
    pub(super) failing: f64,
    /// The service has a level that all latencies of a second share, and that remembers the second before: it varies by about this
    /// share.
    pub(super) weather: f64,
    /// Failures come in bursts of 5 s, some of which have several times as many as others.
    pub(super) bursts: bool,
}

/// A run like others, but for what is different from run to run (`seed`): its first request is `slower` than it should be, and
/// so many of a thousand requests fail.
pub(crate) fn run_like(seed: u64, slower: f64, failing: u64) -> Report {
    simulated(seed, World { slower, failing: failing as f64 / 1000.0, weather: 0.02, bursts: false })
}

/// The report of a run in that world.
pub(super) fn simulated(seed: u64, world: World) -> Report {
    let mut report = sample();
    report.run.id = format!("20261121-08{seed:04}-0000");
    report.run.duration_s = LENGTH.into();
    (report.verdict, report.exit_code) = ("pass", 0);
    report.reasons = vec!["all thresholds were met".to_owned()];
    report.thresholds.clear();
    for (row, at) in report.timeline.iter_mut().zip(0..) {
        (row.t_s, row.target_users) = (at, 10);
    }
    let mut dice = Dice(seed);
    let mut all = vec![(SparseHistogram::new(), 0); report.requests.len()];
    let (mut rows, mut level) = (Vec::new(), 0.0);
    for t_s in (0..LENGTH).step_by(INTERVAL as usize) {
        let (row, parts) = interval(t_s, &mut dice, &mut level, world);
        for (total, (part, failures)) in all.iter_mut().zip(parts) {
            total.0.merge(&part);
            total.1 += failures;
        }
        rows.push(row);
    }
    report.intervals = Some(IntervalsPart { length_s: INTERVAL, rows });
    for (row, part) in report.requests.iter_mut().zip(&all) {
        fill(&mut row.totals, std::slice::from_ref(part));
    }
    fill(&mut report.totals, &all);
    fill(&mut report.groups[0].totals, &all[..2]);
    fill(&mut report.groups[1].totals, &all[2..3]);
    fill(&mut report.user_classes[0].totals, &all[..2]);
    fill(&mut report.user_classes[1].totals, &all[2..]);
    report
}

/// Latencies of a request, and how many of them failed.
type Part = (SparseHistogram, u64);

fn interval(t_s: u32, dice: &mut Dice, level: &mut f64, world: World) -> (IntervalRow, Vec<Part>) {
    let failing = if world.bursts { world.failing * -dice.unit().ln() } else { world.failing };
    let mut latencies: [Vec<Duration>; 3] = Default::default();
    for _ in 0..INTERVAL {
        *level = 0.5 * *level + world.weather * dice.normal();
        for (request, latencies) in latencies.iter_mut().enumerate() {
            let factor = if request == 0 { world.slower } else { 1.0 };
            let latency = |dice: &mut Dice| 0.08 * factor * (0.3 * dice.normal() + *level).exp();
            latencies.extend((0..PER_SECOND).map(|_| Duration::from_secs_f64(latency(dice))));
        }
    }
    let mut row = IntervalRow { t_s, failures: 0, bytes_in: 0, series: Vec::new() };
    let mut parts = Vec::new();
    for (request, latencies) in latencies.into_iter().enumerate() {
        let failures = latencies.iter().filter(|_| dice.unit() <= failing).count() as u64;
        let histogram: SparseHistogram = latencies.into_iter().collect();
        row.failures += failures;
        row.series.push(IntervalSeries { request, latency_hdr: encoded(&histogram) });
        parts.push((histogram, failures));
    }
    (row, parts)
}

fn encoded(histogram: &SparseHistogram) -> EncodedHistogram {
    let mut bytes = Vec::new();
    histogram.encode_v2(&mut bytes);
    EncodedHistogram::from_v2(bytes).expect("what was encoded")
}

fn fill(totals: &mut Totals, parts: &[Part]) {
    let mut histogram = Histogram::new();
    for (part, _) in parts {
        part.add_to(&mut histogram);
    }
    totals.requests = histogram.count();
    totals.failures = parts.iter().map(|(_, failures)| failures).sum();
    let share = totals.failures as f64 / totals.requests as f64;
    totals.success_rate = (totals.requests > 0).then_some(1.0 - share);
    totals.rps = Some(totals.requests as f64 / f64::from(LENGTH));
    let ms = |p| histogram.percentile(p).map(|d| d.as_secs_f64() * 1e3);
    (totals.latency_ms.p50, totals.latency_ms.p95, totals.latency_ms.p99) =
        (ms(Percentile::P50), ms(Percentile::P95), ms(Percentile::P99));
    totals.latency_hdr = EncodedHistogram::new(&histogram);
}

/// SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).
struct Dice(u64);

impl Dice {
    /// In `(0, 1]`.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((bits ^ (bits >> 31)) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// With mean 0 and deviation 1 (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
