//! An agent's machine: its clock, its process, and what the process's driver would do.
//!
//! Stands in for `agent/src/link/driver.rs`.

use super::clock::Clock;
use super::engine::Engine;
use super::oracle::Who;
use super::scenario::Scenario;
use agent::session::{Entry, Recovered, Session};
use proto::message::Hello;
use proto::version;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A machine on which an agent runs.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) clock: Clock,
    pub(super) max_users: u32,
    restarts: u64,
    /// Nothing happens in its process until then.
    pub(super) paused_until: Duration,
    pub(super) process: Option<Process>,
    /// What is on its disk of each process that has not delivered everything.
    pub(super) spools: BTreeMap<Who, Vec<Entry>>,
}

/// A running agent.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) who: Who,
    /// Whose windows its session delivers: its own, or what an earlier process left.
    pub(super) about: Who,
    pub(super) session: Session,
    pub(super) engine: Engine,
    /// The stream that is open.
    pub(super) stream: Option<u64>,
    /// The attempt to open one that is going on.
    pub(super) dialling: Option<u64>,
    pub(super) dials: u64,
    /// Somebody asked it to leave.
    pub(super) leaving: bool,
    /// What its engine said and its session has not heard yet.
    pub(super) unheard: std::collections::VecDeque<super::engine::Said>,
    pub(super) session_timer: Timer,
    pub(super) engine_timer: Timer,
}

/// When something wakes up; a newer setting makes the older ones void.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timer {
    pub(super) version: u64,
    pub(super) at: Option<Duration>,
}

impl Timer {
    /// Sets it to the local time `at`; the version to wake up with if that is news.
    pub(super) fn set(&mut self, at: Option<Duration>) -> Option<(Duration, u64)> {
        if self.at == at {
            return None;
        }
        self.at = at;
        self.version += 1;
        at.map(|at| (at, self.version))
    }

    /// Whether `version` is the setting in force; then it is spent.
    pub(super) fn fires(&mut self, version: u64) -> bool {
        let fires = self.version == version && self.at.is_some();
        if fires {
            self.at = None;
        }
        fires
    }
}

impl Node {
    pub(super) fn new(number: usize, scenario: &Scenario) -> Node {
        let machine = &scenario.machines[number];
        Node {
            name: format!("a{number}"),
            clock: Clock::new(machine.drift_ppm, machine.shows),
            max_users: machine.max_users,
            restarts: 0,
            paused_until: Duration::ZERO,
            process: None,
            spools: BTreeMap::new(),
        }
    }

    /// Begins a new process.
    pub(super) fn boot(&mut self, who: Who, scenario: &Arc<Scenario>) {
        self.restarts += 1;
        let (about, session) = self.next_session(who);
        self.process = Some(Process {
            who,
            about,
            session,
            engine: Engine::new(scenario.clone()),
            stream: None,
            dialling: None,
            dials: 0,
            leaving: false,
            unheard: std::collections::VecDeque::new(),
            session_timer: Timer::default(),
            engine_timer: Timer::default(),
        });
    }

    /// What a process does next: deliver what an earlier one left on the disk, or be an agent of its own.
    pub(super) fn next_session(&self, who: Who) -> (Who, Session) {
        let hello = Hello {
            protocol: version::SUPPORTED,
            build: "simulated".to_owned(),
            name: self.name.clone(),
            incarnation: u64::from(who.0) + 1,
            cores: 1,
            max_users: self.max_users,
            caps: proto::message::Caps::default(),
            resume: None,
            join: None,
        };
        let left = self.spools.iter().find_map(|(about, entries)| Some((*about, recovered(entries)?)));
        match left {
            Some((about, left)) => (about, Session::recovering(hello, "coordinator", left)),
            None => (who, Session::new(hello, "coordinator").keeping()),
        }
    }
}

/// What these entries leave to deliver.
fn recovered(entries: &[Entry]) -> Option<Recovered> {
    let (Entry::Began(part), rest) = entries.split_first()? else { return None };
    let mut recovered = Recovered::new(part.clone());
    for entry in rest {
        assert!(recovered.take(entry.clone()), "{entry:?} does not follow from those before it");
    }
    Some(recovered)
}
