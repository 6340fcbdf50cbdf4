//! The load engine: users on single-threaded engine threads, and the record of what they did.
//!
//! It decides nothing about the fleet: it is told a plan, a T0 and which slots are its own, makes exactly
//! those users exist when the plan's schedule says, and hands back one [`AgentWindow`] for each second of the
//! run. It must never send a request that it does not count, or send one twice.
//!
//! ```text
//! Engine (handle) --> hub thread --> engine-0, engine-1, ...   (commands, slots dealt once)
//!      ^                  ^ |            |
//!      |                  | +-- Collector|  (merges by second)
//!      +-- EngineEvent ---+ <-- reports -+  (each second)
//! ```
//!
//! Users never migrate between threads and share nothing across them; the hot path has no lock and no channel.
//!
//! **Invariants:** every started request ends in exactly one of ok, failed and aborted, so over all windows of
//! a run `started == ok + failed + aborted`. Windows come in order of index, each exactly once, ending with
//! the one in [`EngineEvent::Finished`].

mod body;
mod chore;
mod coding;
mod collector;
mod connection;
mod counting_io;
mod deal;
mod dial;
mod error_kind;
mod health;
pub mod hostile;
mod http;
mod http1;
mod hub;
mod inspection;
mod jar;
mod job;
mod ledger;
mod limits;
mod lobby;
mod origin;
mod outgoing;
mod pacer;
mod permit;
mod poll;
mod progress;
mod proxy;
mod reception;
mod redirect;
mod request;
mod roster;
mod shared;
mod socket;
mod starts;
mod steps;
mod stream;
mod tally;
mod thread;
mod throttle;
mod tls;
mod trust;
mod user;
mod visit;
mod websocket;

#[cfg(test)]
#[path = "../../tests/engine/certificate.rs"]
mod test_certificate;
#[cfg(test)]
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../../tests/engine/server.rs"]
mod test_server;

pub use chore::ChoreOutcome;
pub use health::Health;
pub use limits::{
    CLOSE_TIMEOUT, MAX_BODY_BYTES, MAX_CONNECTIONS_PER_USER, MAX_HANDSHAKE_BYTES, MAX_MESSAGE_BYTES,
    MAX_WAITING_BYTES, ON_START_RETRY_PAUSE_MIN, SEND_TIMEOUT,
};
pub use permit::Permit;
pub use starts::Starts;

use crate::policy::Policy;
use hub::HubInput;
use metrics::Window;
use plan::Plan;
use plan::chore::{ChoreKind, SetupValues};
use plan::scope::RunFacts;
use plan::slot::{Progress, Roll, Seat};
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// How an engine is made.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Engine threads, at least 1; one per core is best.
    pub threads: usize,
    /// Certificates of authorities (DER) trusted in addition to the system's, for targets with a private CA.
    pub extra_roots: Vec<rustls::pki_types::CertificateDer<'static>>,
    /// What it does at most, whatever a plan says.
    pub policy: Policy,
}

/// How a run is stopped before its schedule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// Users begin nothing new; running iterations may finish for at most `timeout`, then are aborted.
    Graceful {
        /// From now.
        timeout: Duration,
    },
    /// Requests in flight are given up at once and counted as aborted.
    Now,
}

/// What the engine reports.
#[derive(Debug)]
pub enum EngineEvent {
    /// The plan can be run.
    Prepared,
    /// The plan cannot be run, and why.
    PrepareFailed(String),
    /// The policy does not allow the plan, and why.
    PrepareForbidden(String),
    /// One second of the run. Every second from the one in which it began here comes exactly once, in order, also when
    /// nothing happened in it, as soon as every engine thread is past it.
    Window(AgentWindow),
    /// The run is over; its last second. No request is in flight any more.
    Finished(AgentWindow),
    /// The chore has ended, however it went.
    ChoreDone(Box<ChoreOutcome>),
}

/// One second of the whole agent.
#[derive(Debug)]
pub struct AgentWindow {
    /// Counts, latencies and errors of requests that ended in this second.
    pub window: Window,
    /// Users that existed at its end, or when the threads woke after it.
    pub users: u32,
    /// Requests started but not ended at its end.
    pub in_flight: u64,
    /// How the generator itself fared.
    pub health: Health,
    /// Users that ended iterations in this second, or gave up those left to them; rising by slot.
    pub progress: Vec<Progress>,
    /// Which users there are at its end.
    pub roll: Roll,
}

/// Handle of a running engine. Dropping it drops all users and connections and joins the threads; a run that
/// was going on then ends without [`EngineEvent::Finished`].
#[derive(Debug)]
pub struct Engine {
    hub: mpsc::Sender<HubInput>,
    permit: Arc<Permit>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads. `events` receives everything that the engine reports.
    ///
    /// # Errors
    /// When `config.threads` is 0, or the operating system gives no thread or no event queue.
    pub fn start(config: EngineConfig, events: UnboundedSender<EngineEvent>) -> io::Result<Engine> {
        if config.threads == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "an engine needs at least 1 thread, not 0",
            ));
        }
        let permit = Arc::new(Permit::for_ever(config.policy.max_rps));
        let (hub, thread) = hub::start(config, permit.clone(), events)?;
        Ok(Engine { hub, permit, thread: Some(thread) })
    }

    /// Until when its users may begin anything: for ever, until another end is set.
    pub fn permit(&self) -> &Arc<Permit> {
        &self.permit
    }

    /// Makes ready to run `plan`: looks whether the policy allows it, as far as that is known before, and loads the
    /// certificates of authorities if the target wants TLS. Answered by [`EngineEvent::Prepared`],
    /// [`EngineEvent::PrepareForbidden`] or [`EngineEvent::PrepareFailed`]; refused while a run is going on.
    pub fn prepare(&self, plan: Arc<Plan>, facts: Arc<RunFacts>) {
        self.send(HubInput::Prepare { plan, facts });
    }

    /// Runs the prepared plan with the users of `seats`; second 0 begins at `t0`, which may lie ahead, or long ago: then
    /// the run begins here with the second that it is. Each user
    /// goes on with the iteration of its seat, or with the one after the last that it ended here in this run.
    ///
    /// Called again during a run, `seats` is the new absolute set: users no longer in it stop after their
    /// iteration, new ones start at their time or at once if that is past, all others are undisturbed; `t0` is
    /// not looked at. Of a slot that appears twice the last seat counts. Without a prepared plan it is answered by
    /// [`EngineEvent::PrepareFailed`]. `revision` names the set; windows say [which one is followed](Roll), and
    /// users that have to leave are aborted after the plan's `stop_timeout`.
    ///
    /// At the schedule's end users begin nothing new, and the plan's `stop_timeout` later those that still run
    /// are aborted; [`EngineEvent::Finished`] follows by itself.
    pub fn run(&self, t0: Instant, revision: u64, seats: Vec<Seat>) {
        self.send(HubInput::Run { t0, revision, seats });
    }

    /// Runs a chore of the prepared plan, beside no users. Answered by [`EngineEvent::ChoreDone`], also when it
    /// cannot begin.
    pub fn chore(&self, kind: ChoreKind) {
        self.send(HubInput::Chore(kind));
    }

    /// Gives up the chore at once; [`EngineEvent::ChoreDone`] follows. Does nothing when there is none.
    pub fn stop_chore(&self) {
        self.send(HubInput::StopChore);
    }

    /// Sets what `setup.NAME` is for everything that begins from now on. The first time counts.
    pub fn see_setup(&self, values: SetupValues) {
        self.send(HubInput::SeeSetup(values));
    }

    /// Stops the run; [`EngineEvent::Finished`] follows. Running iterations have the plan's `stop_timeout` at most. A second stop takes effect if it is the shorter one.
    /// Does nothing when no run is going on.
    pub fn stop(&self, mode: StopMode) {
        self.send(HubInput::Stop(mode));
    }

    fn send(&self, input: HubInput) {
        // The hub ends only when this handle is dropped.
        let _ = self.hub.send(input);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.send(HubInput::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
