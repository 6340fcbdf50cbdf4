//! What a history says of a run.

use crate::report::Report;
use serde::{Deserialize, Serialize};

/// What a history says of a run; its fields are the keys of `coordinator history --format json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The run's identity, which is the name of its folder.
    pub id: String,
    /// The plan's name.
    pub name: String,
    /// The profile that was chosen.
    pub profile: Option<String>,
    /// SHA-256 of the plan.
    pub plan_sha256: String,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// Its length, warm-up included.
    pub duration_s: f64,
    /// The most users that its schedule asked for.
    pub users: u32,
    /// `pass`, `warn`, `fail` or `inconclusive`.
    pub verdict: String,
    /// Whether it was worse than its own baseline.
    #[serde(default)]
    pub regression: bool,
    /// The coordinator's exit code.
    pub exit_code: u8,
    /// Requests with a result.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Share that succeeded, from 0 to 1.
    pub success_rate: Option<f64>,
    /// Requests per second.
    pub rps: Option<f64>,
    /// 95th percentile of their latency.
    pub p95_ms: Option<f64>,
    /// The system under test.
    pub target: String,
    /// Where its report is; null where that is gone, and this is all that is known.
    #[serde(default)]
    pub report: Option<String>,
}

impl Entry {
    /// Of a report in the folder `id`.
    pub(super) fn new(id: &str, report: &Report) -> Entry {
        let (run, totals) = (&report.run, &report.totals);
        Entry {
            id: id.to_owned(),
            name: run.name.clone(),
            profile: run.profile.clone(),
            plan_sha256: run.plan_sha256.clone(),
            started_at: run.started_at.clone(),
            duration_s: run.duration_s,
            users: report.timeline.iter().map(|row| row.target_users).max().unwrap_or(0),
            verdict: report.verdict.to_owned(),
            regression: report.baseline.as_ref().is_some_and(|baseline| baseline.outcome == "regression"),
            exit_code: report.exit_code,
            requests: totals.requests,
            failures: totals.failures,
            success_rate: totals.success_rate,
            rps: totals.rps,
            p95_ms: totals.latency_ms.p95,
            target: run.target.clone(),
            report: None,
        }
    }

    /// When it began; of a time that cannot be read, the beginning of time.
    pub(super) fn began(&self) -> jiff::Timestamp {
        self.started_at.parse().unwrap_or(jiff::Timestamp::MIN)
    }
}
