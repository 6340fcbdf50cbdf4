//! The embedded agent: when no agents are expected, one runs in this process, over an in-memory connection,
//! through the very same protocol.

use crate::grpc::LocalDial;
use crate::terminal::say;
use agent::app::{AgentConfig, LastResort, run};
use agent::link::{Connect, DialError};
use agent::policy::Policy;
use agent::session::DEFAULT_DRAIN_TIMEOUT;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// Name of the embedded agent in reports.
pub const NAME: &str = "embedded";

/// Descriptors that are not users' connections: a database, event queues, standard streams.
const SPARE_DESCRIPTORS: u64 = 128;

/// Where the system under test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalTarget {
    /// Somewhere else.
    No,
    /// In this process: both ends of each user's connection take a descriptor.
    Yes,
}

/// An agent on threads of its own. Dropping it tells it to leave and waits until it has.
#[derive(Debug)]
pub struct Embedded {
    leave: mpsc::Sender<String>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Starts it; it attaches through `local`.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn start(local: LocalDial, incarnation: u64, target: LocalTarget) -> std::io::Result<Embedded> {
        let (leave, leaving) = mpsc::channel(2);
        let connect: Connect = Arc::new(move || {
            let local = local.clone();
            Box::pin(async move { local.connect().await.map_err(DialError::Passing) })
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("embedded-agent".to_owned()).spawn(move || {
            // What it has to say reaches the coordinator, which tells people.
            let agent = run(config(incarnation, target), connect, None, leaving, Box::new(|_| {}));
            if let Err(error) = runtime.block_on(agent) {
                say(&format!("error: the embedded agent cannot start: {error}"));
            }
        })?;
        Ok(Embedded { leave, thread: Some(thread) })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // The second wish ends it at once; all that it measured is in by now.
        let _ = self.leave.try_send("the run is over".to_owned());
        let _ = self.leave.try_send("the run is over".to_owned());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn config(incarnation: u64, target: LocalTarget) -> AgentConfig {
    let descriptors = system::descriptors::raise(u64::MAX);
    let room = match target {
        LocalTarget::No => descriptors.saturating_sub(SPARE_DESCRIPTORS),
        LocalTarget::Yes => descriptors.saturating_sub(SPARE_DESCRIPTORS) / 2,
    };
    let cores =
        std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    AgentConfig {
        name: NAME.to_owned(),
        threads: NonZero::new(cores).unwrap_or(NonZero::<u32>::MIN),
        // Who starts it says himself what it is to do.
        policy: Policy::open(u32::try_from(room).unwrap_or(u32::MAX).max(1)),
        coordinator: "this process".to_owned(),
        incarnation,
        join: None,
        drain_timeout: DEFAULT_DRAIN_TIMEOUT,
        last_resort: LastResort::Nothing,
    }
}
