//! What the session core is told, and what it answers.

use super::keep::Entry;
use bytes::Bytes;
use plan::chore::ChoreKind;
use plan::slot::Seat;
use proto::message::{ChoreReport, FromAgent, PlanDigests, PlanRefusal, RunId, ToAgent, WindowReport};
use std::time::Duration;

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The stream is open.
    Connected,
    /// The coordinator said something.
    Received(ToAgent),
    /// Dialling failed or the stream ended.
    Disconnected {
        /// Why, for a person.
        reason: String,
    },
    /// The engine compiled and prepared the plan, or could not.
    Prepared(Result<PlanDigests, PlanRefusal>),
    /// The plan that was prepared has a warm-up of so many seconds: no window merges what ended in it with what came after.
    WarmUp {
        /// Its length; 0 without one.
        seconds: u32,
    },
    /// The engine closed a window. `seq` and `cumulative` are filled in by the session.
    Window(Box<WindowReport>),
    /// The engine's chore has ended. `run` is filled in by the session.
    ChoreDone(Box<ChoreReport>),
    /// The process was asked to end, once what it has begun is done.
    Leave {
        /// Why, for a person.
        reason: String,
    },
}

/// What the driver is to do.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Open the stream; answer with [`Input::Connected`] or [`Input::Disconnected`].
    Dial,
    /// Keep this where a crash of the process does not reach it, before what follows is sent.
    Keep(Entry),
    /// Say this.
    Send(FromAgent),
    /// Close the stream, once what was sent is on its way; no [`Input::Disconnected`] follows.
    Hangup,
    /// Compile the bundle and prepare the engine; answer with [`Input::Prepared`].
    Prepare {
        /// The run.
        run: RunId,
        /// The plan bundle.
        bundle: Bytes,
        /// The SHA-256 it must have.
        bundle_sha256: String,
    },
    /// Run exactly these users from `t0` (the session's clock) on.
    Run {
        /// Names the set; windows say which one is followed.
        revision: u64,
        /// The users.
        seats: Vec<Seat>,
        /// T0 of the run.
        t0: Duration,
    },
    /// Stop all users; zero gives running iterations up at once. The engine's last window follows.
    StopUsers {
        /// How long running iterations may take to finish.
        timeout: Duration,
    },
    /// Run this chore; answer with [`Input::ChoreDone`].
    Chore(ChoreKind),
    /// Give the chore up at once; its [`Input::ChoreDone`] follows.
    StopChore,
    /// What setup saved, a JSON object, for all that begins from now on.
    SeeSetup(Bytes),
    /// Tell a person.
    Note(String),
    /// End the process.
    Exit(Exit),
}

/// Why a session ends, and the agent's process with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to.
    Left,
    /// The coordinator does not want it and never will.
    Rejected(String),
    /// It cannot go on by itself; a fault of this program.
    Broken(String),
    /// Not the process, but its first task: nothing is left to deliver of what an earlier process measured.
    Recovered,
}
