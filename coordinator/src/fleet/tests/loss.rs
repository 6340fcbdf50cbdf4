//! What happens to the users of an agent that is lost.

use super::super::reattach::DELIVERY;
use super::*;
use metrics::unit::Rate;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// The assignments among `outputs`: (session, revision, seats).
pub(super) fn assigned(outputs: &[Output]) -> Vec<(u64, u64, Vec<Seat>)> {
    let assign = |output: &Output| match output {
        Output::Send { session, message: ToAgent::Assign { revision, seats, .. } } => {
            Some((session.0, *revision, seats.clone()))
        }
        _ => None,
    };
    outputs.iter().filter_map(assign).collect()
}

fn seat(slot: u32, iteration: u64, not_before: Duration) -> Seat {
    Seat { slot: Slot(slot), iteration, not_before }
}

/// Window 1, in which these users ended iterations.
fn progress(progress: &[(u32, u64)]) -> FromAgent {
    let progress =
        progress.iter().map(|&(slot, iteration)| Progress { slot: Slot(slot), iteration, gave_up: false });
    FromAgent::Window(Box::new(WindowReport { progress: progress.collect(), ..*window(1, 1, false) }))
}

impl Harness {
    /// Now, since T0.
    pub(super) fn at(&self) -> Duration {
        self.now.saturating_sub(START_AHEAD)
    }

    /// Lets `time` pass; agents `live` renew their leases each second of it. Gives what was said, leases left out.
    pub(super) fn pass(&mut self, time: Duration, live: &[u64]) -> Vec<Output> {
        let mut said = Vec::new();
        let until = self.now + time;
        while self.now < until {
            for &session in live {
                said.extend(self.says(session, FromAgent::Renew { n: 1, users: 1 }));
            }
            let next = self.fleet.poll_timeout().unwrap_or(until).min(until).min(self.now + S);
            said.extend(self.wait(next.saturating_sub(self.now)));
        }
        said.retain(|o| !matches!(o, Output::Send { message: ToAgent::Lease { .. }, .. }));
        said
    }
}

#[test]
fn users_of_a_lost_agent_move_when_its_lease_is_surely_over_and_go_on_where_they_were() {
    let mut h = Harness::running(3, 8);
    h.says(1, progress(&[(0, 5), (6, 2)]));
    h.says(2, progress(&[(1, 9)]));
    assert_eq!(h.pass(2 * S, &[1, 2, 3]), []);
    assert_eq!(h.detach(1), [], "it may come back");
    // It renewed its lease 1 s ago.
    assert_eq!(h.pass(SILENCE.saturating_sub(S + MS), &[2, 3]), []);
    let at = h.at() + MS;
    let said = h.wait(MS);
    assert_eq!(said[..2], [Output::Close { session: SessionId(1) }, Output::Gone { agent: AgentId(0) }]);
    let moved = assigned(&said);
    let second = vec![
        seat(1, 9, Duration::ZERO),
        seat(3, 0, at),
        seat(4, 0, Duration::ZERO),
        seat(7, 0, Duration::ZERO),
    ];
    let third = vec![seat(0, 5, at), seat(2, 0, Duration::ZERO), seat(5, 0, Duration::ZERO), seat(6, 2, at)];
    assert_eq!(moved, [(2, 2, second), (3, 2, third)]);
    assert_eq!(h.pass(DELIVERY, &[2, 3]), []);
    h.says(2, FromAgent::Window(Box::new(WindowReport { progress: vec![], ..*window(2, 1, true) })));
    let end = h.says(3, FromAgent::Window(window(1, 1, true)));
    let lost = &outcome(&end).agents[0];
    assert_eq!(
        (lost.users, lost.handed_over),
        (3, Some(HandedOver { at, moved: 3, stranded: 0, waited: 0 }))
    );
}

#[test]
fn moved_users_start_at_the_pace_of_the_plan_and_nobody_else_is_touched() {
    let rate = Rate { count: 2, per_ns: 1_000_000_000 };
    let schedule = Schedule::constant(9, Some(rate), 60 * S);
    let mut h = Harness::with(3, 9, |config| config.schedule = schedule).run(3, 1000);
    h.pass(3 * S, &[1, 2, 3]);
    h.detach(1);
    let moved = assigned(&h.pass(10 * S, &[2, 3]));
    let at = |ms: u64| Duration::from_millis(ms);
    // Lost at 2.75 s, its lease is over at 6.254 s; the ramp was over at 4.5 s.
    let second = [
        seat(0, 0, at(6_254)),
        seat(1, 0, at(0)),
        seat(4, 0, at(0)),
        seat(6, 0, at(7_254)),
        seat(7, 0, at(0)),
    ];
    let third = [seat(2, 0, at(0)), seat(3, 0, at(6_754)), seat(5, 0, at(0)), seat(8, 0, at(0))];
    assert_eq!(moved, [(2, 2, second.to_vec()), (3, 2, third.to_vec())]);

    // The next one goes while users of the first still wait: those that come after it wait for them.
    let mut h = Harness::with(3, 30, |config| {
        config.schedule = Schedule::constant(30, Some(rate), 600 * S);
    })
    .run(3, 1000);
    h.pass(20 * S, &[1, 2, 3]);
    h.detach(1);
    h.pass(5 * S, &[2, 3]);
    h.detach(2);
    let moved = assigned(&h.pass(5 * S, &[3]));
    let mut starts: Vec<Duration> =
        moved[0].2.iter().map(|seat| seat.not_before).filter(|at| !at.is_zero()).collect();
    starts.sort_unstable();
    assert_eq!(starts.len(), 20, "ten of the first agent's and ten of the second's");
    assert!(starts.windows(2).all(|pair| pair[1] >= pair[0] + S / 2), "{starts:?}");
    assert_eq!(moved[0].2.len(), 30);
}

#[test]
fn an_agent_that_says_that_its_users_are_gone_gives_them_away_at_once() {
    let check = |leave: &dyn Fn(&mut Harness) -> Vec<Output>| {
        let mut h = Harness::running(2, 4);
        h.pass(3 * S, &[1, 2]);
        let moved = assigned(&leave(&mut h));
        let at = h.at();
        let seats =
            vec![seat(0, 0, at), seat(1, 0, Duration::ZERO), seat(2, 0, at), seat(3, 0, Duration::ZERO)];
        assert_eq!(moved, [(2, 2, seats)]);
    };
    check(&|h| h.says(1, FromAgent::Goodbye { reason: "SIGTERM".to_owned() }));
    check(&|h| h.says(1, FromAgent::Window(window(1, 1, true))));
}

#[test]
fn as_many_as_fit_move() {
    let schedule = Schedule::constant(9, None, 60 * S);
    let mut h = Harness::with(3, 9, |config| config.schedule = schedule).run(3, 4);
    h.pass(S, &[1, 2, 3]);
    h.detach(2);
    let moved = assigned(&h.pass(6 * S, &[1, 3]));
    let sizes: Vec<usize> = moved.iter().map(|(_, _, seats)| seats.len()).collect();
    assert_eq!(sizes, [4, 4]);
    assert_eq!(h.fleet.agents[1].outcome().handed_over.map(|h| (h.moved, h.stranded)), Some((2, 1)));
    h.detach(1);
    assert_eq!(assigned(&h.pass(6 * S, &[3])), [], "nobody has room");
    assert_eq!(h.fleet.agents[0].outcome().handed_over.map(|h| (h.moved, h.stranded)), Some((0, 4)));
}

#[test]
fn nothing_moves_where_nothing_is_to_move() {
    let check = |change: &dyn Fn(&mut Harness), policy: OnAgentLoss| {
        let mut h = Harness::with(2, 4, |config| config.on_agent_loss = policy).run(2, 1000);
        h.pass(3 * S, &[1, 2]);
        change(&mut h);
        h.detach(1);
        let said = h.pass(6 * S, &[2]);
        let gone = [Output::Close { session: SessionId(1) }, Output::Gone { agent: AgentId(0) }];
        assert_eq!(said, gone, "{policy:?}");
        h.fleet.agents[0].outcome().handed_over
    };
    let held = check(&|_| {}, OnAgentLoss::Hold).map(|h| (h.moved, h.stranded));
    assert_eq!(held, Some((0, 2)));
    let stopped = |h: &mut Harness| {
        h.input(Input::Stop);
    };
    assert_eq!(check(&stopped, OnAgentLoss::Rebalance), None);
    let over = |h: &mut Harness| {
        h.pass(7 * S, &[1, 2]);
    };
    check(&over, OnAgentLoss::Rebalance);
    let late = |h: &mut Harness| {
        h.pass(5 * S, &[1, 2]);
    };
    let late = check(&late, OnAgentLoss::Rebalance);
    assert_eq!(late, None, "its lease outlasts the schedule");
}

#[test]
fn a_run_that_is_not_to_go_on_without_an_agent_is_stopped() {
    let mut h = Harness::with(2, 4, |config| config.on_agent_loss = OnAgentLoss::Abort).run(2, 1000);
    h.pass(3 * S, &[1, 2]);
    let stop = send(2, ToAgent::Stop { run: id("r"), timeout: 30 * S });
    assert_eq!(h.detach(1), [], "it may come back");
    let said = h.pass(SILENCE.saturating_sub(S), &[2]);
    let at = h.at();
    let lost = [Output::Close { session: SessionId(1) }, Output::Gone { agent: AgentId(0) }];
    assert_eq!((&said[..2], &said[2..]), (&lost[..], &[Output::Stopping { at }, stop][..]));
    h.pass(DELIVERY, &[2]);
    let end = h.says(2, FromAgent::Window(window(1, 1, true)));
    assert_eq!(outcome(&end).stopped, Some((at, Cause::AgentLost("a1".to_owned()))));
}

#[test]
fn a_run_of_so_many_iterations_is_over_when_all_are_done_or_never_will_be() {
    let finite = |agents: u32, users: u32, total: u32, policy| {
        let text = format!(
            "version: 1\nname: t\ntarget: http://127.0.0.1:1\nload: {{ users: {users}, iterations: {total}, duration: 60s }}\n\
             users: {{ U: {{ tasks: {{ t: {{ get: / }} }} }} }}\n"
        );
        let settings = plan::Settings::default();
        let plan = plan::Bundle { file: "t".to_owned(), source: text, settings }.compile().unwrap();
        Harness::with(agents, users, |config| {
            config.schedule = plan.schedule.clone();
            config.iterations = plan.iterations;
            config.on_agent_loss = policy;
        })
        .run(u64::from(agents), 1000)
    };
    let stops = |said: &[Output]| {
        said.iter().filter(|o| matches!(o, Output::Send { message: ToAgent::Stop { .. }, .. })).count()
    };
    // User 0 has 3 of 5 iterations, user 1 has 2.
    let mut h = finite(2, 2, 5, OnAgentLoss::Rebalance);
    h.pass(S, &[1, 2]);
    assert_eq!(stops(&h.says(1, progress(&[(0, 3)]))), 0);
    assert_eq!(stops(&h.says(2, progress(&[(1, 2)]))), 2);
    let mut h = finite(2, 2, 5, OnAgentLoss::Rebalance);
    let too_many = h.says(2, progress(&[(1, 3)]));
    assert!(rejection(&too_many, 2).1.contains("user 1 did 3 iterations, which was to do 2"));

    // The lost agent's user moves, but only if there is something left to do.
    let mut h = finite(2, 2, 5, OnAgentLoss::Rebalance);
    h.says(1, progress(&[(0, 1)]));
    h.detach(1);
    let moved = assigned(&h.pass(6 * S, &[2]));
    assert_eq!(
        moved[0].2.iter().map(|seat| (seat.slot.0, seat.iteration)).collect::<Vec<_>>(),
        [(0, 1), (1, 0)]
    );
    assert_eq!(stops(&h.says(2, progress(&[(0, 3), (1, 2)]))), 1);
    let mut h = finite(2, 2, 5, OnAgentLoss::Rebalance);
    h.says(1, progress(&[(0, 3)]));
    h.detach(1);
    assert_eq!(assigned(&h.pass(6 * S, &[2])), []);
    assert_eq!(stops(&h.says(2, progress(&[(1, 2)]))), 1);

    // What nobody will do is not waited for.
    let mut h = finite(2, 2, 5, OnAgentLoss::Hold);
    h.says(2, progress(&[(1, 2)]));
    h.detach(1);
    assert_eq!(stops(&h.pass(6 * S, &[2])), 1);
    let mut h = finite(1, 2, 5, OnAgentLoss::Rebalance);
    let gave_up = |slot, iteration| Progress { slot: Slot(slot), iteration, gave_up: true };
    let window = WindowReport { progress: vec![gave_up(0, 0), gave_up(1, 1)], ..*window(1, 1, false) };
    assert_eq!(stops(&h.says(1, FromAgent::Window(Box::new(window)))), 1);
    assert_eq!(h.fleet.cause, Some(Cause::Done));
}

/// What an agent may be doing, as nobody but a test can know it.
struct Truth {
    lease_until: Duration,
    slots: Vec<u32>,
    live: bool,
    /// Its newest stream, and whether that is whole.
    stream: (u64, bool),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Agents renew, go and come back as they please. A user is given to an agent only when no other can still have it, no
    /// agent loses one while it lives, and nobody gets more than it takes.
    #[test]
    fn a_user_has_one_agent_at_any_time(
        steps in prop::collection::vec((0_u64..4, 0_u32..10, 0_u64..3_000), 1..80),
        users in 1_u32..12,
    ) {
        let schedule = Schedule::constant(users, None, 600 * S);
        let mut h = Harness::with(4, users, |config| config.schedule = schedule).run(4, 8);
        let mut truths: Vec<Truth> = (0..4).map(|agent| Truth {
            lease_until: LEASE,
            slots: h.fleet.agents[agent].slots.iter().map(|slot| slot.0).collect(),
            live: true,
            stream: (agent as u64 + 1, true),
        }).collect();
        // The agent of each stream, from stream 1 on.
        let mut owners = vec![0, 1, 2, 3];
        for (agent, what, wait) in steps {
            let mut said = h.wait(Duration::from_millis(wait));
            for output in &said {
                if let Output::Gone { agent } = output {
                    truths[agent.0 as usize].live = false;
                }
            }
            let truth = &mut truths[agent as usize];
            if truth.live {
                match (what, truth.stream) {
                    (0, (session, true)) => {
                        // Its users run on in their lease.
                        said.extend(h.detach(session));
                        truth.stream = (session, false);
                    }
                    (1 | 2, _) => {
                        owners.push(agent as usize);
                        let stream = owners.len() as u64;
                        truth.stream = (stream, true);
                        let resume = Some(Resume { run: id("r"), session: agent + 1, stopped: false });
                        let hello = Hello { resume, ..hello(&format!("a{}", agent + 1)) };
                        said.extend(h.attach_with(stream, hello));
                    }
                    (_, (session, true)) => {
                        // What it sent now may arrive; then it counts from now.
                        said.extend(h.says(session, FromAgent::Renew { n: 1, users: 1 }));
                        truth.lease_until = h.now + LEASE;
                    }
                    _ => {}
                }
            }
            for (session, _, seats) in assigned(&said) {
                let slots: Vec<u32> = seats.iter().map(|seat| seat.slot.0).collect();
                prop_assert!(slots.len() <= 8);
                let (own, others): (Vec<_>, Vec<_>) =
                    (0..4).partition(|&other| owners[session as usize - 1] == other);
                prop_assert!(truths[own[0]].slots.iter().all(|slot| slots.contains(slot)), "nobody loses users");
                for other in others {
                    let may_run = truths[other].live || truths[other].lease_until > h.now;
                    let shared = truths[other].slots.iter().any(|slot| slots.contains(slot));
                    prop_assert!(!(may_run && shared), "agent {other} may still have them");
                }
                truths[own[0]].slots = slots;
            }
        }
    }
}
