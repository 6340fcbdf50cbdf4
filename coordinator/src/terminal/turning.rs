//! Tells when a threshold turns.

use crate::results::ThresholdStanding;
use metrics::threshold::Status;

/// Closed seconds for which a threshold must stand otherwise than it was told to, before that is told: what wavers around
/// its limit is not news.
const SETTLED: u32 = 3;

/// What was told of each threshold, in plan order.
#[derive(Debug, Default)]
pub(super) struct Turning {
    told: Vec<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    status: Status,
    /// How it stands now, and for how many seconds.
    now: (Status, u32),
}

impl Turning {
    /// Takes in how the thresholds stand when a second was closed; says which have turned. At first all are taken to be met.
    pub(super) fn second(&mut self, standing: &[ThresholdStanding]) -> Vec<String> {
        self.told.resize(standing.len(), Told { status: Status::Pass, now: (Status::Pass, 0) });
        let mut turned = Vec::new();
        for (told, threshold) in self.told.iter_mut().zip(standing) {
            let (status, seconds) = told.now;
            told.now = if status == threshold.status { (status, seconds + 1) } else { (threshold.status, 1) };
            let settled = told.now.1 >= SETTLED;
            if threshold.status == told.status || threshold.status == Status::NoData || !settled {
                continue;
            }
            told.status = threshold.status;
            let how = match threshold.status {
                Status::Pass => "is met again",
                Status::Warn => "is missed, its critical value is not",
                Status::Fail | Status::NoData => "is missed",
            };
            let observed = threshold.observed.as_deref().unwrap_or("-");
            turned
                .push(format!("threshold {} of {} {how}: {observed}", threshold.expression, threshold.scope));
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_that_stays_is_told_once_and_one_that_wavers_is_not() {
        use Status::{Fail, NoData, Pass, Warn};

        let mut turning = Turning::default();
        let mut check = |status: Status, expected: Option<&str>| {
            let standing = ThresholdStanding {
                expression: "p95 < 500ms".to_owned(),
                scope: "group `auth`".to_owned(),
                status,
                observed: Some("612 ms".to_owned()),
            };
            let expected = expected.map(|how| format!("threshold p95 < 500ms of group `auth` {how}: 612 ms"));
            assert_eq!(turning.second(&[standing]), Vec::from_iter(expected));
        };
        for status in [NoData, NoData, NoData, Pass, Fail, Fail, Pass, Fail, Fail] {
            check(status, None);
        }
        check(Fail, Some("is missed"));
        for status in [Fail, Fail, NoData, NoData, NoData, Warn, Warn] {
            check(status, None);
        }
        check(Warn, Some("is missed, its critical value is not"));
        check(Pass, None);
        check(Pass, None);
        check(Pass, Some("is met again"));
    }
}
