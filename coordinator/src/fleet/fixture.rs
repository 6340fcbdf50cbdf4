//! A run for tests of what stands around the fleet core.

use super::{ChoreConfigs, FleetConfig, OnAgentJoin, OnAgentLoss};
use bytes::Bytes;
use metrics::Histogram;
use plan::schedule::Schedule;
use plan::slot::Classes;
use proto::message::{Cumulative, HealthReport, Hello, PlanDigests, RunId, WindowReport};
use proto::version;
use std::time::Duration;

/// `users` for ten seconds on so many agents.
pub(crate) fn config(expect_agents: u32, users: u32, on_agent_loss: OnAgentLoss) -> FleetConfig {
    FleetConfig {
        run: RunId("r".to_owned()),
        build: "0.1.0".to_owned(),
        bundle: Bytes::from_static(b"plan"),
        digests: PlanDigests { bundle_sha256: "b".repeat(64), meaning_sha256: "d".repeat(64) },
        n_series: 2,
        users,
        classes: Classes::new(&[1]).expect("one class"),
        schedule: Schedule::constant(users, None, Duration::from_secs(600)),
        iterations: None,
        on_agent_loss,
        on_agent_join: OnAgentJoin::default(),
        open: false,
        stop_timeout: Duration::from_secs(30),
        expect_agents,
        agents_timeout: Duration::from_secs(60),
        chores: ChoreConfigs::default(),
        capacity_remedy: "add agents".to_owned(),
    }
}

/// What agent `name` says first.
pub(crate) fn hello(name: &str, incarnation: u64) -> Hello {
    Hello {
        protocol: version::SUPPORTED,
        build: "0.1.0".to_owned(),
        name: name.to_owned(),
        incarnation,
        cores: 1,
        max_users: 1000,
        caps: proto::message::Caps::default(),
        resume: None,
        join: None,
    }
}

/// Window `seq` of an agent that aborts so many requests in each.
pub(crate) fn window(seq: u64, aborted: u64) -> Box<WindowReport> {
    let mut lag = Vec::new();
    Histogram::new().encode_v2(&mut lag);
    Box::new(WindowReport {
        run: RunId("r".to_owned()),
        seq,
        index: seq as u32 - 1,
        users: 2,
        earlier_users: Vec::new(),
        in_flight: 0,
        started: aborted,
        aborted,
        arrivals: metrics::ArrivalCounts::default(),
        cumulative: Cumulative { started: seq * aborted, ok: 0, failed: 0, aborted: seq * aborted },
        series: Vec::new(),
        errors: Vec::new(),
        health: HealthReport { lag: lag.into(), ..HealthReport::default() },
        last: false,
        progress: Vec::new(),
        roll: proto::message::Roll::default(),
    })
}
