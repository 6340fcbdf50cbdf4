use super::*;
use proptest::prelude::*;

fn us(microseconds: u64) -> Duration {
    Duration::from_micros(microseconds)
}

fn recorded(latencies: impl IntoIterator<Item = u64>) -> Histogram {
    let mut histogram = Histogram::new();
    for latency in latencies {
        histogram.record(us(latency));
    }
    histogram
}

/// Whether `observed` is `exact` or up to 0.1 % above.
fn is_close(observed: Duration, exact: Duration) -> bool {
    observed.checked_sub(exact).is_some_and(|above| above * 1_000 <= exact)
}

/// Latencies of every magnitude, in µs.
fn latencies(most: usize) -> impl Strategy<Value = Vec<u64>> {
    let any_magnitude = (0_u32..32, any::<u64>()).prop_map(|(bits, value)| value % (1 << bits) % HIGH + 1);
    prop::collection::vec(any_magnitude, 0..most)
}

#[test]
fn an_empty_histogram_says_nothing() {
    let mut histogram = Histogram::new();
    histogram.merge(&Histogram::new());
    assert!(histogram.is_empty() && histogram.counts.is_none());
    assert_eq!((histogram.min(), histogram.max()), (None, None));
    assert_eq!((histogram.mean(), histogram.stddev()), (None, None));
    assert_eq!(histogram.percentile(Percentile::P50), None);
    assert_eq!(histogram.iter_recorded().count(), 0);
}

#[test]
fn latencies_are_rounded_and_clamped() {
    for (nanoseconds, recorded) in [
        (0, us(1)),
        (1, us(1)),
        (1_499, us(1)),
        (1_500, us(2)),
        (2_046_999_499, us(2_047_999)),
        (999_999_999, us(1_000_447)),
        (3_600_000_000_000, us(HIGH)),
        (u64::MAX, us(HIGH)),
    ] {
        let mut histogram = Histogram::new();
        histogram.record(Duration::from_nanos(nanoseconds));
        assert_eq!(histogram.max(), Some(recorded), "{nanoseconds} ns");
        assert_eq!(histogram.percentile(Percentile::P50), Some(recorded), "{nanoseconds} ns");
    }
    let mut histogram = Histogram::new();
    histogram.record(Duration::MAX);
    assert_eq!(histogram.max(), Some(us(HIGH)));
    assert!(histogram.mean() <= Some(us(HIGH)));
}

#[test]
fn percentiles_are_nearest_ranks() {
    let thousand = recorded(1..=1_000);
    for (percentile, value) in [
        ("p0.001", 1),
        ("p0.1", 1),
        ("p0.101", 2),
        ("p50", 500),
        ("p95", 950),
        ("p99", 990),
        ("p99.9", 999),
        ("p99.901", 1_000),
        ("p100", 1_000),
    ] {
        let percentile = Percentile::parse(percentile).unwrap();
        assert_eq!(thousand.percentile(percentile), Some(us(value)), "{percentile}");
        let mut bytes = Vec::new();
        thousand.encode_v2(&mut bytes);
        assert_eq!(
            Histogram::percentile_in_v2(&bytes, percentile),
            Ok(Some(us(value))),
            "{percentile}, encoded"
        );
    }
    let mut empty = Vec::new();
    Histogram::new().encode_v2(&mut empty);
    assert_eq!(Histogram::percentile_in_v2(&empty, Percentile::P50), Ok(None));
    assert!(Histogram::percentile_in_v2(&empty[..39], Percentile::P50).is_err());
    assert_eq!(thousand.mean(), Some(Duration::from_nanos(500_500)));
    assert_eq!((thousand.min(), thousand.max()), (Some(us(1)), Some(us(1_000))));
    // sqrt((1000^2 - 1) / 12) = 288.6749902572095 µs
    assert_eq!(thousand.stddev(), Some(Duration::from_nanos(288_675)));
}

#[test]
fn the_slow_few_decide_a_high_percentile() {
    let slow_tail = recorded([7_000; 96].into_iter().chain([1_502_000; 6]));
    let p95 = slow_tail.percentile(Percentile::P95).unwrap();
    assert!(is_close(p95, Duration::from_millis(1_502)), "{p95:?}");
    let p90 = slow_tail.percentile(Percentile::P90).unwrap();
    assert!(is_close(p90, Duration::from_millis(7)), "{p90:?}");
}

#[test]
fn recorded_values_come_in_order_with_their_counts() {
    let histogram = recorded([5, 3, 5, 100_000, 3, 5]);
    let values: Vec<_> = histogram.iter_recorded().collect();
    assert_eq!(values, [(us(3), 2), (us(5), 3), (us(100_031), 1)]);
}

#[test]
fn the_sum_of_extreme_counts_does_not_overflow() {
    let mut histogram = recorded([HIGH]);
    for _ in 0..52 {
        let copy = histogram.clone();
        histogram.merge(&copy);
    }
    assert_eq!(histogram.count(), 1 << 52);
    assert!(histogram.mean() > Some(us(HIGH / 1_001 * 1_000)) && histogram.mean() <= Some(us(HIGH)));
    assert!(histogram.stddev() < Some(us(1)));
}

/// Merges `parts` in an order and tree given by `choices`.
fn merged_by(mut parts: Vec<Histogram>, choices: &[prop::sample::Index]) -> Histogram {
    let mut choices = choices.iter().cycle();
    while parts.len() > 1 {
        let taken = parts.swap_remove(choices.next().unwrap().index(parts.len()));
        let into = choices.next().unwrap().index(parts.len());
        parts[into].merge(&taken);
    }
    parts.pop().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merged_parts_equal_the_whole(
        latencies in latencies(200),
        owners in prop::collection::vec(0_usize..6, 200),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let whole = recorded(latencies.iter().copied());
        let mut parts = vec![Histogram::new(); 6];
        for (latency, owner) in latencies.iter().zip(&owners) {
            parts[*owner].record(us(*latency));
        }
        let merged = merged_by(parts, &choices);
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!((merged.min(), merged.max()), (whole.min(), whole.max()));
        prop_assert_eq!((merged.mean(), merged.stddev()), (whole.mean(), whole.stddev()));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        merged.encode_v2(&mut ours);
        whole.encode_v2(&mut theirs);
        prop_assert_eq!(ours, theirs, "bit for bit");
    }

    #[test]
    fn one_sample_more_is_another_histogram(latencies in latencies(50), more in 1..HIGH) {
        let histogram = recorded(latencies);
        let mut other = histogram.clone();
        other.record(us(more));
        prop_assert_ne!(histogram, other);
    }

    #[test]
    fn percentiles_agree_with_sorting(mut latencies in latencies(300), thousandths in 1_u32..=100_000) {
        prop_assume!(!latencies.is_empty());
        let percentile =
            Percentile::parse(&format!("p{}.{:03}", thousandths / 1_000, thousandths % 1_000)).unwrap();
        let histogram = recorded(latencies.iter().copied());
        latencies.sort_unstable();
        // The definition, not the formula: the first sample that enough samples do not exceed.
        let count = latencies.len() as u64;
        let enough = |upto: usize| (upto as u64 + 1) * 100_000 >= u64::from(thousandths) * count;
        let exact = us(latencies[(0..latencies.len()).find(|index| enough(*index)).unwrap()]);
        let observed = histogram.percentile(percentile).unwrap();
        prop_assert!(is_close(observed, exact), "{percentile}: {observed:?}, exactly {exact:?}");
        prop_assert!(Some(observed) <= histogram.max());
    }

    #[test]
    fn statistics_stay_within_a_thousandth(latencies in latencies(200)) {
        prop_assume!(!latencies.is_empty());
        let histogram = recorded(latencies.iter().copied());
        let (min, max) = (*latencies.iter().min().unwrap(), *latencies.iter().max().unwrap());
        prop_assert!(is_close(histogram.max().unwrap(), us(max)));
        prop_assert!(is_close(us(min), histogram.min().unwrap()));
        let mean = us(latencies.iter().sum::<u64>()).div_f64(latencies.len() as f64);
        let error = histogram.mean().unwrap().abs_diff(mean);
        prop_assert!(error * 1_000 <= mean + us(1), "{:?}, exactly {mean:?}", histogram.mean());
        prop_assert_eq!(histogram.iter_recorded().map(|(_, count)| count).sum::<u64>(), latencies.len() as u64);
    }
}
