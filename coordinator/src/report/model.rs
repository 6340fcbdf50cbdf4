//! The model of a report, which is also the schema of `report.json`: field names are its keys.
//!
//! Values without data are null, never 0. Durations carry their unit in the key. Shares (`success_rate`, `cpu`)
//! are fractions from 0 to 1; only `thresholds[].observed` is in `thresholds[].unit`, which may be `%`.

mod arrivals;
mod certainty;
mod chore;
mod comparison;
mod cost;
mod flat;
mod histogram;
mod intervals;
mod loss;
mod observed;
mod totals;
mod user_class;

pub(super) use arrivals::{ArrivalsPart, StartErrorPart};
pub(super) use certainty::{LatencyIntervals, WindowPart};
pub(super) use chore::{ChoreErrorRow, ChorePart};
pub(crate) use comparison::{
    COMPARISON_VERSION, ComparedCost, ComparedFigures, ComparedRun, ComparisonPart, ComparisonRow,
    LimitsPart, ShiftPart, ShiftsPart,
};
pub(crate) use cost::{CostPart, Money};
pub(crate) use histogram::EncodedHistogram;
pub(crate) use intervals::{IntervalRow, IntervalSeries, IntervalsPart};
pub(super) use loss::{IterationsPart, LossRow};
pub(super) use observed::{ObservedPoint, ObservedRow};
pub(crate) use totals::{LatencyPart, Totals};
pub(super) use user_class::UserClassRow;

use super::words::{self, Word};
use serde::{Deserialize, Serialize};

/// Version of the schema: rises when a key changes its meaning or goes away.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// A whole report.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// Version of this schema.
    pub schema_version: u32,
    /// What was run, and when.
    pub run: Run,
    /// `pass`, `warn`, `fail` or `inconclusive`.
    #[serde(deserialize_with = "words::verdict")]
    #[cfg_attr(test, schemars(schema_with = "words::verdict_schema"))]
    pub verdict: Word,
    /// The coordinator's exit code.
    pub exit_code: u8,
    /// Why, in plain words, the decisive reasons first.
    pub reasons: Vec<String>,
    /// Every threshold in plan order.
    pub thresholds: Vec<ThresholdRow>,
    /// All requests.
    pub totals: Totals,
    /// API groups in plan order, also those without requests.
    pub groups: Vec<GroupRow>,
    /// User classes in plan order, also those without requests; empty where an older version wrote the report.
    #[serde(default)]
    pub user_classes: Vec<UserClassRow>,
    /// Every declared request in plan order, also those that were never sent.
    pub requests: Vec<RequestRow>,
    /// Distinct errors, the most frequent first.
    pub errors: Vec<ErrorRow>,
    /// Whether every request is accounted for.
    pub accounting: AccountingPart,
    /// Whether the generator was fit to measure.
    pub generator: GeneratorPart,
    /// How much of the asked load was there. In an open load nobody is missing, and the target is how long users were
    /// busy.
    pub users: UsersPart,
    /// What became of the arrivals of an open load; null where users repeat their tasks.
    pub arrivals: Option<ArrivalsPart>,
    /// The run second by second.
    pub timeline: Vec<TimelineRow>,
    /// What setup did; null for a plan without one.
    pub setup: Option<ChorePart>,
    /// What teardown did; null for a plan without one.
    pub teardown: Option<ChorePart>,
    /// Figures of the target itself.
    pub observed: Vec<ObservedRow>,
    /// What the agents cost; null for a plan without `cost`.
    #[serde(default)]
    pub cost: Option<CostPart>,
    /// How the run compares with another one (`--baseline`); null without.
    #[serde(default)]
    pub baseline: Option<ComparisonPart>,
    /// Latency histograms of stretches of the measured time, for `latency.hlog` and histories.
    #[serde(default)]
    pub intervals: Option<IntervalsPart>,
    /// Requests that are in the totals, but came too late for the timeline.
    #[serde(default, rename = "late_requests")]
    pub late: u64,
}

/// What was run, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Run {
    /// The run's identity.
    pub id: String,
    /// The plan's name.
    pub name: String,
    /// The profile that was chosen.
    pub profile: Option<String>,
    /// Fixes every random choice.
    pub seed: u64,
    /// SHA-256 of the plan and its settings as the agents got them.
    pub plan_sha256: String,
    /// The system under test, without credentials.
    pub target: String,
    /// T0, RFC 3339 in UTC.
    pub started_at: String,
    /// When the last agent had finished, RFC 3339 in UTC.
    pub ended_at: String,
    /// Seconds from T0 to the schedule's end, or to the interruption. Rates are per `duration_s - warmup_s`.
    pub duration_s: f64,
    /// Seconds of them at the start that thresholds and totals leave out: the rows of `timeline` with a smaller
    /// `t_s`.
    pub warmup_s: f64,
    /// Requests that ended in these seconds; `accounting` has them, everything else leaves them out.
    pub warmup_requests: u64,
    /// Which part of the plan was run; left out where all of it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagsPart>,
}

/// Which part of the plan was run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TagsPart {
    /// `--include-tags`
    pub include: Vec<String>,
    /// `--exclude-tags`
    pub exclude: Vec<String>,
    /// Tasks that were run.
    pub tasks: usize,
    /// Tasks of the whole plan.
    pub tasks_in_plan: usize,
    /// Thresholds of which no request was left, so that they were not judged.
    pub not_judged: Vec<NotJudgedRow>,
    /// All of it in a sentence.
    #[serde(default)]
    pub told: String,
}

/// A threshold that was not judged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotJudgedRow {
    /// `group:NAME` or `request:CLASS/TASK/NAME`.
    pub scope: String,
    /// The sentence as it stands in the plan.
    pub expression: String,
}

/// One threshold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThresholdRow {
    /// `plan`, `group:NAME`, `request:CLASS/TASK/NAME` or `probe:NAME`.
    pub scope: String,
    /// What it looks at: `p95`, `success_rate`, ...; of a probe, the name of a figure.
    pub metric: String,
    /// The sentence as it stands in the plan.
    pub expression: String,
    /// The observed value in `unit`.
    pub observed: Option<f64>,
    /// `%`, `ms`, `/s` or nothing.
    #[serde(deserialize_with = "words::unit")]
    #[cfg_attr(test, schemars(schema_with = "words::unit_schema"))]
    pub unit: Word,
    /// Which value decided: `target` or `critical`.
    #[serde(deserialize_with = "words::level")]
    #[cfg_attr(test, schemars(schema_with = "words::level_schema"))]
    pub level: Word,
    /// `pass`, `warn`, `fail` or `no_data`.
    #[serde(deserialize_with = "words::threshold_status")]
    #[cfg_attr(test, schemars(schema_with = "words::threshold_status_schema"))]
    pub status: Word,
    /// Requests, or of a probe samples, that it rests on; with `over`, those of the window.
    pub samples: u64,
    /// Of a percentile: its true value is not below this, in `unit`, 95 of 100 times together with `ci_high`; null where so
    /// few samples cannot tell, and for other metrics.
    pub ci_low: Option<f64>,
    /// Likewise not above this.
    pub ci_high: Option<f64>,
    /// Whether a value of the threshold lies between the two, so that chance alone could turn the outcome.
    #[serde(default)]
    pub straddles: bool,
    /// With `over`, the window that decided; else null.
    pub window: Option<WindowPart>,
    /// If it stopped the run (`abort`), when it was certain that it would be missed, in seconds since T0; else null.
    pub aborted_at_s: Option<f64>,
    /// Whether requests that are missing could change the outcome.
    #[serde(default)]
    pub undecided: bool,
    /// The observed value as a person reads it, with its unit.
    #[serde(default)]
    pub observed_text: Option<String>,
}

/// One API group.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GroupRow {
    /// Its name.
    pub name: String,
    /// Its requests together.
    #[serde(flatten)]
    pub totals: Totals,
}

/// One declared request.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequestRow {
    /// Its name.
    pub name: String,
    /// Its API group.
    pub group: Option<String>,
    /// The users that send it.
    pub user_class: String,
    /// The task that it belongs to.
    pub task: String,
    /// HTTP method.
    #[cfg_attr(test, schemars(schema_with = "words::method_schema"))]
    pub method: Word,
    /// What it adds up to.
    #[serde(flatten)]
    pub totals: Totals,
    /// Mean time of each phase, over the requests that had it.
    pub phases_ms: PhasesPart,
}

impl RequestRow {
    /// Whether it counts in the totals: `group` and `poll` steps, and what conversations wait for, do not.
    pub(crate) fn is_request(&self) -> bool {
        !matches!(self.method, "GROUP" | "POLL" | "RECV" | "PING" | "SESSION" | "ISOLATION")
    }

    /// A name that no other has: `CLASS/TASK/NAME`.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}/{}", self.user_class, self.task, self.name)
    }
}

/// Mean times in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PhasesPart {
    /// Name resolution and TCP handshake of new connections.
    pub connect: Option<f64>,
    /// TLS handshake of new connections.
    pub tls: Option<f64>,
    /// From the request's last byte to the response's head.
    pub first_byte: Option<f64>,
    /// From the response's head to its last byte.
    pub body: Option<f64>,
}

/// One distinct error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorRow {
    /// The request as `CLASS/TASK/NAME`.
    pub request: String,
    /// Which of the closed set of kinds.
    #[serde(deserialize_with = "words::error_kind")]
    #[cfg_attr(test, schemars(schema_with = "words::error_kind_schema"))]
    pub kind: Word,
    /// Details, as they came from outside.
    pub message: String,
    /// How often.
    pub count: u64,
    /// When the first one ended, RFC 3339 in UTC.
    pub first_at: String,
    /// When the last one ended, RFC 3339 in UTC.
    pub last_at: String,
}

/// Whether every request is accounted for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AccountingPart {
    /// `exact` or `incomplete`.
    #[serde(deserialize_with = "words::accounting")]
    #[cfg_attr(test, schemars(schema_with = "words::accounting_schema"))]
    pub status: Word,
    /// Requests started.
    pub started: u64,
    /// Requests merged.
    pub merged: u64,
    /// Requests given up because the run was stopped.
    pub aborted: u64,
    /// At most so many are missing; null when there is no bound.
    pub lost_at_most: Option<u64>,
    /// Windows that cover several seconds, because they had to wait at an agent: all counts and latencies are exact; of
    /// their seconds the timeline shows the mean.
    pub coalesced_windows: u64,
    /// Each agent's part.
    pub per_agent: Vec<AccountRow>,
}

/// One agent's account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AccountRow {
    /// Its name.
    pub name: String,
    /// The most users it was given at once.
    pub users: u32,
    /// Requests started.
    pub started: u64,
    /// Requests merged.
    pub merged: u64,
    /// Requests given up.
    pub aborted: u64,
    /// Windows applied.
    pub windows: u64,
    /// `exact`, `lost`, `unfinished` or `mismatch`.
    #[serde(deserialize_with = "words::account")]
    #[cfg_attr(test, schemars(schema_with = "words::account_schema"))]
    pub status: Word,
    /// When it was given its first users, in seconds since T0, if the run had begun without it; else null.
    pub joined_at_s: Option<f64>,
}

/// Whether the generator was fit to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GeneratorPart {
    /// The worst agent's: `valid`, `degraded` or `invalid`.
    #[serde(deserialize_with = "words::fitness")]
    #[cfg_attr(test, schemars(schema_with = "words::fitness_schema"))]
    pub status: Word,
    /// Each agent's figures.
    pub agents: Vec<GeneratorRow>,
}

/// One agent's figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GeneratorRow {
    /// Its name.
    pub name: String,
    /// Version of its program.
    pub build: String,
    /// Cores it may use.
    pub cores: u32,
    /// Mean share of its cores that it used, from 0 to 1.
    pub cpu: Option<f64>,
    /// The same in its busiest second.
    pub cpu_max: Option<f64>,
    /// 99th percentile of how late its threads woke up.
    pub lag_ms_p99: Option<f64>,
    /// Connections made again because the server had closed them.
    pub reconnects: u64,
    /// The most memory of its process, in bytes; null where its system does not tell.
    pub memory_bytes: Option<u64>,
    /// The most WebSocket connections at once.
    pub connections: u64,
    /// By how many bytes its process had then grown for each of them since before its first user: what users hold
    /// besides is in it; null with fewer than 100.
    pub memory_growth_per_connection: Option<u64>,
    /// The cores that it may use at most, by its control groups' quota and the machine; null where its system does not
    /// tell, as with all that follows.
    pub cpu_limit: Option<f64>,
    /// Share of its machine's processor time that the hypervisor gave to others, from 0 to 1: the mean.
    pub steal: Option<f64>,
    /// The same in the worst second.
    pub steal_max: Option<f64>,
    /// How long its CPU quota held it up.
    pub throttled_ms: Option<f64>,
    /// Users, iterations and arrivals that began.
    pub starts: u64,
    /// Those of them that began more than 20 ms later than they should have.
    pub late_starts: u64,
    /// How late the latest was.
    pub late_start_ms_max: f64,
    /// File descriptors when the largest share of them was open.
    pub descriptors: Option<u64>,
    /// How many it may have.
    pub descriptors_limit: Option<u64>,
    /// Memory in use when least was left, in bytes: in a control group of the agent, or on its whole machine.
    pub memory_used: Option<u64>,
    /// How much there is.
    pub memory_limit: Option<u64>,
    /// Requests that failed because its machine had no descriptor, port or memory left for them.
    pub exhausted: u64,
    /// Requests and messages that its own cap on their rate (`--max-rps`) held back.
    pub held_back: u64,
    /// `valid`, `degraded` or `invalid`.
    #[serde(deserialize_with = "words::fitness")]
    #[cfg_attr(test, schemars(schema_with = "words::fitness_schema"))]
    pub status: Word,
    /// Why it is not valid, the worst first: what, how much, the limit, since when, what it means and the remedy.
    pub reasons: Vec<String>,
}

/// How much of the asked load was there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsersPart {
    /// The area under the schedule.
    pub target_user_seconds: f64,
    /// What of it was there.
    pub actual_user_seconds: f64,
    /// What of it was not, counted at the end of each second.
    pub missing_user_seconds: f64,
    /// The furthest that an agent's first second was from T0.
    pub start_skew_ms: Option<f64>,
    /// Agents that were lost or left before the end.
    pub losses: Vec<LossRow>,
    /// In a run of so many iterations, what became of them.
    pub iterations: Option<IterationsPart>,
}

/// One point of the timeline. Beyond 24 hours a point stands for several seconds: its percentiles are then the
/// largest of theirs, `rps` their mean, `failures` their sum.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimelineRow {
    /// The second since T0.
    pub t_s: u32,
    /// Users at its end.
    pub users: u32,
    /// Users that the schedule wanted then.
    pub target_users: u32,
    /// Requests that ended in it, per second.
    pub rps: f64,
    /// Requests that failed in it.
    pub failures: u64,
    /// Arrivals of an open load that found every user busy in it.
    pub dropped: u64,
    /// Median latency of the requests that ended in it.
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Processor time of the busiest agent, as a share of what it may use; null where none told.
    #[serde(default)]
    pub agents_cpu_max: Option<f64>,
    /// How late the threads of the worst agent woke, 99th percentile; null where none told.
    #[serde(default)]
    pub agents_lag_ms: Option<f64>,
}
