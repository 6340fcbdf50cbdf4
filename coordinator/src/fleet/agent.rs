//! One agent as the fleet sees it.

use super::capacity::Capacity;
use super::iterations::Iterations;
use super::loss::HandedOver;
use super::waiting::Placed;
use super::{AgentId, AgentOutcome, Left, Lost, Member, SessionId};
use plan::slot::Slot;
use proto::defect::{Defect, seeded};
use proto::message::{Cumulative, Hello, WindowReport};
use std::collections::BTreeMap;
use std::time::Duration;

/// An agent from Hello to the end of the run.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: AgentId,
    /// The stream over which it came; names its part in the run.
    pub(super) part: SessionId,
    /// Its newest stream.
    pub(super) session: SessionId,
    pub(super) hello: Hello,
    pub(super) peer: String,
    /// When it was taken in.
    pub(super) attached: Duration,
    /// When it last said anything.
    pub(super) heard: Duration,
    /// When its lease was last renewed.
    pub(super) leased: Duration,
    /// How far off its idea of the coordinator's clock may be, and when it said so; `None` if it has none.
    pub(super) clock_error: Option<(Duration, Duration)>,
    pub(super) stage: Stage,
    /// Whether its newest stream has ended.
    pub(super) gone: bool,
    /// Why, for a person, and when its newest stream ended, if it did.
    pub(super) broken: Option<(String, Duration)>,
    /// What may come from it once it is lost.
    pub(super) delivery: Delivery,
    /// Whether its last window is applied.
    pub(super) delivered: bool,
    /// Its users, rising; empty before the first assignment.
    pub(super) slots: Vec<Slot>,
    /// Users that it is to have no more and may still have, each with the assignment that was the first without it.
    /// Nobody else gets them before a window says that they are gone, or its lease is surely over.
    pub(super) leaving: BTreeMap<Slot, u64>,
    /// The most users that it had to do with at once.
    pub(super) most_users: u32,
    /// Since T0: when it was given its first users, if the run had begun without it.
    pub(super) joined: Option<Duration>,
    /// Whether it came when the run had begun.
    pub(super) late: bool,
    /// Whether it is about to leave, and since when.
    pub(super) left: Option<Left>,
    /// What became of the users that it does not have any more because it left or was lost.
    pub(super) handed_over: Option<HandedOver>,
    /// Highest window applied; windows count up from 1.
    pub(super) applied: u64,
    /// The newest of them that is kept, once later ones cannot be: of those the agent is not told that they have arrived.
    pub(super) kept: Option<u64>,
    /// Which second since T0 the newest window is of.
    pub(super) newest: Option<u32>,
    /// Its own totals as of that window.
    pub(super) cumulative: Cumulative,
    /// The most requests that it said to have started, in windows that were not applied.
    pub(super) claimed: u64,
    /// Requests open at the end of that window.
    pub(super) in_flight: u64,
    pub(super) orphans: Orphans,
    /// Whether it can take more users, as far as its own figures go.
    pub(super) capacity: Capacity,
}

/// Whether an agent that is lost may come back to deliver what it measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It may not, or it is not lost.
    Closed,
    /// It may, as long as the run lasts.
    Open {
        /// Until when the end of the run waits for that; `None` if it does not.
        awaited: Option<Duration>,
    },
}

impl Delivery {
    /// Until when the end of the run waits for it.
    pub(super) fn awaited(self) -> Option<Duration> {
        match self {
            Delivery::Closed => None,
            Delivery::Open { awaited } => awaited,
        }
    }
}

/// Who has an agent's users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orphans {
    /// The agent, or nobody until the end of the run.
    None,
    /// Nobody: others may have them from this time on.
    FreeAt(Duration),
    /// Others, as far as possible.
    Gone,
}

/// How far an agent has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// Greeted; the plan is sent when the fleet is complete.
    Waiting,
    /// Has been sent the plan.
    Preparing,
    /// Understands the plan as the coordinator does.
    Ready,
    /// Has been sent its users.
    Assigned,
    /// Has taken them.
    Armed,
    /// Was told when to start.
    Running,
    /// Its last window is applied.
    Finished,
    /// Nothing more is expected from it.
    Lost(Lost),
}

impl Agent {
    pub(super) fn member(&self) -> Member {
        Member { id: self.id, name: self.hello.name.clone() }
    }

    pub(super) fn new(id: AgentId, session: SessionId, hello: Hello, peer: String, now: Duration) -> Agent {
        Agent {
            id,
            part: session,
            session,
            hello,
            peer,
            attached: now,
            heard: now,
            leased: now,
            clock_error: None,
            stage: Stage::Waiting,
            gone: false,
            broken: None,
            delivery: Delivery::Closed,
            delivered: false,
            slots: Vec::new(),
            leaving: BTreeMap::new(),
            most_users: 0,
            joined: None,
            late: false,
            left: None,
            handed_over: None,
            applied: 0,
            kept: None,
            newest: None,
            cumulative: Cumulative::default(),
            claimed: 0,
            in_flight: 0,
            orphans: Orphans::None,
            capacity: Capacity::default(),
        }
    }

    /// Whether `session` is its newest stream.
    pub(super) fn is_on(&self, session: SessionId) -> bool {
        self.session == session || (seeded(Defect::M8) && self.part == session)
    }

    /// Whether something is still to come from it. While it has a part in a run, its stream may be broken.
    pub(super) fn is_live(&self) -> bool {
        match self.stage {
            Stage::Finished | Stage::Lost(_) => false,
            Stage::Running => true,
            Stage::Waiting | Stage::Preparing | Stage::Ready | Stage::Assigned | Stage::Armed => !self.gone,
        }
    }

    /// Whether it has been told when to start: it may have users, and counts in the report.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Finished | Stage::Lost(_))
    }

    /// The users that it has, or may still have; rising.
    pub(super) fn all_slots(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.slots.iter().chain(self.leaving.keys()).copied().collect();
        slots.sort_unstable();
        slots
    }

    /// Takes note of what became of some of its users.
    pub(super) fn gave(&mut self, at: Duration, placed: Placed) {
        let all = self.handed_over.get_or_insert(HandedOver { at, ..HandedOver::default() });
        all.moved += placed.moved;
        all.stranded += placed.stranded + placed.waiting;
        all.waited += placed.waiting;
    }

    /// When it last showed that it is there: while its users may run, by renewing its lease.
    pub(super) fn silent_since(&self) -> Duration {
        if self.stage == Stage::Running { self.leased } else { self.heard }
    }

    /// Whether it is lost, and may still deliver what it measured.
    pub(super) fn may_deliver(&self) -> bool {
        !self.delivered && matches!(self.delivery, Delivery::Open { .. })
    }

    /// What it did, for the report.
    pub(super) fn outcome(&self) -> AgentOutcome {
        AgentOutcome {
            id: self.id,
            name: self.hello.name.clone(),
            build: self.hello.build.clone(),
            cores: self.hello.cores,
            attached: self.attached,
            users: self.most_users,
            joined: self.joined,
            windows: self.applied,
            cumulative: Cumulative { started: self.cumulative.started.max(self.claimed), ..self.cumulative },
            in_flight: self.in_flight,
            finished: self.delivered,
            lost: match &self.stage {
                // One that left while it could not be heard, and delivered all that it did, was not lost.
                Stage::Lost(lost) if self.left.is_none() || !self.delivered => Some(lost.clone()),
                _ => None,
            },
            left: self.left.clone(),
            handed_over: self.handed_over,
        }
    }

    /// Whether `window` is the one to apply next, was applied already, or cannot be right.
    pub(super) fn judge(
        &self,
        window: &WindowReport,
        n_series: u32,
        iterations: &Iterations,
        newest: u64,
    ) -> Result<Sequence, String> {
        if window.seq <= self.applied && !seeded(Defect::M14) {
            return Ok(if seeded(Defect::M1) { Sequence::Next } else { Sequence::Repeated });
        }
        if window.seq != self.applied + 1 {
            return Err(format!("window {} arrived where {} was next", window.seq, self.applied + 1));
        }
        if self.delivered {
            return Err(format!("window {} arrived after the last one", window.seq));
        }
        let named = window.series.iter().map(|s| s.series.0).chain(window.errors.iter().map(|e| e.series.0));
        if let Some(series) = named.into_iter().find(|&s| s >= n_series) {
            return Err(format!("window {} counts series {series}, the plan has {n_series}", window.seq));
        }
        let before = self.cumulative;
        let expected = Cumulative {
            started: before.started + window.started,
            ok: before.ok + window.ok(),
            failed: before.failed + window.failed(),
            aborted: before.aborted + window.aborted,
        };
        if window.cumulative != expected {
            return Err(format!(
                "window {} says {:?} in total, its windows add up to {expected:?}",
                window.seq, window.cumulative
            ));
        }
        let ended = expected.ok + expected.failed + expected.aborted;
        if expected.started != ended + window.in_flight {
            return Err(format!(
                "window {} says {} requests started, {ended} ended and {} are open",
                window.seq, expected.started, window.in_flight
            ));
        }
        if window.last && window.in_flight > 0 {
            return Err(format!("the last window says that {} requests are open", window.in_flight));
        }
        if self.has_lost_its_users() {
            // What they did is in the statistics, but where they go on is not for this agent to say.
            return Ok(Sequence::Next);
        }
        for progress in &window.progress {
            if !self.may_have(progress.slot) {
                let (seq, slot) = (window.seq, progress.slot.0);
                return Err(format!("window {seq} says what user {slot} did, which is not this agent's"));
            }
            iterations.judge(progress).map_err(|problem| format!("window {} says {problem}", window.seq))?;
        }
        if window.roll.revision > newest {
            let (seq, revision) = (window.seq, window.roll.revision);
            return Err(format!("window {seq} follows assignment {revision}, the newest is {newest}"));
        }
        if let Some(slot) = window.roll.leaving.iter().find(|&&slot| !self.may_have(slot)) {
            let (seq, slot) = (window.seq, slot.0);
            return Err(format!("window {seq} says that user {slot} is leaving, which is not this agent's"));
        }
        Ok(Sequence::Next)
    }

    fn may_have(&self, slot: Slot) -> bool {
        self.slots.binary_search(&slot).is_ok() || self.leaving.contains_key(&slot)
    }

    /// Takes note of a window that is applied.
    pub(super) fn apply(&mut self, window: &WindowReport) {
        self.applied = window.seq;
        self.newest = Some(window.last_second());
        self.cumulative = window.cumulative;
        self.in_flight = window.in_flight;
        self.delivered = window.last;
        if window.last && self.is_live() {
            self.stage = Stage::Finished;
        }
    }

    /// Whether its users were given to others, or given up.
    pub(super) fn has_lost_its_users(&self) -> bool {
        self.orphans == Orphans::Gone
    }
}

/// Where a window stands in its agent's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// To be applied and acknowledged.
    Next,
    /// To be acknowledged again.
    Repeated,
}
