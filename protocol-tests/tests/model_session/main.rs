//! The session core against a reference written from docs/PROTOCOL.md: whatever the coordinator, the engine, the wire and
//! the clock do, in any order, the agent does what the page says.
//!
//! A failure shows the shortest story that proptest finds, line by line.

#![allow(unreachable_pub, reason = "modules of a test")]

mod happens;
mod reference;

use agent::session::{Input, Output, Session};
use bytes::Bytes;
use happens::Happens::{self, self as H};
use plan::slot::{Seat, Slot};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use proto::message::{FromAgent, PlanDigests, Resumed, RunId, ToAgent, Welcome, WindowReport};
use protocol_tests::peer::{empty_window, hello};
use protocol_tests::stories::stories;
use reference::{Busy, Does, FIRST, Model, Run, Stage, Stream};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// How often the lease is renewed here.
const RENEW: Duration = Duration::from_secs(1);

/// Longest pause before the next dial.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Windows that are out and not acknowledged, at most.
const OUT: usize = 8;

/// The subject beside the reference, and what was told so far.
struct Story {
    session: Session,
    model: Model,
    lines: String,
    prepares: usize,
}

fn id(run: u8) -> RunId {
    RunId(format!("r{run}"))
}

fn number(run: &RunId) -> u8 {
    run.0[1..].parse().expect("a run of ours")
}

fn slots(seats: &[Seat]) -> Vec<u32> {
    seats.iter().map(|seat| seat.slot.0).collect()
}

impl Story {
    fn new() -> Story {
        Story {
            session: Session::new(hello("a"), "coordinator"),
            model: Model::new(),
            lines: String::new(),
            prepares: 0,
        }
    }

    /// Has `input` happen to both; `reference` is what the page says about it.
    fn tell(&mut self, input: Input, reference: impl FnOnce(&mut Model)) -> Result<(), TestCaseError> {
        self.model.look_at_lease();
        reference(&mut self.model);
        self.session.handle_input(self.model.now, input);
        self.compare()
    }

    fn hear(&mut self, message: ToAgent, reference: impl FnOnce(&mut Model)) -> Result<(), TestCaseError> {
        self.tell(Input::Received(message), reference)
    }

    fn happen(&mut self, what: Happens) -> Result<(), TestCaseError> {
        let stream = self.model.stream;
        let attached = stream == Stream::Attached;
        let open = attached || matches!(stream, Stream::Greeting { .. });
        match what {
            H::Wait(ms) => self.wait(Duration::from_millis(ms)),
            H::Connected if stream == Stream::Dialling => self.tell(Input::Connected, Model::connected),
            H::Broken if open || stream == Stream::Dialling => {
                self.tell(Input::Disconnected { reason: "reset".to_owned() }, Model::broken)
            }
            H::Welcome { knows, lost, applied } if matches!(stream, Stream::Greeting { .. }) => {
                let running = self.model.run.as_ref().filter(|run| run.stage == Stage::Running);
                let resumed = running.filter(|_| knows).map(|run| {
                    let newest = run.sent.keys().next_back().copied().unwrap_or(0);
                    Resumed { applied: (run.applied + applied).min(newest), lost }
                });
                self.model.number += 1;
                let session = self.model.number;
                let build = "0".to_owned();
                let welcome = Welcome { protocol: 1, build, session, renew: RENEW, resumed };
                self.hear(ToAgent::Welcome(welcome), |model| model.welcomed(resumed))
            }
            H::Granted { which, ttl } if attached => {
                let asked = self.model.lease.as_ref().and_then(|lease| lease.asked.iter().rev().nth(which));
                let (n, ttl) = (asked.map_or(999, |(n, _)| *n), Duration::from_millis(ttl));
                let clock = Duration::from_secs(5000) + self.model.now;
                self.hear(ToAgent::Lease { n, ttl, clock }, |model| model.granted(n, ttl))
            }
            H::Prepare { run } if attached => {
                let bundle =
                    ToAgent::Prepare { run: id(run), bundle: Bytes::new(), bundle_sha256: String::new() };
                self.hear(bundle, |model| model.prepare(run))
            }
            H::Prepared { well } if self.prepares > 0 => {
                self.prepares -= 1;
                let digests = PlanDigests { bundle_sha256: String::new(), meaning_sha256: String::new() };
                let result = if well { Ok(digests) } else { Err("no".to_owned().into()) };
                self.tell(Input::Prepared(result), |model| model.prepared(well))
            }
            H::Assign { run, revision, slots } if attached => {
                let seat = |&slot: &u32| Seat { slot: Slot(slot), iteration: 0, not_before: Duration::ZERO };
                let seats = slots.iter().map(seat).collect();
                self.hear(ToAgent::Assign { run: id(run), revision, seats }, |model| {
                    model.assign(run, revision, slots);
                })
            }
            H::Start { run } if attached => {
                let (after, t0) = (Duration::from_millis(250), Duration::from_secs(5000) + self.model.now);
                self.hear(ToAgent::Start { run: id(run), after, t0 }, |model| model.start(run))
            }
            H::Stop { run, timeout } if attached => {
                let order = ToAgent::Stop { run: id(run), timeout: Duration::from_millis(timeout) };
                self.hear(order, |model| model.stop(run, timeout))
            }
            H::Window { started, last } => self.window(started, last),
            H::Acknowledged { ahead } if attached && self.model.run.is_some() => {
                let run = self.model.run.as_ref().expect("just seen");
                let seq = (run.applied + ahead).min(run.out);
                let run = id(run.id);
                self.hear(ToAgent::WindowAck { run, seq }, |model| model.acknowledged(seq))
            }
            H::Rejected { code } if open => {
                let message = "no".to_owned();
                self.hear(ToAgent::Reject { code, message }, |model| model.rejected(code))
            }
            _ => Ok(()),
        }
    }

    /// The engine closes a second.
    fn window(&mut self, started: u64, last: bool) -> Result<(), TestCaseError> {
        let abandoned = self.model.busy == Busy::Users;
        let running = self.model.run.as_ref().is_some_and(Run::has_users);
        if !abandoned && !running {
            return Ok(());
        }
        let index = self.model.run.as_ref().map_or(0, |run| run.sums.len() as u64) + 1;
        let window =
            WindowReport { started, aborted: started, ..empty_window(&RunId(String::new()), index, last) };
        self.tell(Input::Window(Box::new(window)), |model| {
            if model.busy == Busy::Users {
                if last {
                    model.busy = Busy::No;
                    model.prepare_when_free();
                }
            } else if let Some(run) = model.run.as_mut().filter(|run| run.has_users()) {
                run.sums.push(run.total() + started);
                run.complete = last;
            }
        })
    }

    /// Time passes, and the timer fires if it is due.
    fn wait(&mut self, time: Duration) -> Result<(), TestCaseError> {
        self.model.now += time;
        for _ in 0..10 {
            if self.session.poll_timeout().is_none_or(|due| due > self.model.now) {
                break;
            }
            self.model.look_at_lease();
            if let Stream::Greeting { since } = self.model.stream
                && since + FIRST <= self.model.now
            {
                self.model.does.push(Does::Hangup);
                self.model.detach();
            }
            self.session.handle_timeout(self.model.now);
            self.compare()?;
        }
        let now = self.model.now;
        prop_assert!(self.session.poll_timeout().is_none_or(|due| due > now), "{}it spins", self.lines);
        if let Stream::Offline { since } = self.model.stream {
            prop_assert!(now < since + LONGEST_PAUSE, "{}it does not dial", self.lines);
        }
        if let (Stream::Attached, Some(lease)) = (self.model.stream, &self.model.lease) {
            prop_assert!(now < lease.renewed + RENEW, "{}it does not renew its lease", self.lines);
        }
        Ok(())
    }

    /// Compares what the session does with what the page says.
    fn compare(&mut self) -> Result<(), TestCaseError> {
        let mut did = Vec::new();
        while let Some(output) = self.session.poll_output() {
            did.extend(self.seen(output)?);
        }
        let expected = std::mem::take(&mut self.model.does);
        let _ = writeln!(self.lines, "    does {did:?}");
        prop_assert_eq!(&did, &expected, "\n{}", self.lines);
        let fenced =
            self.model.run.as_ref().is_some_and(|run| run.stage == Stage::Running && !run.makes_load());
        let until = self.model.lease.as_ref().map(|lease| lease.over).filter(|_| !fenced);
        prop_assert_eq!(self.session.may_load_until(), until, "the lease\n{}", self.lines);
        if let Some(run) = self.model.run.as_ref().filter(|_| self.model.stream == Stream::Attached) {
            let out = run.out - run.applied;
            let waits = run.told() < run.total() || (run.complete && !run.sent.values().any(|w| w.last));
            prop_assert!(out as usize <= OUT, "{out} windows are out\n{}", self.lines);
            prop_assert!(!waits || out as usize == OUT, "a window waits without need\n{}", self.lines);
            let newest = run.sent.keys().next_back().copied().unwrap_or(0);
            prop_assert!(run.out == newest || out as usize == OUT, "one is not sent again\n{}", self.lines);
        }
        Ok(())
    }

    /// What others see of `output`; what has a time of the agent's own is checked right here.
    fn seen(&mut self, output: Output) -> Result<Option<Does>, TestCaseError> {
        let now = self.model.now;
        Ok(match output {
            Output::Dial => {
                let offline = matches!(self.model.stream, Stream::Offline { .. });
                prop_assert!(offline, "it dials while it is {:?}\n{}", self.model.stream, self.lines);
                self.model.stream = Stream::Dialling;
                None
            }
            Output::Send(FromAgent::Renew { n, .. }) => {
                let attached = self.model.stream == Stream::Attached;
                let Some(lease) = self.model.lease.as_mut().filter(|_| attached) else {
                    return Err(TestCaseError::fail(format!("it renews without a lease\n{}", self.lines)));
                };
                let newer = lease.asked.back().is_none_or(|(last, _)| *last < n);
                prop_assert!(newer, "renewal {n} after {:?}\n{}", lease.asked, self.lines);
                lease.asked.push_back((n, now));
                lease.renewed = now;
                None
            }
            Output::Send(FromAgent::Window(window)) => {
                self.sent(*window)?;
                None
            }
            Output::Send(FromAgent::Hello(hello)) => Some(Does::Hello(
                hello.resume.map(|resume| (number(&resume.run), resume.session, resume.stopped)),
            )),
            Output::Send(FromAgent::PlanState { run, state }) => {
                Some(Does::PlanState(number(&run), state.is_ok()))
            }
            Output::Send(FromAgent::AssignAck { run, revision, .. }) => {
                Some(Does::AssignAck(number(&run), revision))
            }
            Output::Hangup => Some(Does::Hangup),
            Output::Prepare { run, .. } => {
                self.prepares += 1;
                Some(Does::Prepare(number(&run)))
            }
            Output::Run { seats, .. } => Some(Does::Run(slots(&seats))),
            Output::StopUsers { timeout } => Some(Does::StopUsers(timeout.as_millis() as u64)),
            Output::Note(_) | Output::Keep(_) => None,
            other => return Err(TestCaseError::fail(format!("{other:?}\n{}", self.lines))),
        })
    }

    /// A window goes out: the next one, exactly as it was if it went out before, with all that was measured until then.
    fn sent(&mut self, window: WindowReport) -> Result<(), TestCaseError> {
        let attached = self.model.stream == Stream::Attached;
        let Some(run) = self.model.run.as_mut().filter(|run| attached && run.stage == Stage::Running) else {
            return Err(TestCaseError::fail(format!("a window of no run\n{}", self.lines)));
        };
        prop_assert_eq!(number(&window.run), run.id);
        prop_assert_eq!(window.seq, run.out + 1, "the next number\n{}", self.lines);
        run.out = window.seq;
        if let Some(before) = run.sent.get(&window.seq) {
            prop_assert_eq!(&window, before, "a window never changes\n{}", self.lines);
            return Ok(());
        }
        let told = run.told();
        let sum = window.cumulative.started;
        prop_assert_eq!(sum, told + window.started, "nothing is missing\n{}", self.lines);
        let known = sum == 0 || run.sums.contains(&sum);
        prop_assert!(known, "{sum} of {:?} were started\n{}", run.sums, self.lines);
        prop_assert!(!window.last || sum == run.total(), "the last one has it all\n{}", self.lines);
        run.sent.insert(window.seq, window);
        Ok(())
    }
}

/// How often what happened, over all stories: those in which nothing happens prove nothing.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, u32>);

impl Tally {
    fn add(&mut self, lines: &str) {
        let counted = ["Run(", "StopUsers(0)", "StopUsers(2000)", "Hello(Some", "Hangup", "AssignAck"];
        for what in counted {
            *self.0.entry(what).or_default() += u32::from(lines.contains(what));
        }
    }
}

#[test]
fn the_session_does_what_the_page_says() {
    let config = ProptestConfig { max_shrink_iters: 20_000, ..stories(800) };
    let (mut runner, tally) = (TestRunner::new(config), RefCell::new(Tally::default()));
    let result = runner.run(&happens::story(), |story| {
        let mut told = Story::new();
        told.wait(Duration::ZERO)?;
        for what in story {
            let _ = writeln!(told.lines, "{:>7?} {what:?}", told.model.now);
            told.happen(what)?;
        }
        tally.borrow_mut().add(&told.lines);
        Ok(())
    });
    if let Err(TestError::Fail(why, _)) = result {
        panic!("{why}");
    }
    result.expect("stories can be told");
    let Tally(counts) = tally.into_inner();
    assert!(counts.values().all(|&count| count >= 20), "{counts:?}");
}
