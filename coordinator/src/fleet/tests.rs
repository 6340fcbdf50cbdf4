mod capacity;
mod drain;
mod join;
mod loss;
mod reattach;
mod refusal;
mod start;

use super::*;
use bytes::Bytes;
use metrics::{PhaseSums, SeriesId};
use plan::schedule::Schedule;
use plan::slot::{Classes, Seat, Slot};
use proto::message::{
    Cumulative, FromAgent, HealthReport, Hello, PlanDigests, Progress, Resume, Resumed, RunId, SeriesReport,
    Welcome, WindowReport,
};
use proto::version::Versions;

pub(super) const S: Duration = Duration::from_secs(1);

/// A fleet with its own clock. Inputs give back what it said, notes left out.
pub(super) struct Harness {
    pub(super) fleet: Fleet,
    pub(super) now: Duration,
}

fn member(id: u32, name: &str) -> Member {
    Member { id: AgentId(id), name: name.to_owned() }
}

pub(super) fn id(run: &str) -> RunId {
    RunId(run.to_owned())
}

pub(super) fn digests() -> PlanDigests {
    PlanDigests { bundle_sha256: "b".repeat(64), meaning_sha256: "m".repeat(64) }
}

impl Harness {
    pub(super) fn new(expect_agents: u32, users: u32) -> Harness {
        Harness::with(expect_agents, users, |_| {})
    }

    pub(super) fn with_chores(expect_agents: u32, users: u32, chores: ChoreConfigs) -> Harness {
        Harness::with(expect_agents, users, |config| config.chores = chores)
    }

    fn with(expect_agents: u32, users: u32, change: impl FnOnce(&mut FleetConfig)) -> Harness {
        let mut config = FleetConfig {
            run: id("r"),
            build: "0.1.0".to_owned(),
            bundle: Bytes::from_static(b"plan"),
            digests: digests(),
            n_series: 2,
            users,
            classes: Classes::new(&[1]).unwrap(),
            schedule: Schedule::constant(users, None, 10 * S),
            iterations: None,
            on_agent_loss: OnAgentLoss::Rebalance,
            on_agent_join: OnAgentJoin::Refuse,
            open: false,
            stop_timeout: 30 * S,
            expect_agents,
            agents_timeout: 60 * S,
            chores: ChoreConfigs::default(),
            capacity_remedy: "add agents".to_owned(),
        };
        change(&mut config);
        Harness { fleet: Fleet::new(config, Duration::ZERO), now: Duration::ZERO }
    }

    pub(super) fn running(agents: u64, users: u32) -> Harness {
        Harness::new(agents as u32, users).run(agents, 1000)
    }

    /// Runs with `agents` that take at most `max_users` each.
    fn run(mut self, agents: u64, max_users: u32) -> Harness {
        let h = &mut self;
        for session in 1..=agents {
            h.attach_with(session, Hello { max_users, ..hello(&format!("a{session}")) });
        }
        for session in 1..=agents {
            h.ready(session);
        }
        for session in 1..=agents {
            h.says(session, FromAgent::AssignAck { run: id("r"), revision: 1, clock_error: None });
        }
        assert!(matches!(h.fleet.phase, Phase::Running { .. }));
        self
    }

    pub(super) fn input(&mut self, input: Input) -> Vec<Output> {
        self.fleet.handle_input(self.now, input);
        self.said()
    }

    pub(super) fn says(&mut self, session: u64, message: FromAgent) -> Vec<Output> {
        self.input(Input::Received { session: SessionId(session), message })
    }

    pub(super) fn attach(&mut self, session: u64, name: &str) -> Vec<Output> {
        self.attach_with(session, hello(name))
    }

    pub(super) fn attach_with(&mut self, session: u64, hello: Hello) -> Vec<Output> {
        self.input(Input::Attached { session: SessionId(session), peer: format!("10.0.0.{session}:4000") });
        self.says(session, FromAgent::Hello(hello))
    }

    pub(super) fn ready(&mut self, session: u64) -> Vec<Output> {
        self.says(session, FromAgent::PlanState { run: id("r"), state: Ok(digests()) })
    }

    pub(super) fn detach(&mut self, session: u64) -> Vec<Output> {
        self.input(Input::Detached { session: SessionId(session), reason: "reset".to_owned() })
    }

    pub(super) fn wait(&mut self, time: Duration) -> Vec<Output> {
        self.now += time;
        self.fleet.handle_timeout(self.now);
        let said = self.said();
        assert!(self.fleet.poll_timeout().is_none_or(|t| t > self.now), "a timeout in the past would spin");
        said
    }

    pub(super) fn said(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.fleet.poll_output()).filter(|o| !matches!(o, Output::Note(_))).collect()
    }
}

pub(super) fn hello(name: &str) -> Hello {
    Hello {
        protocol: Versions { min: 1, max: 1 },
        build: "0.1.0".to_owned(),
        name: name.to_owned(),
        incarnation: 1,
        cores: 2,
        max_users: 1000,
        caps: proto::message::Caps::default(),
        resume: None,
        join: None,
    }
}

/// Window `seq` of one second with `ok` requests, all of them ended, after windows of the same kind.
pub(super) fn window(seq: u64, ok: u64, last: bool) -> Box<WindowReport> {
    Box::new(WindowReport {
        run: id("r"),
        seq,
        index: seq as u32 - 1,
        earlier_users: Vec::new(),
        users: 1,
        in_flight: 0,
        started: ok,
        aborted: 0,
        arrivals: metrics::ArrivalCounts::default(),
        cumulative: Cumulative { started: seq * ok, ok: seq * ok, ..Cumulative::default() },
        series: vec![SeriesReport {
            series: SeriesId(0),
            ok,
            failed: 0,
            bytes_in: 0,
            bytes_out: 0,
            messages_sent: 0,
            messages_received: 0,
            phases: PhaseSums::default(),
            latency: Bytes::new(),
            service: Bytes::new(),
        }],
        errors: vec![metrics::ErrorCount {
            series: SeriesId(0),
            kind: metrics::ErrorKind::Status,
            message: "503".to_owned(),
            count: 0,
            first: Duration::ZERO,
            last: Duration::ZERO,
        }],
        health: HealthReport::default(),
        last,
        progress: Vec::new(),
        roll: proto::message::Roll::default(),
    })
}

pub(super) fn send(session: u64, message: ToAgent) -> Output {
    Output::Send { session: SessionId(session), message }
}

pub(super) fn ack(session: u64, seq: u64) -> Output {
    send(session, ToAgent::WindowAck { run: id("r"), seq })
}

/// The code and text with which `session` is refused and its stream closed.
pub(super) fn rejection(outputs: &[Output], session: u64) -> (RejectCode, String) {
    let mut outputs = outputs.iter();
    let refusal = outputs.find_map(|output| match output {
        Output::Send { session: s, message: ToAgent::Reject { code, message } } if s.0 == session => {
            Some((*code, message.clone()))
        }
        _ => None,
    });
    let closed = outputs.any(|output| *output == Output::Close { session: SessionId(session) });
    assert!(closed, "the stream of a refused agent is closed");
    refusal.expect("a refusal")
}

pub(super) fn outcome(outputs: &[Output]) -> &Outcome {
    match outputs.last() {
        Some(Output::Finished(outcome)) => outcome,
        _ => panic!("not finished: {outputs:?}"),
    }
}

#[test]
fn a_run_from_the_first_hello_to_the_last_window() {
    let mut h = Harness::new(2, 5);
    let welcome = |session| {
        send(
            session,
            ToAgent::Welcome(Welcome {
                protocol: 1,
                build: "0.1.0".into(),
                session,
                renew: RENEW,
                resumed: None,
            }),
        )
    };
    let prepare = |session| {
        let bundle = Bytes::from_static(b"plan");
        send(session, ToAgent::Prepare { run: id("r"), bundle, bundle_sha256: "b".repeat(64) })
    };
    let assign = |session, slots: &[u32]| {
        let seats = slots.iter().map(|&s| Seat::fresh(Slot(s))).collect();
        send(session, ToAgent::Assign { run: id("r"), revision: 1, seats })
    };
    let start = |session| send(session, ToAgent::Start { run: id("r"), after: START_AHEAD, t0: START_AHEAD });
    assert_eq!(h.attach(1, "a"), [welcome(1)]);
    assert_eq!(h.attach(2, "b"), [welcome(2), prepare(1), prepare(2)]);
    assert_eq!(h.ready(2), []);
    assert_eq!(h.ready(1), [assign(1, &[0, 2, 4]), assign(2, &[1, 3])]);
    let armed = || FromAgent::AssignAck { run: id("r"), revision: 1, clock_error: None };
    assert_eq!(h.says(1, armed()), []);
    assert_eq!(
        h.says(2, armed()),
        [
            start(1),
            start(2),
            Output::Started { after: START_AHEAD, agents: vec![member(0, "a"), member(1, "b")] }
        ]
    );

    let apply = |agent, window| Output::Apply { agent: AgentId(agent), window };
    assert_eq!(h.says(1, FromAgent::Window(window(1, 7, false))), [apply(0, window(1, 7, false)), ack(1, 1)]);
    h.now += START_AHEAD + 10 * S;
    assert_eq!(
        h.says(1, FromAgent::Window(window(2, 7, true))),
        [apply(0, window(2, 7, true)), Output::Gone { agent: AgentId(0) }, ack(1, 2)]
    );
    let end = h.says(2, FromAgent::Window(window(1, 3, true)));
    assert_eq!(end[..3], [apply(1, window(1, 3, true)), Output::Gone { agent: AgentId(1) }, ack(2, 1)]);
    let outcome = outcome(&end);
    assert_eq!(outcome.started, Ok(START_AHEAD));
    assert_eq!(outcome.stopped, None);
    let summary: Vec<_> =
        outcome.agents.iter().map(|a| (a.users, a.windows, a.cumulative.ok, a.finished)).collect();
    assert_eq!(summary, [(3, 2, 14, true), (2, 1, 3, true)]);
    assert_eq!(h.fleet.poll_timeout(), None);
}

#[test]
fn a_repeated_window_is_acknowledged_again_and_not_applied() {
    let mut h = Harness::running(1, 1);
    h.says(1, FromAgent::Window(window(1, 7, false)));
    h.says(1, FromAgent::Window(window(2, 7, false)));
    assert_eq!(h.says(1, FromAgent::Window(window(1, 7, false))), [ack(1, 2)]);
    assert_eq!(h.says(1, FromAgent::Window(window(2, 7, false))), [ack(1, 2)]);
}

#[test]
fn an_agent_that_breaks_the_protocol_is_dropped_and_the_run_goes_on() {
    let check = |break_it: &dyn Fn(&mut WindowReport), expected: &str| {
        let mut h = Harness::running(2, 2);
        let mut first = window(1, 7, false);
        first.progress = vec![Progress { slot: Slot(0), iteration: 2, gave_up: false }];
        h.says(1, FromAgent::Window(first));
        let mut wrong = window(2, 7, false);
        break_it(&mut wrong);
        let outputs = h.says(1, FromAgent::Window(wrong));
        let (code, text) = rejection(&outputs, 1);
        assert_eq!(code, RejectCode::Protocol);
        assert!(text.contains(expected), "{text}");
        assert!(!outputs.iter().any(|o| matches!(o, Output::Apply { .. })), "nothing of it is applied");
        assert!(matches!(h.fleet.phase, Phase::Running { .. }));
        assert_eq!(h.says(1, FromAgent::Window(window(2, 7, false))), [], "it is not heard any more");
        let end = h.says(2, FromAgent::Window(window(1, 1, true)));
        let lost = &outcome(&end).agents[0];
        assert!(lost.lost.as_ref().is_some_and(|lost| lost.reason.contains(expected)), "{lost:?}");
        assert_eq!((lost.windows, lost.cumulative.ok), (1, 7), "what was applied stays");
        assert!(lost.cumulative.started >= 14, "and what it said to have started is known to be missing");
    };
    check(&|w| w.errors[0].series = SeriesId(9), "counts series 9, the plan has 2");
    check(&|w| w.seq = 3, "window 3 arrived where 2 was next");
    check(&|w| (w.seq, w.cumulative.started) = (4, 28), "window 4 arrived where 2 was next");
    check(&|w| w.series[0].series = SeriesId(2), "counts series 2, the plan has 2");
    check(&|w| w.cumulative.ok += 1, "add up to");
    check(&|w| w.in_flight = 1, "14 requests started, 14 ended and 1 are open");
    let progress = |slot, iteration| Progress { slot: Slot(slot), iteration, gave_up: false };
    check(&|w| w.progress = vec![progress(1, 1)], "window 2 says what user 1 did, which is not this agent's");
    check(&|w| w.progress = vec![progress(9, 1)], "what user 9 did");
    check(
        &|w| w.progress = vec![progress(0, 2)],
        "user 0 goes on with iteration 2, which it had already with 2",
    );
}

#[test]
fn nothing_counts_after_the_last_window() {
    let mut h = Harness::running(2, 2);
    h.says(1, FromAgent::Window(window(1, 7, true)));
    assert_eq!(
        h.says(1, FromAgent::Window(window(1, 7, true))),
        [ack(1, 1)],
        "a repeated one is acknowledged"
    );
    let outputs = h.says(1, FromAgent::Window(window(2, 7, true)));
    assert!(rejection(&outputs, 1).1.contains("after the last one"));
    assert!(!outputs.iter().any(|o| matches!(o, Output::Apply { .. } | Output::Gone { .. })));
    let end = h.says(2, FromAgent::Window(window(1, 1, true)));
    assert!(outcome(&end).agents.iter().all(|agent| agent.finished && agent.lost.is_none()));
}

#[test]
fn an_agent_that_dials_again_takes_its_own_place() {
    let mut h = Harness::new(2, 2);
    h.attach(1, "a");
    let outputs = h.attach(2, "a");
    assert_eq!(outputs[0], Output::Close { session: SessionId(1) });
    assert!(matches!(&outputs[1..], [Output::Send { session: SessionId(2), message: ToAgent::Welcome(_) }]));
    assert_eq!(rejection(&h.attach_with(3, Hello { incarnation: 2, ..hello("a") }), 3).0, RejectCode::Name);
}

#[test]
fn what_ended_before_its_hello_is_said_when_too_few_agents_came() {
    let mut h = Harness::new(1, 1);
    h.input(Input::Attached { session: SessionId(1), peer: "10.0.0.9:1".into() });
    h.input(Input::Detached { session: SessionId(1), reason: "malformed message".into() });
    let end = h.wait(60 * S);
    let Err(NotStarted::Agents(reason)) = &outcome(&end).started else { panic!("{end:?}") };
    assert!(reason.ends_with("10.0.0.9:1 ended before its Hello: malformed message"), "{reason}");
}

#[test]
fn agents_that_do_not_fit_are_turned_away_with_the_remedy() {
    let check = |hello: Hello, code: RejectCode, expected: &str| {
        let mut h = Harness::new(2, 1);
        h.attach(1, "a");
        let (got, text) = rejection(&h.attach_with(2, hello), 2);
        assert_eq!(got, code);
        assert!(text.contains(expected), "{text}");
        assert_eq!(h.fleet.agents.len(), 1);
    };
    check(
        Hello { protocol: Versions { min: 2, max: 3 }, ..hello("b") },
        RejectCode::Version,
        "speaks protocol version 2 to 3, this coordinator (build 0.1.0) speaks 1; install the same version",
    );
    check(
        Hello { incarnation: 2, ..hello("a") },
        RejectCode::Name,
        "attached already, from 10.0.0.1:4000; start this one with another --name",
    );
    let mut full = Harness::new(1, 1);
    full.attach(1, "a");
    assert_eq!(rejection(&full.attach(2, "b"), 2).0, RejectCode::Full);
    let mut late = Harness::running(1, 1);
    assert_eq!(rejection(&late.attach(2, "b"), 2).0, RejectCode::Late);
}

#[test]
fn too_few_agents_end_the_muster_with_the_names_of_those_turned_away() {
    let mut h = Harness::new(3, 1);
    h.attach(1, "a");
    h.attach_with(2, Hello { protocol: Versions { min: 9, max: 9 }, ..hello("old") });
    for n in 1..60 {
        h.wait(S);
        h.says(1, FromAgent::Renew { n, users: 0 });
    }
    let end = h.wait(S);
    let Err(NotStarted::Agents(reason)) = &outcome(&end).started else { panic!("{end:?}") };
    assert!(
        reason.starts_with("1 of 3 agents attached within 60 s (--agents-timeout); turned away: agent old")
    );
}

#[test]
fn an_agent_that_goes_before_the_start_is_replaced_and_the_users_are_dealt_again() {
    let mut h = Harness::new(2, 4);
    h.attach(1, "a");
    h.attach(2, "b");
    h.ready(1);
    h.ready(2);
    h.says(1, FromAgent::AssignAck { run: id("r"), revision: 1, clock_error: None });
    assert_eq!(h.detach(2), []);
    let outputs = h.attach(3, "b");
    assert!(matches!(
        &outputs[..],
        [_, Output::Send { session: SessionId(3), message: ToAgent::Prepare { .. } }]
    ));
    let assigned = h.ready(3);
    assert_eq!(assigned.len(), 2);
    assert_eq!(
        h.says(1, FromAgent::AssignAck { run: id("r"), revision: 1, clock_error: None }),
        [],
        "that revision is over"
    );
    h.says(1, FromAgent::AssignAck { run: id("r"), revision: 2, clock_error: None });
    let started = h.says(3, FromAgent::AssignAck { run: id("r"), revision: 2, clock_error: None });
    let agents = vec![member(0, "a"), member(2, "b")];
    assert_eq!(started.last(), Some(&Output::Started { after: START_AHEAD, agents }));
}

#[test]
fn agents_that_cannot_take_the_users_end_the_muster() {
    let mut h = Harness::new(2, 11);
    h.attach_with(1, Hello { max_users: 5, ..hello("a") });
    h.attach_with(2, Hello { max_users: 5, ..hello("b") });
    h.ready(1);
    let end = h.ready(2);
    let Err(NotStarted::Agents(reason)) = &outcome(&end).started else { panic!("{end:?}") };
    assert!(
        reason
            .starts_with("the plan needs 11 users, and there is room for 10 on 2 agents; add agents, or ask"),
        "{reason}"
    );
}

#[test]
fn a_silent_agent_is_lost_once_its_lease_is_surely_over() {
    let mut h = Harness::running(2, 2);
    let mut silent_for = Duration::ZERO;
    while silent_for < 4 * S {
        assert_eq!(h.wait(S), []);
        silent_for += S;
        let lease = send(2, ToAgent::Lease { n: 1, ttl: LEASE, clock: h.now });
        assert_eq!(h.says(2, FromAgent::Renew { n: 1, users: 1 }), [lease]);
    }
    let outputs = h.wait(SILENCE.saturating_sub(4 * S));
    assert_eq!(outputs[..2], [Output::Close { session: SessionId(1) }, Output::Gone { agent: AgentId(0) }]);
    assert!(matches!(outputs[2..], [Output::Send { message: ToAgent::Assign { .. }, .. }]), "its users move");
}

#[test]
fn a_run_that_is_overdue_ends_without_those_that_owe_their_last_window() {
    let mut h = Harness::running(1, 1);
    let mut n = 0;
    let end = loop {
        n += 1;
        assert!(n < 100, "bounded by schedule, stop timeout and grace");
        h.says(1, FromAgent::Renew { n, users: 1 });
        let outputs = h.wait(S);
        if !outputs.is_empty() {
            break outputs;
        }
    };
    assert_eq!(n, 51, "10 s of schedule, 30 s of stop timeout, 10 s of grace, after the start");
    assert!(outcome(&end).agents[0].lost.as_ref().unwrap().reason.contains("did not arrive in time"));
}

#[test]
fn stop_reaches_every_agent_once_and_the_outcome_says_when() {
    let mut h = Harness::running(2, 2);
    h.now += 3 * S + START_AHEAD;
    let stop = |session| send(session, ToAgent::Stop { run: id("r"), timeout: 30 * S });
    assert_eq!(h.input(Input::Stop), [Output::Stopping { at: 3 * S }, stop(1), stop(2)]);
    assert_eq!(h.input(Input::Stop), []);
    h.says(1, FromAgent::Window(window(1, 1, true)));
    let end = h.says(2, FromAgent::Window(window(1, 1, true)));
    assert_eq!(outcome(&end).stopped, Some((3 * S, Cause::Operator)));

    let mut mustering = Harness::new(1, 1);
    assert_eq!(outcome(&mustering.input(Input::Stop)).started, Err(NotStarted::Interrupted));
}

#[test]
fn a_stream_that_is_silent_or_begins_wrongly_is_closed() {
    let mut h = Harness::new(1, 1);
    h.input(Input::Attached { session: SessionId(1), peer: "p".into() });
    assert_eq!(rejection(&h.wait(HELLO_TIMEOUT), 1).0, RejectCode::Protocol);
    h.input(Input::Attached { session: SessionId(2), peer: "p".into() });
    assert_eq!(rejection(&h.says(2, FromAgent::Renew { n: 1, users: 0 }), 2).0, RejectCode::Protocol);
}
