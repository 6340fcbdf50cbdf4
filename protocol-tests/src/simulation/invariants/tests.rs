//! Each invariant notices when it does not hold.

use super::super::scenario::Scenario;
use super::*;
use proto::message::{HealthReport, RunId};

const MS: Duration = Duration::from_millis(1);

/// Two processes with a lease of 4 s, and T0 long past.
fn oracle() -> Oracle {
    let mut oracle = Oracle::new(Scenario::new(0).plan.clone(), 2);
    for node in 0..2 {
        let who = oracle.born(node, &format!("a{node}"));
        oracle.of(who).lease_until = 4000 * MS;
    }
    oracle.t0 = Some(Duration::ZERO);
    oracle
}

fn check(expected: &str, happens: impl FnOnce(&mut Oracle)) {
    let mut oracle = oracle();
    happens(&mut oracle);
    let broken = oracle.broken.unwrap_or_default();
    assert!(broken.contains(expected) && broken.is_empty() == expected.is_empty(), "{expected}: {broken}");
}

fn window(seq: u64, started: u64) -> WindowReport {
    WindowReport {
        run: RunId(String::new()),
        seq,
        index: seq as u32 - 1,
        earlier_users: Vec::new(),
        users: 0,
        in_flight: 0,
        started,
        aborted: started,
        arrivals: metrics::ArrivalCounts::default(),
        cumulative: Cumulative { started, aborted: started, ..Cumulative::default() },
        series: Vec::new(),
        errors: Vec::new(),
        health: HealthReport::default(),
        last: false,
        progress: Vec::new(),
        roll: proto::message::Roll::default(),
    }
}

#[test]
fn a_slot_with_two_owners_is_noticed() {
    check("one owner", |o| {
        o.user_starts(MS, Who(0), Slot(0));
        o.user_starts(3999 * MS, Who(1), Slot(0));
    });
    check("", |o| {
        o.user_starts(MS, Who(0), Slot(0));
        o.user_starts(4000 * MS, Who(1), Slot(0));
    });
    check("", |o| {
        o.user_starts(MS, Who(0), Slot(0));
        o.died(Who(0));
        o.user_starts(2 * MS, Who(1), Slot(0));
    });
}

#[test]
fn load_without_a_lease_is_noticed() {
    check("", |o| o.request_starts(4004 * MS, Who(0), Slot(0), 4));
    check("dead man", |o| o.request_starts(4006 * MS, Who(0), Slot(0), 4));
    check("", |o| {
        o.renewal_sent(Who(0), 1, 7, 3000 * MS);
        o.granted(Who(0), 1, 7, 4000 * MS);
        o.request_starts(7000 * MS, Who(0), Slot(0), 7);
    });
    check("dead man", |o| {
        o.renewal_sent(Who(0), 1, 7, 500 * MS);
        o.granted(Who(0), 2, 7, 4000 * MS);
        o.request_starts(4400 * MS, Who(0), Slot(0), 4);
    });
}

#[test]
fn users_that_nobody_wants_are_noticed() {
    let end = oracle().plan.schedule.end();
    check("schedule", |o| o.iteration_begins(end + end / 100 + 20 * MS, Who(0), Slot(0), 0));
    check("schedule", |o| o.iteration_begins(end / 2, Who(0), Slot(1000), 0));
    check("stop", |o| {
        o.of(Who(0)).stopped_at = Some(MS);
        o.iteration_begins(2 * MS, Who(0), Slot(0), 0);
    });
    check("again", |o| {
        let start = o.plan.schedule.lives(Slot(0))[0].start;
        o.iteration_ended(Who(0), Slot(0), 3, 0);
        o.iteration_begins(start, Who(0), Slot(0), 3);
    });
    check("start", |o| {
        o.t0 = None;
        o.user_starts(MS, Who(0), Slot(0));
    });
}

#[test]
fn an_older_assignment_is_noticed() {
    check("", |o| [1, 1, 4].map(|revision| o.obeys(Who(0), revision)).into_iter().collect());
    check("fencing", |o| [1, 4, 3].map(|revision| o.obeys(Who(0), revision)).into_iter().collect());
}

#[test]
fn chores_twice_or_beside_users_are_noticed() {
    check("once", |o| {
        o.chore_begins(MS, Who(0), ChoreKind::Teardown);
        o.chore_begins(MS, Who(1), ChoreKind::Teardown);
    });
    check("has users", |o| {
        o.user_starts(MS, Who(0), Slot(0));
        o.chore_begins(2 * MS, Who(1), ChoreKind::Teardown);
    });
    check("teardown last", |o| {
        o.chore_begins(MS, Who(1), ChoreKind::Teardown);
        o.user_starts(2 * MS, Who(0), Slot(0));
    });
    check("after the start", |o| o.chore_begins(MS, Who(0), ChoreKind::Setup));
    check("setup first", |o| {
        o.t0 = None;
        o.chore_begins(MS, Who(0), ChoreKind::Setup);
        o.t0 = Some(Duration::ZERO);
        o.user_starts(2 * MS, Who(1), Slot(0));
    });
}

#[test]
fn windows_that_are_not_what_happened_are_noticed() {
    let happened = |o: &mut Oracle| {
        *o.of(Who(0)).second(0) = Second { started: 2, aborted: 2, ..Second::default() };
        o.said.insert(1, Who(0));
    };
    let agent = AgentId(5);
    check("", |o| {
        happened(o);
        o.applied(1, agent, &window(1, 2));
        o.acknowledged(Who(0), 1);
    });
    check("truth", |o| {
        happened(o);
        o.applied(1, agent, &window(1, 3));
    });
    check("exactly once", |o| {
        happened(o);
        o.applied(1, agent, &window(1, 2));
        o.applied(1, agent, &window(1, 2));
    });
    check("exactly once", |o| {
        happened(o);
        o.applied(1, agent, &window(2, 0));
    });
    check("is acknowledged, applied are 0", |o| {
        happened(o);
        o.applied(1, agent, &window(1, 2));
        o.acknowledged(Who(0), 1);
        // Another coordinator does not have it.
        o.forget_taken();
        o.check_acknowledged();
    });
    check("is acknowledged", |o| {
        happened(o);
        o.acknowledged(Who(0), 1);
    });
}
