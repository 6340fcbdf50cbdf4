//! The reference: what docs/PROTOCOL.md says about an agent, as plain as it can be said.

use proto::message::{RejectCode, Resumed, WindowReport};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long the lease lasts before anything is granted, and an answer to Hello may take.
pub const FIRST: Duration = Duration::from_secs(10);

/// What the agent does that others can see, but for dialling, renewing and windows, whose time is the agent's own.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// With the run, its part in it, and whether its users are gone for good.
    Hello(Option<(u8, u64, bool)>),
    Hangup,
    Prepare(u8),
    PlanState(u8, bool),
    AssignAck(u8, u64),
    Run(Vec<u32>),
    StopUsers(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stream {
    Offline { since: Duration },
    Dialling,
    Greeting { since: Duration },
    Attached,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    Waiting,
    Preparing,
    Ready,
    Running,
}

/// A run as the page has it.
#[derive(Debug)]
pub struct Run {
    pub id: u8,
    pub part: u64,
    pub stage: Stage,
    pub revision: u64,
    pub slots: Vec<u32>,
    /// Its users were stopped for good.
    pub fenced: bool,
    /// Requests in the engine's windows so far, window by window, as sums.
    pub sums: Vec<u64>,
    /// Its last window is in.
    pub complete: bool,
    /// Windows that were sent, by number, as they were.
    pub sent: BTreeMap<u64, WindowReport>,
    pub applied: u64,
    /// The newest over the present stream.
    pub out: u64,
}

impl Run {
    pub fn has_users(&self) -> bool {
        self.stage == Stage::Running && !self.complete
    }

    pub fn makes_load(&self) -> bool {
        self.has_users() && !self.fenced
    }

    pub fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    pub fn told(&self) -> u64 {
        self.sent.values().next_back().map_or(0, |window| window.cumulative.started)
    }

    /// Whether everything that was measured has arrived.
    pub fn is_delivered(&self) -> bool {
        let last = self.sent.values().next_back();
        self.complete && last.is_some_and(|window| window.last && window.seq <= self.applied)
    }
}

/// What the engine is at, of a run that was given up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Busy {
    No,
    Users,
    Plan,
}

#[derive(Debug)]
pub struct Lease {
    pub over: Duration,
    pub granted: bool,
    /// Renewals without an answer, and when they were sent.
    pub asked: VecDeque<(u64, Duration)>,
    pub renewed: Duration,
}

/// The reference.
#[derive(Debug)]
pub struct Model {
    pub now: Duration,
    pub stream: Stream,
    /// Number of the newest stream.
    pub number: u64,
    pub lease: Option<Lease>,
    pub run: Option<Run>,
    pub busy: Busy,
    pub does: Vec<Does>,
}

impl Model {
    pub fn new() -> Model {
        let stream = Stream::Offline { since: Duration::ZERO };
        let (lease, run, busy) = (None, None, Busy::No);
        Model { now: Duration::ZERO, stream, number: 0, lease, run, busy, does: Vec::new() }
    }

    pub fn run_of(&mut self, id: u8) -> Option<&mut Run> {
        let attached = self.stream == Stream::Attached;
        self.run.as_mut().filter(|run| attached && run.id == id)
    }

    /// Whatever happens: at the end of the lease users stop, and the stream is given up.
    pub fn look_at_lease(&mut self) {
        if self.lease.as_ref().is_none_or(|lease| self.now < lease.over) {
            return;
        }
        self.lease = None;
        if let Some(run) = self.run.as_mut().filter(|run| run.makes_load()) {
            run.fenced = true;
            self.does.push(Does::StopUsers(0));
        }
        if self.stream == Stream::Attached {
            self.does.push(Does::Hangup);
            self.detach();
        }
    }

    /// A stream that ends takes a run with it only before its start.
    pub fn detach(&mut self) {
        if self.run.as_ref().is_none_or(|run| run.stage != Stage::Running) {
            self.give_up();
            self.lease = None;
        }
        self.stream = Stream::Offline { since: self.now };
    }

    pub fn give_up(&mut self) {
        let Some(run) = self.run.take() else { return };
        if run.makes_load() {
            self.does.push(Does::StopUsers(0));
        }
        if run.has_users() {
            self.busy = Busy::Users;
        } else if run.stage == Stage::Preparing {
            self.busy = Busy::Plan;
        }
    }

    /// The engine serves one run at a time.
    pub fn prepare_when_free(&mut self) {
        if let Some(run) = self.run.as_mut().filter(|run| run.stage == Stage::Waiting)
            && self.busy == Busy::No
        {
            run.stage = Stage::Preparing;
            self.does.push(Does::Prepare(run.id));
        }
    }

    pub fn welcome(&mut self, resumed: Option<Resumed>) {
        match resumed {
            None => self.give_up(),
            Some(resumed) => {
                let Some(run) = &mut self.run else { return };
                (run.applied, run.out) = (resumed.applied, resumed.applied);
                if resumed.lost && run.makes_load() {
                    run.fenced = true;
                    self.does.push(Does::StopUsers(0));
                }
                if run.is_delivered() {
                    self.run = None;
                }
            }
        }
        self.stream = Stream::Attached;
        let (now, asked) = (self.now, VecDeque::new());
        self.lease.get_or_insert(Lease { over: now + FIRST, granted: false, asked, renewed: now });
    }

    pub fn granted(&mut self, n: u64, ttl: Duration) {
        let Some(lease) = &mut self.lease else { return };
        let Some(&(_, sent)) = lease.asked.iter().find(|(asked, _)| *asked == n) else { return };
        let earlier = if lease.granted { lease.over } else { Duration::ZERO };
        (lease.over, lease.granted) = (earlier.max(sent + ttl), true);
        lease.asked.retain(|(asked, _)| *asked > n);
    }

    /// The stream is open.
    pub fn connected(&mut self) {
        self.stream = Stream::Greeting { since: self.now };
        let running = self.run.as_ref().filter(|run| run.stage == Stage::Running);
        let resume = running.map(|run| (run.id, run.part, !run.makes_load()));
        self.does.push(Does::Hello(resume));
    }

    /// Dialling failed, or the stream ended.
    pub fn broken(&mut self) {
        if !matches!(self.stream, Stream::Offline { .. }) {
            self.detach();
        }
    }

    /// The coordinator's answer to Hello.
    pub fn welcomed(&mut self, resumed: Option<Resumed>) {
        if matches!(self.stream, Stream::Greeting { .. }) {
            self.welcome(resumed);
        }
    }

    /// An order to read a plan.
    pub fn prepare(&mut self, run: u8) {
        let known = |old: &Run| old.id == run || old.stage == Stage::Running;
        if self.stream != Stream::Attached || self.run.as_ref().is_some_and(known) {
            return;
        }
        self.give_up();
        self.run = Some(Run {
            id: run,
            part: self.number,
            stage: Stage::Waiting,
            revision: 0,
            slots: Vec::new(),
            fenced: false,
            sums: Vec::new(),
            complete: false,
            sent: BTreeMap::new(),
            applied: 0,
            out: 0,
        });
        self.prepare_when_free();
    }

    /// The engine's answer about a plan.
    pub fn prepared(&mut self, well: bool) {
        if self.busy == Busy::Plan {
            self.busy = Busy::No;
            return self.prepare_when_free();
        }
        let Some(run) = self.run.as_mut().filter(|run| run.stage == Stage::Preparing) else {
            return;
        };
        self.does.push(Does::PlanState(run.id, well));
        run.stage = Stage::Ready;
        if !well {
            self.run = None;
        }
    }

    /// The users from now on.
    pub fn assign(&mut self, run: u8, revision: u64, slots: Vec<u32>) {
        let Some(mine) = self.run_of(run) else { return };
        let newer = revision > mine.revision;
        if newer {
            (mine.revision, mine.slots) = (revision, slots);
        }
        let (revision, runs) = (mine.revision, newer && mine.makes_load());
        let slots = mine.slots.clone();
        if runs {
            self.does.push(Does::Run(slots));
        }
        self.does.push(Does::AssignAck(run, revision));
    }

    /// The start of the run.
    pub fn start(&mut self, run: u8) {
        if let Some(mine) = self.run_of(run).filter(|run| run.stage == Stage::Ready) {
            mine.stage = Stage::Running;
            let slots = mine.slots.clone();
            self.does.push(Does::Run(slots));
        }
    }

    /// Its end.
    pub fn stop(&mut self, run: u8, timeout: u64) {
        let Some(mine) = self.run_of(run) else { return };
        if mine.makes_load() {
            self.does.push(Does::StopUsers(timeout));
        } else if mine.stage != Stage::Running {
            self.give_up();
        }
    }

    /// Windows have arrived.
    pub fn acknowledged(&mut self, seq: u64) {
        let Some(run) = self.run.as_mut().filter(|_| self.stream == Stream::Attached) else {
            return;
        };
        run.applied = run.applied.max(seq);
        if run.is_delivered() {
            self.run = None;
        }
    }

    /// The agent is not wanted.
    pub fn rejected(&mut self, code: RejectCode) {
        if matches!(self.stream, Stream::Greeting { .. } | Stream::Attached) {
            self.does.push(Does::Hangup);
            if code != RejectCode::Wait {
                self.give_up();
            }
            self.detach();
        }
    }
}
