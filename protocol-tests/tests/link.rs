//! Wires that break in the middle of a run: what the target sees of it, and what the report says.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::{Ended, Process, TestDir};
use protocol_tests::proxy::Proxy;
use protocol_tests::recorder::{Recorder, Seens};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn plan(target: &str) -> String {
    format!(
        r#"version: 1
name: Link
target: {target}
load: {{ users: 12, duration: 20s }}
users:
  User:
    wait: 50ms
    tasks:
      look:
        get: /look
        headers: {{ x-slot: "${{user.slot}}", x-iteration: "${{user.iteration}}", x-agent: "${{agent.name}}" }}
"#
    )
}

/// Runs 12 users on three agents, the second behind a wire; `fault` is done to it or its wire once all users run.
fn three_agents(name: &str, fault: impl FnOnce(&Proxy, &Process, &Recorder)) -> (Seens, Ended, Value) {
    let target = Recorder::start(Duration::from_millis(5));
    let dir = TestDir::new(name);
    let plan = dir.write("plan.yaml", &plan(&target.url()));
    let mut coordinator = Coordinator::start(dir.path(), 3, &[plan.to_str().expect("an ASCII path")]);
    let wire = Proxy::start(&coordinator.address);
    let agents = [
        coordinator.agent(dir.path(), "a"),
        Coordinator::agent_at(&wire.address(), dir.path(), "b"),
        coordinator.agent(dir.path(), "c"),
    ];
    coordinator.line_with("00:03 /");
    fault(&wire, &agents[1], &target);
    let ended = coordinator.wait();
    drop(agents);
    (target.seen(), ended, report(&dir))
}

/// Waits until other agents make requests as every user that agent b had.
fn until_others_have_the_users_of_b(target: &Recorder) {
    target.until(|seen| {
        let slots = |of_b: bool| -> BTreeSet<u64> {
            let those = seen.requests.iter().filter(|seen| (seen.header("x-agent") == "b") == of_b);
            those.map(|seen| seen.number("x-slot")).collect()
        };
        slots(true).is_subset(&slots(false))
    });
}

/// Checks that the report counts what the target saw; what was given up when a lease ended may have got there or not.
fn check_counts(seen: &Seens, report: &Value) {
    let books = &report["accounting"];
    let count = |what: &str| books[what].as_u64().expect("a count");
    let (merged, aborted) = (count("merged"), count("aborted"));
    assert_eq!(books["status"], "exact");
    assert!(aborted <= 4, "b had four users: {books}");
    let arrived = seen.requests.len() as u64;
    assert!((merged..=merged + aborted).contains(&arrived), "{arrived} arrived: {books}");
}

#[test]
fn a_stream_that_breaks_and_comes_back_changes_nothing() {
    let (seen, ended, report) = three_agents("cut", |wire, _, target| {
        for _ in 0..3 {
            wire.cut();
            let requests = target.seen().requests.len();
            target.until(|seen| seen.requests.len() > requests + 300);
        }
    });
    assert!(ended.err.contains("the stream of agent b broke"), "{}", ended.err);
    assert!(ended.err.contains("agent b is back from"), "{}", ended.err);
    assert_eq!((seen.connections, seen.most_open), (12, 12), "no user noticed");
    let distinct: BTreeSet<_> =
        seen.requests.iter().map(|seen| (seen.number("x-slot"), seen.number("x-iteration"))).collect();
    assert_eq!(distinct.len(), seen.requests.len(), "no iteration is done twice");
    check_counts(&seen, &report);
    assert_eq!(report["users"]["losses"], Value::Array(Vec::new()));
    assert_eq!(report["verdict"], "pass", "{}", ended.out);
}

#[test]
fn an_agent_behind_a_silent_wire_stops_in_time_and_delivers_when_it_is_back() {
    let mut silent_at = Instant::now();
    let (seen, ended, report) = three_agents("silent", |wire, _, target| {
        silent_at = Instant::now();
        wire.silence();
        until_others_have_the_users_of_b(target);
        wire.restore();
    });
    let last = seen.requests.iter().filter(|seen| seen.header("x-agent") == "b").map(|seen| seen.at).max();
    let ran_on = last.expect("b made requests").saturating_duration_since(silent_at);
    assert!(ran_on < Duration::from_millis(4_500), "its lease is 4 s, it ran on for {ran_on:?}");
    assert!(ran_on > Duration::from_millis(1_500), "it had a lease, and used it: {ran_on:?}");
    assert_eq!(seen.most_open, 12, "no user was in two places");
    assert!(ended.err.contains("agent b is back from"), "{}", ended.err);
    check_counts(&seen, &report);
    assert_eq!(report["users"]["losses"][0]["agent"], "b");
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains("it came back and delivered all that it had measured"), "{reasons}");
}

#[test]
fn an_agent_that_was_frozen_sends_nothing_when_it_wakes() {
    let mut woke_at = Instant::now();
    let (seen, ended, report) = three_agents("frozen", |_, agent, target| {
        agent.signal("STOP");
        until_others_have_the_users_of_b(target);
        woke_at = Instant::now();
        agent.signal("CONT");
    });
    let of_b = || seen.requests.iter().filter(|seen| seen.header("x-agent") == "b");
    let late: Vec<_> = of_b().filter(|seen| seen.at > woke_at).collect();
    assert!(late.is_empty(), "{} requests after it woke: {late:?}", late.len());
    assert!(of_b().count() > 0);
    assert!(ended.err.contains("agent b is back from"), "{}", ended.err);
    check_counts(&seen, &report);
}
