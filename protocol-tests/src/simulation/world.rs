//! The event loop: a heap of what happens when, and who it happens to.

use super::coordinator::Coordinator;
use super::dice::Dice;
use super::faults::Fault;
use super::network::{Item, Network, Way};
use super::node::Node;
use super::oracle::{Oracle, Who};
use super::scenario::Scenario;
use super::trace::{Show, Trace};
use proto::message::{FromAgent, ToAgent};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

/// Something that happens.
#[derive(Debug)]
pub(super) enum Event {
    /// A machine begins to run its agent.
    Boot { node: usize },
    /// The session's timer.
    Session { who: Who, version: u64 },
    /// The engine's timer.
    Engine { who: Who, version: u64 },
    /// The session hears what its engine said.
    Hear { who: Who },
    /// A dial reaches the coordinator.
    Accept { stream: u64 },
    /// A dial ends.
    Dialled { who: Who, dial: u64, result: Result<u64, &'static str> },
    /// Something may have arrived.
    Arrive { stream: u64, way: Way },
    /// A message that travels by itself arrives.
    AloneUp { stream: u64, item: Item<FromAgent> },
    /// The same for the other way.
    AloneDown { stream: u64, item: Item<ToAgent> },
    /// An end notices that its stream is cut.
    Notice { stream: u64, way: Way, reason: &'static str },
    /// The fleet's timer.
    Fleet { version: u64 },
    /// A commit of the journal ends.
    Committed { life: u64 },
    /// Another coordinator is started.
    BootCoordinator,
    /// Somebody counts the users.
    Count,
    /// Something goes wrong.
    Fault(Fault),
    /// And is over.
    Heal(Fault),
}

struct Entry {
    at: Duration,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Everything there is.
pub(super) struct World {
    pub(super) now: Duration,
    heap: BinaryHeap<Reverse<Entry>>,
    pushed: u64,
    pub(super) scenario: Arc<Scenario>,
    pub(super) dice: Dice,
    pub(super) trace: Trace,
    pub(super) oracle: Oracle,
    pub(super) network: Network,
    pub(super) nodes: Vec<Node>,
    pub(super) coordinator: Coordinator,
}

impl World {
    pub(super) fn new(seed: u64, show: Show) -> World {
        let scenario = Arc::new(Scenario::new(seed));
        let count = scenario.machines.len();
        let mut world = World {
            now: Duration::ZERO,
            heap: BinaryHeap::new(),
            pushed: 0,
            dice: Dice::new(seed, &[5]),
            trace: Trace::new(show),
            oracle: Oracle::new(scenario.plan.clone(), count),
            network: Network::new(count, scenario.mode, scenario.noise_permille, Dice::new(seed, &[6])),
            nodes: (0..count).map(|number| Node::new(number, &scenario)).collect(),
            coordinator: Coordinator::new(&scenario),
            scenario: scenario.clone(),
        };
        world.trace.line(Duration::ZERO, format_args!("{}", scenario.headline()));
        world.settle_fleet();
        for (node, machine) in scenario.machines.iter().enumerate() {
            world.push(machine.starts_at, Event::Boot { node });
        }
        world.push(Duration::from_secs(1), Event::Count);
        for (at, fault) in &scenario.faults.events {
            world.push(*at, Event::Fault(*fault));
        }
        world
    }

    pub(super) fn push(&mut self, at: Duration, event: Event) {
        self.pushed += 1;
        self.heap.push(Reverse(Entry { at: at.max(self.now), number: self.pushed, event }));
    }

    /// Lets the next thing happen, if it does so by `until`.
    pub(super) fn step(&mut self, until: Duration) -> bool {
        match self.heap.peek() {
            Some(Reverse(entry)) if entry.at <= until => {}
            _ => return false,
        }
        let Some(Reverse(Entry { at, event, .. })) = self.heap.pop() else { return false };
        self.now = at;
        // A process that is stopped sees everything when it goes on.
        match self.held_until(&event) {
            Some(later) => self.push(later, event),
            None => self.happen(event),
        }
        true
    }

    fn held_until(&self, event: &Event) -> Option<Duration> {
        let paused = match event {
            Event::Session { who, .. }
            | Event::Engine { who, .. }
            | Event::Hear { who }
            | Event::Dialled { who, .. } => self.nodes[self.oracle.look(*who).node].paused_until,
            Event::Boot { node } => self.nodes[*node].paused_until,
            Event::Arrive { stream, way: Way::Down }
            | Event::Notice { stream, way: Way::Down, .. }
            | Event::AloneDown { stream, .. } => {
                self.nodes[self.network.streams[*stream as usize].node].paused_until
            }
            Event::Fleet { .. }
            | Event::Committed { .. }
            | Event::Accept { .. }
            | Event::Arrive { way: Way::Up, .. }
            | Event::Notice { way: Way::Up, .. }
            | Event::AloneUp { .. } => self.coordinator.paused_until,
            Event::BootCoordinator | Event::Count | Event::Fault(_) | Event::Heal(_) => Duration::ZERO,
        };
        (paused > self.now).then_some(paused)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Boot { node } => self.boot(node),
            Event::Session { who, version } => self.session_timer(who, version),
            Event::Engine { who, version } => self.engine_timer(who, version),
            Event::Hear { who } => self.hear(who),
            Event::Accept { stream } => self.accept(stream),
            Event::Dialled { who, dial, result } => self.dialled(who, dial, result),
            Event::Arrive { stream, way: Way::Up } => self.arrived_up(stream),
            Event::Arrive { stream, way: Way::Down } => self.arrived_down(stream),
            Event::AloneUp { stream, item } => self.receive_up(stream, item),
            Event::AloneDown { stream, item } => self.receive_down(stream, item),
            Event::Notice { stream, way: Way::Up, reason } => self.detached(stream, reason),
            Event::Notice { stream, way: Way::Down, reason } => self.disconnected(stream, reason),
            Event::Fleet { version } => self.fleet_timer(version),
            Event::Committed { life } => self.committed(life),
            Event::BootCoordinator => self.boot_coordinator(),
            Event::Count => self.count_users(),
            Event::Fault(fault) => self.wrong(fault),
            Event::Heal(fault) => self.heal(fault),
        }
    }

    /// How late a timer fires.
    pub(super) fn lateness(&mut self) -> Duration {
        self.dice.millis(0, 1)
    }
}
