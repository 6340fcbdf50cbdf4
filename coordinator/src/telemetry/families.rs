//! Which metrics there are of a run.

use super::family::{Family, Labels, Unit, Value};
use crate::report::kind_name;
use crate::results::{SeriesSnapshot, Snapshot};
use plan::Plan;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most series with labels of their own. The others of a group are one, whose request is called [`OTHERS`].
pub const MAX_SERIES: usize = 500;

/// What series beyond [`MAX_SERIES`] are called.
pub const OTHERS: &str = "(others)";

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Agents are waited for, or get ready.
    Waiting,
    /// Setup is going on.
    Setup,
    /// There are users.
    Load,
    /// Teardown is going on.
    Teardown,
    /// It is over, and what is told is final.
    Over,
}

impl Phase {
    const ALL: [(Phase, &'static str); 5] = [
        (Phase::Waiting, "waiting"),
        (Phase::Setup, "setup"),
        (Phase::Load, "load"),
        (Phase::Teardown, "teardown"),
        (Phase::Over, "over"),
    ];
}

/// A run as it stands.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Where it is.
    pub phase: Phase,
    /// T0, in milliseconds since 1970.
    pub start: Option<u64>,
    /// Since T0.
    pub elapsed: Duration,
    /// The verdict, once there is one.
    pub verdict: Option<&'static str>,
    /// The results.
    pub snapshot: Snapshot,
}

/// What does not change in a run.
#[derive(Clone, Debug)]
pub struct About {
    /// The run's name.
    pub run_id: String,
    /// The plan's.
    pub plan: String,
    /// The profile's, or nothing.
    pub profile: String,
    /// The labels of each series of the plan: user class, task, request, method, group.
    pub series: Vec<[String; 5]>,
    /// Whether each counts requests.
    pub requests: Vec<bool>,
    /// How long the load is planned to be.
    pub planned: Duration,
    /// Iterations to do, in a run of so many.
    pub iterations: Option<u64>,
}

impl About {
    /// Of a run of `plan`.
    pub fn new(run_id: &str, plan: &Plan) -> About {
        let labels = |series: &plan::model::Series| {
            let group =
                series.group.map_or(String::new(), |group| plan.groups[group.0 as usize].name.clone());
            let class = plan.classes[series.class.0 as usize].name.clone();
            [class, series.task.clone(), series.name.clone(), series.method().to_owned(), group]
        };
        About {
            run_id: run_id.to_owned(),
            plan: plan.name.clone(),
            profile: plan.profile.clone().unwrap_or_default(),
            series: plan.series.iter().map(labels).collect(),
            requests: plan.series.iter().map(plan::model::Series::is_request).collect(),
            planned: plan.schedule.end(),
            iterations: plan.iterations.map(plan::finite::Finite::total),
        }
    }
}

/// All metrics of a run that have a value.
pub fn families(about: &About, moment: &Moment) -> Vec<Family> {
    let mut all = Vec::from(run(about, moment));
    all.extend(load(about, moment));
    let rows = rows(about, &moment.snapshot.series);
    all.extend(requests(&rows));
    all.extend(operations(&rows));
    all.extend(figures(moment));
    all.retain(|family| !family.points.is_empty());
    all
}

fn family(name: &'static str, unit: Unit, help: &'static str) -> Family {
    Family { name, help, unit, points: Vec::new() }
}

fn one(label: &'static str, value: &str) -> Labels {
    vec![(label, value.to_owned())]
}

fn run(about: &About, moment: &Moment) -> [Family; 6] {
    let mut info = family("muster_run_info", Unit::None, "The run, its plan and profile");
    let labels = [("run_id", &about.run_id), ("plan", &about.plan), ("profile", &about.profile)];
    let mut labels: Labels = labels.map(|(name, value)| (name, value.clone())).into();
    labels.push(("version", env!("CARGO_PKG_VERSION").to_owned()));
    info.gauge(labels, 1.0);
    let mut phase = family("muster_run_phase", Unit::None, "1 for the phase in which the run is");
    for (known, name) in Phase::ALL {
        phase.gauge(one("phase", name), f64::from(u8::from(known == moment.phase)));
    }
    let mut verdict = family("muster_run_verdict", Unit::None, "1 for the verdict, once the run is over");
    if let Some(name) = moment.verdict {
        verdict.gauge(one("verdict", name), 1.0);
    }
    let mut start = family("muster_run_start_timestamp", Unit::Seconds, "When the load began, since 1970");
    if let Some(milliseconds) = moment.start {
        start.gauge(Labels::new(), milliseconds as f64 / 1e3);
    }
    let mut elapsed = family("muster_run_elapsed", Unit::Seconds, "How long the load lasts");
    elapsed.gauge(Labels::new(), moment.elapsed.as_secs_f64());
    let mut planned = family("muster_run_planned", Unit::Seconds, "How long the load is planned to last");
    planned.gauge(Labels::new(), about.planned.as_secs_f64());
    [info, phase, verdict, start, elapsed, planned]
}

fn load(about: &About, moment: &Moment) -> [Family; 8] {
    let Snapshot { live, warmup, arrivals, agents, agents_gone, processor, .. } = &moment.snapshot;
    let mut users = family("muster_users", Unit::None, "Users that there are");
    users.gauge(Labels::new(), live.users.into());
    let mut target = family("muster_target_users", Unit::None, "Users that the schedule asks for");
    target.gauge(Labels::new(), live.target_users.into());
    let mut fleet =
        family("muster_agents", Unit::None, "Agents that have users, and those that had some and are gone");
    fleet.gauge(one("state", "running"), *agents as f64);
    fleet.gauge(one("state", "gone"), *agents_gone as f64);
    let mut busy =
        family("muster_agents_processor", Unit::Ratio, "Share of their processor time that agents take");
    if let Some(most) = processor.iter().max() {
        let mean =
            processor.iter().map(|permille| f64::from(*permille)).sum::<f64>() / processor.len() as f64;
        busy.gauge(one("of", "busiest"), f64::from(*most) / 1e3);
        busy.gauge(one("of", "mean"), mean / 1e3);
    }
    let mut left_out =
        family("muster_warmup_requests", Unit::None, "Requests of the warm-up, which are in no other metric");
    left_out.count(one("result", "ok"), warmup.0.saturating_sub(warmup.1));
    left_out.count(one("result", "failed"), warmup.1);
    let mut arrived = family(
        "muster_arrivals",
        Unit::None,
        "Arrivals of an open load that were served, or dropped because no user was idle",
    );
    if let Some((started, dropped)) = arrivals {
        arrived.count(one("result", "started"), *started);
        arrived.count(one("result", "dropped"), *dropped);
    }
    let mut done = family("muster_iterations", Unit::None, "Iterations that are done, in a run of so many");
    let mut wanted = family("muster_target_iterations", Unit::None, "Iterations to do, in a run of so many");
    if let (Some((count, _)), Some(all)) = (live.iterations, about.iterations) {
        done.count(Labels::new(), count);
        wanted.gauge(Labels::new(), all as f64);
    }
    [users, target, fleet, busy, left_out, arrived, done, wanted]
}

/// A series: its labels, whether it counts requests, and what is known of it.
struct Row {
    labels: Labels,
    is_request: bool,
    standing: SeriesSnapshot,
}

impl Row {
    fn and(&self, label: &'static str, value: &str) -> Labels {
        [&self.labels[..], &[(label, value.to_owned())]].concat()
    }
}

/// The series that anything is known of, in plan order; those beyond the most with labels of their own are added up.
fn rows(about: &About, series: &[SeriesSnapshot]) -> Vec<Row> {
    const NAMES: [&str; 5] = ["user_class", "task", "request", "method", "group"];
    let mut rows: Vec<Row> = Vec::new();
    let mut others: BTreeMap<(bool, &str), SeriesSnapshot> = BTreeMap::new();
    for ((labels, standing), &is_request) in about.series.iter().zip(series).zip(&about.requests) {
        if rows.len() < MAX_SERIES {
            let labels = NAMES.into_iter().zip(labels.iter().cloned()).collect();
            rows.push(Row { labels, is_request, standing: standing.clone() });
        } else {
            others.entry((is_request, &labels[4])).or_default().add(standing);
        }
    }
    rows.extend(others.into_iter().map(|((is_request, group), standing)| {
        let labels = ["", "", OTHERS, "", group].map(str::to_owned);
        Row { labels: NAMES.into_iter().zip(labels).collect(), is_request, standing }
    }));
    rows
}

fn requests(rows: &[Row]) -> [Family; 5] {
    let mut count =
        family("muster_requests", Unit::None, "Requests that ended, without those of the warm-up");
    let mut failures =
        family("muster_request_failures", Unit::None, "Requests that failed, by kind of failure");
    let mut latency = family(
        "muster_request_duration",
        Unit::Seconds,
        "Latency of requests, failed ones too, from the intended start in open and paced load",
    );
    let mut received = family("muster_request_received", Unit::Bytes, "Bytes that were read");
    let mut sent = family("muster_request_sent", Unit::Bytes, "Bytes that were written");
    for row in rows.iter().filter(|row| row.is_request) {
        count.count(row.and("result", "ok"), row.standing.ok);
        count.count(row.and("result", "failed"), row.standing.failed);
        for (kind, failed) in &row.standing.kinds {
            failures.count(row.and("kind", kind_name(*kind)), *failed);
        }
        latency.points.push((row.labels.clone(), Value::Histogram(row.standing.latency.clone())));
        received.count(row.labels.clone(), row.standing.bytes_in);
        sent.count(row.labels.clone(), row.standing.bytes_out);
    }
    [count, failures, latency, received, sent]
}

/// What is made of requests, or beside them.
fn operations(rows: &[Row]) -> [Family; 3] {
    let mut count = family(
        "muster_operations",
        Unit::None,
        "Transactions, polls, and what conversations are made of, without those of the warm-up",
    );
    let mut latency = family("muster_operation_duration", Unit::Seconds, "How long each of them took");
    let mut messages = family("muster_messages", Unit::None, "WebSocket messages");
    for row in rows {
        if !row.is_request {
            count.count(row.and("result", "ok"), row.standing.ok);
            count.count(row.and("result", "failed"), row.standing.failed);
            latency.points.push((row.labels.clone(), Value::Histogram(row.standing.latency.clone())));
        }
        let (received, sent) = (row.standing.messages_received, row.standing.messages_sent);
        if received > 0 || sent > 0 {
            messages.count(row.and("direction", "received"), received);
            messages.count(row.and("direction", "sent"), sent);
        }
    }
    [count, latency, messages]
}

/// What the target told of itself.
fn figures(moment: &Moment) -> [Family; 2] {
    let mut value = family("muster_observed_value", Unit::None, "What the target last told of itself");
    let mut samples =
        family("muster_observed_samples", Unit::None, "How often it was asked, with and without a value");
    for figure in &moment.snapshot.figures {
        let labels: Labels = vec![("probe", figure.probe.clone()), ("figure", figure.name.clone())];
        if let Some(newest) = figure.newest {
            value.gauge(labels.clone(), newest);
        }
        for (result, count) in [("ok", figure.samples), ("failed", figure.failures)] {
            samples.count([&labels[..], &one("result", result)].concat(), count);
        }
    }
    [value, samples]
}
