//! Whole runs over the real wire: the real gRPC server and client, both real drivers, and a simulated network and clock
//! (turmoil) below them.
//!
//! The pure simulation puts models in place of the drivers and the wire; this one puts a model in place of the engine
//! alone, the same one, and holds what it does against the same oracle. A seed is a world: a plan, three agents, a
//! network, and what goes wrong in it. The same seed gives the same trace.
//!
//! | file | what it is |
//! |---|---|
//! | `faults` | what goes wrong with links and hosts, and when |
//! | `stage` | what everybody shares: the oracle, the trace, the results |
//! | `host` | an agent's host: the real link over simulated sockets |
//! | `stand_in` | its engine: the model, behind the link's own interface |
//! | `door` | the coordinator's host: the real server and driver |
//! | `judge` | whether the end of the run says what happened |

mod door;
mod faults;
mod host;
mod judge;
mod stage;
mod stand_in;

use super::{Broken, Played, Show};
use faults::{Faults, Wrong};
use stage::Stage;
use std::time::Duration;

/// How often the network delivers, and hosts take turns.
const TICK: Duration = Duration::from_millis(5);

/// How long after the run's end nobody may make load any more.
const QUIET: Duration = Duration::from_secs(16);

/// Longest time to muster, and to tear down and to take leave.
const AROUND: Duration = Duration::from_secs(50);

/// The coordinator's name and port.
const COORDINATOR: (&str, u16) = ("coordinator", 5557);

/// Plays the world of `seed`.
///
/// # Errors
/// The first invariant that did not hold.
pub fn simulate(seed: u64, show: Show) -> Result<Played, Broken> {
    let stage = Stage::new(seed, show);
    let faults = stage.faults();
    let longest = stage.longest_run() + AROUND + QUIET;
    let mut network = network(seed, &faults, longest);
    for node in 0..stage.agents() {
        let stage = stage.clone();
        network.host(host::name(node), move || host::agent(stage.clone(), node));
    }
    network.client(COORDINATOR.0, door::coordinator(stage.clone()));
    let broken = play(&stage, &mut network, &faults).err();
    let tail = |what| Broken { what, tail: stage.tail() };
    drop(network);
    match broken {
        Some(what) => Err(tail(what)),
        None => Ok(stage.played()),
    }
}

fn network(seed: u64, faults: &Faults, longest: Duration) -> turmoil::Sim<'static> {
    let (nearest, farthest) = faults.latency;
    turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(TICK)
        .simulation_duration(longest + QUIET)
        .min_message_latency(nearest)
        .max_message_latency(farthest)
        .tcp_capacity(4096)
        .build()
}

/// Plays until some time after the end; what did not hold.
fn play(stage: &Stage, network: &mut turmoil::Sim<'_>, faults: &Faults) -> Result<(), String> {
    let mut events = faults.events.iter().peekable();
    let mut ended = None;
    let latest = stage.longest_run() + AROUND;
    loop {
        let now = network.elapsed();
        while let Some((_, wrong)) = events.next_if(|(at, _)| *at <= now) {
            stage.line(now, format_args!("{wrong:?}"));
            go_wrong(stage, network, *wrong);
        }
        let over = network.step().map_err(|error| format!("{now:?}: {error}"))?;
        if let Some(what) = stage.broken() {
            return Err(format!("{now:?}: {what}"));
        }
        if over && ended.is_none() {
            ended = Some(now);
            stage.judge().map_err(|what| format!("{now:?}: {what}"))?;
        }
        match ended {
            None if now > latest => return Err(format!("liveness: the run does not end within {latest:?}")),
            Some(at) if now > at.max(faults.healed_at) + QUIET => return stage.check_quiet(),
            _ => {}
        }
    }
}

fn go_wrong(stage: &Stage, network: &mut turmoil::Sim<'_>, wrong: Wrong) {
    let coordinator = COORDINATOR.0;
    match wrong {
        Wrong::Hold { node } => network.hold(host::name(node), coordinator),
        Wrong::Release { node } => network.release(host::name(node), coordinator),
        Wrong::Part { node, up, down } => {
            if up {
                network.partition_oneway(host::name(node), coordinator);
            }
            if down {
                network.partition_oneway(coordinator, host::name(node));
            }
        }
        Wrong::Repair { node } => network.repair(host::name(node), coordinator),
        Wrong::Crash { node } => {
            network.crash(host::name(node));
            stage.crashed(node);
        }
        Wrong::Restart { node } => network.bounce(host::name(node)),
        Wrong::Stop => stage.stop(),
    }
}
