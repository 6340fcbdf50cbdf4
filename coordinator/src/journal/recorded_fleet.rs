//! A fleet core of which nobody hears anything that is not kept. Pure.
//!
//! Each input is given a number and becomes a record; what the core decides about it is held back until the record is
//! durable. So whatever an agent, a person or the results hear of is in the journal, and a coordinator that is killed
//! at any moment and started again goes on from a state that nobody has seen anything beyond: a window is acknowledged
//! only when it is kept, users are given away only when that is.
//!
//! Leases alone go out at once, so that no disk stands between an agent and its right to make load. They need not be kept: a
//! coordinator that is started again takes every lease for granted just then.

use super::record::encode;
use crate::fleet::{Fleet, Input, Output, SessionId};
use proto::defect::{Defect, seeded};
use proto::message::{FromAgent, ToAgent};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Most records that wait for something to be heard of them.
const MAX_IDLE: usize = 1024;

/// See the module.
#[derive(Debug)]
pub struct RecordedFleet {
    fleet: Fleet,
    /// Records that nobody has taken to be written.
    records: Vec<Vec<u8>>,
    /// Number of the newest record.
    newest: u64,
    /// Number of the newest that is durable.
    durable: u64,
    /// What may be heard of when its record is durable.
    held: VecDeque<Decided>,
    /// Leases.
    free: VecDeque<Decided>,
    /// Nothing is kept any more.
    failed: bool,
}

/// What the core decided.
#[derive(Debug)]
pub struct Decided {
    /// Number of the record of the input that it is about.
    pub record: u64,
    /// When, on the fleet's clock.
    pub at: Duration,
    /// What.
    pub output: Output,
}

/// Records to be written, in their order.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// Number of the first one.
    pub first: u64,
    /// The records.
    pub records: Vec<Vec<u8>>,
}

impl RecordedFleet {
    /// `fleet`, of which `kept` records are durable.
    pub fn new(fleet: Fleet, kept: u64) -> RecordedFleet {
        RecordedFleet {
            fleet,
            records: Vec::new(),
            newest: kept,
            durable: kept,
            held: VecDeque::new(),
            free: VecDeque::new(),
            failed: false,
        }
    }

    /// As [`Fleet::handle_input`].
    pub fn handle_input(&mut self, now: Duration, mut input: Input) {
        if let Input::Received { message: FromAgent::Hello(hello), .. } = &mut input {
            // What lets an agent in is not the fleet's business, and is kept nowhere.
            hello.join = None;
        }
        self.record(now, Some(&input));
        self.fleet.handle_input(now, input);
        self.hold(now);
    }

    /// As [`Fleet::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Duration) {
        self.record(now, None);
        self.fleet.handle_timeout(now);
        self.hold(now);
    }

    /// Number of the newest record.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// As [`Fleet::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.fleet.poll_timeout()
    }

    /// What to do at `now`; `None` when there is nothing that may be heard of.
    pub fn poll_output(&mut self, now: Duration) -> Option<Decided> {
        let durable = self.durable;
        let free = self.free.pop_front();
        let mut decided = free.or_else(|| self.held.pop_front_if(|decided| decided.record <= durable))?;
        if let Output::Send { message: ToAgent::Start { after, t0, .. }, .. } = &mut decided.output {
            // Agents that have no idea of the clock count from when they hear it.
            *after = t0.saturating_sub(now);
        }
        Some(decided)
    }

    /// What is to be written now; `None` when nobody waits for it.
    pub fn poll_records(&mut self) -> Option<Batch> {
        let first = self.newest + 1 - self.records.len() as u64;
        let wanted = self.held.back().is_some_and(|decided| decided.record >= first);
        let records = (!self.records.is_empty() && (wanted || self.records.len() >= MAX_IDLE))
            .then(|| std::mem::take(&mut self.records))?;
        Some(Batch { first, records })
    }

    /// Every record up to number `newest` is durable.
    pub fn kept(&mut self, newest: u64) {
        self.durable = self.durable.max(newest);
        // The newest acknowledgement says what all before it do; a stream must not be flooded with them after a pause.
        let mut last: BTreeMap<SessionId, u64> = BTreeMap::new();
        let ripe = |decided: &&Decided| decided.record <= newest;
        for decided in self.held.iter().take_while(ripe) {
            if let Some(session) = acknowledges(&decided.output) {
                last.insert(session, decided.record);
            }
        }
        self.held.retain(|decided| {
            let outdated = |session| last.get(&session).is_some_and(|&record| decided.record < record);
            !acknowledges(&decided.output).is_some_and(outdated)
        });
    }

    /// Since when something waits that may not be heard of yet.
    pub fn waits_since(&self) -> Option<Duration> {
        self.held.front().map(|decided| decided.at)
    }

    /// Nothing can be kept any more: the run stops, and no window is acknowledged that is not kept.
    pub fn fail(&mut self, now: Duration, reason: String) {
        if std::mem::replace(&mut self.failed, true) {
            return;
        }
        self.records.clear();
        let durable = self.durable;
        self.held.retain(|decided| decided.record <= durable || acknowledges(&decided.output).is_none());
        let mut unkept = BTreeMap::new();
        for decided in self.held.iter().filter(|decided| decided.record > durable) {
            if let Output::Apply { agent, window } = &decided.output {
                unkept.entry(*agent).or_insert(window.seq);
            }
        }
        self.fleet.handle_input(now, Input::JournalFailed { reason, unkept });
        // Nor is anybody told so who is about to hear that it is back.
        for decided in &mut self.held {
            if let Output::Send { session, message: ToAgent::Welcome(welcome) } = &mut decided.output
                && let Some(resumed) = &mut welcome.resumed
                && let Some(kept) = self.fleet.newest_kept(*session)
            {
                resumed.applied = resumed.applied.min(kept);
            }
        }
        self.hold(now);
        self.durable = self.newest;
    }

    fn record(&mut self, now: Duration, input: Option<&Input>) {
        self.newest += 1;
        if self.failed {
            self.durable = self.newest;
        } else {
            self.records.extend(encode(now, input));
        }
    }

    fn hold(&mut self, now: Duration) {
        while let Some(output) = self.fleet.poll_output() {
            let decided = Decided { record: self.newest, at: now, output };
            match decided.output {
                Output::Send { message: ToAgent::Lease { .. }, .. } => self.free.push_back(decided),
                ref output if seeded(Defect::M2) && acknowledges(output).is_some() => {
                    self.free.push_back(decided);
                }
                ref output if self.failed && acknowledges(output).is_some() => {}
                _ => self.held.push_back(decided),
            }
        }
    }
}

/// The stream over which windows are acknowledged, if that is what it is.
fn acknowledges(output: &Output) -> Option<SessionId> {
    match output {
        Output::Send { session, message: ToAgent::WindowAck { .. } } => Some(*session),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
