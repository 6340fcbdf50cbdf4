//! What is kept, in which order, and what another process makes of it.

use super::super::tests::{Harness, S, id, report, welcome, window};
use super::super::{Exit, FromAgent, Hello, Input, Output, Session};
use super::*;
use proto::message::{RejectCode, Resume, Resumed, ToAgent};
use std::time::Duration;

/// A session that keeps, in the middle of run `r`.
fn keeping() -> Harness {
    let mut h = Harness::new();
    h.session = h.session.keeping();
    h.wait(Duration::ZERO);
    h.input(Input::Connected);
    h.hear(welcome(1, None));
    h.run();
    h
}

fn entries(outputs: Vec<Output>) -> Vec<Entry> {
    outputs.into_iter().filter_map(|o| if let Output::Keep(entry) = o { Some(entry) } else { None }).collect()
}

fn part() -> Part {
    Part { run: id("r"), session: 1, warmup: 0 }
}

fn ack(seq: u64) -> ToAgent {
    ToAgent::WindowAck { run: id("r"), seq }
}

/// A window of 10 requests that were given up, as it is kept.
fn closed(index: u32) -> Entry {
    let mut window = report(index, 10, 10, false);
    window.run = id("r");
    window.cumulative.started = 10 * u64::from(index + 1);
    window.cumulative.aborted = window.cumulative.started;
    Entry::Closed(window)
}

/// What is left by these entries.
fn left(entries: Vec<Entry>) -> Recovered {
    let mut recovered = Recovered::new(part());
    for entry in entries {
        assert!(recovered.take(entry.clone()), "{entry:?}");
    }
    recovered
}

/// A process that was started again, attached, to whom the coordinator says `resumed`; and what it says then.
fn again(entries: Vec<Entry>, resumed: Option<Resumed>) -> (Harness, Vec<Output>) {
    let mut h = Harness::new();
    let hello = Hello { name: "dead".to_owned(), incarnation: 8, ..h.session.hello.clone() };
    h.session = Session::recovering(hello, "host:5557", left(entries));
    assert_eq!(h.wait(Duration::ZERO), [Output::Dial]);
    let outputs = h.input(Input::Connected);
    let [Output::Send(FromAgent::Hello(hello))] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(hello.resume, Some(Resume { run: id("r"), session: 1, stopped: true }));
    assert_eq!((hello.name.as_str(), hello.incarnation), ("dead", 8));
    let outputs = h.hear(welcome(2, resumed));
    (h, outputs)
}

fn sent(outputs: &[Output]) -> Vec<(u64, u64)> {
    let windows = outputs.iter().filter_map(|o| match o {
        Output::Send(FromAgent::Window(w)) => Some((w.seq, w.cumulative.started)),
        _ => None,
    });
    windows.collect()
}

#[test]
fn what_changes_is_kept_before_it_is_sent() {
    let mut h = keeping();
    let outputs = h.input(window(0, 10, 10, false));
    assert!(
        matches!(
            &outputs[..],
            [
                Output::Keep(Entry::Closed(_)),
                Output::Keep(Entry::Numbered(1)),
                Output::Send(FromAgent::Window(_))
            ]
        ),
        "{outputs:?}"
    );
    assert_eq!(entries(outputs)[0], closed(0));
    assert_eq!(h.hear(ack(1)), [Output::Keep(Entry::Acknowledged(1))]);
    assert_eq!(h.hear(ack(1)), [], "once");
    h.input(Input::Disconnected { reason: "it broke".to_owned() });
    assert_eq!(
        h.input(window(1, 10, 10, false)),
        [Output::Keep(closed(1))],
        "what cannot be sent yet is kept, too"
    );
    h.input(window(2, 0, 0, true));
    h.wait(3 * S);
    h.input(Input::Connected);
    let outputs = h.hear(welcome(2, Some(Resumed { applied: 1, lost: false })));
    assert_eq!(sent(&outputs).len(), 2);
    assert_eq!(entries(h.hear(ack(3))), [Entry::Acknowledged(3), Entry::Over]);
}

#[test]
fn another_process_delivers_what_is_left_under_the_numbers_that_it_has() {
    let kept =
        vec![closed(0), Entry::Numbered(1), closed(1), Entry::Numbered(2), Entry::Acknowledged(1), closed(2)];
    assert_eq!(left(kept.clone()).left().0, 2);
    let (mut h, outputs) = again(kept.clone(), Some(Resumed { applied: 1, lost: true }));
    assert_eq!(sent(&outputs), [(2, 20), (3, 30)]);
    let outputs = h.hear(ack(3));
    let expected = [
        Output::Keep(Entry::Acknowledged(3)),
        Output::Keep(Entry::Over),
        Output::Send(FromAgent::Goodbye {
            reason: "it has delivered what an earlier process measured".to_owned(),
        }),
        Output::Hangup,
        Output::Exit(Exit::Recovered),
    ];
    assert_eq!(outputs, expected);
    // The acknowledgement of the second was on its way when the first process died.
    let (_, outputs) = again(kept, Some(Resumed { applied: 2, lost: true }));
    assert_eq!(sent(&outputs), [(3, 30)]);
}

#[test]
fn who_is_asked_to_leave_while_it_delivers_leaves_then() {
    let (mut h, outputs) = again(vec![closed(0)], Some(Resumed { applied: 0, lost: true }));
    assert_eq!(sent(&outputs), [(1, 10)]);
    assert_eq!(h.input(Input::Leave { reason: "it was asked to".to_owned() }), [], "not before it has");
    assert_eq!(h.hear(ack(1)).last(), Some(&Output::Exit(Exit::Left)));
}

#[test]
fn a_coordinator_that_has_everything_is_told_that_nothing_more_comes() {
    let (_, outputs) = again(vec![closed(0), Entry::Numbered(1)], Some(Resumed { applied: 1, lost: true }));
    let told = outputs.iter().any(|o| matches!(o, Output::Send(FromAgent::Goodbye { .. })));
    assert!(told && outputs.last() == Some(&Output::Exit(Exit::Recovered)), "{outputs:?}");
}

#[test]
fn nothing_counts_twice_where_the_end_of_what_was_kept_is_missing() {
    let (_, outputs) =
        again(vec![closed(0), Entry::Numbered(1), closed(1)], Some(Resumed { applied: 2, lost: true }));
    assert_eq!(sent(&outputs), [], "the second may be what the coordinator has as window 2");
    assert!(outputs.contains(&Output::Exit(Exit::Recovered)), "{outputs:?}");
}

#[test]
fn what_the_coordinator_does_not_want_is_given_up_and_what_it_may_want_stays() {
    let kept = || vec![closed(0)];
    let (_, outputs) = again(kept(), None);
    assert!(outputs.contains(&Output::Keep(Entry::Over)) && outputs.contains(&Output::Exit(Exit::Recovered)));
    let check = |code, over: bool, exit: Option<Exit>| {
        let mut h = Harness::new();
        h.session = Session::recovering(h.session.hello.clone(), "host:5557", left(kept()));
        h.wait(Duration::ZERO);
        h.input(Input::Connected);
        let outputs = h.hear(ToAgent::Reject { code, message: "because".to_owned() });
        assert_eq!(outputs.contains(&Output::Keep(Entry::Over)), over, "{code:?}: {outputs:?}");
        let told =
            outputs.into_iter().find_map(|o| if let Output::Exit(exit) = o { Some(exit) } else { None });
        assert_eq!(told, exit, "{code:?}");
    };
    let rejected = || Some(Exit::Rejected("because".to_owned()));
    for code in [RejectCode::Late, RejectCode::Full, RejectCode::Over, RejectCode::Protocol] {
        check(code, true, Some(Exit::Recovered));
    }
    for code in [RejectCode::Secret, RejectCode::Identity, RejectCode::Version, RejectCode::Name] {
        check(code, false, rejected());
    }
    check(RejectCode::Wait, false, None);
}

#[test]
fn a_process_that_is_asked_to_leave_leaves_the_rest_where_it_is() {
    let mut h = Harness::new();
    h.session = Session::recovering(h.session.hello.clone(), "host:5557", left(vec![closed(0)]));
    h.wait(Duration::ZERO);
    assert_eq!(h.input(Input::Leave { reason: "SIGTERM".to_owned() }), [Output::Exit(Exit::Left)]);
}

#[test]
fn what_is_written_anew_leaves_the_same() {
    let mut h = keeping();
    for index in 0..200 {
        h.input(window(index, 10, 10, false));
        if index < 3 {
            h.hear(ack(u64::from(index) + 1));
        }
    }
    let mut anew = h.session.rewritten().expect("in a run");
    assert_eq!(anew.remove(0), Entry::Began(part()));
    let windows = left(anew.clone()).left().0;
    assert_eq!(windows, 8 + 60, "as many as it has");
    let (_, outputs) = again(anew, Some(Resumed { applied: 3, lost: true }));
    assert_eq!(sent(&outputs)[0], (4, 40));
    assert!(Harness::new().session.keeping().rewritten().is_none());
}
