use super::*;
use crate::simulated::Dice;

/// `P(B <= k)` for a binomial of `n` and `p`, from logarithms: another way than the one that is tested.
fn at_most(k: u64, n: u64, p: f64) -> f64 {
    let mut logs = vec![0.0_f64];
    for i in 1..=n {
        logs.push(logs[i as usize - 1] + (i as f64).ln());
    }
    let term = |i: u64| {
        let choose = logs[n as usize] - logs[i as usize] - logs[(n - i) as usize];
        (choose + i as f64 * p.ln() + (n - i) as f64 * (1.0 - p).ln()).exp()
    };
    (0..=k).map(term).sum()
}

fn ranks(p: &str, count: u64) -> (Option<u64>, Option<u64>) {
    let ranks = Percentile::parse(p).unwrap().interval_ranks(count, Confidence::Usual);
    (ranks.low, ranks.high)
}

#[test]
fn ranks_are_those_of_the_tables() {
    // Conover's and Hahn and Meeker's examples, and R's qbinom(c(.025, .975), n, p) + c(0, 1).
    assert_eq!(ranks("p50", 10), (Some(2), Some(9)));
    assert_eq!(ranks("p50", 100), (Some(40), Some(61)));
    assert_eq!(ranks("p95", 1_000), (Some(936), Some(964)));
    assert_eq!(ranks("p50", 5), (None, None));
    assert_eq!(ranks("p95", 71).1, None);
    assert_eq!(ranks("p95", 72), (Some(64), Some(72)));
    assert_eq!(ranks("p100", 9), (Some(9), None));
    assert_eq!(ranks("p95", 0), (None, None));
    assert_eq!(Percentile::P95.samples_for_interval(), Some(72));
    assert_eq!(Percentile::P50.samples_for_interval(), Some(6));
}

#[test]
fn no_narrower_ranks_would_do() {
    for (p, thousandths) in [("p50", 0.5), ("p75", 0.75), ("p95", 0.95), ("p99", 0.99), ("p0.1", 0.001)] {
        for count in [1, 2, 7, 40, 73, 100, 368, 369, 1_000, 5_000] {
            let (low, high) = ranks(p, count);
            let below = |rank: u64| if rank == 0 { 0.0 } else { at_most(rank - 1, count, thousandths) };
            let low = low.unwrap_or(0);
            assert!(below(low) <= 0.025 + 1e-9, "{p} of {count}: {low}");
            assert!(below(low + 1) > 0.025 - 1e-9, "{p} of {count}: {low} could be higher");
            match high {
                Some(high) => {
                    assert!(1.0 - below(high) <= 0.025 + 1e-9, "{p} of {count}: {high}");
                    assert!(1.0 - below(high - 1) > 0.025 - 1e-9, "{p} of {count}: {high} could be lower");
                }
                None => assert!(1.0 - below(count) > 0.025 - 1e-9, "{p} of {count} has an upper end"),
            }
        }
    }
}

#[test]
fn far_beyond_the_exact_ranks_the_ends_go_on_as_they_were() {
    for p in ["p50", "p95", "p99.9", "p99.999"] {
        let p = Percentile::parse(p).unwrap();
        let at = |count| {
            let ranks = p.interval_ranks(count, Confidence::Usual);
            (ranks.low.unwrap(), ranks.high.unwrap())
        };
        let exact = exact_ranks(f64::from(p.thousandths()) / 1e5, 900_000_000, 0.025);
        let wide = wide_ranks(f64::from(p.thousandths()) / 1e5, 900_000_000, Confidence::Usual.deviations());
        let (exact, wide) =
            ((exact.low.unwrap(), exact.high.unwrap()), (wide.low.unwrap(), wide.high.unwrap()));
        assert!(wide.0 <= exact.0 && exact.0 - wide.0 <= 3, "{p}: {exact:?}, {wide:?}");
        assert!(wide.1 >= exact.1 && wide.1 - exact.1 <= 3, "{p}: {exact:?}, {wide:?}");
        let (low, high) = at(u64::MAX / 100_000);
        assert!(low < p.rank(u64::MAX / 100_000) && p.rank(u64::MAX / 100_000) < high, "{p}");
    }
}

/// How often, in percent, the interval of `p` of `count` samples holds what the law says.
fn coverage(p: &str, count: u64, trials: u32, law: impl Fn(&mut Dice) -> f64, truth_us: f64) -> f64 {
    let percentile = Percentile::parse(p).unwrap();
    let mut dice = Dice::new(u64::from(percentile.thousandths()) * 31 + count);
    let mut held = 0;
    for _ in 0..trials {
        let draws = (0..count).map(|_| Duration::from_secs_f64(law(&mut dice) / 1e6));
        let histogram: SparseHistogram = draws.collect();
        let interval = histogram.percentile_interval(percentile).unwrap();
        let us = |end: Option<Duration>, open: f64| end.map_or(open, |end| end.as_secs_f64() * 1e6);
        held += u32::from(us(interval.low, 0.0) <= truth_us && truth_us <= us(interval.high, f64::MAX));
    }
    f64::from(held) * 100.0 / f64::from(trials)
}

#[test]
fn intervals_hold_the_truth_95_times_in_100() {
    // Exponential: the quantile is -ln(1 - p) times the mean. Log-normal: the median is known.
    let exponential = |dice: &mut Dice| 30_000.0 * dice.exponential();
    for (p, share, count) in
        [("p50", 0.5, 40), ("p50", 0.5, 333), ("p95", 0.95, 100), ("p95", 0.95, 800), ("p99", 0.99, 1_500)]
    {
        let covered = coverage(p, count, 1_500, exponential, -30_000.0 * (1.0_f64 - share).ln());
        // The exact coverage is at least 95 %; 1500 trials are 0.56 % sure of it.
        assert!(covered >= 94.0, "{p} of {count} samples: {covered} %");
        assert!(covered <= 98.9, "{p} of {count} samples: {covered} %, wider than it has to be");
    }
    let lognormal = |dice: &mut Dice| 50_000.0 * (0.4 * dice.normal()).exp();
    let covered = coverage("p50", 200, 1_500, lognormal, 50_000.0);
    assert!((94.0..=98.9).contains(&covered), "{covered} %");
    // Too few for an upper end: then it goes on without one, and is never wrong for that reason.
    let covered = coverage("p99", 50, 500, exponential, -30_000.0 * 0.01_f64.ln());
    assert!(covered >= 94.0, "{covered} %");
}
