//! The messages as plain Rust: what is in here has passed every check of `decode`.

use crate::Secret;
pub use crate::health::{HealthReport, HostReport};
use crate::version::Versions;
use bytes::Bytes;
use metrics::unit::format_duration;
use metrics::{ArrivalCounts, ErrorKind, PhaseSums, SeriesId};
use plan::chore::ChoreKind;
use plan::slot::Seat;
pub use plan::slot::{Progress, Roll};
use std::num::NonZero;
use std::time::Duration;

/// A run's identity, `[A-Za-z0-9._-]`, at most [`MAX_RUN_ID_CHARS`](crate::limits::MAX_RUN_ID_CHARS) long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub String);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an agent says.
#[derive(Clone, Debug, PartialEq)]
pub enum FromAgent {
    /// First message: who it is and what it can do.
    Hello(Hello),
    /// Answer to [`ToAgent::Prepare`].
    PlanState {
        /// The run that was prepared.
        run: RunId,
        /// The digests to compare, or why the agent does not run the plan.
        state: Result<PlanDigests, PlanRefusal>,
    },
    /// Answer to [`ToAgent::Assign`].
    AssignAck {
        /// The run.
        run: RunId,
        /// The revision in force.
        revision: u64,
        /// How far off the agent's idea of the coordinator's clock may be; `None` while it has none.
        clock_error: Option<Duration>,
    },
    /// Asks for the lease.
    Renew {
        /// Counts up from 1.
        n: u64,
        /// Users that exist now.
        users: u32,
    },
    /// One second of statistics, or several.
    Window(Box<WindowReport>),
    /// The end of a chore.
    ChoreDone(Box<ChoreReport>),
    /// The agent is about to leave: its users end one by one, and it wants no others.
    Draining {
        /// Why, for a person.
        reason: String,
    },
    /// The agent leaves.
    Goodbye {
        /// Why, for a person.
        reason: String,
    },
}

/// Why an agent does not run a plan, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanRefusal {
    /// It cannot.
    Unable(String),
    /// It could, but its operator does not allow it: the rule, and what would allow it.
    Forbidden(String),
}

impl From<String> for PlanRefusal {
    fn from(why: String) -> PlanRefusal {
        PlanRefusal::Unable(why)
    }
}

impl std::fmt::Display for PlanRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (PlanRefusal::Unable(why) | PlanRefusal::Forbidden(why)) = self;
        f.write_str(why)
    }
}

/// What the coordinator says.
#[derive(Clone, Debug, PartialEq)]
pub enum ToAgent {
    /// The agent is taken in.
    Welcome(Welcome),
    /// The agent is not wanted; the stream ends after it.
    Reject {
        /// The kind of refusal.
        code: RejectCode,
        /// What is wrong and what to do, for a person.
        message: String,
    },
    /// The plan of a run.
    Prepare {
        /// The run.
        run: RunId,
        /// A [`plan::Bundle`] in its canonical encoding.
        bundle: Bytes,
        /// SHA-256 of `bundle`.
        bundle_sha256: String,
    },
    /// The agent's users from now on, whatever it had before.
    Assign {
        /// The run.
        run: RunId,
        /// Rises with every assignment of the run.
        revision: u64,
        /// Strictly rising by slot.
        seats: Vec<Seat>,
    },
    /// When T0 is.
    Start {
        /// The run.
        run: RunId,
        /// How far ahead T0 was when this was said; zero if it was past.
        after: Duration,
        /// T0 on the coordinator's clock.
        t0: Duration,
    },
    /// End the run.
    Stop {
        /// The run.
        run: RunId,
        /// How long running iterations may take to finish; zero gives them up at once.
        timeout: Duration,
    },
    /// What setup saved, for all that comes after it.
    SetupValues {
        /// The run.
        run: RunId,
        /// A JSON object that [`plan::chore::SetupValues`] reads.
        values: Bytes,
    },
    /// Run a chore of the prepared plan.
    RunChore {
        /// The run.
        run: RunId,
        /// Which one.
        chore: ChoreKind,
    },
    /// The window `seq` and every one before it are applied.
    WindowAck {
        /// The run.
        run: RunId,
        /// The window.
        seq: u64,
    },
    /// The right to make load until `ttl` after the agent sent renewal `n`.
    Lease {
        /// The renewal that this answers.
        n: u64,
        /// How long, counted from when the renewal was sent.
        ttl: Duration,
        /// The coordinator's clock when this was said, since an origin of its own.
        clock: Duration,
    },
}

/// Who an agent is and what it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Protocol versions it speaks.
    pub protocol: Versions,
    /// Version of its program.
    pub build: String,
    /// Its name: `[A-Za-z0-9._-]`, never empty.
    pub name: String,
    /// Random, new in every process.
    pub incarnation: u64,
    /// Processor cores it may use, at least 1.
    pub cores: u32,
    /// The most users it accepts.
    pub max_users: u32,
    /// What else it holds itself to.
    pub caps: Caps,
    /// What it still has of a run that it took part in.
    pub resume: Option<Resume>,
    /// The secret of its join string.
    pub join: Option<Secret>,
}

/// What an agent holds itself to, whatever it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// The most requests and messages per second that it makes.
    pub max_rps: Option<NonZero<u32>>,
    /// The longest run that it takes part in.
    pub max_run_time: Option<Duration>,
}

impl Caps {
    /// For people: `50 requests/s, runs of 1h30m`; none without a cap.
    pub fn text(&self) -> Option<String> {
        let rps = self.max_rps.map(|rps| format!("{rps} requests/s"));
        let time = self.max_run_time.map(|time| format!("runs of {}", format_duration(time)));
        match (rps, time) {
            (Some(rps), Some(time)) => Some(format!("{rps}, {time}")),
            (rps, time) => rps.or(time),
        }
    }
}

/// An agent's part in a run that outlived its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The run.
    pub run: RunId,
    /// [`Welcome::session`] of the stream over which the agent was given its part.
    pub session: u64,
    /// Its users are gone and come back no more; only windows are left to deliver.
    pub stopped: bool,
}

/// The coordinator's answer to a good [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The version both ends use from here on.
    pub protocol: u32,
    /// Version of the coordinator's program.
    pub build: String,
    /// This stream's number.
    pub session: u64,
    /// How often to renew the lease.
    pub renew: Duration,
    /// The answer to [`Hello::resume`]; `None` if the coordinator knows nothing of it, or wants no more of it.
    pub resumed: Option<Resumed>,
}

/// Where an agent's part in a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Every window up to this one is applied.
    pub applied: u64,
    /// The agent's users are nobody's or somebody else's by now: it stops them, and delivers its windows.
    pub lost: bool,
}

/// Why an agent is not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectCode {
    /// No common protocol version.
    Version,
    /// The run has all the agents that it waits for.
    Full,
    /// The run has begun.
    Late,
    /// An agent of this name is attached already.
    Name,
    /// The agent broke the protocol.
    Protocol,
    /// The agent reads the plan differently from the coordinator.
    Plan,
    /// The run is over.
    Over,
    /// The agent has no join secret, or one that is wrong, expired or used up.
    Secret,
    /// An agent of this name with another key is attached.
    Identity,
    /// Not now: too many tries, or the name is still another agent's for a moment.
    Wait,
}

/// What an agent made of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanDigests {
    /// SHA-256 of the bundle's bytes as they arrived.
    pub bundle_sha256: String,
    /// [`Plan::meaning_sha256`](plan::Plan::meaning_sha256) in the agent's build.
    pub meaning_sha256: String,
}

/// One second of an agent's statistics as it travels, or several that were [merged](WindowReport::merged); histograms stay in their encoding until they are added
/// to the totals. Its counts agree with each other and with its histograms.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowReport {
    /// The run.
    pub run: RunId,
    /// Counts up from 1 without holes.
    pub seq: u64,
    /// Which second since T0; of several, the first.
    pub index: u32,
    /// Of several seconds: users that existed at the end of each but the last. Empty for one second.
    pub earlier_users: Vec<u32>,
    /// Users that exist at its end.
    pub users: u32,
    /// Requests open at its end.
    pub in_flight: u64,
    /// Requests started in it.
    pub started: u64,
    /// Requests given up in it.
    pub aborted: u64,
    /// What came in it, in an open load.
    pub arrivals: ArrivalCounts,
    /// Totals since the run began, this window included.
    pub cumulative: Cumulative,
    /// Strictly rising by series.
    pub series: Vec<SeriesReport>,
    /// Distinct errors.
    pub errors: Vec<metrics::ErrorCount>,
    /// How the agent itself fared.
    pub health: HealthReport,
    /// The last one of the run.
    pub last: bool,
    /// Users that ended iterations in it; strictly rising by slot.
    pub progress: Vec<Progress>,
    /// Which users the agent has at its end. Of windows that are made one, that of the last counts.
    pub roll: Roll,
}

/// How a chore ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ChoreReport {
    /// The run.
    pub run: RunId,
    /// Which chore.
    pub chore: ChoreKind,
    /// Of setup: what it saved until its end, a JSON object that [`plan::chore::SetupValues`] reads. Of
    /// teardown: empty.
    pub values: Bytes,
    /// Why it did not succeed, for a person.
    pub failed: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// Requests with a result.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Requests given up without a result.
    pub aborted: u64,
    /// Distinct errors; their series are the chore's own, their times count from its start.
    pub errors: Vec<metrics::ErrorCount>,
}

/// Totals of an agent since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cumulative {
    /// Requests started.
    pub started: u64,
    /// Requests that succeeded.
    pub ok: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests given up without a result.
    pub aborted: u64,
}

/// One series in a [`WindowReport`].
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesReport {
    /// The series.
    pub series: SeriesId,
    /// Requests that succeeded.
    pub ok: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// WebSocket messages sent.
    pub messages_sent: u64,
    /// WebSocket messages received.
    pub messages_received: u64,
    /// Where the time went.
    pub phases: PhaseSums,
    /// Histogram in V2 encoding, of exactly `ok + failed` samples.
    pub latency: Bytes,
    /// The same of service times; empty where they are the latencies.
    pub service: Bytes,
}

impl SeriesReport {
    /// Service times, whether or not they are the latencies.
    pub fn service_times(&self) -> &Bytes {
        if self.service.is_empty() { &self.latency } else { &self.service }
    }
}

/// Extent and sums of a window, for checks.
impl WindowReport {
    /// How many seconds it covers, at least 1.
    pub fn seconds(&self) -> u32 {
        u32::try_from(self.earlier_users.len()).map_or(u32::MAX, |earlier| earlier.saturating_add(1))
    }

    /// The last second that it covers, since T0.
    pub fn last_second(&self) -> u32 {
        self.index.saturating_add(self.seconds() - 1)
    }

    /// Requests that succeeded in it.
    pub fn ok(&self) -> u64 {
        self.series.iter().map(|s| s.ok).sum()
    }

    /// Requests that failed in it.
    pub fn failed(&self) -> u64 {
        self.series.iter().map(|s| s.failed).sum()
    }
}

/// The wire's number of an error kind, and back.
pub(crate) fn error_kind(code: u32) -> Option<ErrorKind> {
    use ErrorKind as K;
    [
        K::Dns,
        K::Refused,
        K::Connect,
        K::Tls,
        K::Timeout,
        K::Reset,
        K::Protocol,
        K::TooLarge,
        K::Status,
        K::Assertion,
        K::Template,
        K::Closed,
        K::Forbidden,
    ]
    .into_iter()
    .find(|&kind| kind as u32 == code)
}
