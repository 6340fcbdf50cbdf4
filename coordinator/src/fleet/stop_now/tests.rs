//! An operator who does not wait.

use super::super::tests::{Harness, S, hello, id, outcome, send, window};
use super::super::{Cause, Input, NotStarted, Output, START_AHEAD};
use proto::message::{FromAgent, Hello, Resume, ToAgent};
use std::time::Duration;

fn stop(session: u64, timeout: Duration) -> Output {
    send(session, ToAgent::Stop { run: id("r"), timeout })
}

#[test]
fn the_second_wish_gives_up_what_the_first_one_waits_for() {
    let mut h = Harness::running(2, 2);
    h.now += 3 * S + START_AHEAD;
    assert_eq!(h.input(Input::Stop), [Output::Stopping { at: 3 * S }, stop(1, 30 * S), stop(2, 30 * S)]);
    h.now += S;
    assert_eq!(h.input(Input::StopNow), [stop(1, Duration::ZERO), stop(2, Duration::ZERO)]);
    h.says(1, FromAgent::Window(window(1, 1, true)));
    let end = h.wait(2 * S);
    let outcome = outcome(&end);
    assert_eq!(outcome.stopped, Some((3 * S, Cause::Operator)), "that is when users were no longer wanted");
    assert!(outcome.agents[0].finished && !outcome.agents[1].finished, "nobody waits for long");
}

#[test]
fn who_never_waited_stops_at_once() {
    let mut h = Harness::running(1, 1);
    h.now += 3 * S + START_AHEAD;
    let said = h.input(Input::StopNow);
    assert_eq!(said[..2], [Output::Stopping { at: 3 * S }, stop(1, 30 * S)]);
    assert_eq!(said[2..], [stop(1, Duration::ZERO)], "the shorter one holds");
    assert_eq!(outcome(&Harness::new(1, 1).input(Input::StopNow)).started, Err(NotStarted::Interrupted));
}

#[test]
fn an_agent_that_was_away_is_told_the_same() {
    let mut h = Harness::running(2, 2);
    h.now += S;
    h.detach(1);
    assert!(!h.input(Input::StopNow).contains(&stop(1, Duration::ZERO)));
    let resume = Some(Resume { run: id("r"), session: 1, stopped: false });
    let said = h.attach_with(3, Hello { resume, ..hello("a1") });
    assert!(said.contains(&stop(3, Duration::ZERO)), "{said:?}");
}

#[test]
fn a_lost_threshold_lets_users_finish_and_is_no_wish_of_the_operator() {
    let mut h = Harness::running(2, 2);
    h.now += 3 * S + START_AHEAD;
    assert_eq!(h.input(Input::Abort), [Output::Stopping { at: 3 * S }, stop(1, 30 * S), stop(2, 30 * S)]);
    assert_eq!(h.input(Input::Abort), [], "once is enough");
    h.says(1, FromAgent::Window(window(1, 1, true)));
    let end = h.says(2, FromAgent::Window(window(2, 1, true)));
    assert_eq!(outcome(&end).stopped, Some((3 * S, Cause::Threshold)));
    // Nothing is missed before a run begins.
    assert_eq!(Harness::new(1, 1).input(Input::Abort), []);
}
