//! The coordinator's journal: records that become durable a while after they were written, and a coordinator that is started
//! again from those that did.
//!
//! Stands in for `coordinator/src/journal/{store,writer}.rs` and `coordinator/src/resume.rs`.

use super::coordinator::Show;
use super::dice::Dice;
use super::scenario::{Scenario, Weather};
use super::world::{Event, World};
use coordinator::fleet::{Input, Outcome, Output};
use coordinator::journal::{Batch, Decided, RecordedFleet, Replayed, record, replay};
use coordinator::results::Results;
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub(super) struct Disk {
    /// What a crash leaves.
    durable: Vec<Vec<u8>>,
    /// What is being committed: all of it becomes durable at once.
    writing: Vec<Vec<u8>>,
    /// What comes after that.
    waiting: Vec<Vec<u8>>,
    /// Commits of a process that is gone are nobody's any more.
    life: u64,
    /// The next commit fails.
    pub(super) full: bool,
    /// A commit has failed: nothing is written any more.
    failed: bool,
    /// One commit in so many thousand takes long.
    slow_permille: u64,
    dice: Dice,
}

impl Disk {
    pub(super) fn new(scenario: &Scenario) -> Disk {
        let slow_permille = if scenario.weather == Weather::Calm { 0 } else { 10 };
        Disk {
            durable: Vec::new(),
            writing: Vec::new(),
            waiting: Vec::new(),
            life: 0,
            full: false,
            failed: false,
            slow_permille,
            dice: Dice::new(scenario.seed, &[8]),
        }
    }

    fn take(&mut self, batch: Batch) {
        let written = self.durable.len() + self.writing.len() + self.waiting.len();
        assert_eq!(batch.first, written as u64 + 1, "records are numbered without holes");
        self.waiting.extend(batch.records);
    }

    /// Begins the next commit; how long it takes.
    fn begin(&mut self) -> Option<Duration> {
        if self.failed || !self.writing.is_empty() || self.waiting.is_empty() {
            return None;
        }
        self.writing = std::mem::take(&mut self.waiting);
        let slow = self.dice.permille(self.slow_permille);
        Some(if slow { self.dice.millis(50, 1500) } else { self.dice.millis(0, 12) })
    }

    /// The process ends: a commit that was going on was made or not.
    pub(super) fn crash(&mut self) {
        let writing = std::mem::take(&mut self.writing);
        if !self.failed && !self.full && self.dice.permille(500) {
            self.durable.extend(writing);
        }
        self.waiting.clear();
        self.life += 1;
        (self.full, self.failed) = (false, false);
    }
}

impl World {
    /// Has what the fleet wants to be kept written.
    pub(super) fn write_journal(&mut self) {
        let Some(fleet) = &mut self.coordinator.fleet else { return };
        while let Some(batch) = fleet.poll_records() {
            self.coordinator.disk.take(batch);
        }
        if let Some(takes) = self.coordinator.disk.begin() {
            let life = self.coordinator.disk.life;
            self.push(self.now + takes, Event::Committed { life });
        }
    }

    /// A commit has ended.
    pub(super) fn committed(&mut self, life: u64) {
        let disk = &mut self.coordinator.disk;
        let Some(fleet) = self.coordinator.fleet.as_mut().filter(|_| disk.life == life) else { return };
        if std::mem::take(&mut disk.full) {
            disk.failed = true;
            self.trace.line(self.now, format_args!("the disk is full"));
            fleet.fail(self.coordinator.clock.read(self.now), "the disk is full".to_owned());
        } else {
            let writing = std::mem::take(&mut disk.writing);
            disk.durable.extend(writing);
            fleet.kept(disk.durable.len() as u64);
        }
        self.settle_fleet();
    }

    /// Another coordinator is started on the journal.
    pub(super) fn boot_coordinator(&mut self) {
        if self.coordinator.is_alive() || self.coordinator.outcome.is_some() {
            return;
        }
        let records = self.coordinator.disk.durable.len();
        self.trace.line(self.now, format_args!("the coordinator is started again, with {records} records"));
        self.coordinator.results = Some(Results::new(self.scenario.plan.clone()));
        self.oracle.forget_taken();
        let mut decided = Vec::new();
        let replayed = self.tell_again(|output| decided.push(output));
        let mut outcome = None;
        for decided in decided {
            if let Some(Output::Finished(end)) = self.observe_fleet(decided, Show::Past) {
                outcome = Some(end);
            }
        }
        self.oracle.check_acknowledged();
        // What waits for the timer of the one before it is void.
        self.coordinator.timer.at = None;
        self.coordinator.paused_until = self.now;
        self.coordinator.resumed_at = Some(self.now);
        self.oracle.tally.resumed += 1;
        if let Some(outcome) = outcome {
            self.coordinator.outcome = Some((self.now, outcome));
            return;
        }
        self.coordinator.fleet = Some(RecordedFleet::new(replayed.fleet, replayed.records));
        self.tell_fleet(Input::Resumed { embedded: false });
    }

    /// A fleet that is told everything that is durable.
    fn tell_again(&mut self, mut heed: impl FnMut(Decided)) -> Replayed {
        let mut replayed = replay(self.scenario.fleet_config());
        for (bytes, number) in self.coordinator.disk.durable.clone().into_iter().zip(1..) {
            let told = record::decode(bytes.into()).and_then(|record| {
                if let Some(Input::Received { session, .. }) = &record.input {
                    let who = self.network.streams[session.0 as usize].about;
                    self.oracle.said.insert(number, who);
                }
                replayed.tell(record, |at, output| heed(Decided { record: number, at, output }))
            });
            if let Err(why) = told {
                self.oracle.complain(format!("record {number} cannot be told again: {why}"));
            }
        }
        replayed
    }

    /// Told again, a run ends as it did.
    pub(super) fn check_replay(&mut self, outcome: &Outcome) {
        if self.coordinator.disk.failed {
            return;
        }
        let mut ends = Vec::new();
        self.tell_again(|decided| {
            if let Output::Finished(end) = decided.output {
                ends.push(end);
            }
        });
        if ends.iter().ne([outcome]) {
            self.oracle.complain(format!("replay: the run ended as {outcome:?}; told again, as {ends:?}"));
        }
    }
}
