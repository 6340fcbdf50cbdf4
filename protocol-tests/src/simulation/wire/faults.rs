//! What goes wrong with links and hosts, and when.

use crate::simulation::dice::Dice;
use std::time::Duration;

/// Something that goes wrong, or is well again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Nothing passes between the agent and the coordinator; it is kept, as TCP keeps it.
    Hold { node: usize },
    /// What was kept arrives.
    Release { node: usize },
    /// What is sent in these directions is lost for good: what is open stays half open.
    Part { node: usize, up: bool, down: bool },
    /// Messages pass again.
    Repair { node: usize },
    /// The agent's host loses its process without a word.
    Crash { node: usize },
    /// It has a new one.
    Restart { node: usize },
    /// The operator stops the run.
    Stop,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    /// How long a message takes, at least and at most.
    pub(super) latency: (Duration, Duration),
    /// In order.
    pub(super) events: Vec<(Duration, Wrong)>,
    /// Nothing is wrong any more from then on.
    pub(super) healed_at: Duration,
    /// Whether every agent keeps its lease and its memory: then nothing may be missing.
    pub(super) harmless: bool,
}

const MS: fn(u64) -> Duration = Duration::from_millis;

impl Faults {
    /// What goes wrong in a run of `agents` agents that lasts about `length`.
    pub(super) fn new(seed: u64, agents: usize, length: Duration) -> Faults {
        let mut dice = Dice::new(seed, &[5]);
        // Slow links: 200 ms, give or take 100.
        let latency = if seed.is_multiple_of(2) { (MS(100), MS(300)) } else { (MS(1), MS(5)) };
        let mut faults =
            Faults { latency, events: Vec::new(), healed_at: Duration::ZERO, harmless: seed % 6 < 2 };
        let count = if seed % 6 == 5 { 4 } else { 1 };
        for _ in 0..count {
            let at = MS(1500) + dice.millis(0, length.as_millis() as u64);
            let node = dice.below(agents as u64) as usize;
            let kind = if seed % 6 == 5 { dice.between(1, 4) } else { seed % 6 };
            faults.add(&mut dice, kind, at, node);
        }
        if dice.permille(150) {
            faults.events.push((MS(1500) + dice.millis(0, length.as_millis() as u64), Wrong::Stop));
        }
        faults.events.sort_by_key(|(at, _)| *at);
        faults
    }

    fn add(&mut self, dice: &mut Dice, kind: u64, at: Duration, node: usize) {
        let (wrong, well, lasts) = match kind {
            0 => return,
            1 => (Wrong::Hold { node }, Wrong::Release { node }, MS(2000)),
            2 => (Wrong::Hold { node }, Wrong::Release { node }, MS(8000)),
            3 => {
                let (up, down) = dice.pick(&[(true, true), (true, false), (false, true)]);
                (Wrong::Part { node, up, down }, Wrong::Repair { node }, dice.pick(&[MS(2000), MS(8000)]))
            }
            _ => (Wrong::Crash { node }, Wrong::Restart { node }, dice.millis(200, 6000)),
        };
        self.events.extend([(at, wrong), (at + lasts, well)]);
        self.healed_at = self.healed_at.max(at + lasts);
    }
}
