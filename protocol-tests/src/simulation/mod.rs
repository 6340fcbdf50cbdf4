//! Whole runs, simulated: the real fleet core, the real results and any number of real session cores, with models of
//! the engine, the network, the clocks and of what goes wrong between them.
//!
//! A seed is a world: [`simulate`] plays it in virtual time, event by event, and after every event the truth (what the
//! engine models really did) is held against the invariants. The same seed gives the same trace to the last byte.
//! Once everything that went wrong is healed, the run has to end in time, its report has to say what happened, and no
//! agent may make load any more.
//!
//! | file | what it models |
//! |---|---|
//! | `scenario` | what a seed is about: plan, agents, policies, network |
//! | `faults`, `trouble` | what goes wrong, and how it is done to the world |
//! | `clock`, `network` | drift and jumps; streams that break and are cut in two |
//! | `engine`, `window` | the load engine: users, iterations, requests, windows |
//! | `node`, `agents`, `coordinator` | what the drivers of the two cores do |
//! | `disk` | the journal: what is durable when, and coordinators that go on from it |
//! | `oracle`, `invariants` | the truth, and what has to hold after every event |
//! | `wire` | the same over the real wire and the real drivers, in a simulated network |
//! | `convergence`, `judge` | what has to hold when things are calm again, and at the end |
//!
//! A coordinator that crashes comes back with what its journal holds, or not at all: then its agents have to stop by
//! themselves.

mod agents;
mod clock;
mod convergence;
mod coordinator;
mod dice;
mod disk;
mod engine;
mod faults;
mod invariants;
mod judge;
mod network;
mod node;
mod oracle;
mod scenario;
mod trace;
mod trace_text;
mod trouble;
mod window;
#[cfg(feature = "network")]
pub mod wire;
mod world;

pub use oracle::Tally;
pub use trace::Show;

use std::time::Duration;
use world::World;

/// A run in which everything held.
#[derive(Clone, Copy, Debug)]
pub struct Played {
    /// Of every line of its trace.
    pub hash: u64,
    /// What happened in it.
    pub tally: Tally,
}

/// An invariant that did not hold.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which one, and how.
    pub what: String,
    /// The last lines of the trace.
    pub tail: String,
}

/// How long after the end agents may take until they make no load any more, and are gone if they were asked to leave:
/// longer than any lease, and than a leaving agent tries to deliver what it has.
const QUIET: Duration = Duration::from_secs(16);

/// How long a coordinator that was started again may wait for its agents: a lease, and for what they measured.
const RESUMPTION: Duration = Duration::from_secs(20);

/// Plays the world of `seed`.
///
/// # Errors
/// The first invariant that did not hold.
pub fn simulate(seed: u64, show: Show) -> Result<Played, Broken> {
    let mut world = World::new(seed, show);
    let mut judged = false;
    loop {
        let over = world.coordinator.outcome.is_some() || world.coordinator.crashed;
        let moved = world.step(world.latest_end());
        if !judged && world.coordinator.outcome.is_some() {
            judged = true;
            world.judge();
        }
        if !moved {
            world.check_end(over);
        }
        if let Some(what) = world.oracle.broken.take() {
            return Err(Broken { what: format!("{:?}: {what}", world.now), tail: world.trace.tail() });
        }
        if !moved {
            return Ok(Played { hash: world.trace.hash(), tally: world.oracle.tally });
        }
    }
}

impl World {
    /// When the run must be over at the latest; once it is, when everybody must have noticed.
    fn latest_end(&self) -> Duration {
        let (plan, healed) = (&self.scenario.plan, self.scenario.faults.healed_at);
        if let Some((at, _)) = &self.coordinator.outcome {
            return healed.max(*at) + QUIET;
        }
        if self.coordinator.crashed {
            return healed + QUIET;
        }
        // One that is started again waits for its agents, and for what they have to deliver.
        let resumed = self.coordinator.resumed_at;
        let healed = healed.max(resumed.map_or(Duration::ZERO, |at| at + RESUMPTION));
        let grace = Duration::from_secs(10);
        let chore = |chore: &Option<plan::chore::Chore>| chore.as_ref().map(|chore| chore.timeout + grace);
        let users = match (self.coordinator.started_at, self.coordinator.stopped_at) {
            (_, Some(stopped)) => stopped + plan.stop_timeout + grace,
            (Some(started), None) => started + plan.schedule.end() + plan.stop_timeout + grace,
            (None, None) => {
                let setup = chore(&plan.setup).map(|setup| setup + scenario::AGENTS_TIMEOUT * 2);
                resumed.unwrap_or_default() + scenario::AGENTS_TIMEOUT + setup.unwrap_or_default()
            }
        };
        // The lease of who was lost last, then the teardown; and clocks that drift.
        let rest = Duration::from_secs(6) + chore(&plan.teardown).unwrap_or_default();
        healed.max(users) + rest + users / 500
    }

    /// Everything is healed and time is up.
    fn check_end(&mut self, over: bool) {
        if !over {
            return self.oracle.complain("liveness: the run does not end".to_owned());
        }
        for node in &self.nodes {
            let Some(process) = &node.process else { continue };
            let (who, truth) = (process.who.0, self.oracle.look(process.who));
            if process.engine.is_busy() || truth.open() > 0 {
                return self.oracle.complain(format!("liveness: process {who} still makes load"));
            }
            if process.leaving {
                return self
                    .oracle
                    .complain(format!("liveness: process {who} was asked to leave and is still there"));
            }
        }
    }
}
