//! A server in the background of another program.

use crate::bus::{Bus, CommandsTruth};
use crate::config::Config;
use crate::ingest::{Desk, MessagesTruth};
use crate::platform::{Platform, PlatformTruth};
use crate::server::{Server, bind};
use crate::tasks::{SessionsTruth, Tasks};
use crate::truth::{Ledger, Truth};
use crate::users::UsersTruth;
use crate::workflow::{TasksTruth, Workflow};
use anyhow::Context;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// A server on a thread of its own, with its own runtime. Dropping it stops it, as [`stop`](Running::stop) does.
pub struct Running {
    /// Where it listens: a free port of 127.0.0.1.
    pub addr: SocketAddr,
    ledger: Arc<Ledger>,
    platform: Arc<Platform>,
    workflow: Arc<Workflow>,
    desk: Arc<Desk>,
    bus: Arc<Bus>,
    sessions: Arc<Tasks>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a server on a free port of 127.0.0.1. It accepts connections by the time this returns.
///
/// Fails if no port is free or the database cannot be opened.
#[expect(clippy::needless_pass_by_value, reason = "callers build it in place, as for `serve`")]
pub fn spawn(config: Config) -> anyhow::Result<Running> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = {
        let _context = runtime.enter();
        bind(address).with_context(|| format!("cannot listen on {address}"))?
    };
    let addr = listener.local_addr()?;
    let server = Server::new(&config)?;
    let (ledger, workflow, desk) = (server.ledger(), server.workflow(), server.desk());
    let (platform, bus, sessions) = (server.platform(), server.bus(), server.tasks());
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("demo-target".to_owned()).spawn(move || {
        // It ends when the sender has sent, and as well when it has been dropped.
        runtime.block_on(server.run(listener, async { drop(stopped.await) }));
    })?;
    Ok(Running {
        addr,
        ledger,
        platform,
        workflow,
        desk,
        bus,
        sessions,
        stop: Some(stop),
        thread: Some(thread),
    })
}

impl Running {
    /// Base URL, for instance `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What the server has seen; the same as `GET /truth`.
    pub fn truth(&self) -> Truth {
        self.ledger.truth()
    }

    /// The requests of users that name themselves; the same as `GET /truth/users`.
    pub fn users(&self) -> UsersTruth {
        self.ledger.users()
    }

    /// Whether what the Platform API acknowledged is in the database. Waits for it, so not for asynchronous code.
    pub fn platform(&self) -> anyhow::Result<PlatformTruth> {
        self.platform.truth()
    }

    /// Whether the tasks that were acknowledged are in the database. Waits for it, so not for asynchronous code.
    pub fn tasks(&self) -> anyhow::Result<TasksTruth> {
        self.workflow.truth()
    }

    /// Whether the messages that were acknowledged are in the database. Waits for it, so not for asynchronous code.
    pub fn messages(&self) -> anyhow::Result<MessagesTruth> {
        self.desk.truth()
    }

    /// What became of the commands that were accepted, by the database. Waits for it, so not for asynchronous code.
    pub fn commands(&self) -> anyhow::Result<CommandsTruth> {
        self.bus.truth()
    }

    /// Whether the tasks of WebSocket sessions that were acknowledged are in the database. Waits for it, so not for
    /// asynchronous code.
    pub fn sessions(&self) -> anyhow::Result<SessionsTruth> {
        self.sessions.truth()
    }

    /// Starts the truth again from zero; the same as `POST /truth/reset`.
    pub fn reset(&self) {
        self.ledger.reset();
    }

    /// Stops the server and waits for it: for the requests in flight, two seconds at most.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already, and there is nothing left to clean up.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
