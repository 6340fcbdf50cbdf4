//! The truth: what every process really did, by true time, as the demo target's `/truth` would have it.
//!
//! Only the engine models and the network tell it anything; the cores do not know that it exists.

use plan::Plan;
use plan::chore::ChoreKind;
use plan::slot::Slot;
use proto::message::Cumulative;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// An agent's process, counted over all nodes and restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who(pub(super) u32);

/// What happened in one second of a process's run, by its own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Second {
    pub(super) started: u64,
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) aborted: u64,
}

impl Second {
    pub(super) fn plus(self, other: Second) -> Second {
        Second {
            started: self.started + other.started,
            ok: self.ok + other.ok,
            failed: self.failed + other.failed,
            aborted: self.aborted + other.aborted,
        }
    }
}

/// What one process really did.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) node: usize,
    pub(super) name: String,
    pub(super) alive: bool,
    /// Until when it may make load, as it may know: each grant counts from when its renewal was sent.
    pub(super) lease_until: Duration,
    pub(super) granted: bool,
    /// When each renewal of each connection was sent.
    pub(super) renewals: BTreeMap<(u64, u64), Duration>,
    /// The newest assignment that it took.
    pub(super) revision: u64,
    /// The stream over which it was taken in last.
    pub(super) welcomed: Option<u64>,
    /// When it was told to stop its users.
    pub(super) stopped_at: Option<Duration>,
    /// How far off its idea of the coordinator's clock was at most before it began, as it said.
    pub(super) clock_error: Option<Duration>,
    /// How far its clock has jumped.
    pub(super) jumped: Duration,
    /// Users that exist, with the start of the request that each has open.
    pub(super) users: BTreeMap<Slot, Option<Duration>>,
    pub(super) seconds: Vec<Second>,
    pub(super) started: u64,
    /// Iterations that ended, and in which second.
    pub(super) done: Done,
    /// The same of each part in the run that it had before and lost.
    pub(super) earlier: Vec<(Vec<Second>, Done)>,
    pub(super) chore: Option<ChoreKind>,
}

/// Iterations of users, and the second in which each ended.
pub(super) type Done = BTreeMap<Slot, BTreeMap<u64, u32>>;

impl Truth {
    pub(super) fn second(&mut self, second: u32) -> &mut Second {
        if self.seconds.len() <= second as usize {
            self.seconds.resize(second as usize + 1, Second::default());
        }
        &mut self.seconds[second as usize]
    }

    /// It begins anew: what it did before, in a part that it has lost, is not in the windows of the next one.
    pub(super) fn new_part(&mut self) {
        self.earlier.push((std::mem::take(&mut self.seconds), std::mem::take(&mut self.done)));
    }

    pub(super) fn open(&self) -> usize {
        self.users.values().filter(|open| open.is_some()).count()
    }
}

/// What the coordinator took from one agent.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) who: Option<Who>,
    pub(super) windows: u64,
    /// The second of the first of them.
    pub(super) first: u32,
    /// Seconds that they cover: all from that one on.
    pub(super) seconds: u32,
    pub(super) sums: Cumulative,
    pub(super) last: bool,
}

/// How often what happened, over a run; so that a test can see that anything happens at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Requests started.
    pub requests: u64,
    /// Windows added.
    pub windows: u64,
    /// Those of them that a later process delivered.
    pub inherited: u64,
    /// Agents lost in a run.
    pub lost: u64,
    /// Users that moved because their agent was lost or left.
    pub moved: u64,
    /// Agents that were given users in a run that had begun without them.
    pub joined: u64,
    /// Agents that left before the end.
    pub left: u64,
    /// Runs that began.
    pub begun: u64,
    /// Runs whose accounting was exact.
    pub exact: u64,
    /// Runs of so many iterations that did all of them.
    pub completed: u64,
    /// Setups and teardowns that began.
    pub chores: u64,
    /// How often it could be said how many users there had to be.
    pub counts: u64,
    /// Coordinators that were started again.
    pub resumed: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Tally) -> Tally {
        Tally {
            requests: self.requests + other.requests,
            windows: self.windows + other.windows,
            inherited: self.inherited + other.inherited,
            lost: self.lost + other.lost,
            moved: self.moved + other.moved,
            joined: self.joined + other.joined,
            left: self.left + other.left,
            begun: self.begun + other.begun,
            exact: self.exact + other.exact,
            completed: self.completed + other.completed,
            chores: self.chores + other.chores,
            counts: self.counts + other.counts,
            resumed: self.resumed + other.resumed,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Oracle {
    pub(super) plan: Arc<Plan>,
    pub(super) processes: Vec<Truth>,
    /// T0 by true time, as the coordinator meant it.
    pub(super) t0: Option<Duration>,
    /// How long after T0 agents were told of it: the journal's disk may be slow.
    pub(super) told_late: Duration,
    /// What the coordinator took, by its number of the agent.
    pub(super) taken: BTreeMap<u32, Taken>,
    /// The iteration with which each user goes on, by the windows that were taken.
    pub(super) progress: BTreeMap<Slot, u64>,
    pub(super) chores: Vec<(ChoreKind, Who)>,
    /// Whose message the coordinator is taking in.
    pub(super) reading: Option<Who>,
    /// Whether a later process brings it.
    pub(super) heir: bool,
    /// Whose message each record of the journal is.
    pub(super) said: BTreeMap<u64, Who>,
    /// The newest window that each process was told to forget.
    pub(super) acknowledged: BTreeMap<Who, u64>,
    pub(super) tally: Tally,
    /// The first invariant that did not hold.
    pub(super) broken: Option<String>,
}

impl Oracle {
    /// The first process of each of `nodes` has its node's number.
    pub(super) fn new(plan: Arc<Plan>, nodes: usize) -> Oracle {
        let unborn = |node| Truth { node, ..Truth::default() };
        Oracle {
            plan,
            processes: (0..nodes).map(unborn).collect(),
            t0: None,
            told_late: Duration::ZERO,
            taken: BTreeMap::new(),
            progress: BTreeMap::new(),
            chores: Vec::new(),
            reading: None,
            heir: false,
            said: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            tally: Tally::default(),
            broken: None,
        }
    }

    /// A process begins.
    pub(super) fn born(&mut self, node: usize, name: &str) -> Who {
        let truth = Truth { node, name: name.to_owned(), alive: true, ..Truth::default() };
        if self.processes[node].name.is_empty() {
            self.processes[node] = truth;
            return Who(node as u32);
        }
        self.processes.push(truth);
        Who(self.processes.len() as u32 - 1)
    }

    /// A process ends, and with it everything that it did.
    pub(super) fn died(&mut self, who: Who) {
        let truth = self.of(who);
        truth.alive = false;
        truth.users.clear();
        truth.chore = None;
    }

    pub(super) fn of(&mut self, who: Who) -> &mut Truth {
        &mut self.processes[who.0 as usize]
    }

    pub(super) fn look(&self, who: Who) -> &Truth {
        &self.processes[who.0 as usize]
    }

    /// An invariant does not hold.
    pub(super) fn complain(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// A process attached: it may make load for a while before anything is granted.
    pub(super) fn attached(&mut self, who: Who, now: Duration) {
        let truth = self.of(who);
        if !truth.granted {
            truth.lease_until = now + super::invariants::FIRST_LEASE;
        }
    }

    pub(super) fn renewal_sent(&mut self, who: Who, stream: u64, n: u64, now: Duration) {
        self.of(who).renewals.insert((stream, n), now);
    }

    /// A grant reaches a process.
    pub(super) fn granted(&mut self, who: Who, stream: u64, n: u64, ttl: Duration) {
        let truth = self.of(who);
        let Some(&sent) = truth.renewals.get(&(stream, n)) else { return };
        // By a clock that is at most 0.1 % slow.
        let until = sent + ttl + ttl / 1000;
        truth.lease_until = if truth.granted { truth.lease_until.max(until) } else { until };
        truth.granted = true;
    }

    pub(super) fn request_ended(&mut self, who: Who, slot: Slot, second: u32, ok: bool) {
        let truth = self.of(who);
        truth.users.insert(slot, None);
        let second = truth.second(second);
        second.ok += u64::from(ok);
        second.failed += u64::from(!ok);
    }

    pub(super) fn iteration_ended(&mut self, who: Who, slot: Slot, iteration: u64, second: u32) {
        self.of(who).done.entry(slot).or_default().insert(iteration, second);
    }

    /// A user is gone; a request that it had open was given up.
    pub(super) fn user_left(&mut self, who: Who, slot: Slot, second: u32) {
        let truth = self.of(who);
        if truth.users.remove(&slot).flatten().is_some() {
            truth.second(second).aborted += 1;
        }
    }

    pub(super) fn chore_ended(&mut self, who: Who) {
        self.of(who).chore = None;
    }
}
