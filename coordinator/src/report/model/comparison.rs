//! How a run compares with another one: the `baseline` of a report, and what `coordinator compare --format json` writes.

use super::super::words::{self, Word};
use super::cost::Money;
use serde::{Deserialize, Serialize};

/// Version of a comparison's keys: rises when one changes its meaning or goes away.
pub(crate) const COMPARISON_VERSION: u32 = 1;

/// Two runs side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ComparisonPart {
    /// Version of these keys.
    pub comparison_version: u32,
    /// The earlier run, with which the other one is compared.
    pub base: ComparedRun,
    /// The run that is judged.
    pub current: ComparedRun,
    /// `regression`, `no_regression`, or `unknown` where no request has enough samples on both sides.
    #[serde(deserialize_with = "words::outcome")]
    #[cfg_attr(test, schemars(schema_with = "words::outcome_schema"))]
    pub outcome: Word,
    /// What a regression does to the run: `fail` or `warn`; null outside of a run.
    #[serde(default)]
    pub on_regression: Option<String>,
    /// What has changed, in plain words, regressions first.
    pub findings: Vec<String>,
    /// What makes the two runs less than alike, in plain words.
    pub differences: Vec<String>,
    /// What the tests were asked for.
    pub limits: LimitsPart,
    /// All requests, then groups, then requests; those of one run alone are the last.
    pub rows: Vec<ComparisonRow>,
}

/// One of the two runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct ComparedRun {
    pub id: String,
    pub name: String,
    pub profile: Option<String>,
    pub plan_sha256: String,
    pub target: String,
    pub started_at: String,
    pub duration_s: f64,
    pub warmup_s: f64,
    /// The most users that its schedule asked for.
    pub users: u32,
    /// What its agents cost; null where its plan stated no price.
    #[serde(default)]
    pub cost: Option<ComparedCost>,
    #[serde(deserialize_with = "words::verdict")]
    #[cfg_attr(test, schemars(schema_with = "words::verdict_schema"))]
    pub verdict: Word,
}

/// What the agents of a run cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct ComparedCost {
    pub currency: String,
    pub total: Money,
    pub per_million_requests: Option<Money>,
}

/// When a change is one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LimitsPart {
    /// How often the comparison of two equal runs may find a change, from 0 to 1.
    pub false_alarm: f64,
    /// The smallest shift of p50 or p95 that counts, as a share of the base.
    pub min_shift: f64,
    /// The smallest change of the share of failed requests that counts: 0.001 is 0.1 percentage points.
    pub min_failure_change: f64,
}

/// A row of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ComparisonRow {
    /// `plan`, `group:NAME` or `request:CLASS/TASK/NAME`.
    pub scope: String,
    /// As reports show it.
    pub name: String,
    /// Its figures in the base run; null where that does not have it.
    pub base: Option<ComparedFigures>,
    /// Its figures in the current run; null where that does not have it.
    pub current: Option<ComparedFigures>,
    /// `regression` (slower, or more failures), `improvement` (faster or fewer failures, and nothing worse), `none`, `unknown`
    /// (fewer than 30 requests in one of the runs), `new` or `gone`.
    #[serde(deserialize_with = "words::change")]
    #[cfg_attr(test, schemars(schema_with = "words::change_schema"))]
    pub change: Word,
    /// `slower`, `faster`, `none` or `unknown`.
    #[serde(deserialize_with = "words::latency_change")]
    #[cfg_attr(test, schemars(schema_with = "words::latency_change_schema"))]
    pub latency_change: Word,
    /// `more`, `fewer`, `none` or `unknown`.
    #[serde(deserialize_with = "words::failure_change")]
    #[cfg_attr(test, schemars(schema_with = "words::failure_change_schema"))]
    pub failure_change: Word,
    /// By which share of the base percentiles shifted.
    pub shift: ShiftsPart,
    /// By how much the share of failed requests rose: 0.01 is one percentage point.
    pub failure_difference: Option<ShiftPart>,
    /// How probable it is that a request of the current run takes longer than one of the base run: 0.5 where nothing changed.
    pub superiority: Option<f64>,
    /// How probable at least so large a difference of latencies is between equal runs, adjusted for all rows.
    pub latency_p_value: Option<f64>,
    /// Likewise of failures.
    pub failure_p_value: Option<f64>,
    /// With how many stretches of time latencies were compared, in the base run and in the current one; null where requests were
    /// taken as independent of each other, or not compared.
    pub blocks: Option<[usize; 2]>,
}

/// What a row adds up to in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct ComparedFigures {
    pub requests: u64,
    pub failures: u64,
    pub success_rate: Option<f64>,
    pub rps: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

/// Shifts of percentiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct ShiftsPart {
    pub p50: Option<ShiftPart>,
    pub p95: Option<ShiftPart>,
    pub p99: Option<ShiftPart>,
}

/// A change and its 95 % interval, whose ends are null where so few samples cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShiftPart {
    /// The change: positive where the current run is worse.
    pub value: f64,
    /// It is not less than this.
    pub low: Option<f64>,
    /// Nor more than this.
    pub high: Option<f64>,
}
