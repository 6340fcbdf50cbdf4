//! One run as an agent sees it.

use bytes::Bytes;
use plan::slot::Seat;
use proto::message::{Cumulative, RunId, WindowReport};
use std::time::Duration;

/// A run from Prepare to the acknowledgement of its last window.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) stage: Stage,
    /// The assignment in force; 0 before the first.
    pub(super) revision: u64,
    seats: Vec<Seat>,
    cumulative: Cumulative,
    last_seq: u64,
    last_window: Option<u64>,
    users: u32,
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
    pub(super) fn new(id: RunId, bundle: Bytes, sha256: String) -> Run {
        Run {
            id,
            stage: Stage::Fetched { bundle, sha256 },
            revision: 0,
            seats: Vec::new(),
            cumulative: Cumulative::default(),
            last_seq: 0,
            last_window: None,
            users: 0,
        }
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
        self.is_running() && self.last_window.is_none()
    }

    /// Requests that ended so far.
    pub(super) fn requests(&self) -> u64 {
        self.cumulative.ok + self.cumulative.failed
    }

    /// Users at the end of the last window.
    pub(super) fn users(&self) -> u32 {
        self.users
    }

    /// Takes a newer assignment; `false` for one that is not.
    pub(super) fn assign(&mut self, revision: u64, seats: Vec<Seat>) -> bool {
        let newer = revision > self.revision;
        if newer {
            self.revision = revision;
            self.seats = seats;
        }
        newer
    }

    /// The users that should run and T0, once the run has started and until its last window is out.
    pub(super) fn users_to_run(&self) -> Option<(Vec<Seat>, Duration)> {
        match self.stage {
            Stage::Running { t0 } if self.has_users() => Some((self.seats.clone(), t0)),
            _ => None,
        }
    }

    /// Gives a window of the engine its run, its number and the totals so far.
    pub(super) fn number(&mut self, mut window: Box<WindowReport>) -> Box<WindowReport> {
        self.last_seq += 1;
        self.users = window.users;
        self.cumulative.started += window.started;
        self.cumulative.aborted += window.aborted;
        self.cumulative.ok += window.ok();
        self.cumulative.failed += window.failed();
        window.run = self.id.clone();
        window.seq = self.last_seq;
        window.cumulative = self.cumulative;
        if window.last {
            self.last_window = Some(self.last_seq);
        }
        window
    }

    /// Takes an acknowledgement; whether it is that of the last window.
    pub(super) fn acknowledged(&self, seq: u64) -> bool {
        self.last_window.is_some_and(|last| seq >= last)
    }
}
