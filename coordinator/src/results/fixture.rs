//! A small plan, and agents whose windows are written by hand.

use super::{AgentFacts, AgentId, Record, Results, RunFacts};
use metrics::unit::Rate;
use metrics::{ErrorCount, ErrorKind, Histogram, PhaseSums, SeriesId, Threshold};
use plan::Plan;
use plan::model::{
    ClassId, ConnectionSettings, Group, GroupId, Method, ScopedThreshold, Series, SeriesKind, ThresholdScope,
    UserClass,
};
use plan::schedule::Schedule;
use plan::slot::{Classes, Share};
use plan::wait::Wait;
use proto::message::{Cumulative, HealthReport, RunId, SeriesReport, WindowReport};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Group `auth` has series 0 and 1, `generation` has series 2, series 3 has no group. 10 users for 10 s.
pub(crate) fn plan(thresholds: &[(ThresholdScope, &str)]) -> Plan {
    let class = |name: &str, weight| UserClass {
        name: name.to_owned(),
        share: Share::Weight(weight),
        wait: Wait::None,
        connection: ConnectionSettings::default(),
        data: std::sync::Arc::default(),
        on_start: Vec::new(),
        tasks: Vec::new(),
    };
    let series = |id, class, task: &str, name: &str, method, group: Option<u32>| Series {
        id: SeriesId(id),
        class: ClassId(class),
        task: task.to_owned(),
        name: name.to_owned(),
        kind: SeriesKind::Request(method),
        group: group.map(GroupId),
    };
    Plan {
        name: "Platform API".to_owned(),
        profile: Some("light".to_owned()),
        target: reqwest::Url::parse("http://user:secret@127.0.0.1:8000").unwrap(),
        seed: 42,
        schedule: Schedule::constant(10, None, Duration::from_secs(10)),
        params: std::sync::Arc::default(),
        stop_timeout: Duration::ZERO,
        warmup: Duration::ZERO,
        arrivals: None,
        iterations: None,
        agent_hour: None,
        groups: ["auth", "generation"].map(|name| Group { name: name.to_owned() }).into(),
        thresholds: thresholds
            .iter()
            .map(|(scope, text)| ScopedThreshold {
                scope: *scope,
                threshold: Threshold::parse(text).unwrap(),
            })
            .collect(),
        classes: vec![class("AuthUser", 3), class("GenerationUser", 1)],
        slots: Classes::new(&[3, 1]).unwrap(),
        series: vec![
            series(0, 0, "on_start", "POST /api/v1/auth/login", Method::Post, Some(0)),
            series(1, 0, "profile", "GET /api/v1/me", Method::Get, Some(0)),
            series(2, 1, "create", "submit", Method::Post, Some(1)),
            series(3, 1, "health", "GET /health", Method::Get, None),
        ],
        probes: Vec::new(),
        setup: None,
        teardown: None,
        data: Vec::new(),
        selection: plan::tags::Selection::default(),
        env_used: BTreeSet::new(),
        warnings: Vec::new(),
    }
}

/// 10 users that come at 1 per second, for 10 s.
pub(crate) fn ramp() -> Schedule {
    Schedule::constant(10, Some(Rate { count: 1, per_ns: 1_000_000_000 }), Duration::from_secs(10))
}

/// Requests of a series in a window: (series, succeeded, failed, latency in ms).
pub(crate) type Requests = (u32, u64, u64, u64);

/// An agent whose windows are written by hand; it has 10 users.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    pub(crate) facts: AgentFacts,
    pub(crate) cpu_permille: u32,
    pub(crate) lag: Duration,
}

impl Scripted {
    pub(crate) fn new(id: u32, name: &str) -> Scripted {
        let facts = AgentFacts {
            id: AgentId(id),
            name: name.to_owned(),
            build: "0.1.0".to_owned(),
            cores: 2,
            attached: Duration::ZERO,
            users_assigned: 10,
            windows_applied: 0,
            last_cumulative: Cumulative::default(),
            finished: false,
            lost: None,
            joined: None,
            left: None,
            handed_over: None,
        };
        Scripted { facts, cpu_permille: 200, lag: Duration::from_millis(1) }
    }

    /// Its next window, of second `index`; every request starts and ends in it.
    pub(crate) fn window(&mut self, index: u32, users: u32, requests: &[Requests]) -> WindowReport {
        let facts = &mut self.facts;
        facts.windows_applied += 1;
        let sum = |part: fn(&Requests) -> u64| requests.iter().map(part).sum::<u64>();
        let (ok, failed) = (sum(|r| r.1), sum(|r| r.2));
        let all = &mut facts.last_cumulative;
        all.started += ok + failed;
        all.ok += ok;
        all.failed += failed;
        WindowReport {
            run: RunId("test".to_owned()),
            seq: facts.windows_applied,
            index,
            earlier_users: Vec::new(),
            users,
            in_flight: 0,
            started: ok + failed,
            aborted: 0,
            arrivals: metrics::ArrivalCounts::default(),
            cumulative: *all,
            series: requests.iter().map(series).collect(),
            errors: requests.iter().filter(|r| r.2 > 0).map(|r| error(r, index)).collect(),
            health: HealthReport {
                cpu_permille: self.cpu_permille,
                lag: encoded(&[(self.lag, 100)]).into(),
                ..HealthReport::default()
            },
            last: false,
            progress: Vec::new(),
            roll: proto::message::Roll::default(),
        }
    }

    /// [`window`](Scripted::window), marked as the last one of the run.
    pub(crate) fn last(&mut self, index: u32, users: u32, requests: &[Requests]) -> WindowReport {
        self.facts.finished = true;
        WindowReport { last: true, ..self.window(index, users, requests) }
    }
}

fn series(&(series, ok, failed, ms): &Requests) -> SeriesReport {
    SeriesReport {
        series: SeriesId(series),
        ok,
        failed,
        bytes_in: 100 * (ok + failed),
        bytes_out: 50 * (ok + failed),
        messages_sent: 0,
        messages_received: 0,
        phases: PhaseSums { first_byte: (ok + failed, (ok + failed) * ms * 900), ..PhaseSums::default() },
        latency: encoded(&[(Duration::from_millis(ms), ok + failed)]).into(),
        service: Vec::new().into(),
    }
}

fn error(&(series, _, failed, _): &Requests, index: u32) -> ErrorCount {
    let at = Duration::from_secs(index.into());
    let message = "status 500, expected 200".to_owned();
    ErrorCount {
        series: SeriesId(series),
        kind: ErrorKind::Status,
        message,
        count: failed,
        first: at,
        last: at,
    }
}

/// A histogram of samples, encoded.
pub(crate) fn encoded(samples: &[(Duration, u64)]) -> Vec<u8> {
    let mut histogram = Histogram::new();
    for &(latency, count) in samples {
        (0..count).for_each(|_| histogram.record(latency));
    }
    let mut bytes = Vec::new();
    histogram.encode_v2(&mut bytes);
    bytes
}

/// What the driver knows of a run of 10 s with these agents.
pub(crate) fn facts(agents: &[&Scripted]) -> RunFacts {
    RunFacts {
        run_id: RunId("20261121-080000-abcd".to_owned()),
        plan_sha256: "ab".repeat(32),
        started_at: "2026-11-21T08:00:00Z".parse().unwrap(),
        t0: Duration::ZERO,
        ended_at: "2026-11-21T08:00:10.5Z".parse().unwrap(),
        measured: Duration::from_secs(10),
        start_skew: Some(Duration::from_micros(1_500)),
        agents: agents.iter().map(|agent| agent.facts.clone()).collect(),
        interrupted: None,
        done: None,
        gave_up: None,
        aborted: None,
        not_started: None,
        setup: None,
        teardown: None,
    }
}

/// The record of a run in which one agent of 10 users did the same every second, changed by `change` at the
/// end.
pub(crate) fn record(
    thresholds: &[(ThresholdScope, &str)],
    every_second: &[Requests],
    change: impl FnOnce(&mut Scripted, &mut RunFacts),
) -> Record {
    let mut agent = Scripted::new(0, "a");
    let mut results = Results::new(Arc::new(plan(thresholds)));
    results.agent_joined(AgentId(0));
    for second in 0..9 {
        results.apply(AgentId(0), &agent.window(second, 10, every_second)).unwrap();
    }
    results.apply(AgentId(0), &agent.last(9, 0, every_second)).unwrap();
    let mut told = facts(&[&agent]);
    change(&mut agent, &mut told);
    results.finish(&told)
}
