//! What happens when a stream breaks, and when its agent comes back.

use super::super::reattach::DELIVERY;
use super::*;

/// Agent `name`, that came over stream `part`, comes back over `session`.
fn back(h: &mut Harness, session: u64, part: u64, stopped: bool) -> Vec<Output> {
    back_as(h, session, part, Hello { resume: Some(resume(part, stopped)), ..hello(&format!("a{part}")) })
}

fn back_as(h: &mut Harness, session: u64, part: u64, hello: Hello) -> Vec<Output> {
    let said = h.attach_with(session, hello);
    let to_it = |output: &Output| !matches!(output, Output::Close { session } if session.0 == part);
    said.into_iter().filter(to_it).collect()
}

fn resume(part: u64, stopped: bool) -> Resume {
    Resume { run: id("r"), session: part, stopped }
}

fn welcome(session: u64, applied: u64, lost: bool) -> Output {
    let resumed = Some(Resumed { applied, lost });
    send(
        session,
        ToAgent::Welcome(Welcome { protocol: 1, build: "0.1.0".into(), session, renew: RENEW, resumed }),
    )
}

fn seats(session: u64, slots: &[u32]) -> Output {
    let seats = slots.iter().map(|&slot| Seat::fresh(Slot(slot))).collect();
    send(session, ToAgent::Assign { run: id("r"), revision: 1, seats })
}

/// Two agents with two users each; the stream of the first has just broken, one of its windows is in.
fn broken() -> Harness {
    let mut h = Harness::running(2, 4);
    h.says(1, FromAgent::Window(window(1, 7, false)));
    h.now += S;
    for session in [1, 2] {
        h.says(session, FromAgent::Renew { n: 1, users: 2 });
    }
    assert_eq!(h.detach(1), []);
    h
}

/// The lease of the first agent ends unrenewed; its users go to the second.
fn lost() -> Harness {
    let mut h = broken();
    let until = h.now + SILENCE;
    while h.now < until {
        h.says(2, FromAgent::Renew { n: 1, users: 2 });
        h.wait(S.min(until.saturating_sub(h.now)));
    }
    assert_eq!(h.fleet.agents[1].slots.len(), 4);
    h
}

fn apply(agent: u32, window: Box<WindowReport>) -> Output {
    Output::Apply { agent: AgentId(agent), window }
}

#[test]
fn who_is_back_within_its_lease_has_lost_nothing() {
    let mut h = broken();
    h.wait(3 * S);
    assert_eq!(back(&mut h, 3, 1, false), [welcome(3, 1, false), seats(3, &[0, 2])]);
    assert_eq!(
        h.says(3, FromAgent::Window(window(1, 7, false))),
        [ack(3, 1)],
        "a window that it had is acknowledged"
    );
    let second = || window(2, 7, false);
    assert_eq!(h.says(3, FromAgent::Window(second())), [apply(0, second()), ack(3, 2)]);
    assert_eq!(h.says(1, FromAgent::Window(window(3, 7, false))), [], "its old stream is not heard any more");
    h.says(3, FromAgent::Window(window(3, 7, true)));
    let end = h.says(2, FromAgent::Window(window(1, 1, true)));
    let agent = &outcome(&end).agents[0];
    assert_eq!((agent.finished, &agent.lost, agent.cumulative.ok), (true, &None, 21));
}

#[test]
fn a_new_stream_takes_the_place_of_one_that_only_seems_to_live() {
    let mut h = Harness::running(2, 4);
    let said = h.attach_with(3, Hello { resume: Some(resume(1, false)), ..hello("a1") });
    assert_eq!(said, [Output::Close { session: SessionId(1) }, welcome(3, 0, false), seats(3, &[0, 2])]);
}

#[test]
fn what_was_ordered_while_it_was_away_is_said_again() {
    let mut h = broken();
    let stop = |session| send(session, ToAgent::Stop { run: id("r"), timeout: 30 * S });
    assert_eq!(h.input(Input::Stop), [Output::Stopping { at: 3 * S / 4 }, stop(2)]);
    assert_eq!(back(&mut h, 3, 1, false), [welcome(3, 1, false), seats(3, &[0, 2]), stop(3)]);
}

#[test]
fn who_is_back_too_late_delivers_what_it_measured_and_its_users_stay_where_they_are() {
    let mut h = lost();
    assert_eq!(back(&mut h, 3, 1, true), [welcome(3, 1, true)]);
    let mut second = window(2, 7, false);
    second.progress = vec![Progress { slot: Slot(0), iteration: 3, gave_up: false }];
    let applied = apply(0, window(2, 7, false));
    let said = h.says(3, FromAgent::Window(second));
    assert_eq!(said, [applied, ack(3, 2)], "where its users go on is not for it to say any more");
    let third = || window(3, 7, true);
    let gone = Output::Gone { agent: AgentId(0) };
    assert_eq!(h.says(3, FromAgent::Window(third())), [apply(0, third()), gone, ack(3, 3)]);
    let end = h.says(2, FromAgent::Window(window(1, 1, true)));
    let agent = &outcome(&end).agents[0];
    assert_eq!((agent.finished, agent.cumulative.ok), (true, 21), "all is there");
    assert!(agent.lost.is_some() && agent.handed_over.is_some(), "and it was lost: {agent:?}");
}

#[test]
fn who_says_that_its_users_are_gone_is_lost_at_once_and_delivers() {
    let check = |hello: Hello, why: &str| {
        let mut h = broken();
        let said = back_as(&mut h, 3, 1, hello);
        let moved = matches!(said[..], [Output::Gone { .. }, Output::Send { .. }, Output::Send { .. }]);
        assert!(moved, "the second agent has its users: {said:?}");
        assert!(said.contains(&welcome(3, 1, true)));
        let lost = h.fleet.agents[0].outcome().lost.unwrap();
        assert!(lost.reason.contains(why), "{lost:?}");
        assert_eq!(lost.at, lost.quiet_at, "from then on it made no load");
        h.says(3, FromAgent::Window(window(2, 7, true)));
        assert!(h.fleet.agents[0].outcome().finished);
    };
    check(Hello { resume: Some(resume(1, true)), ..hello("a1") }, "it stopped its users itself");
    let restarted = Hello { resume: Some(resume(1, false)), incarnation: 99, ..hello("a1") };
    check(restarted, "its process was started again");
}

#[test]
fn the_end_of_the_run_waits_a_little_for_what_a_lost_agent_measured() {
    let end = |h: &mut Harness| {
        h.now += 5 * S;
        h.says(2, FromAgent::Window(window(1, 1, true)))
    };
    let mut h = lost();
    assert!(!end(&mut h).iter().any(|o| matches!(o, Output::Finished(_))));
    back(&mut h, 3, 1, true);
    let over = h.says(3, FromAgent::Window(window(2, 7, true)));
    assert!(outcome(&over).agents[0].finished);

    let mut h = lost();
    end(&mut h);
    assert!(!outcome(&h.wait(DELIVERY.saturating_sub(5 * S))).agents[0].finished, "not for ever");

    let mut h = lost();
    end(&mut h);
    assert!(!outcome(&h.input(Input::Stop)).agents[0].finished, "and not if the operator does not");

    let mut h = lost();
    end(&mut h);
    back(&mut h, 3, 1, true);
    h.now += 4 * S;
    assert_eq!(h.says(3, FromAgent::Renew { n: 9, users: 0 }).len(), 1);
    assert_eq!(h.wait(3 * S), [], "who delivers may take its time");
    h.detach(3);
    assert!(!outcome(&h.wait(S)).agents[0].finished, "but not twice");
}

#[test]
fn a_lost_agent_delivers_as_long_as_the_run_lasts_and_says_when_that_is_all() {
    let mut h = lost();
    // Of three minutes in which the other one works.
    for second in 0..180 {
        h.now += S;
        h.says(2, FromAgent::Renew { n: second, users: 2 });
    }
    let restarted = Hello { resume: Some(resume(1, true)), incarnation: 99, ..hello("a1") };
    assert_eq!(back_as(&mut h, 3, 1, restarted), [welcome(3, 1, true)]);
    assert_eq!(h.says(3, FromAgent::Window(window(2, 7, false))), [apply(0, window(2, 7, false)), ack(3, 2)]);
    let goodbye = FromAgent::Goodbye { reason: "it has delivered".to_owned() };
    assert_eq!(h.says(3, goodbye), [Output::Close { session: SessionId(3) }]);
    let end = h.says(2, FromAgent::Window(window(1, 1, true)));
    assert_eq!(outcome(&end).agents[0].windows, 2, "the end waits no more for it");
}

#[test]
fn who_has_no_part_in_the_run_gets_none() {
    let check = |hello: Hello| {
        let mut h = broken();
        assert_eq!(rejection(&h.attach_with(3, hello), 3).0, RejectCode::Late);
    };
    check(Hello { resume: Some(resume(9, false)), ..hello("a1") });
    check(Hello { resume: Some(resume(1, false)), ..hello("a2") });
    check(Hello { resume: Some(resume(2, false)), ..hello("a1") });
    let other = Some(Resume { run: id("other"), session: 1, stopped: false });
    check(Hello { resume: other, ..hello("a1") });

    let mut barred = Harness::running(2, 4);
    barred.says(1, FromAgent::Window(window(9, 7, false)));
    let liar = Hello { resume: Some(resume(1, true)), ..hello("a1") };
    assert_eq!(rejection(&barred.attach_with(3, liar), 3).0, RejectCode::Late, "it broke the protocol");

    let mut over = Harness::running(1, 1);
    over.says(1, FromAgent::Window(window(1, 1, true)));
    let late = Hello { resume: Some(resume(1, true)), ..hello("a1") };
    assert_eq!(rejection(&over.attach_with(2, late), 2).0, RejectCode::Over);
}
