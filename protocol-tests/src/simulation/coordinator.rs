//! The coordinator: the fleet core, the results that it feeds, and what its driver would do.
//!
//! Stands in for `coordinator/src/grpc/driver.rs` and for the observer in `coordinator/src/run.rs`.

use super::clock::Clock;
use super::disk::Disk;
use super::network::{FarEnd, Fate, Item, Way};
use super::node::Timer;
use super::oracle::Who;
use super::scenario::{Mode, Scenario};
use super::trace_text::brief_down;
use super::world::{Event, World};
use coordinator::fleet::{Fleet, Input, Outcome, Output, SessionId};
use coordinator::journal::{Decided, RecordedFleet};
use coordinator::results::Results;
use proto::message::{RejectCode, ToAgent};
use std::time::Duration;

/// Messages that wait for an agent to read them; one that lets more pile up is dropped.
const MAX_UNREAD: usize = 256;

/// Whether something happens now, or is told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    News,
    Past,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) clock: Clock,
    pub(super) paused_until: Duration,
    /// `None` once the process has ended.
    pub(super) fleet: Option<RecordedFleet>,
    /// Its journal, which outlives the process.
    pub(super) disk: Disk,
    /// Taken by whoever writes the report.
    pub(super) results: Option<Results>,
    pub(super) timer: Timer,
    /// When the start was given, by true time.
    pub(super) started_at: Option<Duration>,
    /// When the operator stopped the run, by true time.
    pub(super) stopped_at: Option<Duration>,
    /// How the run ended, and when.
    pub(super) outcome: Option<(Duration, Outcome)>,
    /// Its process is gone for good.
    pub(super) crashed: bool,
    /// When it was started again, by true time.
    pub(super) resumed_at: Option<Duration>,
}

impl Coordinator {
    pub(super) fn new(scenario: &Scenario) -> Coordinator {
        let clock = Clock::new(scenario.coordinator_drift_ppm, Duration::ZERO);
        let fleet = Fleet::new(scenario.fleet_config(), clock.read(Duration::ZERO));
        Coordinator {
            fleet: Some(RecordedFleet::new(fleet, 0)),
            disk: Disk::new(scenario),
            clock,
            paused_until: Duration::ZERO,
            results: Some(Results::new(scenario.plan.clone())),
            timer: Timer::default(),
            started_at: None,
            stopped_at: None,
            outcome: None,
            crashed: false,
            resumed_at: None,
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.fleet.is_some()
    }
}

impl World {
    pub(super) fn fleet_timer(&mut self, version: u64) {
        let local = self.coordinator.clock.read(self.now);
        if !self.coordinator.timer.fires(version) {
            return;
        }
        let Some(fleet) = &mut self.coordinator.fleet else { return };
        fleet.handle_timeout(local);
        self.settle_fleet();
        let due = self.coordinator.fleet.as_ref().and_then(RecordedFleet::poll_timeout);
        if let Some(due) = due.filter(|due| *due <= local) {
            self.oracle.complain(format!(
                "the fleet asks again for a timeout at {due:?}, which is over at {local:?}"
            ));
        }
    }

    /// The fleet takes something in.
    pub(super) fn tell_fleet(&mut self, input: Input) {
        let local = self.coordinator.clock.read(self.now);
        if let Some(fleet) = &mut self.coordinator.fleet {
            fleet.handle_input(local, input);
            if let Some(who) = self.oracle.reading {
                self.oracle.said.insert(fleet.newest(), who);
            }
            self.settle_fleet();
        }
    }

    pub(super) fn accept(&mut self, stream: u64) {
        let open = &mut self.network.streams[stream as usize];
        if self.coordinator.is_alive() && !open.cut {
            open.coordinator = FarEnd::Open;
            let peer = format!("10.0.0.{}:4000", open.node);
            self.tell_fleet(Input::Attached { session: SessionId(stream), peer });
        }
    }

    pub(super) fn arrived_up(&mut self, stream: u64) {
        if self.network.links[self.network.streams[stream as usize].node].blocked(Way::Up) {
            return;
        }
        if let Some(item) = self.network.streams[stream as usize].up.take(self.now) {
            self.receive_up(stream, item);
        }
    }

    pub(super) fn receive_up(&mut self, stream: u64, item: Item<proto::message::FromAgent>) {
        if self.network.streams[stream as usize].coordinator == FarEnd::Gone {
            return;
        }
        match item {
            Item::Message(message) => {
                let from = &self.network.streams[stream as usize];
                (self.oracle.reading, self.oracle.heir) = (Some(from.about), from.about != from.who);
                self.tell_fleet(Input::Received { session: SessionId(stream), message: *message });
                self.oracle.reading = None;
            }
            Item::End(reason) => self.detached(stream, reason),
        }
    }

    /// The coordinator's end of a stream notices that it is over.
    pub(super) fn detached(&mut self, stream: u64, reason: &str) {
        let open = &mut self.network.streams[stream as usize];
        let before = std::mem::replace(&mut open.coordinator, FarEnd::Gone);
        if matches!(before, FarEnd::Open | FarEnd::Listening) && self.coordinator.is_alive() {
            self.trace.line(self.now, format_args!("coordinator lost stream {stream}: {reason}"));
            self.tell_fleet(Input::Detached { session: SessionId(stream), reason: reason.to_owned() });
        }
    }

    /// Does what the fleet decided, and sets its timer.
    pub(super) fn settle_fleet(&mut self) {
        let local = self.coordinator.clock.read(self.now);
        while let Some(decided) = self.coordinator.fleet.as_mut().and_then(|fleet| fleet.poll_output(local)) {
            self.carry_out_fleet(decided);
        }
        self.write_journal();
        let Some(fleet) = &self.coordinator.fleet else { return };
        if let Some((at, version)) = self.coordinator.timer.set(fleet.poll_timeout()) {
            let at = self.coordinator.clock.when(self.now, at) + self.lateness();
            self.push(at, Event::Fleet { version });
        }
    }

    fn carry_out_fleet(&mut self, decided: Decided) {
        if let Some(decided) = self.observe_fleet(decided, Show::News) {
            self.obey_fleet(decided);
        }
    }

    fn obey_fleet(&mut self, output: Output) {
        let now = self.now;
        match output {
            Output::Send { session, message } => self.say_down(session.0, &message),
            Output::Close { session } => {
                self.close_coordinator_end(session.0, "the coordinator ended the stream");
            }
            Output::Finished(outcome) => {
                self.trace.line(now, format_args!("finished: {:?} {:?}", outcome.started, outcome.stopped));
                self.check_replay(&outcome);
                self.coordinator.outcome = Some((now, outcome));
                self.end_coordinator();
            }
            _ => {}
        }
    }

    /// What the driver's observer does; gives back what it does not.
    pub(super) fn observe_fleet(&mut self, decided: Decided, show: Show) -> Option<Output> {
        let now = self.now;
        let Decided { record, at, output } = decided;
        match output {
            Output::Apply { agent, window } => {
                if show == Show::News {
                    self.trace.line(now, format_args!("applied: window {} of agent {}", window.seq, agent.0));
                }
                self.oracle.applied(record, agent, &window);
                let applied = self.coordinator.results.as_mut().map(|results| results.apply(agent, &window));
                if let Some(Err(why)) = applied {
                    self.oracle.complain(format!(
                        "the results refuse window {} of agent {}: {why}",
                        window.seq, agent.0
                    ));
                }
            }
            Output::Started { after, agents } => {
                self.trace.line(now, format_args!("the run starts after {after:?}"));
                self.coordinator.started_at.get_or_insert(now);
                let t0 = self.true_time(at + after);
                if self.oracle.t0.replace(t0).is_none() {
                    self.oracle.told_late = now.saturating_sub(t0);
                    self.oracle.tally.begun += 1;
                }
                for agent in agents {
                    self.coordinator.results.iter_mut().for_each(|results| results.agent_joined(agent.id));
                }
            }
            Output::Joined { agent, at } => {
                self.trace.line(now, format_args!("agent {} joins at {at:?}", agent.id.0));
                self.oracle.tally.joined += 1;
                self.coordinator.results.iter_mut().for_each(|results| results.agent_joined(agent.id));
            }
            Output::Stopping { at } => {
                self.trace.line(now, format_args!("stopping at {at:?}"));
                self.coordinator.stopped_at.get_or_insert(now);
                self.coordinator.results.iter_mut().for_each(|results| results.interrupted(at));
            }
            Output::Gone { agent } => {
                self.trace.line(now, format_args!("no more from agent {}", agent.0));
                self.coordinator.results.iter_mut().for_each(|results| results.agent_gone(agent));
            }
            Output::ChoreBegan { kind, agent } => {
                self.trace.line(now, format_args!("{} is ordered from {agent}", kind.name()));
            }
            Output::ChoreEnded { kind } => self.trace.line(now, format_args!("{} has ended", kind.name())),
            Output::Note(text) if show == Show::News => {
                self.trace.line(now, format_args!("coordinator says: {text}"));
            }
            Output::Note(_) => {}
            other => return Some(other),
        }
        None
    }

    /// The true time at which the coordinator's clock shows `local`, which may be past.
    fn true_time(&self, local: Duration) -> Duration {
        let (clock, now) = (&self.coordinator.clock, self.now);
        let ago = clock.read(now).saturating_sub(local);
        if ago.is_zero() { clock.when(now, local) } else { now.saturating_sub(ago) }
    }

    /// The coordinator's process ends, and closes its streams.
    pub(super) fn end_coordinator(&mut self) {
        self.coordinator.fleet = None;
        for stream in 0..self.network.streams.len() as u64 {
            self.close_coordinator_end(stream, "the coordinator is gone");
            self.network.streams[stream as usize].coordinator = FarEnd::Gone;
        }
    }

    fn close_coordinator_end(&mut self, stream: u64, reason: &'static str) {
        let open = &mut self.network.streams[stream as usize];
        if !matches!(open.coordinator, FarEnd::Unaware | FarEnd::Open) {
            return;
        }
        open.coordinator = FarEnd::Listening;
        if let Some(at) = self.network.send_down(self.now, stream, Item::End(reason)) {
            self.push(at, Event::Arrive { stream, way: Way::Down });
        }
    }

    fn say_down(&mut self, stream: u64, message: &ToAgent) {
        let open = &self.network.streams[stream as usize];
        let (who, about, node): (Who, Who, usize) = (open.who, open.about, open.node);
        if open.coordinator != FarEnd::Open {
            return;
        }
        if open.down.len() > MAX_UNREAD {
            return self.detached(stream, "it let too many messages pile up unread");
        }
        self.trace.line(self.now, format_args!("coordinator -> p{}: {}", who.0, brief_down(message)));
        match message {
            ToAgent::WindowAck { seq, .. } => self.oracle.acknowledged(about, *seq),
            // A stream that is cut before its Hello is nobody's fault.
            ToAgent::Reject { code: RejectCode::Protocol, message }
                if self.scenario.mode == Mode::Stream && !message.starts_with("no Hello") =>
            {
                let text = format!("honest: process {} is turned away, who broke no rule: {message}", who.0);
                self.oracle.complain(text);
            }
            _ => {}
        }
        match self.network.fate(node, Way::Down, self.now) {
            Fate::InOrder { copies } => {
                for _ in 0..copies {
                    let item = Item::Message(Box::new(message.clone()));
                    if let Some(at) = self.network.send_down(self.now, stream, item) {
                        self.push(at, Event::Arrive { stream, way: Way::Down });
                    }
                }
            }
            Fate::Alone(copies) => {
                for at in copies {
                    let item = Item::Message(Box::new(message.clone()));
                    self.push(at, Event::AloneDown { stream, item });
                }
            }
        }
    }
}
