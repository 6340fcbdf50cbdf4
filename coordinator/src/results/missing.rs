//! What the requests that are missing could do to a threshold.
//!
//! All of them may belong to what the threshold judges, and nothing is known about them. So a threshold is
//! judged again as if they had all succeeded or all failed (exact for rates and counts), in no time or in the
//! longest that a histogram holds (the extremes of every latency).

use metrics::threshold::{Op, Status};
use metrics::{Histogram, SeriesStats, Threshold};
use std::time::Duration;

/// The longest latency of a histogram.
const LONGEST: Duration = Duration::from_hours(1);

/// The best and the worst that a threshold can come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) best: Status,
    pub(super) worst: Status,
}

impl Range {
    /// Judges `stats` for every case of at most `missing` more requests (`None`: any number of them).
    pub(super) fn of(
        threshold: &Threshold,
        stats: &SeriesStats,
        elapsed: Duration,
        missing: Option<u64>,
    ) -> Range {
        let seen = threshold.judge(stats, elapsed);
        let missing = match missing {
            Some(0) => return Range { best: seen.status, worst: seen.status },
            Some(missing) => missing.min(proto::limits::MAX_COUNT),
            None => return Range { best: Status::Pass, worst: Status::Fail },
        };
        let mut judged = vec![seen];
        for latency in [Duration::ZERO, LONGEST] {
            let histogram = repeated(latency, missing);
            for (ok, failed) in [(missing, 0), (0, missing)] {
                let mut stats = stats.clone();
                stats.ok = stats.ok.saturating_add(ok);
                stats.failed = stats.failed.saturating_add(failed);
                stats.latency.merge(&histogram);
                judged.push(threshold.judge(&stats, elapsed));
            }
        }
        let mut statuses: Vec<Status> =
            judged.iter().map(|j| j.status).filter(|&s| s != Status::NoData).collect();
        let observed: Vec<f64> = judged.iter().filter_map(|judgement| judgement.observed).collect();
        if can_be_hit(threshold, &observed) {
            // Between the extremes lies the one value that an equality is about.
            statuses.extend([Status::Pass, Status::Fail]);
        }
        let by_severity = |status: &Status| severity(*status);
        Range {
            best: statuses.iter().copied().min_by_key(by_severity).unwrap_or(Status::NoData),
            worst: statuses.iter().copied().max_by_key(by_severity).unwrap_or(Status::NoData),
        }
    }
}

/// Pass, warn, fail: later is worse.
pub(super) fn severity(status: Status) -> u8 {
    match status {
        Status::Pass => 0,
        Status::Warn => 1,
        Status::Fail => 2,
        Status::NoData => 3,
    }
}

/// Whether `==` or `!=` can come out either way between the extremes.
fn can_be_hit(threshold: &Threshold, observed: &[f64]) -> bool {
    let lowest = observed.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = observed.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let within = |value: f64| lowest <= value && value <= highest && lowest < highest;
    matches!(threshold.op, Op::Equal | Op::NotEqual)
        && (within(threshold.value) || threshold.critical.is_some_and(within))
}

/// `count` samples of `latency`, by doubling.
fn repeated(latency: Duration, mut count: u64) -> Histogram {
    let (mut all, mut power) = (Histogram::new(), Histogram::new());
    power.record(latency);
    while count > 0 {
        if count & 1 == 1 {
            all.merge(&power);
        }
        count >>= 1;
        if count > 0 {
            let twin = power.clone();
            power.merge(&twin);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::{Phases, Sample, SeriesId};

    #[test]
    fn repeated_samples_are_counted_exactly() {
        for count in [0, 1, 2, 3, 31, 1000, proto::limits::MAX_COUNT] {
            assert_eq!(repeated(Duration::from_millis(5), count).count(), count);
        }
    }

    /// 100 requests of 100 ms in 10 s, of which 2 failed.
    fn stats() -> SeriesStats {
        let mut stats = SeriesStats::default();
        for i in 0..100 {
            let outcome =
                if i < 2 { Err(metrics::Failure::new(metrics::ErrorKind::Status, "500")) } else { Ok(()) };
            stats.record(&Sample {
                series: SeriesId(0),
                ended: Duration::ZERO,
                latency: Duration::from_millis(100),
                late: Duration::ZERO,
                phases: Phases::default(),
                bytes_out: 0,
                bytes_in: 0,
                outcome,
            });
        }
        stats
    }

    #[test]
    fn what_is_missing_widens_the_outcome() {
        use Status::{Fail, NoData, Pass, Warn};
        let check = |sentence: &str, missing: Option<u64>, best: Status, worst: Status| {
            let threshold = Threshold::parse(sentence).unwrap();
            let range = Range::of(&threshold, &stats(), Duration::from_secs(10), missing);
            assert_eq!(range, Range { best, worst }, "{sentence} with {missing:?} missing");
        };
        check("p95 <= 200ms", Some(0), Pass, Pass);
        check("p95 <= 200ms", Some(5), Pass, Pass);
        check("p95 <= 200ms", Some(6), Pass, Fail);
        check("p95 <= 200ms critical 2h", Some(6), Pass, Warn);
        check("p95 <= 50ms", Some(6), Fail, Fail);
        check("p50 <= 50ms", Some(100), Pass, Fail);
        check("mean <= 200ms", Some(1), Pass, Fail);
        check("min >= 50ms", Some(1), Pass, Fail);
        check("max <= 200ms", Some(1), Pass, Fail);
        check("success_rate >= 98%", Some(0), Pass, Pass);
        check("success_rate >= 98%", Some(1), Pass, Fail);
        check("success_rate >= 95%", Some(3), Pass, Pass);
        check("success_rate >= 99%", Some(100), Pass, Fail);
        check("success_rate >= 99%", Some(99), Fail, Fail);
        check("error_rate <= 1%", Some(100), Pass, Fail);
        check("rate >= 10/s", Some(50), Pass, Pass);
        check("rate >= 11/s", Some(9), Fail, Fail);
        check("rate >= 11/s", Some(10), Pass, Fail);
        check("count >= 101", Some(1), Pass, Fail);
        check("count == 105", Some(10), Pass, Fail);
        check("count != 105", Some(10), Pass, Fail);
        check("count == 105", Some(4), Fail, Fail);
        check("failures <= 3", Some(1), Pass, Pass);
        check("failures <= 3", Some(2), Pass, Fail);
        check("count >= 1", None, Pass, Fail);
        let nothing = SeriesStats::default();
        let threshold = Threshold::parse("p95 <= 1s").unwrap();
        let range = Range::of(&threshold, &nothing, Duration::from_secs(10), Some(0));
        assert_eq!(range, Range { best: NoData, worst: NoData });
        let range = Range::of(&threshold, &nothing, Duration::from_secs(10), Some(1));
        assert_eq!(range, Range { best: Pass, worst: Fail });
    }
}
