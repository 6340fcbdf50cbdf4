//! An agent, put together: engine, session and link. The agent's program and the coordinator's embedded agent
//! are both this.

use crate::boot_clock::since_boot;
use crate::engine::{Engine, EngineConfig};
use crate::link::{Connect, Link, Reading, drive_with};
use crate::policy::Policy;
use crate::session::{Exit, Session};
use crate::spool::{Left, Owner, Spools, Writer};
use crate::watchdog;
use proto::Secret;
use proto::message::Hello;
use proto::version;
use std::num::NonZero;
use std::time::Duration;
use tokio::sync::mpsc;

/// What an agent is started with.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Its name: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Engine threads; one per core is best.
    pub threads: NonZero<u32>,
    /// What it does at most, whatever the coordinator orders.
    pub policy: Policy,
    /// The coordinator's address, for messages to people.
    pub coordinator: String,
    /// Random, new in every process.
    pub incarnation: u64,
    /// What it shows to be let in.
    pub join: Option<Secret>,
    /// How long running iterations may take to finish when it is told to leave.
    pub drain_timeout: Duration,
    /// What ends users that do not end.
    pub last_resort: LastResort,
}

/// Where an agent keeps what it has not delivered, so that it outlives its process.
pub struct Spool {
    /// The directory.
    pub spools: Spools,
    /// Its private key (PEM), if it made one by itself: who comes after it has to be the same to the coordinator.
    pub key: Option<String>,
    /// What earlier processes left, each with the way on which the coordinator knows them.
    pub left: Vec<(Left, Connect)>,
}

/// What ends users that go on although their lease is over, if the runtime is stuck and does not come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastResort {
    /// A thread of its own ends the process.
    EndProcess,
    /// Nothing: the process does more than run an agent.
    Nothing,
}

/// Runs an agent on the current (single-threaded) runtime until its process should end. What is left in its `spool` is
/// delivered first. `leave` delivers the reasons for which the process is asked to end; `note` takes what a person should know.
///
/// # Errors
/// When the engine's threads cannot be started.
pub async fn run(
    config: AgentConfig,
    connect: Connect,
    spool: Option<Spool>,
    mut leave: mpsc::Receiver<String>,
    note: Box<dyn Fn(&str)>,
) -> std::io::Result<Exit> {
    let (sender, events) = mpsc::unbounded_channel();
    let threads = config.threads.get() as usize;
    let policy = config.policy;
    let (max_users, caps) = (policy.max_users, policy.caps());
    let engine = Engine::start(EngineConfig { threads, extra_roots: Vec::new(), policy }, sender)?;
    if config.last_resort == LastResort::EndProcess {
        watchdog::start(engine.permit().clone())?;
    }
    let hello = Hello {
        protocol: version::SUPPORTED,
        build: env!("CARGO_PKG_VERSION").to_owned(),
        name: config.name.clone(),
        incarnation: config.incarnation,
        cores: config.threads.get(),
        max_users,
        caps,
        resume: None,
        join: config.join,
    };
    let mut link = Link {
        name: config.name.clone(),
        connect: connect.clone(),
        engine,
        events,
        since_boot,
        note,
        reading: Reading::Aside,
    };
    let mut keeps = None;
    if let Some(Spool { spools, key, left }) = spool {
        for (Left { file, owner, recovered }, connect) in left {
            link.connect = connect;
            let spool = Some(Writer::resume(file)?);
            let hello = Hello { name: owner.name, ..hello.clone() };
            let session = Session::recovering(hello, &config.coordinator, recovered);
            match drive_with(session, &mut link, &mut leave, spool).await {
                Exit::Recovered => {}
                exit => return Ok(exit),
            }
        }
        let owner = Owner { coordinator: config.coordinator.clone(), name: config.name, key };
        keeps = Some(Writer::new(spools, owner, config.incarnation)?);
    }
    let session = Session::new(hello, config.coordinator).with_drain_timeout(config.drain_timeout);
    let session = if keeps.is_some() { session.keeping() } else { session };
    link.connect = connect;
    Ok(drive_with(session, &mut link, &mut leave, keeps).await)
}
