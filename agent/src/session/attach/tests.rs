use super::super::tests::{Harness, S, id, prepare, welcome, window};
use super::super::{Exit, Input, Output};
use proto::message::{FromAgent, Resume, Resumed, ToAgent};
use std::time::Duration;

const STOP_NOW: Output = Output::StopUsers { timeout: Duration::ZERO };

fn broken() -> Input {
    Input::Disconnected { reason: "reset".to_owned() }
}

fn ack(seq: u64) -> ToAgent {
    ToAgent::WindowAck { run: id("r"), seq }
}

/// In run `r` for two seconds: two windows are out, the first is acknowledged, and the lease lasts 4 s from now.
fn two_windows() -> Harness {
    let mut h = Harness::running();
    h.input(window(0, 10, 0, false));
    h.input(window(1, 20, 0, false));
    h.hear(ack(1));
    h.wait(S);
    h.hear(ToAgent::Lease { n: 2, ttl: 4 * S, clock: Duration::ZERO });
    h
}

/// Dials again; what its Hello resumes.
fn hello_again(h: &mut Harness) -> Option<Resume> {
    h.wait(S / 4);
    match &h.input(Input::Connected)[..] {
        [Output::Send(FromAgent::Hello(hello))] => hello.resume.clone(),
        other => panic!("expected Hello, got {other:?}"),
    }
}

/// Dials again and is welcomed as `resumed`; what it says to that, renewals left out.
fn again(h: &mut Harness, resumed: Option<Resumed>) -> Vec<Output> {
    hello_again(h);
    let said = h.hear(welcome(2, resumed));
    said.into_iter().filter(|output| !matches!(output, Output::Send(FromAgent::Renew { .. }))).collect()
}

fn numbers(outputs: &[Output]) -> Vec<u64> {
    let number = |output: &Output| match output {
        Output::Send(FromAgent::Window(window)) => window.seq,
        other => panic!("expected windows, got {other:?}"),
    };
    outputs.iter().map(number).collect()
}

#[test]
fn users_outlive_their_stream_and_windows_wait_for_the_next_one() {
    let mut h = two_windows();
    assert_eq!(h.input(broken()), [], "nobody is stopped");
    assert_eq!(h.input(window(2, 5, 0, false)), [], "there is nobody to tell");
    let resume = Resume { run: id("r"), session: 1, stopped: false };
    assert_eq!(hello_again(&mut h), Some(resume));
    let said = h.hear(welcome(2, Some(Resumed { applied: 1, lost: false })));
    assert_eq!(said[0], Output::Send(FromAgent::Renew { n: 3, users: 2 }), "first of all the lease");
    assert_eq!(numbers(&said[1..]), [2, 3]);
    assert_eq!(numbers(&h.input(window(3, 5, 0, true))), [4]);
    assert_eq!(h.hear(ack(4)), []);
    assert!(matches!(h.hear(prepare("next"))[..], [Output::Prepare { .. }]), "ready for the next run");
}

#[test]
fn a_lease_ends_when_it_ends_whether_there_is_a_stream_or_not() {
    let mut h = two_windows();
    h.input(broken());
    assert_eq!(h.wait(S), [Output::Dial]);
    assert_eq!(h.wait(3 * S), [STOP_NOW], "4 s after the renewal that was granted");
    assert_eq!(h.input(window(2, 5, 1, true)), []);
    h.input(broken());
    let resume = hello_again_later(&mut h);
    assert_eq!(resume, Some(Resume { run: id("r"), session: 1, stopped: true }));
    let said = h.hear(welcome(2, Some(Resumed { applied: 2, lost: true })));
    assert_eq!(numbers(&said[1..]), [3], "what it measured is delivered");
    assert_eq!(h.hear(ack(3)), []);
}

fn hello_again_later(h: &mut Harness) -> Option<Resume> {
    h.wait(5 * S);
    match &h.input(Input::Connected)[..] {
        [Output::Send(FromAgent::Hello(hello))] => hello.resume.clone(),
        other => panic!("expected Hello, got {other:?}"),
    }
}

#[test]
fn another_stream_makes_the_lease_none_the_longer() {
    let mut h = two_windows();
    h.input(broken());
    again(&mut h, Some(Resumed { applied: 2, lost: false }));
    h.now += Duration::from_millis(3_749);
    assert!(!h.wait(Duration::ZERO).contains(&STOP_NOW), "3.999 s after the last renewal that was granted");
    assert_eq!(h.wait(Duration::from_millis(1)), [STOP_NOW, Output::Hangup]);
}

#[test]
fn whoever_wakes_after_the_lease_stops_before_anything_else() {
    let check = |input: Input| {
        let mut h = two_windows();
        h.now += 60 * S;
        let said = h.input(input);
        assert_eq!(said.first(), Some(&STOP_NOW), "{said:?}");
    };
    check(window(2, 5, 0, false));
    check(broken());
    check(Input::Received(ToAgent::Lease { n: 2, ttl: 4 * S, clock: Duration::ZERO }));
    check(Input::Leave { reason: "SIGTERM".to_owned() });
}

#[test]
fn users_are_told_until_when_they_may_begin_anything() {
    let mut h = two_windows();
    let over = h.now + 3 * S;
    assert_eq!(h.session.may_load_until(), Some(over + S), "4 s after the renewal");
    h.input(broken());
    assert_eq!(h.session.may_load_until(), Some(over + S), "whatever happens to the stream");
    again(&mut h, Some(Resumed { applied: 1, lost: true }));
    assert_eq!(h.session.may_load_until(), None, "they are not its own any more");
    let mut h = two_windows();
    h.wait(60 * S);
    assert_eq!(h.session.may_load_until(), None);
}

#[test]
fn an_agent_that_was_given_up_stops_and_delivers() {
    let mut h = two_windows();
    h.input(broken());
    let said = again(&mut h, Some(Resumed { applied: 1, lost: true }));
    assert_eq!((&said[0], numbers(&said[1..])), (&STOP_NOW, vec![2]));
    let order = ToAgent::Assign { run: id("r"), revision: 9, seats: Vec::new() };
    let said = h.hear(order);
    assert!(matches!(said[..], [Output::Send(FromAgent::AssignAck { .. })]), "no users come of it: {said:?}");
    assert_eq!(numbers(&h.input(window(2, 0, 1, true))), [3]);
}

#[test]
fn a_coordinator_that_knows_nothing_of_the_run_ends_it() {
    let mut h = two_windows();
    h.input(broken());
    assert_eq!(again(&mut h, None), [STOP_NOW]);
    assert_eq!(h.hear(prepare("next")), [], "the engine still clears the old run away");
    assert_eq!(h.input(window(2, 1, 0, false)), [], "windows of the old run go nowhere");
    assert!(matches!(h.input(window(3, 0, 1, true))[..], [Output::Prepare { .. }]));

    let mut idle = Harness::attached();
    idle.input(broken());
    assert_eq!(hello_again(&mut idle), None, "who has no part in a run resumes none");
}

#[test]
fn a_last_acknowledgement_that_got_lost_comes_with_the_welcome() {
    let mut h = Harness::running();
    h.input(window(0, 1, 0, true));
    h.input(broken());
    assert_eq!(again(&mut h, Some(Resumed { applied: 1, lost: false })), []);
    assert!(matches!(h.hear(prepare("next"))[..], [Output::Prepare { .. }]));
}

#[test]
fn who_leaves_delivers_first_also_over_another_stream_but_not_for_ever() {
    let leave = || Input::Leave { reason: "SIGTERM".to_owned() };
    let mut h = two_windows();
    h.input(leave());
    h.input(window(2, 3, 0, true));
    h.input(broken());
    let said = again(&mut h, Some(Resumed { applied: 1, lost: false }));
    assert_eq!(said[0], Output::Send(FromAgent::Draining { reason: "SIGTERM".to_owned() }));
    assert_eq!(numbers(&said[1..]), [2, 3]);
    let said = h.hear(ack(3));
    let goodbye = Output::Send(FromAgent::Goodbye { reason: "SIGTERM".to_owned() });
    assert_eq!(said, [goodbye, Output::Hangup, Output::Exit(Exit::Left)]);

    let mut alone = two_windows();
    alone.input(broken());
    assert_eq!(alone.input(leave()), [Output::StopUsers { timeout: 30 * S }]);
    assert!(!alone.wait(39 * S).contains(&Output::Exit(Exit::Left)));
    assert_eq!(alone.wait(S), [Output::Hangup, Output::Exit(Exit::Left)]);
}

#[test]
fn the_coordinators_clock_is_measured_before_a_run_and_says_when_it_begins() {
    let ms = Duration::from_millis;
    // The coordinator's clock is 500 s ahead, and every message takes 5 ms.
    let theirs = |h: &Harness| h.now + 500 * S;
    let mut h = Harness::attached();
    for n in 1..=8 {
        h.now += ms(5);
        let clock = theirs(&h);
        h.now += ms(5);
        let said = h.hear(ToAgent::Lease { n, ttl: 4 * S, clock });
        let more = Output::Send(FromAgent::Renew { n: n + 1, users: 0 });
        assert_eq!(said, if n < 8 { vec![more] } else { vec![] });
    }
    h.hear(prepare("r"));
    h.input(Input::Prepared(Ok(super::super::tests::digests())));
    let said = h.hear(super::super::tests::assign("r", 1, &[0]));
    let armed = FromAgent::AssignAck { run: id("r"), revision: 1, clock_error: Some(ms(5)) };
    assert_eq!(said, [Output::Send(armed)]);
    let t0 = theirs(&h) + ms(250);
    h.now += ms(90);
    let said = h.hear(ToAgent::Start { run: id("r"), after: ms(250), t0 });
    let at = |output: &Output| match output {
        Output::Run { t0, .. } => *t0,
        other => panic!("expected Run, got {other:?}"),
    };
    let drift = Duration::from_micros(90);
    assert_eq!(at(&said[0]), h.now + ms(160) + ms(5) + drift, "however long the order took, and never early");
}
