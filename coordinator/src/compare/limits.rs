//! When a change is one.

use crate::report::model::LimitsPart;
use metrics::compare::{FailureSettings, Settings};

/// When a change is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How often the comparison of two equal runs may find a change, from 0 to 1.
    pub false_alarm: f64,
    /// The smallest shift of p50 or p95 that counts, as a share of the base.
    pub min_shift: f64,
    /// The smallest change of the share of failed requests that counts: 0.001 is 0.1 percentage points.
    pub min_failure_change: f64,
}

impl Default for Limits {
    /// 1 % false alarms, 5 % of shift, 0.1 percentage points of failures.
    fn default() -> Limits {
        Limits { false_alarm: 0.01, min_shift: 0.05, min_failure_change: 0.001 }
    }
}

impl Limits {
    /// Of latencies, which get half of the alarms.
    pub(super) fn of_latencies(self) -> Settings {
        Settings { alarm: self.false_alarm / 2.0, shift: self.min_shift }
    }

    /// Of failures, which get the other half.
    pub(super) fn of_failures(self) -> FailureSettings {
        FailureSettings {
            alarm: self.false_alarm / 2.0,
            points: self.min_failure_change,
            shift: self.min_shift,
        }
    }
}

impl From<Limits> for LimitsPart {
    fn from(limits: Limits) -> LimitsPart {
        let Limits { false_alarm, min_shift, min_failure_change } = limits;
        LimitsPart { false_alarm, min_shift, min_failure_change }
    }
}
