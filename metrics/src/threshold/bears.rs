//! What a threshold bears.

use super::bound::Bound;
use super::observed::Judged;
use super::{Metric, Op, Status, Threshold};
use crate::Tally;
use crate::unit::MILLIONTHS_PER_PERCENT;

/// All requests, in the unit of shares.
const WHOLE: u64 = 100 * MILLIONTHS_PER_PERCENT;

impl Threshold {
    /// How many more requests in the same time, whatever they were like, would surely leave the outcome of `tally` no worse
    /// than `status`; `u64::MAX` for any number of them. A lower bound: 0 where that cannot be said in general.
    pub fn bears(&self, tally: &Tally, status: Status) -> u64 {
        let bound = match status {
            Status::Pass => self.target,
            Status::Warn => self.last_bound(),
            // Nothing is worse.
            Status::Fail => return u64::MAX,
            Status::NoData => return 0,
        };
        let judged = Judged::from(tally);
        let requests = judged.requests();
        let (strict, upper) = match self.op {
            Op::Less => (true, true),
            Op::LessOrEqual => (false, true),
            Op::Greater => (true, false),
            Op::GreaterOrEqual => (false, false),
            Op::Equal | Op::NotEqual => return 0,
        };
        match (self.metric, bound, upper) {
            // At worst all of them are slow: then the rank of the percentile must still be that of a fast one.
            (Metric::Latency(percentile), Bound::Latency(latency), true) => {
                let latency =
                    if strict { latency.saturating_sub(std::time::Duration::from_nanos(1)) } else { latency };
                let fast = u128::from(judged.not_above(latency)) * 100_000;
                more(fast / u128::from(percentile.thousandths()), judged.held())
            }
            // At worst all of them fail.
            (Metric::SuccessRate, Bound::Share(share), false) => {
                bears_failures(judged.ok, share, strict, requests)
            }
            (Metric::ErrorRate, Bound::Share(share), true) => {
                bears_failures(judged.ok, WHOLE.saturating_sub(share), strict, requests)
            }
            (Metric::Failures, Bound::Count(most), true) => {
                most.saturating_sub(u64::from(strict)).saturating_sub(judged.failed)
            }
            (Metric::Count | Metric::Rate, _, false) => u64::MAX,
            _ => 0,
        }
    }
}

/// How many failures on top of `requests` leave `ok` of them at `share` of all.
fn bears_failures(ok: u64, share: u64, strict: bool, requests: u64) -> u64 {
    if share == 0 {
        return if strict { 0 } else { u64::MAX };
    }
    let whole = u128::from(ok) * u128::from(WHOLE);
    let most = if strict { whole.saturating_sub(1) } else { whole } / u128::from(share);
    more(most, requests)
}

/// `most - held`, as far as it goes.
fn more(most: u128, held: u64) -> u64 {
    u64::try_from(most.saturating_sub(u128::from(held))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn tally(ok: u64, failed: u64, latencies: &[(u64, u64)]) -> Tally {
        let mut histogram = crate::Histogram::new();
        for (ms, count) in latencies {
            histogram.record_n(Duration::from_millis(*ms), *count);
        }
        Tally { ok, failed, latency: (&histogram).into() }
    }

    proptest! {
        #[test]
        fn so_many_of_the_worst_change_nothing_and_one_more_does(
            fast in 1_u64..3_000, slow in 0_u64..60, failed in 0_u64..60, which in 0_usize..7,
        ) {
            let sentences = [
                "p95 <= 200ms", "p50 < 200ms", "p99.9 <= 200ms critical 900ms", "success_rate >= 97%",
                "success_rate > 97.5%", "error_rate <= 2.5%", "failures <= 40",
            ];
            let threshold = Threshold::parse(sentences[which]).unwrap();
            let (requests, second) = (fast + slow, Duration::from_secs(1));
            let failed = failed.min(requests);
            let with = |more: u64| tally(requests - failed, failed + more, &[(10, fast), (500, slow), (3_600_000, more)]);
            let status = threshold.judge_window(&with(0), second).status;
            let bears = threshold.bears(&with(0), status);
            if status == Status::Fail {
                prop_assert_eq!(bears, u64::MAX);
            } else {
                prop_assert_eq!(threshold.judge_window(&with(bears), second).status, status);
                prop_assert_ne!(threshold.judge_window(&with(bears + 1), second).status, status);
            }
        }
    }

    #[test]
    fn what_cannot_be_said_is_nothing() {
        let tally = tally(100, 0, &[(10, 100)]);
        for (sentence, bears) in [
            ("max <= 1s", 0),
            ("mean <= 1s", 0),
            ("min >= 1ms", 0),
            ("p50 >= 1ms", 0),
            ("failures == 0", 0),
            ("rate <= 1000/s", 0),
            ("rate >= 1/s", u64::MAX),
            ("count > 5", u64::MAX),
        ] {
            let threshold = Threshold::parse(sentence).unwrap();
            assert_eq!(threshold.bears(&tally, Status::Pass), bears, "{sentence}");
            assert_eq!(threshold.bears(&tally, Status::NoData), 0, "{sentence}");
        }
    }
}
