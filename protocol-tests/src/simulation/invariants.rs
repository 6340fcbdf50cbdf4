//! What must hold after every event.
//!
//! Bounds are by true time. Clocks drift by at most 0.1 %, timers fire at most a millisecond late, and what is due is
//! done at once; [`EPSILON`] excuses that. Nothing is excused for a pause: a process that wakes up looks at its lease
//! before it does anything else.

use super::oracle::{Oracle, Second, Taken, Truth, Who};
use coordinator::fleet::AgentId;
use plan::chore::ChoreKind;
use plan::slot::Slot;
use proto::message::{Cumulative, WindowReport};
use std::time::Duration;

/// How long a process may make load that has attached and not been granted anything yet.
pub(super) const FIRST_LEASE: Duration = Duration::from_millis(10_010);

/// What timers and orders within a process may take.
const EPSILON: Duration = Duration::from_millis(5);

impl Truth {
    /// Whether it may still make load.
    fn leased(&self, now: Duration) -> bool {
        self.alive && now < self.lease_until
    }
}

impl Oracle {
    /// One owner: nobody else who may still make load has a user of this slot.
    pub(super) fn user_starts(&mut self, now: Duration, who: Who, slot: Slot) {
        for (other, truth) in self.processes.iter().enumerate() {
            if other != who.0 as usize && truth.users.contains_key(&slot) && truth.leased(now) {
                let (left, text) = (truth.lease_until.saturating_sub(now), "one owner: user");
                let text = format!(
                    "{text} {} starts on process {} while process {other} has it, whose lease ends in {left:?}",
                    slot.0, who.0
                );
                return self.complain(text);
            }
            if truth.alive && truth.chore == Some(ChoreKind::Setup) {
                let text = format!("setup first: user {} starts while process {other} sets up", slot.0);
                return self.complain(text);
            }
        }
        if self.t0.is_none() {
            self.complain(format!("start: user {} of process {} starts before the run", slot.0, who.0));
        }
        if self.chores.iter().any(|(kind, _)| *kind == ChoreKind::Teardown) {
            self.complain(format!("teardown last: user {} starts after teardown began", slot.0));
        }
        self.of(who).users.insert(slot, None);
    }

    /// Nobody begins anything that the schedule does not want, or after it was told to stop.
    ///
    /// A process's idea of T0 is never early, and late by at most twice the error of its idea of the coordinator's clock (if
    /// it has none, by as much as it was told late);
    /// its clock may have jumped ahead or drifted since. So much its users may be off, and no more. With one owner for
    /// each slot it follows that no more users begin anything than U(t) wants, to within that.
    pub(super) fn iteration_begins(&mut self, now: Duration, who: Who, slot: Slot, iteration: u64) {
        let truth = self.look(who);
        if let Some(at) = truth.stopped_at.filter(|at| *at < now) {
            let text = format!(
                "stop: user {} of process {} begins iteration {iteration}, {:?} after it was told to stop",
                slot.0,
                who.0,
                now.saturating_sub(at)
            );
            return self.complain(text);
        }
        let Some(t0) = self.t0 else { return };
        let drift = EPSILON + now.saturating_sub(t0) / 400;
        let (early, late) =
            (truth.jumped + drift, truth.clock_error.map_or(self.told_late, |error| 2 * error) + drift);
        let wanted = self
            .plan
            .schedule
            .lives(slot)
            .iter()
            .any(|life| t0 + life.start <= now + early && now < t0 + life.stop + late);
        if !wanted {
            let text = format!(
                "schedule: user {} of process {} begins an iteration at {:?} after T0 (may be {early:?} early or \
                 {late:?} late)",
                slot.0,
                who.0,
                now.saturating_sub(t0)
            );
            self.complain(text);
        }
        if self.look(who).done.get(&slot).is_some_and(|done| done.contains_key(&iteration)) {
            self.complain(format!("iterations: user {} of process {} does {iteration} again", slot.0, who.0));
        }
    }

    /// Dead man: no request starts later than the last granted renewal was sent, plus its time to live.
    pub(super) fn request_starts(&mut self, now: Duration, who: Who, slot: Slot, second: u32) {
        self.tally.requests += 1;
        let truth = self.of(who);
        let over = truth.lease_until + EPSILON;
        *truth.users.entry(slot).or_default() = Some(now);
        truth.started += 1;
        truth.second(second).started += 1;
        if now > over {
            let late = now.saturating_sub(over);
            self.complain(format!(
                "dead man: user {} of process {} starts a request {late:?} after its lease was over",
                slot.0, who.0
            ));
        }
    }

    /// Setup and teardown at most once, and never beside users.
    pub(super) fn chore_begins(&mut self, now: Duration, who: Who, kind: ChoreKind) {
        let name = kind.name();
        if self.chores.iter().any(|(begun, _)| *begun == kind) {
            return self.complain(format!("once: {name} begins again, on process {}", who.0));
        }
        let busy = self.processes.iter().position(|truth| truth.leased(now) && !truth.users.is_empty());
        if let Some(busy) = busy {
            return self.complain(format!("{name} begins while process {busy} has users"));
        }
        let other = self.processes.iter().position(|truth| truth.leased(now) && truth.chore.is_some());
        if let Some(other) = other {
            return self.complain(format!("{name} begins while process {other} is at a chore"));
        }
        if kind == ChoreKind::Setup && self.t0.is_some() {
            return self.complain("setup begins after the start".to_owned());
        }
        self.chores.push((kind, who));
        self.tally.chores += 1;
        self.of(who).chore = Some(kind);
    }

    /// Windows are applied once, in order, and say what happened.
    pub(super) fn applied(&mut self, record: u64, agent: AgentId, window: &WindowReport) {
        let Some(reading) = self.said.get(&record).copied() else {
            return self.complain(format!("window {} of agent {} comes from nowhere", window.seq, agent.0));
        };
        self.tally.windows += 1;
        self.tally.inherited += u64::from(self.heir);
        let taken = self.taken.entry(agent.0).or_default();
        let who = *taken.who.get_or_insert(reading);
        let expected = taken.windows + 1;
        if window.seq != expected || who != reading || taken.last {
            return self.complain(format!(
                "exactly once: window {} of agent {} is applied where {expected} of process {} was next",
                window.seq, agent.0, who.0
            ));
        }
        taken.add(window);
        let (sums, covered) = (taken.sums, taken.first + taken.seconds);
        if window.cumulative != sums {
            return self.complain(format!(
                "window {} of agent {} says {:?}, applied are {sums:?}",
                window.seq, agent.0, window.cumulative
            ));
        }
        let said = Second {
            started: window.started,
            ok: window.ok(),
            failed: window.failed(),
            aborted: window.aborted,
        };
        let truth = self.look(who);
        let sum = |seconds: &[Second]| {
            let covered = (window.index..=window.last_second()).filter_map(|at| seconds.get(at as usize));
            covered.fold(Second::default(), |all, second| all.plus(*second))
        };
        let mut earlier = truth.earlier.iter().map(|(seconds, done)| (sum(seconds), done));
        let current = (sum(&truth.seconds), &truth.done);
        let of_earlier = if current.0 == said { None } else { earlier.find(|(sum, _)| *sum == said) };
        let (truth, done) = of_earlier.unwrap_or(current);
        let done = done.clone();
        if window.last_second() + 1 != covered || said != truth {
            return self.complain(format!(
                "truth: window {} of process {} says {said:?} of {} seconds from {} on, which was {truth:?}",
                window.seq,
                who.0,
                window.seconds(),
                window.index
            ));
        }
        for progress in &window.progress {
            let next = self.progress.insert(progress.slot, progress.iteration).unwrap_or(0);
            let done = done.get(&progress.slot);
            let told = |n: u64| {
                done.and_then(|done| done.get(&n)).is_some_and(|second| *second <= window.last_second())
            };
            if let Some(n) = (next..progress.iteration).find(|n| !told(*n)) {
                return self.complain(format!(
                    "progress: window {} of process {} lets user {} go on with {}, but {n} was not done there",
                    window.seq, who.0, progress.slot.0, progress.iteration
                ));
            }
        }
    }

    /// What is acknowledged was applied before.
    pub(super) fn acknowledged(&mut self, who: Who, seq: u64) {
        let applied = self.taken.values().filter(|taken| taken.who == Some(who)).map(|taken| taken.windows);
        let applied = applied.max().unwrap_or(0);
        if seq > applied {
            self.complain(format!(
                "window {seq} of process {} is acknowledged, applied are {applied}",
                who.0
            ));
        }
        let newest = self.acknowledged.entry(who).or_default();
        *newest = seq.max(*newest);
    }

    /// The coordinator is gone, and what it took with it.
    pub(super) fn forget_taken(&mut self) {
        self.taken.clear();
        self.progress.clear();
    }

    /// Durable: another coordinator has every window that a process was told to forget.
    pub(super) fn check_acknowledged(&mut self) {
        for (who, seq) in self.acknowledged.clone() {
            self.acknowledged(who, seq);
        }
    }

    /// Fencing: no process goes back to an older assignment.
    pub(super) fn obeys(&mut self, who: Who, revision: u64) {
        let newest = self.look(who).revision;
        if revision < newest {
            self.complain(format!("fencing: process {} takes assignment {revision} after {newest}", who.0));
        }
        self.of(who).revision = revision;
    }

    /// Whether any window of the agent was taken, and so is known whose it was.
    pub(super) fn knows(&self, agent: AgentId) -> bool {
        self.taken.get(&agent.0).is_some_and(|taken| taken.who.is_some())
    }

    /// How many requests all processes of that name started.
    pub(super) fn started_under(&self, name: &str) -> u64 {
        self.processes.iter().filter(|truth| truth.name == name).map(|truth| truth.started).sum()
    }

    /// Whether the windows of both agents were those of one process.
    pub(super) fn is_same_process(&self, one: AgentId, other: AgentId) -> bool {
        let who = |agent: AgentId| self.taken.get(&agent.0).and_then(|taken| taken.who);
        one == other || who(one).is_some_and(|one| Some(one) == who(other))
    }

    /// How many requests the process started whose windows were taken as those of `agent`; where none were, all
    /// processes of its name: it may have been any of them.
    pub(super) fn started_by(&self, agent: AgentId, name: &str) -> u64 {
        if let Some(who) = self.taken.get(&agent.0).and_then(|taken| taken.who) {
            return self.look(who).started;
        }
        let known: Vec<Who> = self.taken.values().filter_map(|taken| taken.who).collect();
        let others = (0..)
            .zip(&self.processes)
            .filter(|(who, truth)| truth.name == name && !known.contains(&Who(*who)));
        others.map(|(_, truth)| truth.started).sum()
    }
}

impl Taken {
    fn add(&mut self, window: &WindowReport) {
        if self.windows == 0 {
            self.first = window.index;
        }
        self.windows += 1;
        self.seconds += window.seconds();
        self.last = window.last;
        let Cumulative { started, ok, failed, aborted } = &mut self.sums;
        *started += window.started;
        *ok += window.ok();
        *failed += window.failed();
        *aborted += window.aborted;
    }
}

#[cfg(test)]
mod tests;
