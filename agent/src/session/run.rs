//! One run as an agent sees it.

use super::Output;
use super::keep::{Part, Recovered};
use super::outbox::Outbox;
use bytes::Bytes;
use plan::slot::Seat;
use proto::defect::{Defect, seeded};
use proto::message::{Resume, RunId, WindowReport};
use std::time::Duration;

/// A run from Prepare to the acknowledgement of its last window.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    /// Number of the stream over which it came: names this agent's part in it.
    pub(super) session: u64,
    pub(super) stage: Stage,
    /// The assignment in force; 0 before the first.
    pub(super) revision: u64,
    pub(super) outbox: Outbox,
    seats: Vec<Seat>,
    users: u32,
    /// Its users were stopped for good, and run no more whatever is ordered.
    fenced: bool,
}

/// How far a run has come.
#[derive(Debug, PartialEq)]
pub(super) enum Stage {
    /// The plan has arrived; it is taken once the engine is free.
    Fetched {
        /// The plan bundle.
        bundle: Bytes,
        /// The SHA-256 it must have.
        sha256: String,
    },
    /// The engine is at it.
    Preparing,
    /// The engine is ready.
    Ready,
    /// Users run, or ran and their last window is not acknowledged yet.
    Running {
        /// T0 on the session's clock.
        t0: Duration,
    },
}

impl Run {
    pub(super) fn new(id: RunId, session: u64, bundle: Bytes, sha256: String) -> Run {
        Run {
            id,
            session,
            stage: Stage::Fetched { bundle, sha256 },
            revision: 0,
            outbox: Outbox::default(),
            seats: Vec::new(),
            users: 0,
            fenced: false,
        }
    }

    /// What an earlier process left to deliver of a run.
    pub(super) fn recovered(recovered: Recovered) -> Run {
        let Recovered { part, mut outbox } = recovered;
        outbox.seal();
        outbox.keep();
        let stage = Stage::Running { t0: Duration::ZERO };
        let run = Run::new(part.run, part.session, Bytes::new(), String::new());
        Run { stage, outbox, fenced: true, ..run }
    }

    /// This agent's part in it.
    pub(super) fn part(&self) -> Part {
        Part { run: self.id.clone(), session: self.session, warmup: self.outbox.seam() }
    }

    /// The plan, the first time it is asked for.
    pub(super) fn take_bundle(&mut self) -> Option<(Bytes, String)> {
        match std::mem::replace(&mut self.stage, Stage::Preparing) {
            Stage::Fetched { bundle, sha256 } => Some((bundle, sha256)),
            other => {
                self.stage = other;
                None
            }
        }
    }

    pub(super) fn preparing(&self) -> bool {
        self.stage == Stage::Preparing
    }

    /// Whether users run, or their last window waits for its acknowledgement.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running { .. })
    }

    /// Whether users run: the engine's last window is not out yet.
    pub(super) fn has_users(&self) -> bool {
        self.is_running() && !self.outbox.is_complete()
    }

    /// Whether its users run, and are not being stopped for good.
    pub(super) fn makes_load(&self) -> bool {
        self.has_users() && !self.fenced
    }

    /// Lets no user run any more.
    pub(super) fn fence(&mut self) {
        self.fenced = true;
    }

    /// Users at the end of the last window.
    pub(super) fn users(&self) -> u32 {
        self.users
    }

    /// Takes a newer assignment; `false` for one that is not.
    pub(super) fn assign(&mut self, revision: u64, seats: Vec<Seat>) -> bool {
        let newer = revision > self.revision || seeded(Defect::M9);
        if newer {
            self.revision = revision;
            self.seats = seats;
        }
        newer
    }

    /// The order to run the users that should run, once the run has started and until its last window is out.
    pub(super) fn users_to_run(&self) -> Option<Output> {
        match self.stage {
            Stage::Running { t0 } if self.makes_load() => {
                Some(Output::Run { revision: self.revision, seats: self.seats.clone(), t0 })
            }
            _ => None,
        }
    }

    /// Takes in a window of the engine.
    pub(super) fn push(&mut self, window: Box<WindowReport>) {
        self.users = window.users;
        self.outbox.push(&self.id, window);
    }

    /// What the coordinator is to know of it when there is another stream: nothing before the start.
    pub(super) fn resume(&self) -> Option<Resume> {
        let resume = || Resume { run: self.id.clone(), session: self.session, stopped: !self.makes_load() };
        self.is_running().then(resume)
    }
}
