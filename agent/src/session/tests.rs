use super::*;
use bytes::Bytes;
use plan::slot::{Seat, Slot};
use proto::message::{
    Cumulative, HealthReport, PlanDigests, PlanRefusal, RejectCode, Resumed, RunId, Welcome,
};
use proto::version::Versions;

const MS: Duration = Duration::from_millis(1);
pub(super) const S: Duration = Duration::from_secs(1);

/// A session with its own clock, and everything it has said since it was last asked.
pub(super) struct Harness {
    pub(super) session: Session,
    pub(super) now: Duration,
}

impl Harness {
    pub(super) fn new() -> Harness {
        let hello = Hello {
            protocol: Versions { min: 1, max: 1 },
            build: "0.1.0".to_owned(),
            name: "a".to_owned(),
            incarnation: 7,
            cores: 2,
            max_users: 100,
            caps: proto::message::Caps::default(),
            resume: None,
            join: None,
        };
        Harness { session: Session::new(hello, "host:5557"), now: Duration::ZERO }
    }

    /// Attached and idle; what was said until then is dropped.
    pub(super) fn attached() -> Harness {
        let mut h = Harness::new();
        h.session.handle_timeout(h.now);
        h.input(Input::Connected);
        h.hear(welcome(1, None));
        h
    }

    /// In the middle of run `r` with slots 0 and 4 since `now`.
    pub(super) fn running() -> Harness {
        let mut h = Harness::attached();
        h.run();
        h
    }

    /// Runs slots 0 and 4 in run `r` from now on.
    pub(super) fn run(&mut self) {
        self.hear(prepare("r"));
        self.input(Input::Prepared(Ok(digests())));
        self.hear(assign("r", 1, &[0, 4]));
        self.hear(ToAgent::Start { run: id("r"), after: Duration::ZERO, t0: Duration::ZERO });
    }

    pub(super) fn input(&mut self, input: Input) -> Vec<Output> {
        self.session.handle_input(self.now, input);
        self.said()
    }

    pub(super) fn hear(&mut self, message: ToAgent) -> Vec<Output> {
        self.input(Input::Received(message))
    }

    pub(super) fn wait(&mut self, time: Duration) -> Vec<Output> {
        self.now += time;
        self.session.handle_timeout(self.now);
        self.said()
    }

    /// Everything but notes, whose wording is for people.
    pub(super) fn said(&mut self) -> Vec<Output> {
        let outputs: Vec<Output> = std::iter::from_fn(|| self.session.poll_output()).collect();
        if let Some(timeout) = self.session.poll_timeout() {
            let settled = !outputs.is_empty()
                || timeout > self.now
                || matches!(self.session.state, State::Offline { .. });
            assert!(settled, "a timeout in the past that nothing answers would spin");
        }
        outputs.into_iter().filter(|o| !matches!(o, Output::Note(_))).collect()
    }
}

pub(super) fn welcome(session: u64, resumed: Option<Resumed>) -> ToAgent {
    ToAgent::Welcome(Welcome { protocol: 1, build: "0.1.0".to_owned(), session, renew: S, resumed })
}

pub(super) fn id(run: &str) -> RunId {
    RunId(run.to_owned())
}

pub(super) fn digests() -> PlanDigests {
    PlanDigests { bundle_sha256: "b".repeat(64), meaning_sha256: "m".repeat(64) }
}

pub(super) fn prepare(run: &str) -> ToAgent {
    ToAgent::Prepare { run: id(run), bundle: Bytes::from_static(b"plan"), bundle_sha256: "b".repeat(64) }
}

pub(super) fn assign(run: &str, revision: u64, slots: &[u32]) -> ToAgent {
    ToAgent::Assign { run: id(run), revision, seats: seats(slots) }
}

fn seats(slots: &[u32]) -> Vec<Seat> {
    slots.iter().map(|&slot| Seat::fresh(Slot(slot))).collect()
}

pub(super) fn window(index: u32, started: u64, aborted: u64, last: bool) -> Input {
    Input::Window(report(index, started, aborted, last))
}

/// A window as the engine gives it.
pub(super) fn report(index: u32, started: u64, aborted: u64, last: bool) -> Box<WindowReport> {
    Box::new(WindowReport {
        run: id(""),
        seq: 0,
        index,
        earlier_users: Vec::new(),
        users: 2,
        in_flight: 0,
        started,
        aborted,
        arrivals: metrics::ArrivalCounts::default(),
        cumulative: Cumulative::default(),
        series: Vec::new(),
        errors: Vec::new(),
        health: HealthReport::default(),
        last,
        progress: Vec::new(),
        roll: proto::message::Roll::default(),
    })
}

fn sent_window(outputs: &[Output]) -> (&RunId, u64, Cumulative) {
    match outputs {
        [Output::Send(FromAgent::Window(w))] => (&w.run, w.seq, w.cumulative),
        other => panic!("expected one window, got {other:?}"),
    }
}

#[test]
fn a_run_from_hello_to_the_last_acknowledgement() {
    let mut h = Harness::new();
    assert_eq!(h.wait(Duration::ZERO), [Output::Dial]);
    assert!(matches!(h.input(Input::Connected)[..], [Output::Send(FromAgent::Hello(_))]));
    let welcome = Welcome { protocol: 1, build: String::new(), session: 1, renew: S, resumed: None };
    assert_eq!(h.hear(ToAgent::Welcome(welcome)), [Output::Send(FromAgent::Renew { n: 1, users: 0 })]);
    let output =
        Output::Prepare { run: id("r"), bundle: Bytes::from_static(b"plan"), bundle_sha256: "b".repeat(64) };
    assert_eq!(h.hear(prepare("r")), [output]);
    let ready = FromAgent::PlanState { run: id("r"), state: Ok(digests()) };
    assert_eq!(h.input(Input::Prepared(Ok(digests()))), [Output::Send(ready)]);
    let ack = FromAgent::AssignAck { run: id("r"), revision: 1, clock_error: None };
    assert_eq!(h.hear(assign("r", 1, &[0, 4])), [Output::Send(ack)]);
    let run = Output::Run { revision: 1, seats: seats(&[0, 4]), t0: h.now + 200 * MS };
    assert_eq!(h.hear(ToAgent::Start { run: id("r"), after: 200 * MS, t0: Duration::ZERO }), [run]);

    let first = h.input(window(0, 10, 1, false));
    assert_eq!(
        sent_window(&first),
        (&id("r"), 1, Cumulative { started: 10, aborted: 1, ..Default::default() })
    );
    assert_eq!(h.hear(ToAgent::WindowAck { run: id("r"), seq: 1 }), []);
    let last = h.input(window(1, 5, 2, true));
    assert_eq!(
        sent_window(&last),
        (&id("r"), 2, Cumulative { started: 15, aborted: 3, ..Default::default() })
    );
    assert_eq!(h.hear(ToAgent::WindowAck { run: id("r"), seq: 2 }), []);
    assert!(matches!(h.hear(prepare("next"))[..], [Output::Prepare { .. }]), "ready for the next run");
}

#[test]
fn users_stop_when_the_lease_is_over_and_not_before() {
    let mut h = Harness::running();
    assert_eq!(h.wait(S), [Output::Send(FromAgent::Renew { n: 2, users: 0 })]);
    assert_eq!(h.hear(ToAgent::Lease { n: 2, ttl: 4 * S, clock: Duration::ZERO }), []);
    for _ in 0..3 {
        assert!(matches!(h.wait(S)[..], [Output::Send(FromAgent::Renew { .. })]));
    }
    assert_eq!(h.wait(S), [Output::StopUsers { timeout: Duration::ZERO }, Output::Hangup]);
}

#[test]
fn no_more_users_than_the_agent_accepts() {
    let mut h = Harness::attached();
    h.hear(prepare("r"));
    h.input(Input::Prepared(Ok(digests())));
    let slots: Vec<u32> = (0..101).collect();
    assert_eq!(h.hear(assign("r", 1, &slots)), [Output::Hangup]);
    assert_eq!(h.hear(ToAgent::Start { run: id("r"), after: Duration::ZERO, t0: Duration::ZERO }), []);
}

#[test]
fn orders_that_do_not_fit_change_nothing() {
    let mut h = Harness::running();
    let check = |h: &mut Harness, order: ToAgent| assert_eq!(h.hear(order.clone()), [], "{order:?}");
    check(&mut h, prepare("r"));
    check(&mut h, prepare("other"));
    check(&mut h, assign("other", 9, &[1]));
    check(&mut h, ToAgent::Start { run: id("r"), after: Duration::ZERO, t0: Duration::ZERO });
    check(&mut h, ToAgent::Stop { run: id("other"), timeout: S });
    check(&mut h, ToAgent::WindowAck { run: id("r"), seq: 99 });
    check(&mut h, ToAgent::Lease { n: 99, ttl: S, clock: Duration::ZERO });
    let ack = |revision| [Output::Send(FromAgent::AssignAck { run: id("r"), revision, clock_error: None })];
    assert_eq!(h.hear(assign("r", 1, &[7])), ack(1), "a repeated revision is acknowledged, not taken");
    let outputs = h.hear(assign("r", 2, &[7]));
    assert!(
        matches!(&outputs[..], [Output::Run { seats: now, .. }, _] if *now == seats(&[7])),
        "{outputs:?}"
    );
    assert_eq!(h.hear(assign("r", 1, &[0])), ack(2), "an older one neither");
}

#[test]
fn a_stop_lets_iterations_finish_and_the_last_window_follows() {
    let mut h = Harness::running();
    let stop = ToAgent::Stop { run: id("r"), timeout: 30 * S };
    assert_eq!(h.hear(stop), [Output::StopUsers { timeout: 30 * S }]);
    assert_eq!(sent_window(&h.input(window(0, 0, 0, true))).1, 1);
}

#[test]
fn a_plan_that_cannot_be_prepared_is_refused_with_the_reason() {
    let mut h = Harness::attached();
    h.hear(prepare("r"));
    let unable = || Err("no such field".to_owned().into());
    let refused = FromAgent::PlanState { run: id("r"), state: unable() };
    assert_eq!(h.input(Input::Prepared(unable())), [Output::Send(refused)]);
    assert_eq!(h.hear(ToAgent::Start { run: id("r"), after: Duration::ZERO, t0: Duration::ZERO }), []);
}

#[test]
fn a_plan_that_is_forbidden_is_refused_and_the_agent_stays_for_others() {
    let mut h = Harness::attached();
    h.hear(prepare("r"));
    let forbidden = || Err(PlanRefusal::Forbidden("not there".to_owned()));
    let refused = Output::Send(FromAgent::PlanState { run: id("r"), state: forbidden() });
    assert_eq!(h.input(Input::Prepared(forbidden())), [refused]);
    assert_eq!(h.hear(ToAgent::Start { run: id("r"), after: Duration::ZERO, t0: Duration::ZERO }), []);
    assert!(matches!(h.hear(prepare("r2"))[..], [Output::Prepare { .. }]));
}

#[test]
fn final_refusals_end_the_process_and_passing_ones_wait() {
    let check = |code, leaves: bool| {
        let mut h = Harness::attached();
        let outputs = h.hear(ToAgent::Reject { code, message: "because".to_owned() });
        let exit = Output::Exit(Exit::Rejected("because".to_owned()));
        let expected = if leaves { vec![Output::Hangup, exit] } else { vec![Output::Hangup] };
        assert_eq!(outputs, expected, "{code:?}");
        assert_eq!(h.wait(10 * S), if leaves { vec![] } else { vec![Output::Dial] }, "{code:?}");
    };
    for code in [
        RejectCode::Version,
        RejectCode::Name,
        RejectCode::Protocol,
        RejectCode::Plan,
        RejectCode::Secret,
        RejectCode::Identity,
    ] {
        check(code, true);
    }
    for code in [RejectCode::Full, RejectCode::Late, RejectCode::Over, RejectCode::Wait] {
        check(code, false);
    }
}

#[test]
fn a_welcome_to_another_protocol_ends_the_process_with_the_remedy() {
    let mut h = Harness::new();
    h.wait(Duration::ZERO);
    h.input(Input::Connected);
    let outputs = h.hear(ToAgent::Welcome(Welcome {
        protocol: 9,
        build: "9.0".to_owned(),
        session: 1,
        renew: S,
        resumed: None,
    }));
    let [Output::Hangup, Output::Exit(Exit::Rejected(text))] = &outputs[..] else { panic!("{outputs:?}") };
    assert!(text.contains("version 9") && text.contains("install the same version"), "{text}");
}

#[test]
fn leaving_finishes_what_runs_delivers_it_and_says_goodbye() {
    let leave = || Input::Leave { reason: "SIGTERM".to_owned() };
    let goodbye = Output::Send(FromAgent::Goodbye { reason: "SIGTERM".to_owned() });
    let mut h = Harness::running();
    let draining = Output::Send(FromAgent::Draining { reason: "SIGTERM".to_owned() });
    assert_eq!(h.input(leave()), [Output::StopUsers { timeout: DEFAULT_DRAIN_TIMEOUT }, draining]);
    assert_eq!(h.input(leave()), []);
    assert_eq!(sent_window(&h.input(window(0, 0, 0, true))).1, 1);
    let outputs = h.hear(ToAgent::WindowAck { run: id("r"), seq: 1 });
    assert_eq!(outputs, [goodbye, Output::Hangup, Output::Exit(Exit::Left)]);

    let mut idle = Harness::attached();
    assert_eq!(idle.input(leave()).len(), 3);
    let mut offline = Harness::new();
    assert_eq!(offline.input(leave()), [Output::Exit(Exit::Left)]);
}
