//! What the hosts of a world share: the oracle, the trace, the results, and how the run ended.

use super::faults::Faults;
use super::host;
use crate::simulation::oracle::{Oracle, Who};
use crate::simulation::scenario::{Machine, Scenario};
use crate::simulation::trace::Trace;
use crate::simulation::{Played, Show};
use coordinator::fleet::Outcome;
use coordinator::results::Results;
use std::fmt::Arguments;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::mpsc;

/// Agents of a world.
const AGENTS: usize = 3;

/// How long a lease lasts, counted from the arrival of the newest bytes: longer than any that they can have granted.
const LEASE: Duration = Duration::from_millis(4004);

/// See the module; clones are the same.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) scenario: Arc<Scenario>,
    inside: Arc<Mutex<Inside>>,
}

/// What is behind the lock.
pub(super) struct Inside {
    pub(super) oracle: Oracle,
    pub(super) trace: Trace,
    /// Taken by whoever writes the report.
    pub(super) results: Option<Results>,
    pub(super) outcome: Option<Outcome>,
    /// Of the trace until the run was over. What follows is not the same each time: the server wakes its connections in an order
    /// of its own when it ends, and so they draw other latencies.
    hash: u64,
    /// The process of each agent's host.
    processes: Vec<Option<Who>>,
    operator: Option<mpsc::Sender<()>>,
}

impl Stage {
    pub(super) fn new(seed: u64, show: Show) -> Stage {
        let mut scenario = Scenario::new(seed);
        let machine =
            Machine { max_users: 100, starts_at: Duration::ZERO, drift_ppm: 0, shows: Duration::ZERO };
        scenario.machines = vec![machine; AGENTS];
        scenario.expected = AGENTS as u32;
        let mut trace = Trace::new(show);
        trace.line(Duration::ZERO, format_args!("{}", scenario.headline()));
        let inside = Inside {
            oracle: Oracle::new(scenario.plan.clone(), AGENTS),
            trace,
            results: Some(Results::new(scenario.plan.clone())),
            outcome: None,
            hash: 0,
            processes: vec![None; AGENTS],
            operator: None,
        };
        Stage { scenario: Arc::new(scenario), inside: Arc::new(Mutex::new(inside)) }
    }

    pub(super) fn agents(&self) -> usize {
        self.scenario.machines.len()
    }

    pub(super) fn faults(&self) -> Faults {
        Faults::new(self.scenario.seed, self.agents(), self.scenario.plan.schedule.end())
    }

    /// From the start to the last window at the latest.
    pub(super) fn longest_run(&self) -> Duration {
        self.scenario.plan.schedule.end() + self.scenario.plan.stop_timeout
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("no holder panics")
    }

    /// Puts down what happens.
    pub(super) fn line(&self, now: Duration, what: Arguments<'_>) {
        self.inside().trace.line(now, what);
    }

    /// The same, at this moment of the host that says it.
    pub(super) fn say(&self, what: Arguments<'_>) {
        self.line(now(), what);
    }

    /// A process of host `node` begins.
    pub(super) fn born(&self, node: usize, slowest: Duration) -> Who {
        let mut inside = self.inside();
        let who = inside.oracle.born(node, &host::name(node));
        // Its measurements of the coordinator's clock are off by half of a round trip at most.
        inside.oracle.of(who).clock_error = Some(slowest + super::TICK);
        inside.processes[node] = Some(who);
        who
    }

    /// The process of host `node` is no more.
    pub(super) fn crashed(&self, node: usize) {
        let mut inside = self.inside();
        if let Some(who) = inside.processes[node].take() {
            inside.oracle.died(who);
        }
    }

    /// Bytes of the coordinator reach a process: whatever they grant counts from before.
    pub(super) fn heard(&self, who: Who) {
        let until = now() + LEASE;
        let mut inside = self.inside();
        let truth = inside.oracle.of(who);
        (truth.granted, truth.lease_until) = (true, until);
    }

    /// The run is over.
    pub(super) fn finished(&self, outcome: Outcome) {
        self.say(format_args!("finished: {:?} {:?}", outcome.started, outcome.stopped));
        let mut inside = self.inside();
        inside.hash = inside.trace.hash();
        inside.outcome = Some(outcome);
    }

    pub(super) fn operated_by(&self, operator: mpsc::Sender<()>) {
        self.inside().operator = Some(operator);
    }

    pub(super) fn stop(&self) {
        if let Some(operator) = &self.inside().operator {
            let _ = operator.try_send(());
        }
    }

    pub(super) fn broken(&self) -> Option<String> {
        self.inside().oracle.broken.take()
    }

    pub(super) fn tail(&self) -> String {
        self.inside().trace.tail()
    }

    pub(super) fn played(&self) -> Played {
        let inside = self.inside();
        Played { hash: inside.hash, tally: inside.oracle.tally }
    }

    /// Nobody makes load any more.
    pub(super) fn check_quiet(&self) -> Result<(), String> {
        let inside = self.inside();
        let busy = |truth: &&crate::simulation::oracle::Truth| truth.alive && !truth.users.is_empty();
        match inside.oracle.processes.iter().find(busy) {
            Some(truth) => Err(format!("liveness: {} still has {} users", truth.name, truth.users.len())),
            None => Ok(()),
        }
    }
}

/// The time since the world began.
pub(super) fn now() -> Duration {
    turmoil::sim_elapsed().expect("hosts run in the simulation")
}
