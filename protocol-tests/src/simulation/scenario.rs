//! What one seed is about: a plan, a fleet, a network, and what goes wrong.

use super::dice::Dice;
use super::faults::{self, Faults};
use bytes::Bytes;
use coordinator::fleet::{ChoreConfig, ChoreConfigs, FleetConfig, OnAgentJoin, OnAgentLoss};

use plan::chore::Chore;
use plan::{Bundle, Plan, Settings, sha256_hex};
use proto::message::{PlanDigests, RunId};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The run's name.
pub(super) const RUN: &str = "simulated";

/// How long the coordinator waits for its agents.
pub(super) const AGENTS_TIMEOUT: Duration = Duration::from_secs(15);

/// How the network treats messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// As TCP does: in order, until the stream breaks. Peers may say a thing twice.
    Stream,
    /// Each message by itself may be lost, doubled or overtaken: the cores have to be total.
    Harsh,
}

/// How much goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weather {
    /// Nothing: everything must be exact.
    Calm,
    /// A fault or two.
    Windy,
    /// One after the other.
    Stormy,
}

/// One agent's machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) max_users: u32,
    pub(super) starts_at: Duration,
    pub(super) drift_ppm: i64,
    /// What its clock shows at the beginning.
    pub(super) shows: Duration,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) seed: u64,
    pub(super) mode: Mode,
    pub(super) weather: Weather,
    pub(super) plan: Arc<Plan>,
    pub(super) bundle: Bytes,
    pub(super) digests: PlanDigests,
    pub(super) on_agent_loss: OnAgentLoss,
    pub(super) on_agent_join: OnAgentJoin,
    /// Those that the coordinator expects, then those that come when the run has begun.
    pub(super) machines: Vec<Machine>,
    pub(super) expected: u32,
    pub(super) coordinator_drift_ppm: i64,
    /// Messages of so many in a thousand are late by a retransmission, or lost, doubled or overtaken.
    pub(super) noise_permille: u64,
    pub(super) faults: Faults,
}

impl Scenario {
    pub(super) fn new(seed: u64) -> Scenario {
        let mut dice = Dice::new(seed, &[1]);
        let weather = match dice.below(10) {
            0 | 1 => Weather::Calm,
            2..6 => Weather::Windy,
            _ => Weather::Stormy,
        };
        let mode = if dice.permille(150) { Mode::Harsh } else { Mode::Stream };
        let agents = dice.between(1, 8) as usize;
        let source = plan_text(&mut dice);
        let settings = Settings { seed, ..Settings::default() };
        let bundle = Bundle { file: "plan.yaml".to_owned(), source, settings };
        let plan =
            Arc::new(bundle.compile().unwrap_or_else(|why| panic!("seed {seed}: {why}\n{}", bundle.source)));
        let bytes = Bytes::from(bundle.to_bytes());
        let digests =
            PlanDigests { bundle_sha256: sha256_hex(&bytes), meaning_sha256: plan.meaning_sha256() };
        let users = u64::from(plan.schedule.max_users());
        let share = users.div_ceil(agents as u64);
        let spare = dice.pick(&[0, 0, share / 2, 100]);
        let mut machine = |starts_at: std::ops::Range<u64>| Machine {
            max_users: (share + spare) as u32,
            starts_at: dice.millis(starts_at.start, starts_at.end),
            drift_ppm: dice.between(0, 2000).cast_signed() - 1000,
            shows: dice.millis(0, 100_000_000),
        };
        let mut machines: Vec<Machine> = (0..agents).map(|_| machine(0..1500)).collect();
        let mut joins = Dice::new(seed, &[7]);
        let on_agent_join = joins.pick(&[
            OnAgentJoin::Standby,
            OnAgentJoin::Share,
            OnAgentJoin::Share,
            OnAgentJoin::Share,
            OnAgentJoin::Refuse,
        ]);
        let late = joins.pick(&[0, 0, 1, 1, 2, 3]);
        let length = plan.schedule.end().as_millis() as u64;
        machines.extend((0..late).map(|_| machine(3000..3000 + length)));
        let mut faults =
            faults::plan(&mut Dice::new(seed, &[2]), weather, machines.len(), plan.schedule.end());
        faults::plan_coordinators(&mut Dice::new(seed, &[9]), weather, plan.schedule.end(), &mut faults);
        let noise_permille = match weather {
            Weather::Calm => 0,
            Weather::Windy => dice.pick(&[0, 5, 20]),
            Weather::Stormy => dice.pick(&[0, 20, 100]),
        };
        Scenario {
            seed,
            mode: if weather == Weather::Calm { Mode::Stream } else { mode },
            weather,
            on_agent_loss: dice.pick(&[
                OnAgentLoss::Rebalance,
                OnAgentLoss::Rebalance,
                OnAgentLoss::Rebalance,
                OnAgentLoss::Hold,
                OnAgentLoss::Abort,
            ]),
            on_agent_join,
            expected: agents as u32,
            coordinator_drift_ppm: dice.between(0, 2000).cast_signed() - 1000,
            noise_permille,
            faults,
            plan,
            bundle: bytes,
            digests,
            machines,
        }
    }

    pub(super) fn fleet_config(&self) -> FleetConfig {
        let plan = &self.plan;
        FleetConfig {
            run: RunId(RUN.to_owned()),
            build: "simulated".to_owned(),
            bundle: self.bundle.clone(),
            digests: self.digests.clone(),
            n_series: plan.series.len() as u32,
            users: plan.schedule.max_users(),
            classes: plan.slots.clone(),
            schedule: plan.schedule.clone(),
            iterations: plan.iterations,
            on_agent_loss: self.on_agent_loss,
            on_agent_join: self.on_agent_join,
            open: false,
            stop_timeout: plan.stop_timeout,
            expect_agents: self.expected,
            agents_timeout: AGENTS_TIMEOUT,
            chores: ChoreConfigs {
                setup: plan.setup.as_ref().map(chore_config),
                teardown: plan.teardown.as_ref().map(chore_config),
            },
            capacity_remedy: "simulate more".to_owned(),
        }
    }

    /// Whether agents that come late are given users of others.
    pub(super) fn shares(&self) -> bool {
        self.on_agent_join == OnAgentJoin::Share && self.machines.len() > self.expected as usize
    }

    /// The most users that are missing at a time because they are shared.
    pub(super) fn step(&self) -> u32 {
        (self.plan.schedule.max_users() / 10).max(1)
    }

    /// In one line, for the trace.
    pub(super) fn headline(&self) -> String {
        let plan = &self.plan;
        let mut line = format!(
            "seed {}: {:?}, {:?}, {} agents and {} later, {} users for {:?}, stop_timeout {:?}, {:?}, {:?}",
            self.seed,
            self.weather,
            self.mode,
            self.expected,
            self.machines.len() - self.expected as usize,
            plan.schedule.max_users(),
            plan.schedule.end(),
            plan.stop_timeout,
            self.on_agent_loss,
            self.on_agent_join,
        );
        if let Some(finite) = plan.iterations {
            let _ = write!(line, ", {} iterations", finite.total());
        }
        for (name, chore) in [("setup", &plan.setup), ("teardown", &plan.teardown)] {
            if let Some(chore) = chore {
                let _ = write!(line, ", {name} within {:?}", chore.timeout);
            }
        }
        line
    }
}

fn chore_config(chore: &Chore) -> ChoreConfig {
    ChoreConfig { timeout: chore.timeout, n_series: chore.series.len() as u32 }
}

/// A plan of two classes with a load of any shape.
fn plan_text(dice: &mut Dice) -> String {
    let users = if dice.permille(300) { dice.between(1, 6) } else { dice.between(1, 60) };
    let stop_timeout = dice.pick(&["0s", "500ms", "2s", "5s"]);
    let rate = dice.between(1, users.max(2));
    let load = match dice.below(5) {
        0 => format!("users: {users}, duration: {}s", dice.between(3, 18)),
        1 => format!("users: {users}, spawn_rate: {rate}/s, duration: {}s", dice.between(3, 18)),
        2 => format!(
            "users: {users}, spawn_rate: {}/s, iterations: {}, duration: {}s",
            users.div_ceil(3),
            dice.between(1, users * 20),
            dice.between(10, 40)
        ),
        3 => format!(
            "stages: [ {{ users: {users}, over: {}s }}, {{ users: {}, for: {}s }}, {{ users: 0, over: {}s }} ]",
            dice.between(1, 5),
            dice.between(1, 40),
            dice.between(2, 8),
            dice.between(1, 5)
        ),
        _ => format!(
            "stages: [ {{ users: {users}, for: {}s }}, {{ users: 0, for: {}s }}, {{ users: {}, over: {}s }} ]",
            dice.between(1, 6),
            dice.between(1, 3),
            dice.between(1, users),
            dice.between(2, 8)
        ),
    };
    let mut text = format!(
        "version: 1\nname: Simulated\ntarget: http://127.0.0.1:1\nload: {{ {load}, stop_timeout: {stop_timeout} }}\n\
         thresholds: [ \"success_rate >= 50%\" ]\n\
         users:\n  Reader: {{ weight: 2, tasks: {{ read: {{ get: /a }} }} }}\n  \
         Writer: {{ weight: 1, tasks: {{ write: {{ get: /b }} }} }}\n"
    );
    for chore in ["setup", "teardown"] {
        if dice.permille(250) {
            let _ = write!(text, "{chore}: [ {{ get: /{chore} }} ]\n{chore}_timeout: 3s\n");
        }
    }
    text
}
