//! What goes wrong in a run, and when. All of it is healed in the end.

use super::dice::Dice;
use super::scenario::Weather;
use std::time::Duration;

/// Which ends of a connection hear that it broke, and how soon. An end that does not hear is half open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noticed {
    pub(super) by_agent: Option<Duration>,
    pub(super) by_coordinator: Option<Duration>,
}

/// How a process ends that nobody asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// Its machine lives and closes its connections.
    Killed,
    /// Its machine is gone without a word.
    Unplugged,
}

/// One thing that goes wrong, or somebody's wish at an awkward moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Nothing passes in these directions; it is kept, and comes later.
    Partition { node: usize, up: bool, down: bool, lasts: Duration },
    /// The node's connection breaks; of what is on its way, only the first so many messages arrive.
    Break { node: usize, noticed: Noticed, arrive: usize },
    /// Every connection breaks at once.
    BreakAll,
    /// The agent's process ends; another begins after a while, if at all.
    Crash { node: usize, death: Death, restart: Option<Duration> },
    /// Nothing happens in the agent's process.
    Pause { node: usize, lasts: Duration },
    /// Nothing happens in the coordinator's process.
    PauseCoordinator { lasts: Duration },
    /// Messages to and from the node take this much longer.
    Slow { node: usize, extra: Duration, lasts: Duration },
    /// The agent's clock jumps ahead.
    Step { node: usize, by: Duration },
    /// Somebody asks the agent to leave.
    Leave { node: usize },
    /// The operator stops the run.
    Stop,
    /// The coordinator's process ends; another begins after a while, if at all.
    CrashCoordinator { death: Death, restart: Option<Duration> },
    /// The journal cannot be written any more.
    DiskFull,
}

/// When what goes wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// In no particular order.
    pub(super) events: Vec<(Duration, Fault)>,
    /// Nothing is wrong any more from then on.
    pub(super) healed_at: Duration,
}

/// What is over so soon ends no lease by itself.
const SHORT: Duration = Duration::from_secs(2);

/// Longest time to muster and start.
const PREPARATION: Duration = Duration::from_secs(3);

/// What goes wrong in a run of `agents` agents whose schedule takes `length`.
pub(super) fn plan(dice: &mut Dice, weather: Weather, agents: usize, length: Duration) -> Faults {
    let mut faults = Faults::default();
    let horizon = PREPARATION + length + Duration::from_secs(4);
    let count = match weather {
        Weather::Calm => 0,
        Weather::Windy => dice.between(1, 2),
        Weather::Stormy => dice.between(3, 12),
    };
    for _ in 0..count {
        let at = dice.millis(0, horizon.as_millis() as u64);
        let fault = fault(dice, agents);
        faults.healed_at = faults.healed_at.max(at + lasts(&fault));
        faults.events.push((at, fault));
        faults.events.extend(cut_off_before(at, &fault));
    }
    if weather != Weather::Calm && dice.permille(150) {
        faults.events.push((dice.millis(0, horizon.as_millis() as u64), Fault::Stop));
    }
    if weather != Weather::Calm && dice.permille(600) {
        let node = dice.below(agents as u64) as usize;
        let at = dice.millis(2000, horizon.as_millis() as u64);
        faults.healed_at = faults.healed_at.max(at);
        faults.events.push((at, Fault::Leave { node }));
    }
    faults
}

/// Most agents that crash and come back are cut off shortly before: only then is there anything that they leave.
fn cut_off_before(at: Duration, fault: &Fault) -> Option<(Duration, Fault)> {
    let &Fault::Crash { node, restart: Some(_), .. } = fault else { return None };
    let lasts = Duration::from_millis(1500);
    let often = !at.as_millis().is_multiple_of(4);
    at.checked_sub(lasts)
        .filter(|_| often)
        .map(|at| (at, Fault::Partition { node, up: true, down: true, lasts }))
}

/// What goes wrong with the coordinator, beside the rest.
pub(super) fn plan_coordinators(dice: &mut Dice, weather: Weather, length: Duration, faults: &mut Faults) {
    let horizon = (PREPARATION + length + Duration::from_secs(4)).as_millis() as u64;
    let count = match weather {
        Weather::Calm => 0,
        Weather::Windy => u64::from(dice.permille(300)),
        Weather::Stormy => dice.below(4),
    };
    for _ in 0..count {
        let at = dice.millis(0, horizon);
        let fault = if dice.permille(70) {
            Fault::DiskFull
        } else {
            let death = dice.pick(&[Death::Killed, Death::Unplugged]);
            let restart = match dice.below(3) {
                0 => dice.millis(1, 1000),
                1 => dice.millis(1, 4500),
                _ => dice.millis(3000, 20_000),
            };
            Fault::CrashCoordinator { death, restart: Some(restart) }
        };
        faults.healed_at = faults.healed_at.max(at + lasts(&fault));
        faults.events.push((at, fault));
    }
}

impl Faults {
    /// Whether nothing that happens costs a process its memory, or keeps one away for longer than it may be.
    pub(super) fn are_survivable(&self) -> bool {
        let few = self.events.len() <= 2;
        let short = |(_, fault): &(Duration, Fault)| lasts(fault) <= SHORT && !fault.kills();
        few && self.events.iter().all(short)
    }

    /// When what has gone wrong by `now` is over; `None` if something is wrong now.
    pub(super) fn calm_since(&self, now: Duration) -> Option<Duration> {
        let begun = self.events.iter().filter(|(at, _)| *at <= now);
        let ends = begun.map(|(at, fault)| *at + lasts(fault)).max().unwrap_or_default();
        (ends <= now).then_some(ends)
    }
}

impl Fault {
    fn kills(&self) -> bool {
        match self {
            // Agents dial again within half a second, and have three left of their lease at least.
            Fault::CrashCoordinator { restart, .. } => restart.is_none_or(|restart| restart > SHORT / 2),
            other => matches!(other, Fault::Crash { .. } | Fault::Slow { .. } | Fault::DiskFull),
        }
    }
}

/// How long it takes until everything is well again.
fn lasts(fault: &Fault) -> Duration {
    match fault {
        Fault::Partition { lasts, .. }
        | Fault::Pause { lasts, .. }
        | Fault::PauseCoordinator { lasts }
        | Fault::Slow { lasts, .. } => *lasts,
        Fault::Crash { restart, .. } | Fault::CrashCoordinator { restart, .. } => restart.unwrap_or_default(),
        Fault::Break { noticed, .. } => {
            noticed.by_agent.unwrap_or_default().max(noticed.by_coordinator.unwrap_or_default())
        }
        Fault::BreakAll | Fault::Step { .. } | Fault::Leave { .. } | Fault::Stop | Fault::DiskFull => {
            Duration::ZERO
        }
    }
}

fn fault(dice: &mut Dice, agents: usize) -> Fault {
    let node = dice.below(agents as u64) as usize;
    let death = dice.pick(&[Death::Killed, Death::Unplugged]);
    match dice.below(100) {
        0..22 => {
            let (up, down) = dice.pick(&[(true, true), (true, true), (true, false), (false, true)]);
            Fault::Partition { node, up, down, lasts: some_time(dice) }
        }
        22..42 => {
            let mut soon = || dice.permille(700).then(|| dice.millis(0, 800));
            let noticed = Noticed { by_agent: soon(), by_coordinator: soon() };
            Fault::Break { node, noticed, arrive: dice.below(4) as usize }
        }
        42..45 => Fault::BreakAll,
        45..58 => {
            let restart = dice.permille(600).then(|| dice.millis(200, 5000));
            Fault::Crash { node, death, restart }
        }
        58..73 => Fault::Pause { node, lasts: some_time(dice) },
        73..78 => Fault::PauseCoordinator { lasts: some_time(dice) },
        78..86 => {
            let extra = dice.millis(50, 1500);
            Fault::Slow { node, extra, lasts: dice.millis(500, 8000) }
        }
        86..89 => Fault::Step { node, by: dice.millis(50, 6000) },
        89..96 => Fault::Leave { node },
        96..98 => Fault::Stop,
        _ => Fault::CrashCoordinator { death, restart: None },
    }
}

/// Around the lease's length more often than not.
fn some_time(dice: &mut Dice) -> Duration {
    match dice.below(3) {
        0 => dice.millis(100, 2500),
        1 => dice.millis(3000, 5000),
        _ => dice.millis(3000, 15_000),
    }
}
