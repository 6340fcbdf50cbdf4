use super::*;
use crate::session::tests::{Harness, S, assign, digests, id, prepare, window};
use crate::session::{Exit, Input};
use proto::message::ToAgent;
use std::time::Duration;

const VALUES: &[u8] = b"{\"tenant\":\"t-1\"}";

fn order(run: &str, chore: ChoreKind) -> ToAgent {
    ToAgent::RunChore { run: id(run), chore }
}

fn values(run: &str) -> ToAgent {
    ToAgent::SetupValues { run: id(run), values: Bytes::from_static(VALUES) }
}

/// What the engine says, or with `run` the session.
fn done(run: &str, chore: ChoreKind) -> Box<ChoreReport> {
    Box::new(ChoreReport {
        run: id(run),
        chore,
        values: Bytes::new(),
        failed: None,
        took: S,
        requests: 1,
        failures: 0,
        aborted: 0,
        errors: Vec::new(),
    })
}

/// Run `r` is prepared, and has its users.
fn ready() -> Harness {
    let mut h = Harness::attached();
    h.hear(prepare("r"));
    h.input(Input::Prepared(Ok(digests())));
    h.hear(assign("r", 1, &[0, 4]));
    h
}

fn setting_up() -> Harness {
    let mut h = ready();
    assert_eq!(h.hear(order("r", ChoreKind::Setup)), [Output::Chore(ChoreKind::Setup)]);
    h
}

fn finished() -> Harness {
    let mut h = Harness::running();
    h.input(window(0, 0, 0, true));
    h.hear(ToAgent::WindowAck { run: id("r"), seq: 1 });
    h
}

#[test]
fn setup_comes_before_the_start_and_teardown_after_the_last_window() {
    let mut h = setting_up();
    let sent = Output::Send(FromAgent::ChoreDone(done("r", ChoreKind::Setup)));
    assert_eq!(h.input(Input::ChoreDone(done("", ChoreKind::Setup))), [sent]);
    assert_eq!(h.hear(values("r")), [Output::SeeSetup(Bytes::from_static(VALUES))]);
    let started = h.hear(ToAgent::Start { run: id("r"), after: Duration::ZERO, t0: Duration::ZERO });
    assert!(matches!(&started[..], [Output::Run { .. }]), "{started:?}");
    assert_eq!(h.hear(order("r", ChoreKind::Teardown)), [], "not beside users");
    h.input(window(0, 0, 0, true));
    // The coordinator has the window, but could not keep it, and says so to nobody.
    assert_eq!(h.hear(values("r")), [Output::SeeSetup(Bytes::from_static(VALUES))]);
    assert_eq!(h.hear(order("r", ChoreKind::Teardown)), [Output::Chore(ChoreKind::Teardown)]);
    let sent = Output::Send(FromAgent::ChoreDone(done("r", ChoreKind::Teardown)));
    assert_eq!(h.input(Input::ChoreDone(done("", ChoreKind::Teardown))), [sent]);
}

#[test]
fn orders_that_make_no_sense_change_nothing() {
    let check = |mut h: Harness, message: ToAgent| assert_eq!(h.hear(message), []);
    check(Harness::attached(), order("r", ChoreKind::Setup));
    check(Harness::attached(), values("r"));
    check(ready(), order("other", ChoreKind::Setup));
    check(ready(), values("other"));
    check(setting_up(), order("r", ChoreKind::Setup));
    check(setting_up(), order("r", ChoreKind::Teardown));
    check(setting_up(), ToAgent::Start { run: id("r"), after: Duration::ZERO, t0: Duration::ZERO });
    check(setting_up(), ToAgent::Stop { run: id("other"), timeout: S });
    check(setting_up(), prepare("r"));
    let mut h = setting_up();
    h.input(Input::ChoreDone(done("", ChoreKind::Setup)));
    check(h, order("r", ChoreKind::Setup));
    let mut preparing = Harness::attached();
    preparing.hear(prepare("r"));
    check(preparing, order("r", ChoreKind::Setup));
}

#[test]
fn stop_ends_the_chore_and_the_run_can_still_be_torn_down() {
    let mut h = setting_up();
    assert_eq!(h.hear(ToAgent::Stop { run: id("r"), timeout: Duration::ZERO }), [Output::StopChore]);
    assert_eq!(h.input(Input::ChoreDone(done("", ChoreKind::Setup))).len(), 1);
    assert_eq!(h.hear(order("r", ChoreKind::Teardown)), [Output::Chore(ChoreKind::Teardown)]);
}

#[test]
fn no_chore_goes_on_without_a_lease() {
    for chore in [ChoreKind::Setup, ChoreKind::Teardown] {
        let mut h = if chore == ChoreKind::Setup { ready() } else { finished() };
        h.hear(ToAgent::Lease { n: 1, ttl: 4 * S, clock: Duration::ZERO });
        h.hear(order("r", chore));
        let mut said = Vec::new();
        for _ in 0..4 {
            said = h.wait(S);
        }
        assert_eq!(
            said,
            [Output::Hangup, Output::StopChore],
            "{chore:?}: 4 s after the last renewal that was granted"
        );
        assert_eq!(h.input(Input::ChoreDone(done("", chore))), [], "nobody wants to know");
    }
    let mut h = setting_up();
    assert_eq!(h.input(Input::Disconnected { reason: "reset".to_owned() }), [Output::StopChore]);
}

#[test]
fn the_next_plan_waits_for_the_end_of_a_chore_that_was_given_up() {
    let mut h = setting_up();
    h.input(Input::Disconnected { reason: "reset".to_owned() });
    h.wait(10 * S);
    h.input(Input::Connected);
    let welcome =
        proto::message::Welcome { protocol: 1, build: String::new(), session: 2, renew: S, resumed: None };
    h.hear(ToAgent::Welcome(welcome));
    assert_eq!(h.hear(prepare("r")), [], "the engine is not free");
    assert_eq!(h.hear(order("r", ChoreKind::Teardown)), []);
    let said = h.input(Input::ChoreDone(done("", ChoreKind::Setup)));
    assert!(matches!(&said[..], [Output::Prepare { .. }]), "{said:?}");

    let mut replaced = setting_up();
    assert_eq!(replaced.hear(prepare("next")), [Output::StopChore]);
    let said = replaced.input(Input::ChoreDone(done("", ChoreKind::Setup)));
    assert!(matches!(&said[..], [Output::Prepare { run, .. }] if *run == id("next")), "{said:?}");
}

#[test]
fn leaving_ends_the_chore_reports_it_and_says_goodbye() {
    let leave = || Input::Leave { reason: "SIGTERM".to_owned() };
    let mut h = setting_up();
    assert_eq!(h.input(leave()), [Output::StopChore]);
    assert_eq!(h.input(leave()), []);
    let said = h.input(Input::ChoreDone(done("", ChoreKind::Setup)));
    let goodbye = Output::Send(FromAgent::Goodbye { reason: "SIGTERM".to_owned() });
    let sent = Output::Send(FromAgent::ChoreDone(done("r", ChoreKind::Setup)));
    assert_eq!(said, [sent, goodbye, Output::Hangup, Output::Exit(Exit::Left)]);
}
