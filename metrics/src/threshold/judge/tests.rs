use super::*;
use crate::{ErrorKind, Failure, Phases, Sample, SeriesId};
use proptest::prelude::*;

/// So many successes and failures, each of which took `latency`.
fn stats(ok: u64, failed: u64, latency: Duration) -> SeriesStats {
    let mut stats = SeriesStats::default();
    for number in 0..ok + failed {
        let failure = Failure::new(ErrorKind::Status, "status 500");
        stats.record(&Sample {
            series: SeriesId(0),
            ended: Duration::ZERO,
            latency,
            late: Duration::ZERO,
            phases: Phases::default(),
            bytes_out: 0,
            bytes_in: 0,
            outcome: if number < ok { Ok(()) } else { Err(failure) },
        });
    }
    stats
}

fn counted(ok: u64, failed: u64) -> SeriesStats {
    SeriesStats { ok, failed, ..SeriesStats::default() }
}

fn check(stats: &SeriesStats, elapsed: Duration, cases: &[(&str, Status)]) {
    for (sentence, status) in cases {
        let judgement = Threshold::parse(sentence).unwrap().judge(stats, elapsed);
        assert_eq!(judgement.status, *status, "{sentence}: {judgement:?}");
        assert_eq!(judgement.samples, stats.requests(), "{sentence}");
        assert_eq!(judgement.observed.is_none(), *status == Status::NoData, "{sentence}");
    }
}

use Status::{Fail, NoData, Pass, Warn};

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn shares_are_judged_exactly() {
    let boundary = [
        ("success_rate >= 99%", Pass),
        ("success_rate > 99%", Fail),
        ("success_rate <= 99%", Pass),
        ("success_rate < 99%", Fail),
        ("success_rate == 99%", Pass),
        ("success_rate != 99%", Fail),
        ("error_rate <= 1%", Pass),
        ("error_rate < 1%", Fail),
        ("error_rate == 1%", Pass),
        ("success_rate >= 99.000001%", Fail),
        ("success_rate >= 99.5% critical 99%", Warn),
        ("success_rate >= 99.5% critical 98%", Warn),
        ("success_rate >= 99.9% critical 99.1%", Fail),
        ("error_rate < 0.5% critical 1%", Fail),
    ];
    for scale in [1, 1_000, 10_000_000_000_000_000] {
        check(&counted(99 * scale, scale), MINUTE, &boundary);
    }
    // 98.99999 %, which prints as 99.0 %.
    check(
        &counted(9_899_999, 100_001),
        MINUTE,
        &[("success_rate >= 99%", Fail), ("success_rate < 99%", Pass)],
    );
    // The nearest below 99 % that 64 bits can count; as floating point it is 99 %.
    let total = u64::MAX / 100 * 100;
    let almost = counted(total / 100 * 99 - 1, total / 100 + 1);
    check(&almost, MINUTE, &[("success_rate >= 99%", Fail), ("success_rate == 99%", Fail)]);
    // 2 of 3 are not 66.666667 %.
    check(
        &counted(2, 1),
        MINUTE,
        &[("success_rate >= 66.666667%", Fail), ("success_rate >= 66.666666%", Pass)],
    );
    check(&counted(0, 5), MINUTE, &[("success_rate >= 0%", Pass), ("error_rate == 100%", Pass)]);
}

#[test]
fn latencies_are_judged_as_durations() {
    let boundary = [
        ("p95 <= 1ms", Pass),
        ("p95 < 1ms", Fail),
        ("p95 <= 999us", Fail),
        ("p95 < 1.000001ms", Pass),
        ("p95 >= 1ms", Pass),
        ("p95 > 1ms", Fail),
        ("p50 == 1ms", Pass),
        ("min >= 1ms", Pass),
        ("mean <= 1ms", Pass),
        ("max <= 1ms", Pass),
        ("max != 1ms", Fail),
        ("p99.9 <= 500us critical 1ms", Warn),
        ("p99.9 <= 500us critical 999us", Fail),
        ("p99.9 <= 1ms critical 2ms", Pass),
        ("min > 2ms critical 1ms", Fail),
        ("min > 2ms critical 999us", Warn),
    ];
    check(&stats(90, 10, Duration::from_millis(1)), MINUTE, &boundary);
    let mut slow_tail = stats(96, 0, Duration::from_millis(7));
    slow_tail.merge(&stats(6, 0, Duration::from_millis(1_502)));
    check(
        &slow_tail,
        MINUTE,
        &[("p94 <= 10ms", Pass), ("p95 <= 1.5s", Fail), ("p95 <= 1.504s", Pass), ("mean <= 95ms", Pass)],
    );
}

#[test]
fn rates_and_counts_are_judged_exactly() {
    let boundary = [
        ("rate >= 10/s", Pass),
        ("rate > 10/s", Fail),
        ("rate == 600/m", Pass),
        ("rate <= 36000/h", Pass),
        ("rate >= 10.000001/s", Fail),
        ("rate >= 20/s critical 10/s", Warn),
        ("count == 600", Pass),
        ("count > 600", Fail),
        ("count >= 601 critical 600", Warn),
        ("failures <= 100", Pass),
        ("failures < 100", Fail),
        ("failures == 100", Pass),
        ("failures <= 10 critical 99", Fail),
    ];
    check(&counted(500, 100), MINUTE, &boundary);
    check(&counted(500, 100), MINUTE + Duration::from_nanos(1), &[("rate >= 10/s", Fail)]);
    check(&counted(1, 0), Duration::from_secs(3), &[("rate >= 20/m", Pass), ("rate > 20/m", Fail)]);
    // 2^53 + 1 is the first count that floating point rounds.
    let most = counted((1 << 53) + 1, 0);
    let exact = [("rate >= 9007199254740993/s", Pass), ("count > 9007199254740992", Pass)];
    check(&most, Duration::from_secs(1), &exact);
    check(&counted(u64::MAX, 0), Duration::MAX, &[("rate >= 1/s", Pass)]);
}

#[test]
fn nothing_measured_is_never_a_pass() {
    let sentences = [
        ("success_rate >= 0%", NoData),
        ("error_rate <= 100%", NoData),
        ("p95 <= 1h", NoData),
        ("min <= 1h", NoData),
        ("mean <= 1h", NoData),
        ("max <= 1h", NoData),
        ("rate <= 10/s", NoData),
        ("count != 5", NoData),
        ("failures <= 0", NoData),
    ];
    check(&SeriesStats::default(), MINUTE, &sentences);
    // A peer may claim requests without their latencies, or a run may end as it begins.
    check(
        &counted(5, 0),
        Duration::ZERO,
        &[("p95 <= 1h", NoData), ("rate >= 1/s", NoData), ("count == 5", Pass)],
    );
}

#[test]
fn what_was_observed_is_in_the_metrics_unit() {
    let stats = stats(3, 1, Duration::from_micros(1_500));
    for (sentence, observed) in [
        ("success_rate >= 1%", 75.0),
        ("error_rate >= 1%", 25.0),
        ("p95 <= 1s", 1.5),
        ("mean <= 1s", 1.5),
        ("rate >= 1/s", 2.0),
        ("count >= 1", 4.0),
        ("failures >= 1", 1.0),
    ] {
        let judgement = Threshold::parse(sentence).unwrap().judge(&stats, Duration::from_secs(2));
        assert_eq!(judgement.observed, Some(observed), "{sentence}");
    }
}

#[test]
fn fewer_samples_than_asked_for_are_no_data() {
    check(
        &stats(95, 5, Duration::from_millis(1)),
        MINUTE,
        &[
            ("p95 <= 1s samples 100", Pass),
            ("p95 <= 1s samples 101", NoData),
            ("error_rate <= 1% samples 101", NoData),
            ("failures <= 1 samples 100", Fail),
        ],
    );
}

/// So many requests of one latency each, all of them successes but for `failed`.
fn tally(failed: u64, latencies: &[(u64, u64)]) -> Tally {
    let mut histogram = crate::Histogram::new();
    for (ms, count) in latencies {
        histogram.record_n(Duration::from_millis(*ms), *count);
    }
    Tally { ok: histogram.count() - failed, failed, latency: (&histogram).into() }
}

#[test]
fn a_window_without_requests_has_a_rate_of_none() {
    let judge = |sentence: &str| {
        let judgement = Threshold::parse(sentence).unwrap().judge_window(&Tally::default(), MINUTE);
        (judgement.status, judgement.observed)
    };
    assert_eq!(judge("rate >= 1/s over 60s"), (Fail, Some(0.0)));
    assert_eq!(judge("count >= 1 over 60s"), (Fail, Some(0.0)));
    assert_eq!(judge("failures <= 1 over 60s"), (Pass, Some(0.0)));
    for sentence in ["p95 <= 1s over 60s", "success_rate >= 99% over 60s", "rate >= 1/s over 60s samples 1"] {
        assert_eq!(judge(sentence), (NoData, None), "{sentence}");
    }
    let busy = tally(1, &[(7, 96), (1_502, 6)]);
    let judgement = Threshold::parse("p95 <= 1s over 60s").unwrap().judge_window(&busy, MINUTE);
    assert_eq!((judgement.status, judgement.samples), (Fail, 102));
    assert_eq!(judgement.observed.map(f64::round), Some(1_502.0));
}

#[test]
fn an_interval_across_a_limit_is_told() {
    // Ranks 936 to 964 of 1000 are the interval of p95.
    let judge = |sentence: &str, fast: u64| {
        let stats = stats_of(&[(100, fast), (300, 1_000 - fast)]);
        let judgement = Threshold::parse(sentence).unwrap().judge(&stats, MINUTE);
        (judgement.status, judgement.straddled)
    };
    assert_eq!(judge("p95 <= 200ms", 990), (Pass, None));
    assert_eq!(judge("p95 <= 200ms", 960), (Pass, Some(200.0)));
    assert_eq!(judge("p95 <= 200ms", 940), (Fail, Some(200.0)));
    assert_eq!(judge("p95 <= 200ms", 930), (Fail, None));
    assert_eq!(judge("p95 >= 200ms", 940), (Pass, Some(200.0)));
    assert_eq!(judge("p95 <= 150ms critical 250ms", 940), (Fail, Some(250.0)));
    assert_eq!(judge("p95 <= 150ms critical 250ms", 960), (Pass, Some(150.0)));
    assert_eq!(judge("p95 <= 50ms critical 250ms", 960), (Warn, Some(250.0)));
    assert_eq!(judge("p95 != 200ms", 960), (Pass, None));
    assert_eq!(judge("max <= 200ms", 960), (Fail, None));
    // So few that the interval has no upper end.
    let few = Threshold::parse("p95 <= 1m").unwrap().judge(&stats_of(&[(100, 71)]), MINUTE);
    assert_eq!((few.interval.unwrap().high, few.straddled), (None, Some(60_000.0)));
}

fn stats_of(latencies: &[(u64, u64)]) -> SeriesStats {
    let mut stats = SeriesStats::default();
    for (ms, count) in latencies {
        stats.latency.record_n(Duration::from_millis(*ms), *count);
    }
    stats.ok = stats.latency.count();
    stats
}

#[test]
fn a_run_is_lost_when_nothing_can_save_it() {
    let check = |sentence: &str, tally: &Tally, lost: bool| {
        let threshold = Threshold::parse(sentence).unwrap();
        assert_eq!(threshold.is_lost(tally, MINUTE), lost, "{sentence} of {tally:?}");
    };
    let slow = |count: u64| tally(0, &[(500, count)]);
    // A percentile that so few samples say little about may still be met.
    check("p95 <= 200ms abort", &slow(1), false);
    check("p95 <= 200ms abort", &slow(3), true);
    check("p50 <= 200ms abort", &slow(8), false);
    check("p50 <= 200ms abort", &slow(12), true);
    check("p50 <= 200ms critical 1s abort", &slow(12), false);
    check("p50 <= 200ms samples 13 abort", &slow(12), false);
    check("p95 <= 200ms abort", &tally(0, &[(100, 940), (500, 60)]), false);
    check("p95 <= 200ms abort", &tally(0, &[(100, 900), (500, 100)]), true);
    check("p95 <= 200ms abort", &tally(0, &[(100, 990), (500, 10)]), false);
    // What only grows is lost at once.
    check("max <= 200ms abort", &slow(1), true);
    check("max >= 600ms abort", &slow(1), false);
    check("min >= 600ms abort", &slow(1), true);
    check("min <= 200ms abort", &slow(1), false);
    check("failures <= 2 abort", &tally(3, &[(1, 3)]), true);
    check("failures == 0 abort", &tally(1, &[(1, 3)]), true);
    check("failures == 2 abort", &tally(1, &[(1, 3)]), false);
    check("count <= 2 abort", &slow(3), true);
    check("count >= 1000 abort", &slow(3), false);
    check("count != 3 abort", &slow(3), false);
    // Shares and means by their intervals, rates as they are.
    check("error_rate <= 1% abort", &tally(1, &[(1, 20)]), false);
    check("error_rate <= 1% abort", &tally(10, &[(1, 20)]), true);
    check("success_rate >= 99% abort", &tally(20, &[(1, 20)]), true);
    // Once in a hundred times the first request is that one; that the first two are is once in ten thousand.
    check("success_rate >= 99% abort", &tally(1, &[(1, 1)]), false);
    check("success_rate >= 99% abort", &tally(2, &[(1, 2)]), true);
    check("error_rate < 1% abort", &tally(1, &[(1, 1)]), false);
    check("error_rate < 1% abort", &tally(2, &[(1, 2)]), true);
    check("success_rate >= 100% abort", &tally(1, &[(1, 1_000)]), true);
    check("error_rate <= 0% abort", &tally(1, &[(1, 1_000)]), true);
    check("success_rate < 50% abort", &tally(0, &[(1, 8)]), false);
    check("success_rate < 50% abort", &tally(0, &[(1, 12)]), true);
    check("success_rate >= 99% abort", &tally(30, &[(1, 2_000)]), false);
    check("mean <= 200ms abort", &tally(0, &[(100, 40), (400, 40)]), false);
    check("mean <= 200ms abort", &tally(0, &[(100, 500), (400, 500)]), true);
    check("mean <= 200ms abort", &slow(29), false);
    check("mean <= 200ms abort", &slow(30), true);
    check("rate >= 10/s abort", &slow(599), true);
    check("rate >= 10/s abort", &slow(600), false);
    check("p95 <= 1s abort", &Tally::default(), false);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_window_is_judged_as_a_run_of_the_same_requests(
        latencies in prop::collection::vec((1_u64..2_000, 1_u64..50), 1..30),
        failed in 0_u64..30,
        which in 0_usize..10,
    ) {
        let sentences = [
            "success_rate >= 97%", "error_rate < 3%", "min >= 5ms", "mean <= 900ms critical 1s", "p50 <= 1s",
            "p95 <= 1.5s critical 1.9s", "p99.9 > 1s", "max != 2s", "rate >= 5/s samples 200", "failures <= 10",
        ];
        let threshold = Threshold::parse(sentences[which]).unwrap();
        let mut stats = stats_of(&latencies);
        stats.failed = failed.min(stats.ok);
        stats.ok -= stats.failed;
        let tally = Tally { ok: stats.ok, failed: stats.failed, latency: (&stats.latency).into() };
        prop_assert_eq!(threshold.judge(&stats, MINUTE), threshold.judge_window(&tally, MINUTE));
    }
}
