//! What the fleet core is told, and what it answers.

use super::{AgentId, Outcome, SessionId};
use plan::chore::ChoreKind;
use proto::message::{FromAgent, RejectCode, ToAgent, WindowReport};
use std::collections::BTreeMap;
use std::time::Duration;

/// An agent that has users, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which one.
    pub id: AgentId,
    /// What it is called, by itself.
    pub name: String,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A new stream.
    Attached {
        /// Its number.
        session: SessionId,
        /// The address of the other end.
        peer: String,
    },
    /// An agent said something.
    Received {
        /// On this stream.
        session: SessionId,
        /// This.
        message: FromAgent,
    },
    /// What a new stream's Hello showed was not enough to let it in.
    Refused {
        /// The stream.
        session: SessionId,
        /// The kind of refusal.
        code: RejectCode,
        /// Why, for people at both ends.
        message: String,
    },
    /// The peer broke the protocol: nothing more is read from this stream.
    Broke {
        /// The stream.
        session: SessionId,
        /// What it did, for people at both ends.
        problem: String,
    },
    /// A stream ended: the connection broke.
    Detached {
        /// The stream.
        session: SessionId,
        /// Why, for a person.
        reason: String,
    },
    /// The operator stops the run.
    Stop,
    /// The operator stops it at once: what is in flight is given up.
    StopNow,
    /// The coordinator was started again: every stream is gone, and nothing was heard for a while.
    Resumed {
        /// Its agent ran in its own process, and ended with it.
        embedded: bool,
    },
    /// What happens from now on cannot be kept.
    JournalFailed {
        /// Why, for a person.
        reason: String,
        /// The first window of an agent that is not kept, where one was taken in that is not.
        unkept: BTreeMap<AgentId, u64>,
    },
    /// A threshold that stops the run is missed, whatever comes.
    Abort,
}

/// What the driver is to do, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Say this on that stream.
    Send {
        /// The stream.
        session: SessionId,
        /// The message.
        message: ToAgent,
    },
    /// End that stream, once what was said is on its way; no [`Input::Detached`] follows.
    Close {
        /// The stream.
        session: SessionId,
    },
    /// Add this window to the results. Every series in it is declared, its counts agree.
    Apply {
        /// Whose it is.
        agent: AgentId,
        /// The window.
        window: Box<WindowReport>,
    },
    /// T0 is `after` from now.
    Started {
        /// How far away T0 is.
        after: Duration,
        /// The agents of the run.
        agents: Vec<Member>,
    },
    /// An agent that came later is given its first users.
    Joined {
        /// The agent.
        agent: Member,
        /// Since T0.
        at: Duration,
    },
    /// The run is stopped `at` after T0: no users are wanted from then on.
    Stopping {
        /// Since T0.
        at: Duration,
    },
    /// No more windows come from this agent.
    Gone {
        /// The agent.
        agent: AgentId,
    },
    /// A chore was ordered.
    ChoreBegan {
        /// Which one.
        kind: ChoreKind,
        /// The agent's name.
        agent: String,
    },
    /// It has ended, however it went.
    ChoreEnded {
        /// Which one.
        kind: ChoreKind,
    },
    /// Tell a person.
    Note(String),
    /// The run is over.
    Finished(Outcome),
}
