//! Agents that come when the run has begun, and agents that leave in good order, at a real target. A late agent that gets
//! nobody is a failure of a peer tool.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::{Ended, TestDir};
use protocol_tests::recorder::{Recorder, Seen, Seens};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const USERS: u64 = 20;

fn plan(target: &str, seconds: u32) -> String {
    format!(
        r#"version: 1
name: Joiners
target: {target}
load: {{ users: {USERS}, spawn_rate: 20/s, duration: {seconds}s }}
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

/// Runs two agents for so many seconds with `policy`; once all users run, a third comes, and when it is there the first one
/// gets `signal`, if any. What the target saw, how the coordinator ended, and its report.
fn third_agent(name: &str, seconds: u32, policy: &str, signal: Option<&str>) -> (Seens, Ended, Value) {
    let target = Recorder::start(Duration::from_millis(10));
    let dir = TestDir::new(name);
    let plan = dir.write("plan.yaml", &plan(&target.url(), seconds));
    let args = [plan.to_str().expect("an ASCII path"), "--on-agent-join", policy];
    let mut coordinator = Coordinator::start(dir.path(), 2, &args);
    let agents = ["a", "b"].map(|name| coordinator.agent(dir.path(), name));
    coordinator.line_with("00:02 /");
    let third = coordinator.agent(dir.path(), "c");
    coordinator.line_with("agent c attached");
    if let Some(signal) = signal {
        coordinator.line_with("00:04 /");
        agents[0].signal(signal);
    }
    let ended = coordinator.wait();
    drop((agents, third));
    (target.seen(), ended, report(&dir))
}

/// Which users made requests through `agent`.
fn users_of(seen: &Seens, agent: &str) -> BTreeSet<u64> {
    let of = |seen: &&Seen| seen.header("x-agent") == agent;
    seen.requests.iter().filter(of).map(|seen| seen.number("x-slot")).collect()
}

/// No user was in two places, no iteration was done twice, and there were never more users than asked for.
fn check_moves(seen: &Seens) {
    assert!(seen.most_open as u64 <= USERS, "{} users at once", seen.most_open);
    let mut of_slot: BTreeMap<u64, Vec<&Seen>> = BTreeMap::new();
    for request in &seen.requests {
        of_slot.entry(request.number("x-slot")).or_default().push(request);
    }
    assert!(of_slot.keys().copied().eq(0..USERS));
    for (slot, requests) in of_slot {
        let mut agents = vec![requests[0].header("x-agent")];
        for pair in requests.windows(2) {
            let (now, before) = (pair[1].header("x-agent"), pair[0].header("x-agent"));
            if now != before {
                assert!(!agents.contains(&now), "user {slot} is in two places");
                agents.push(now);
            }
        }
    }
}

/// Every iteration began once, and everything is counted.
fn check_exact(seen: &Seens, ended: &Ended, report: &Value) {
    assert_eq!(report["accounting"]["status"], "exact", "{}", ended.out);
    assert_eq!(report["accounting"]["merged"].as_u64(), Some(seen.requests.len() as u64));
    let distinct: BTreeSet<_> =
        seen.requests.iter().map(|seen| (seen.number("x-slot"), seen.number("x-iteration"))).collect();
    assert_eq!(distinct.len(), seen.requests.len(), "no iteration is done twice");
}

#[test]
fn a_late_agent_gets_its_share_and_the_load_never_exceeds_the_target() {
    let (seen, ended, report) = third_agent("share", 20, "share", None);
    check_moves(&seen);
    check_exact(&seen, &ended, &report);
    assert_eq!(users_of(&seen, "c").len(), 6, "a third of 20: {}", ended.err);
    let late = &report["accounting"]["per_agent"][2];
    assert_eq!(late["name"], "c");
    assert!(late["joined_at_s"].as_f64().is_some_and(|at| (2.0..8.0).contains(&at)), "{late}");
    assert_eq!(report["accounting"]["per_agent"][0]["joined_at_s"], Value::Null);
    let missing = report["users"]["missing_user_seconds"].as_f64().expect("a number");
    assert!(
        missing <= 2.0 * 20.0,
        "{missing} user-seconds are missing, a tenth of the users at a time at most"
    );
}

#[test]
fn a_standby_replaces_an_agent_that_is_killed() {
    let (seen, ended, report) = third_agent("standby", 15, "standby", Some("KILL"));
    check_moves(&seen);
    assert_eq!(users_of(&seen, "c"), users_of(&seen, "a"), "{}", ended.err);
    let loss = &report["users"]["losses"][0];
    assert_eq!((&loss["agent"], &loss["kind"], &loss["moved"]), (&"a".into(), &"lost".into(), &10.into()));
}

#[test]
fn users_of_an_agent_that_is_stopped_go_on_at_a_standby_and_nothing_is_lost() {
    let (seen, ended, report) = third_agent("drain", 12, "standby", Some("TERM"));
    check_moves(&seen);
    check_exact(&seen, &ended, &report);
    assert_eq!(users_of(&seen, "c"), users_of(&seen, "a"), "{}", ended.err);
    assert!(users_of(&seen, "b").is_disjoint(&users_of(&seen, "c")), "nobody else's users move");
    let loss = &report["users"]["losses"][0];
    assert_eq!((&loss["agent"], &loss["kind"], &loss["stranded"]), (&"a".into(), &"left".into(), &0.into()));
    assert!(loss["left_at_s"].as_f64().is_some_and(|at| at > 3.0), "{loss}");
    let missing = report["users"]["missing_user_seconds"].as_f64().expect("a number");
    assert!(missing <= 40.0, "{missing} user-seconds are missing");
}

#[test]
fn a_late_agent_is_refused_where_that_is_asked_for() {
    let (seen, ended, _) = third_agent_refused();
    assert!(users_of(&seen, "c").is_empty());
    assert!(ended.err.contains("--on-agent-join refuse"), "{}", ended.err);
}

fn third_agent_refused() -> (Seens, Ended, Value) {
    let target = Recorder::start(Duration::from_millis(10));
    let dir = TestDir::new("refuse");
    let plan = dir.write("plan.yaml", &plan(&target.url(), 6));
    let args = [plan.to_str().expect("an ASCII path"), "--on-agent-join", "refuse"];
    let mut coordinator = Coordinator::start(dir.path(), 2, &args);
    let agents = ["a", "b"].map(|name| coordinator.agent(dir.path(), name));
    coordinator.line_with("00:01 /");
    let third = coordinator.agent(dir.path(), "c");
    coordinator.line_with("turned an agent");
    let ended = coordinator.wait();
    drop((agents, third));
    (target.seen(), ended, report(&dir))
}
