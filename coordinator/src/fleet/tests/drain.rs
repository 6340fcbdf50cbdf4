//! Agents that leave in good order, and the users that they give away one by one.

use super::loss::assigned;
use super::*;
use proto::message::Roll;

/// Window `seq`, whose agent follows `revision` and whose users `leaving` are still there.
pub(super) fn roll(seq: u64, revision: u64, leaving: &[u32]) -> FromAgent {
    let roll = Roll { revision, leaving: leaving.iter().map(|&slot| Slot(slot)).collect() };
    FromAgent::Window(Box::new(WindowReport { roll, ..*window(seq, 1, false) }))
}

fn draining() -> FromAgent {
    FromAgent::Draining { reason: "SIGTERM".to_owned() }
}

/// The assignments among `outputs`: (session, slots).
pub(super) fn slots(outputs: &[Output]) -> Vec<(u64, Vec<u32>)> {
    let of = |(session, _, seats): (u64, u64, Vec<Seat>)| {
        (session, seats.iter().map(|seat| seat.slot.0).collect::<Vec<_>>())
    };
    assigned(outputs).into_iter().map(of).collect()
}

#[test]
fn users_of_an_agent_that_drains_move_one_by_one_when_its_windows_say_that_they_are_gone() {
    let mut h = Harness::running(2, 6);
    h.pass(S, &[1, 2]);
    assert_eq!(slots(&h.says(1, draining())), [(1, vec![])], "it is to have none");
    assert_eq!(slots(&h.says(1, draining())), [], "and is told once");
    assert_eq!(slots(&h.says(1, roll(1, 1, &[]))), [], "this one follows the assignment before");
    assert_eq!(slots(&h.says(1, roll(2, 2, &[0, 4]))), [(2, vec![1, 2, 3, 5])]);
    assert_eq!(slots(&h.says(1, roll(2, 2, &[]))), [], "a window counts once");
    assert_eq!(slots(&h.says(1, roll(3, 2, &[0, 4]))), []);
    assert_eq!(slots(&h.says(1, roll(4, 2, &[4]))), [(2, vec![0, 1, 2, 3, 5])]);
    let last = h.says(1, FromAgent::Window(window(5, 1, true)));
    assert_eq!(slots(&last), [(2, vec![0, 1, 2, 3, 4, 5])], "the last window says that nobody is left");
    assert_eq!(
        h.says(1, FromAgent::Goodbye { reason: "SIGTERM".to_owned() }),
        [Output::Close { session: SessionId(1) }]
    );
    h.pass(S, &[2]);
    let end = h.says(2, FromAgent::Window(window(1, 1, true)));
    let agents = &outcome(&end).agents;
    let (left, at) = (agents[0].left.as_ref().expect("it left"), 750);
    assert_eq!((left.reason.as_str(), left.at.as_millis()), ("SIGTERM", at));
    assert_eq!((&agents[0].lost, agents[0].users, agents[0].finished), (&None, 3, true));
    assert_eq!(agents[0].handed_over.map(|all| (all.moved, all.stranded)), Some((3, 0)));
    assert_eq!((&agents[1].left, agents[1].users), (&None, 6));
}

#[test]
fn what_a_leaving_user_does_counts_until_it_is_gone_and_not_after() {
    let mut h = Harness::running(2, 4);
    h.pass(S, &[1, 2]);
    h.says(1, draining());
    let ended = |seq, leaving: &[u32], iteration| {
        let progress = vec![Progress { slot: Slot(0), iteration, gave_up: false }];
        let FromAgent::Window(window) = roll(seq, 2, leaving) else { unreachable!("it is a window") };
        FromAgent::Window(Box::new(WindowReport { progress, ..*window }))
    };
    assert_eq!(slots(&h.says(1, ended(1, &[0], 3))), [(2, vec![1, 2, 3])]);
    let said = h.says(1, ended(2, &[], 5));
    let seats = &assigned(&said)[0].2;
    assert_eq!((seats[0].slot, seats[0].iteration), (Slot(0), 5), "it goes on where it left");
    let (_, why) = rejection(&h.says(1, ended(3, &[], 6)), 1);
    assert!(why.contains("user 0 did, which is not this agent's"), "{why}");
}

#[test]
fn what_a_roll_cannot_say() {
    let check = |revision, leaving: &[u32], problem: &str| {
        let mut h = Harness::running(2, 4);
        h.pass(S, &[1, 2]);
        let (_, why) = rejection(&h.says(1, roll(1, revision, leaving)), 1);
        assert!(why.contains(problem), "{why}");
    };
    check(2, &[], "follows assignment 2, the newest is 1");
    check(1, &[1], "user 1 is leaving, which is not this agent's");
    check(1, &[9], "user 9 is leaving, which is not this agent's");
}

#[test]
fn an_agent_that_is_lost_while_it_drains_keeps_what_it_has_until_its_lease_is_over() {
    let mut h = Harness::running(2, 4);
    h.pass(S, &[1, 2]);
    h.says(1, draining());
    assert_eq!(slots(&h.says(1, roll(1, 2, &[2]))), [(2, vec![0, 1, 3])]);
    h.detach(1);
    assert_eq!(slots(&h.pass(3 * S, &[2])), []);
    assert_eq!(slots(&h.pass(2 * S, &[2])), [(2, vec![0, 1, 2, 3])]);
    let lost = h.fleet.agents[0].outcome();
    assert!(lost.lost.is_some() && lost.left.is_some());
    assert_eq!(lost.handed_over.map(|all| (all.moved, all.stranded)), Some((2, 0)));
}

#[test]
fn users_that_find_no_room_or_are_not_to_move_are_told() {
    let mut h = Harness::new(2, 4).run(2, 3);
    h.pass(S, &[1, 2]);
    h.says(1, draining());
    assert_eq!(slots(&h.says(1, roll(1, 2, &[]))), [(2, vec![0, 1, 3])]);
    assert_eq!(h.fleet.agents[0].outcome().handed_over.map(|all| (all.moved, all.stranded)), Some((1, 1)));

    let mut held = Harness::with(2, 4, |config| config.on_agent_loss = OnAgentLoss::Hold).run(2, 9);
    held.pass(S, &[1, 2]);
    assert_eq!(slots(&held.says(1, draining())), [(1, vec![])]);
    assert_eq!(slots(&held.says(1, roll(1, 2, &[]))), []);
    assert_eq!(held.fleet.agents[0].outcome().handed_over.map(|all| (all.moved, all.stranded)), Some((0, 2)));

    let mut aborted = Harness::with(2, 4, |config| config.on_agent_loss = OnAgentLoss::Abort).run(2, 9);
    aborted.pass(S, &[1, 2]);
    let said = aborted.says(1, draining());
    let stops = said.iter().filter(|o| matches!(o, Output::Send { message: ToAgent::Stop { .. }, .. }));
    assert_eq!((stops.count(), aborted.fleet.cause.clone()), (2, Some(Cause::AgentLost("a1".to_owned()))));
}

#[test]
fn a_drain_where_nothing_is_to_move_changes_nothing() {
    let mut mustering = Harness::new(2, 4);
    mustering.attach(1, "a1");
    assert_eq!(mustering.says(1, draining()), []);
    mustering.says(1, FromAgent::Goodbye { reason: "SIGTERM".to_owned() });
    assert!(mustering.fleet.agents.is_empty(), "the coordinator waits for another");

    let mut stopped = Harness::running(2, 4);
    stopped.input(Input::Stop);
    assert_eq!(stopped.says(1, draining()), []);

    // It drained while it could not be heard, and delivers what it did.
    let mut away = Harness::running(2, 4);
    away.pass(S, &[1, 2]);
    away.detach(1);
    let resume = Some(Resume { run: id("r"), session: 1, stopped: true });
    let said = away.attach_with(9, Hello { resume, ..hello("a1") });
    assert_eq!(slots(&said), [(2, vec![0, 1, 2, 3])], "its users are gone, and it says so");
    away.says(9, draining());
    away.says(9, FromAgent::Window(window(1, 1, true)));
    let outcome = away.fleet.agents[0].outcome();
    assert!(outcome.lost.is_none() && outcome.left.is_some() && outcome.finished, "{outcome:?}");
}
