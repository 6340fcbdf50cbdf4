//! Agents that come when the run has begun.

use super::drain::{roll, slots};
use super::*;
use metrics::unit::Rate;

fn config(policy: OnAgentJoin, agents: u32, users: u32) -> Harness {
    let schedule = Schedule::constant(users, None, 60 * S);
    let with = |config: &mut FleetConfig| {
        config.on_agent_join = policy;
        config.schedule = schedule;
    };
    Harness::with(agents, users, with)
}

fn acks(revision: u64, clock_error: Option<Duration>) -> FromAgent {
    FromAgent::AssignAck { run: id("r"), revision, clock_error }
}

const KNOWN: Option<Duration> = Some(Duration::from_millis(1));

impl Harness {
    /// An agent comes over `session` and gets ready; what was said when it was.
    fn comes(&mut self, session: u64, max_users: u32) -> Vec<Output> {
        let name = format!("a{session}");
        let said = self.attach_with(session, Hello { max_users, ..hello(&name) });
        assert!(
            said.iter().any(|o| matches!(o, Output::Send { message: ToAgent::Prepare { .. }, .. })),
            "{said:?}"
        );
        let said = self.ready(session);
        assert_eq!(slots(&said), [(session, vec![])], "an assignment of nobody");
        let revision = self.fleet.revision;
        self.says(session, acks(revision, KNOWN))
    }
}

/// Whether `session` is told to start, and when T0 was.
fn started(outputs: &[Output], session: u64) -> Option<(Duration, Duration)> {
    outputs.iter().find_map(|output| match output {
        Output::Send { session: s, message: ToAgent::Start { after, t0, .. } } if s.0 == session => {
            Some((*after, *t0))
        }
        _ => None,
    })
}

#[test]
fn a_standby_makes_no_load_until_it_takes_over_from_a_lost_agent() {
    let mut h = config(OnAgentJoin::Standby, 2, 6).run(2, 1000);
    h.pass(S, &[1, 2]);
    assert_eq!(h.comes(3, 1000), []);
    assert_eq!(h.pass(5 * S, &[1, 2, 3]), []);
    h.detach(1);
    let said = h.pass(5 * S, &[2, 3]);
    assert_eq!(slots(&said), [(3, vec![0, 2, 4])], "it has fewest");
    let t0 = START_AHEAD;
    assert_eq!(started(&said, 3), Some((Duration::ZERO, t0)));
    let joined = said
        .iter()
        .find_map(|o| if let Output::Joined { agent, at } = o { Some((agent.id, *at)) } else { None });
    let (agent, at) = joined.expect("it joined");
    assert_eq!(agent, AgentId(2));
    h.says(3, FromAgent::Window(Box::new(WindowReport { index: 11, ..*window(1, 4, true) })));
    let outcome = h.fleet.agents[2].outcome();
    assert_eq!((outcome.joined, outcome.users, outcome.finished), (Some(at), 3, true));
}

#[test]
fn a_standby_takes_users_that_found_no_room() {
    let mut h = config(OnAgentJoin::Standby, 2, 6).run(2, 3);
    h.pass(S, &[1, 2]);
    h.detach(1);
    h.pass(6 * S, &[2]);
    assert_eq!(h.fleet.agents[0].outcome().handed_over.map(|all| (all.moved, all.stranded)), Some((0, 3)));
    let said = h.comes(3, 2);
    assert_eq!(slots(&said), [(3, vec![0, 2])], "as many as it takes");
    assert_eq!(h.fleet.agents[0].outcome().handed_over.map(|all| (all.moved, all.stranded)), Some((2, 1)));
    assert_eq!(slots(&h.comes(4, 100)), [(4, vec![4])]);
    assert_eq!(h.fleet.agents[0].outcome().handed_over.map(|all| (all.moved, all.stranded)), Some((3, 0)));
}

#[test]
fn who_does_not_know_the_clock_does_not_start() {
    let mut h = config(OnAgentJoin::Standby, 2, 4).run(2, 2);
    h.pass(S, &[1, 2]);
    h.detach(1);
    h.pass(6 * S, &[2]);
    h.attach(3, "a3");
    h.ready(3);
    assert_eq!(h.says(3, acks(1, None)), []);
    let said = h.says(3, FromAgent::Renew { n: 1, users: 0 });
    assert_eq!(slots(&said), [(3, vec![])], "it is asked again");
    assert_eq!(slots(&h.says(3, acks(1, KNOWN))), [(3, vec![0, 2])]);
}

#[test]
fn a_share_is_fair_and_moves_a_tenth_at_a_time() {
    let rate = Rate { count: 10, per_ns: 1_000_000_000 };
    let mut h = config(OnAgentJoin::Share, 2, 20);
    h.fleet.config.schedule = Schedule::constant(20, Some(rate), 60 * S);
    let mut h = h.run(2, 1000);
    h.pass(5 * S, &[1, 2]);
    let said = h.comes(3, 1000);
    let mine: Vec<u32> = (0..18).filter(|slot| slot % 2 == 0).collect();
    let others: Vec<u32> = (0..18).filter(|slot| slot % 2 == 1).collect();
    assert_eq!(slots(&said), [(1, mine), (2, others)], "two of twenty");
    assert_eq!(started(&said, 3), None, "nobody is free yet");
    assert_eq!(h.pass(S, &[1, 2, 3]), []);
    assert_eq!(slots(&h.says(1, roll(1, 2, &[18]))), []);
    assert_eq!(slots(&h.says(2, roll(1, 2, &[]))), [(3, vec![19])]);
    assert_eq!(slots(&h.says(1, roll(2, 3, &[]))), [(3, vec![18, 19])]);
    // The second of them starts a tenth of a second later; then comes the next step.
    let said = h.pass(S, &[1, 2, 3]);
    assert_eq!(
        slots(&said).iter().map(|(session, slots)| (*session, slots.len())).collect::<Vec<_>>(),
        [(1, 8), (2, 8)]
    );
    let mut windows = 3;
    while h.fleet.agents[..2].iter().any(|agent| !agent.leaving.is_empty()) {
        let revision = h.fleet.revision;
        h.says(1, roll(windows, revision, &[]));
        h.says(2, roll(windows - 1, revision, &[]));
        windows += 1;
        h.pass(S, &[1, 2, 3]);
    }
    let held: Vec<usize> = h.fleet.agents.iter().map(|agent| agent.slots.len()).collect();
    assert_eq!(held, [7, 7, 6]);
    assert_eq!(h.pass(9 * S, &[1, 2, 3]), [], "that is all");
}

#[test]
fn users_that_have_not_started_move_first_and_others_not_beside_a_ramp() {
    let rate = Rate { count: 1, per_ns: 1_000_000_000 };
    let mut h = config(OnAgentJoin::Share, 1, 20);
    h.fleet.config.schedule = Schedule::constant(20, Some(rate), 60 * S);
    let mut h = h.run(1, 1000);
    h.pass(15 * S, &[1]);
    let said = h.comes(2, 1000);
    assert_eq!(slots(&said)[0].1.last(), Some(&17), "18 and 19 start last");
    let revision = h.fleet.revision;
    assert_eq!(slots(&h.says(1, roll(1, revision, &[]))), [(2, vec![18, 19])]);
    let said = h.pass(3 * S, &[1, 2]);
    assert_eq!(said, [], "all others run or are about to, and the ramp goes on until 20 s");
    assert_eq!(slots(&h.pass(4 * S, &[1, 2])).len(), 1, "now others may move");
}

#[test]
fn an_open_load_is_not_shared() {
    let mut h = config(OnAgentJoin::Share, 2, 20);
    h.fleet.config.open = true;
    let mut h = h.run(2, 1000);
    h.pass(S, &[1, 2]);
    assert_eq!(slots(&h.comes(3, 1000)), []);
    assert_eq!(h.pass(9 * S, &[1, 2, 3]), []);
    h.detach(1);
    assert_eq!(slots(&h.pass(5 * S, &[2, 3])).len(), 1, "but it is a standby");
}

#[test]
fn who_is_not_taken_in() {
    let check = |h: &mut Harness, session, name: &str, code| {
        let (got, why) = rejection(&h.attach(session, name), session);
        assert_eq!(got, code, "{why}");
        why
    };
    let mut h = config(OnAgentJoin::Refuse, 2, 4).run(2, 1000);
    assert!(check(&mut h, 3, "a3", RejectCode::Late).contains("--on-agent-join refuse"));

    let mut h = config(OnAgentJoin::Standby, 2, 4).run(2, 1000);
    h.pass(S, &[1, 2]);
    assert!(check(&mut h, 3, "a1", RejectCode::Name).contains("another --name"));
    h.pass(3 * S, &[2]);
    check(&mut h, 4, "a1", RejectCode::Wait);
    h.input(Input::Stop);
    check(&mut h, 5, "a5", RejectCode::Late);
}

#[test]
fn an_agent_that_was_started_again_takes_its_users_back() {
    let mut h = config(OnAgentJoin::Standby, 2, 4).run(2, 1000);
    h.pass(S, &[1, 2]);
    h.detach(1);
    h.attach_with(3, Hello { incarnation: 2, ..hello("a1") });
    h.ready(3);
    h.says(3, acks(1, KNOWN));
    assert_eq!(slots(&h.pass(5 * S, &[2, 3])), [(3, vec![0, 2])]);
}

#[test]
fn a_late_agent_that_goes_before_it_has_users_is_forgotten_and_nobody_waits_for_it() {
    let mut h = config(OnAgentJoin::Standby, 1, 4).run(1, 1000);
    h.comes(2, 1000);
    h.detach(2);
    assert_eq!(h.fleet.agents.len(), 1);
    h.comes(3, 1000);
    h.attach(4, "a4");
    let end = h.says(1, FromAgent::Window(Box::new(WindowReport { index: 0, ..*window(1, 1, true) })));
    // A minute too early: its users go on at the standby.
    assert!(started(&end, 3).is_some());
    h.input(Input::Stop);
    let end = h.says(3, FromAgent::Window(window(1, 1, true)));
    assert_eq!(outcome(&end).agents.len(), 2, "who had no users is in no report");
}
