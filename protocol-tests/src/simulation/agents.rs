//! What the agents' drivers do: they carry out what sessions decide, and tell them what happens.

use super::engine::{Engine, Said, Scene};
use super::network::{FarEnd, Fate, Item, Stream, Way};
use super::node::Process;
use super::oracle::Who;
use super::trace_text::{brief_down, brief_up};
use super::world::{Event, World};
use agent::session::{Entry, Exit, Input, Output};
use proto::message::{FromAgent, PlanRefusal, ToAgent};
use proto::raw;
use std::time::Duration;

/// How long a dial takes at most.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn boot(&mut self, node: usize) {
        if self.nodes[node].process.is_some() {
            return;
        }
        let who = self.oracle.born(node, &self.nodes[node].name);
        self.trace.line(self.now, format_args!("a{node} boots as process {}", who.0));
        let scenario = self.scenario.clone();
        self.nodes[node].boot(who, &scenario);
        self.settle(who);
    }

    /// The process, if it still is.
    pub(super) fn process(&mut self, who: Who) -> Option<&mut Process> {
        let node = self.oracle.look(who).node;
        self.nodes[node].process.as_mut().filter(|process| process.who == who)
    }

    /// What the process's clock shows.
    pub(super) fn local(&self, who: Who) -> Duration {
        self.nodes[self.oracle.look(who).node].clock.read(self.now)
    }

    pub(super) fn session_timer(&mut self, who: Who, version: u64) {
        let local = self.local(who);
        let Some(process) = self.process(who) else { return };
        if !process.session_timer.fires(version) {
            return;
        }
        process.session.handle_timeout(local);
        self.settle(who);
        let due = self.process(who).and_then(|process| process.session.poll_timeout());
        if let Some(due) = due.filter(|due| *due <= local) {
            self.oracle.complain(format!(
                "the session of process {} asks again for a timeout at {due:?}, which is over",
                who.0
            ));
        }
    }

    pub(super) fn engine_timer(&mut self, who: Who, version: u64) {
        if self.process(who).is_some_and(|process| process.engine_timer.fires(version)) {
            self.engine(who, Engine::advance);
            self.settle(who);
        }
    }

    /// Has the engine do something, and takes down what it says.
    pub(super) fn engine(&mut self, who: Who, work: impl FnOnce(&mut Engine, &mut Scene<'_>)) {
        let (local, node, now) = (self.local(who), self.oracle.look(who).node, self.now);
        let Some(process) = self.nodes[node].process.as_mut().filter(|process| process.who == who) else {
            return;
        };
        let mut scene = Scene { now, local, who, oracle: &mut self.oracle };
        work(&mut process.engine, &mut scene);
        let said = process.engine.said();
        let count = said.len();
        process.unheard.extend(said);
        for _ in 0..count {
            // Another thread hears of it a little later.
            let longest = if self.dice.permille(50) { 40 } else { 1 };
            let at = self.now + self.dice.millis(0, longest);
            self.push(at, Event::Hear { who });
        }
    }

    pub(super) fn hear(&mut self, who: Who) {
        let digests = self.scenario.digests.clone();
        let Some(said) = self.process(who).and_then(|process| process.unheard.pop_front()) else { return };
        let input = match said {
            Said::Prepared(result) => Input::Prepared(result.map(|()| digests).map_err(PlanRefusal::Unable)),
            Said::Window(window) => Input::Window(window),
            Said::ChoreDone(report) => Input::ChoreDone(report),
        };
        self.tell(who, input);
    }

    /// The session of `who` takes something in.
    pub(super) fn tell(&mut self, who: Who, input: Input) {
        let local = self.local(who);
        if let Some(process) = self.process(who) {
            process.session.handle_input(local, input);
            self.settle(who);
        }
    }

    /// Does what the session decided, and sets the process's timers.
    pub(super) fn settle(&mut self, who: Who) {
        while let Some(output) = self.process(who).and_then(|process| process.session.poll_output()) {
            self.carry_out(who, output);
        }
        let (now, node) = (self.now, self.oracle.look(who).node);
        let Some(process) = self.process(who) else { return };
        let session = process.session_timer.set(process.session.poll_timeout());
        let engine = process.engine_timer.set(process.engine.due());
        if let Some((at, version)) = session {
            let at = self.nodes[node].clock.when(now, at) + self.lateness();
            self.push(at, Event::Session { who, version });
        }
        if let Some((at, version)) = engine {
            let at = self.nodes[node].clock.when(now, at) + self.lateness();
            self.push(at, Event::Engine { who, version });
        }
    }

    fn carry_out(&mut self, who: Who, output: Output) {
        match output {
            Output::Dial => self.dial(who),
            Output::Send(message) => {
                if let FromAgent::AssignAck { clock_error: Some(error), .. } = message {
                    // The last one before it begins: until then it may lose its coordinator and measure another one.
                    let began = self.process(who).is_some_and(|process| process.engine.is_scheduled());
                    let known = &mut self.oracle.of(who).clock_error;
                    *known = known.filter(|_| began).or(Some(error));
                }
                if let Some(stream) = self.process(who).and_then(|process| process.stream) {
                    self.say_up(stream, &message);
                }
            }
            Output::Hangup => self.hang_up(who, "it closed the stream"),
            Output::Prepare { .. } => {
                self.oracle.of(who).new_part();
                self.engine(who, |engine, _| engine.prepare());
            }
            Output::Run { revision, seats, t0 } => {
                self.trace.line(self.now, format_args!("p{} runs {} users", who.0, seats.len()));
                self.engine(who, |engine, scene| engine.run(scene, revision, &seats, t0));
            }
            Output::StopUsers { timeout } => {
                self.trace.line(self.now, format_args!("p{} stops its users within {timeout:?}", who.0));
                self.engine(who, |engine, scene| engine.stop(scene, timeout));
            }
            Output::Chore(kind) => {
                self.trace.line(self.now, format_args!("p{} begins {}", who.0, kind.name()));
                self.engine(who, |engine, scene| engine.chore(scene, kind));
            }
            Output::StopChore => self.engine(who, Engine::stop_chore),
            Output::Keep(entry) => self.keep(who, entry),
            Output::SeeSetup(_) => {}
            Output::Note(text) => self.trace.line(self.now, format_args!("p{} says: {text}", who.0)),
            Output::Exit(Exit::Recovered) => {
                self.hang_up(who, "it closed the stream");
                self.next_session(who);
            }
            Output::Exit(exit) => {
                self.trace.line(self.now, format_args!("p{} exits: {exit:?}", who.0));
                self.hang_up(who, "it closed the stream");
                self.end(who);
            }
        }
    }

    /// Puts `entry` on the disk.
    fn keep(&mut self, who: Who, entry: Entry) {
        let node = self.oracle.look(who).node;
        let Some(about) = self.process(who).map(|process| process.about) else { return };
        let spools = &mut self.nodes[node].spools;
        match entry {
            Entry::Began(_) => drop(spools.insert(about, vec![entry])),
            Entry::Over => drop(spools.remove(&about)),
            _ => spools.entry(about).or_default().push(entry),
        }
    }

    /// The process has delivered what an earlier one left.
    fn next_session(&mut self, who: Who) {
        let before = self.about(who);
        self.trace.line(self.now, format_args!("p{} has nothing more of p{}", who.0, before.0));
        let node = self.oracle.look(who).node;
        let (about, session) = self.nodes[node].next_session(who);
        if let Some(process) = self.process(who) {
            (process.about, process.session) = (about, session);
            process.session_timer.at = None;
        }
    }

    /// Whose windows the process's session delivers.
    fn about(&mut self, who: Who) -> Who {
        self.process(who).map_or(who, |process| process.about)
    }

    /// The process is no more.
    pub(super) fn end(&mut self, who: Who) {
        let node = self.oracle.look(who).node;
        self.oracle.died(who);
        self.nodes[node].process = None;
    }

    fn dial(&mut self, who: Who) {
        let node = self.oracle.look(who).node;
        let Some(process) = self.process(who) else { return };
        process.dials += 1;
        let dial = process.dials;
        process.dialling = Some(dial);
        let link = self.network.links[node];
        let latency = self.network.latency(node);
        if link.blocked(Way::Up) || link.blocked(Way::Down) {
            let result = Err("no answer");
            self.push(self.now + CONNECT_TIMEOUT, Event::Dialled { who, dial, result });
            return;
        }
        if !self.coordinator.is_alive() {
            self.push(self.now + latency, Event::Dialled { who, dial, result: Err("refused") });
            return;
        }
        let stream = self.network.streams.len() as u64;
        let about = self.about(who);
        self.network.streams.push(Stream::new(who, about, node));
        self.push(self.now + latency, Event::Accept { stream });
        self.push(self.now + latency * 2, Event::Dialled { who, dial, result: Ok(stream) });
    }

    pub(super) fn dialled(&mut self, who: Who, dial: u64, result: Result<u64, &'static str>) {
        let waiting = self.process(who).is_some_and(|process| process.dialling == Some(dial));
        let accepted = result.and_then(|stream| {
            let open = &self.network.streams[stream as usize];
            if open.coordinator != FarEnd::Unaware && !open.cut { Ok(stream) } else { Err("reset") }
        });
        if !waiting {
            if let Ok(stream) = result {
                self.close_agent_end(stream, "it gave up dialling");
            }
            return;
        }
        let Some(process) = self.process(who) else { return };
        process.dialling = None;
        match accepted {
            Ok(stream) => {
                process.stream = Some(stream);
                self.trace.line(self.now, format_args!("p{} has stream {stream}", who.0));
                self.tell(who, Input::Connected);
            }
            Err(reason) => self.tell(who, Input::Disconnected { reason: reason.to_owned() }),
        }
    }

    fn hang_up(&mut self, who: Who, reason: &'static str) {
        let Some(process) = self.process(who) else { return };
        process.dialling = None;
        if let Some(stream) = process.stream.take() {
            self.close_agent_end(stream, reason);
        }
    }

    fn close_agent_end(&mut self, stream: u64, reason: &'static str) {
        let open = &mut self.network.streams[stream as usize];
        if std::mem::replace(&mut open.agent_open, false)
            && let Some(at) = self.network.send_up(self.now, stream, Item::End(reason))
        {
            self.push(at, Event::Arrive { stream, way: Way::Up });
        }
    }

    fn say_up(&mut self, stream: u64, message: &FromAgent) {
        let Stream { who, node, .. } = self.network.streams[stream as usize];
        self.trace.line(self.now, format_args!("p{} -> {}", who.0, brief_up(message)));
        match message {
            FromAgent::Renew { n, .. } => self.oracle.renewal_sent(who, stream, *n, self.now),
            FromAgent::AssignAck { revision, .. } => self.oracle.obeys(who, *revision),
            _ => {}
        }
        // As the other end reads it: times to the microsecond.
        let message = match raw::from_agent(&raw::agent_bytes(message.clone())) {
            Ok(message) => message,
            Err(why) => return self.oracle.complain(format!("process {} is not understood: {why}", who.0)),
        };
        match self.network.fate(node, Way::Up, self.now) {
            Fate::InOrder { copies } => {
                // A second Hello is against the rules.
                let copies = if matches!(&message, FromAgent::Hello(_)) { 1 } else { copies };
                for _ in 0..copies {
                    let item = Item::Message(Box::new(message.clone()));
                    if let Some(at) = self.network.send_up(self.now, stream, item) {
                        self.push(at, Event::Arrive { stream, way: Way::Up });
                    }
                }
            }
            Fate::Alone(copies) => {
                for at in copies {
                    let item = Item::Message(Box::new(message.clone()));
                    self.push(at, Event::AloneUp { stream, item });
                }
            }
        }
    }

    pub(super) fn arrived_down(&mut self, stream: u64) {
        if self.network.links[self.network.streams[stream as usize].node].blocked(Way::Down) {
            return;
        }
        if let Some(item) = self.network.streams[stream as usize].down.take(self.now) {
            self.receive_down(stream, item);
        }
    }

    pub(super) fn receive_down(&mut self, stream: u64, item: Item<ToAgent>) {
        let who = self.network.streams[stream as usize].who;
        if self.process(who).is_none_or(|process| process.stream != Some(stream)) {
            return;
        }
        match item {
            Item::Message(message) => {
                self.trace.line(self.now, format_args!("p{} <- {}", who.0, brief_down(&message)));
                self.witness(who, stream, &message);
                self.tell(who, Input::Received(*message));
            }
            Item::End(reason) => self.disconnected(stream, reason),
        }
    }

    /// The oracle sees what reaches a process.
    fn witness(&mut self, who: Who, stream: u64, message: &ToAgent) {
        match message {
            ToAgent::Welcome(_) => {
                self.oracle.attached(who, self.now);
                self.oracle.of(who).welcomed = Some(stream);
            }
            ToAgent::Lease { n, ttl, .. } => self.oracle.granted(who, stream, *n, *ttl),
            // An order that overtakes the Welcome is none.
            ToAgent::Stop { .. } if self.oracle.look(who).welcomed == Some(stream) => {
                self.oracle.of(who).stopped_at.get_or_insert(self.now);
            }
            _ => {}
        }
    }

    /// The agent's end of a stream notices that it is over.
    pub(super) fn disconnected(&mut self, stream: u64, reason: &'static str) {
        let who = self.network.streams[stream as usize].who;
        let Some(process) = self.process(who).filter(|process| process.stream == Some(stream)) else {
            return;
        };
        process.stream = None;
        self.trace.line(self.now, format_args!("p{} lost stream {stream}: {reason}", who.0));
        self.close_agent_end(stream, "it closed the stream");
        self.tell(who, Input::Disconnected { reason: reason.to_owned() });
    }
}
