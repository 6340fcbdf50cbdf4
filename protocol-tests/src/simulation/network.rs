//! The network between agents and coordinator: streams that keep order until they break.
//!
//! A stream is two ways. What is sent on a way arrives in order and once, however late, unless the stream is cut:
//! then what was on its way is lost from some point on, and each end notices at a time of its own, or never.
//! In [`Mode::Harsh`] each message is on its own instead.

use super::dice::Dice;
use super::oracle::Who;
use super::scenario::Mode;
use proto::message::{FromAgent, ToAgent};
use std::collections::VecDeque;
use std::time::Duration;

/// What travels.
#[derive(Clone, Debug)]
pub(super) enum Item<M> {
    Message(Box<M>),
    /// The sender says nothing more, and why.
    End(&'static str),
}

/// Which way something travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the coordinator.
    Up,
    /// To the agent.
    Down,
}

/// One direction of a stream.
#[derive(Debug)]
pub(super) struct Flow<M> {
    in_flight: VecDeque<(Duration, Item<M>)>,
    newest: Duration,
}

impl<M> Default for Flow<M> {
    fn default() -> Flow<M> {
        Flow { in_flight: VecDeque::new(), newest: Duration::ZERO }
    }
}

impl<M> Flow<M> {
    /// Takes what has arrived by `now`, the oldest first.
    pub(super) fn take(&mut self, now: Duration) -> Option<Item<M>> {
        self.in_flight.pop_front_if(|(at, _)| *at <= now).map(|(_, item)| item)
    }

    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// Sends `item` so that it arrives at `at`, or after everything before it.
    fn send(&mut self, at: Duration, item: Item<M>) -> Duration {
        self.newest = self.newest.max(at);
        self.in_flight.push_back((self.newest, item));
        self.newest
    }
}

/// The coordinator's end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FarEnd {
    /// It does not know of it yet.
    Unaware,
    /// It reads and writes.
    Open,
    /// It has said its last word, and still reads.
    Listening,
    /// It has nothing to do with it any more.
    Gone,
}

/// A stream between one agent's process and the coordinator.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) who: Who,
    /// Whose windows it is to carry: those of an earlier process, where one left some.
    pub(super) about: Who,
    pub(super) node: usize,
    pub(super) up: Flow<FromAgent>,
    pub(super) down: Flow<ToAgent>,
    /// Nothing that is sent now arrives.
    pub(super) cut: bool,
    /// The agent reads and writes.
    pub(super) agent_open: bool,
    pub(super) coordinator: FarEnd,
}

impl Stream {
    pub(super) fn new(who: Who, about: Who, node: usize) -> Stream {
        Stream {
            who,
            about,
            node,
            up: Flow::default(),
            down: Flow::default(),
            cut: false,
            agent_open: true,
            coordinator: FarEnd::Unaware,
        }
    }

    /// Loses what was sent, from the `arrive`-th message of each way on, and everything that is sent from now on.
    pub(super) fn cut(&mut self, arrive: usize) {
        self.cut = true;
        self.up.in_flight.truncate(arrive);
        self.down.in_flight.truncate(arrive);
    }
}

/// The way between one node and the coordinator.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// How many partitions hold up this way.
    pub(super) up_blocked: u32,
    pub(super) down_blocked: u32,
    /// What every message takes longer.
    pub(super) extra: Duration,
}

impl Link {
    pub(super) fn blocked(&self, way: Way) -> bool {
        match way {
            Way::Up => self.up_blocked > 0,
            Way::Down => self.down_blocked > 0,
        }
    }
}

/// When copies of one message arrive; none if it is lost.
#[derive(Debug)]
pub(super) enum Fate {
    /// In its place in the stream, as a rule once: a peer may well repeat itself.
    InOrder { copies: u32 },
    /// Each copy by itself.
    Alone(Vec<Duration>),
}

/// All streams, by number.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) streams: Vec<Stream>,
    pub(super) links: Vec<Link>,
    mode: Mode,
    noise_permille: u64,
    dice: Dice,
    /// Says which messages are said twice.
    repeats: Dice,
}

impl Network {
    pub(super) fn new(nodes: usize, mode: Mode, noise_permille: u64, dice: Dice) -> Network {
        let links = vec![Link::default(); nodes];
        let repeats = dice.clone();
        Network { streams: Vec::new(), links, mode, noise_permille, dice, repeats }
    }

    pub(super) fn latency(&mut self, node: usize) -> Duration {
        self.dice.millis(0, 3) + self.links[node].extra
    }

    /// How a message sent now travels.
    pub(super) fn fate(&mut self, node: usize, way: Way, now: Duration) -> Fate {
        if self.mode == Mode::Stream {
            return Fate::InOrder { copies: 1 + u32::from(self.repeats.permille(self.noise_permille)) };
        }
        let copies = match (self.links[node].blocked(way), self.dice.permille(self.noise_permille)) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => self.dice.pick(&[0, 1, 2]),
        };
        let mut late = if copies == 1 && self.dice.permille(self.noise_permille) { 1500 } else { 0 };
        let mut arrivals = Vec::new();
        for _ in 0..copies {
            arrivals.push(now + self.latency(node) + self.dice.millis(0, late));
            // The copy of one that arrives may come when nobody thinks of it any more.
            late = 10_000;
        }
        Fate::Alone(arrivals)
    }

    /// Sends in order; when it arrives.
    pub(super) fn send_up(&mut self, now: Duration, stream: u64, item: Item<FromAgent>) -> Option<Duration> {
        let at = self.arrival(now, stream)?;
        Some(self.streams[stream as usize].up.send(at, item))
    }

    /// Sends in order; when it arrives.
    pub(super) fn send_down(&mut self, now: Duration, stream: u64, item: Item<ToAgent>) -> Option<Duration> {
        let at = self.arrival(now, stream)?;
        Some(self.streams[stream as usize].down.send(at, item))
    }

    fn arrival(&mut self, now: Duration, stream: u64) -> Option<Duration> {
        let Stream { node, cut, .. } = self.streams[stream as usize];
        if cut {
            return None;
        }
        // A segment that is lost comes again, and what follows waits for it.
        let again = if self.mode == Mode::Stream && self.dice.permille(self.noise_permille) {
            self.dice.millis(200, 1200)
        } else {
            Duration::ZERO
        };
        Some(now + self.latency(node) + again)
    }
}
