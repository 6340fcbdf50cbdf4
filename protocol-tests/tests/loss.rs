//! Agents that go in the middle of a run: what the target sees of it, and what the report says.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::{Ended, TestDir};
use protocol_tests::recorder::{Recorder, Seens};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

fn plan(target: &str, load: &str) -> String {
    format!(
        r#"version: 1
name: Loss
target: {target}
load: {load}
users:
  User:
    wait: 50ms
    tasks:
      look:
        get: /look
        headers: {{ x-slot: "${{user.slot}}", x-iteration: "${{user.iteration}}" }}
"#
    )
}

/// Runs 30 users, 10/s, on three agents and sends `signal` to the second once all of them run; what the target saw, when
/// the signal was sent, how the coordinator ended, and its report.
fn three_agents(name: &str, signal: &str, length: &str, args: &[&str]) -> (Seens, Instant, Ended, Value) {
    let load = format!("{{ users: 30, spawn_rate: 10/s, duration: {length} }}");
    three_agents_under(name, &load, "00:04 /", signal, args)
}

/// The same under this load; the signal is sent when the coordinator says `when`.
fn three_agents_under(
    name: &str,
    load: &str,
    when: &str,
    signal: &str,
    args: &[&str],
) -> (Seens, Instant, Ended, Value) {
    let target = Recorder::start(Duration::from_millis(10));
    let dir = TestDir::new(name);
    let plan = dir.write("plan.yaml", &plan(&target.url(), load));
    let mut all = vec![plan.to_str().expect("an ASCII path")];
    all.extend(args);
    let mut coordinator = Coordinator::start(dir.path(), 3, &all);
    let agents = ["a", "b", "c"].map(|name| coordinator.agent(dir.path(), name));
    coordinator.line_with(when);
    let at = Instant::now();
    agents[1].signal(signal);
    let ended = coordinator.wait();
    drop(agents);
    (target.seen(), at, ended, report(&dir))
}

/// Checks that no two agents had the same user at once, that no agent began one of its iterations twice, and that
/// all 30 users were there; gives for each user that moved when its second agent began with it.
fn moved(seen: &Seens) -> BTreeMap<u64, Instant> {
    assert!(seen.most_open <= 30, "{} users at once", seen.most_open);
    let mut of_slot: BTreeMap<u64, Vec<(usize, u64, Instant)>> = BTreeMap::new();
    for request in &seen.requests {
        let slot = of_slot.entry(request.number("x-slot")).or_default();
        slot.push((request.connection, request.number("x-iteration"), request.at));
    }
    assert!(of_slot.keys().copied().eq(0..30));
    let mut moved = BTreeMap::new();
    for (slot, requests) in of_slot {
        let mut connections = BTreeSet::from([requests[0].0]);
        for pair in requests.windows(2) {
            let ((before, last, _), (now, iteration, at)) = (pair[0], pair[1]);
            if before == now {
                assert_eq!(iteration, last + 1, "user {slot} goes on with the next iteration");
            } else {
                assert!(connections.insert(now), "user {slot} is in two places");
                // What the first agent did in its last moments is not known, and done again.
                let again = (last + 1).checked_sub(iteration).expect("no iteration is left out");
                assert!(again <= 40, "user {slot} repeats {again} iterations");
                assert!(iteration > 0, "what is known is not done again");
                moved.insert(slot, at);
            }
        }
    }
    moved
}

#[test]
fn users_of_a_killed_agent_come_back_elsewhere_at_the_plans_pace() {
    let (seen, killed, ended, report) = three_agents("moves", "KILL", "15s", &[]);
    let moved = moved(&seen);
    assert_eq!(moved.len(), 10, "{}", ended.err);
    let mut starts: Vec<Instant> = moved.into_values().collect();
    starts.sort_unstable();
    let first = starts[0] - killed;
    assert!(first >= Duration::from_secs(3), "its lease went on for {first:?} at most");
    assert!(starts[9] - starts[0] >= Duration::from_millis(500), "10 users at 10/s: {starts:?}");
    let last = seen.requests.last().expect("requests").at;
    let fresh = seen.requests.iter().filter(|seen| last - seen.at < Duration::from_secs(1));
    assert_eq!(fresh.map(|seen| seen.number("x-slot")).collect::<BTreeSet<_>>().len(), 30, "all are back");

    let users = &report["users"];
    let loss = &users["losses"][0];
    assert_eq!((&loss["agent"], &loss["moved"], &loss["stranded"]), (&"b".into(), &10.into(), &0.into()));
    let (lost_at, moved_at) = (loss["lost_at_s"].as_f64().unwrap(), loss["moved_at_s"].as_f64().unwrap());
    assert!(lost_at < moved_at && moved_at < lost_at + 5.0, "{loss}");
    let missing = users["missing_user_seconds"].as_f64().expect("a number");
    assert!((20.0..=80.0).contains(&missing), "{missing} user-seconds are missing");
    assert!(ended.err.contains("10 users of agent b go on at 2 other agents"), "{}", ended.err);
    assert_eq!(report["accounting"]["status"], "incomplete");
}

/// What brings a fleet of Locust down from 30 users to one, a minute after the loss (docs/PROTOCOL.md, "What others do").
#[test]
fn one_of_three_is_killed_at_thirty_users_and_one_a_second() {
    let load = "{ users: 30, spawn_rate: 1/s, duration: 60s }";
    let (seen, killed, ended, report) = three_agents_under("one-a-second", load, "00:32 /", "KILL", &[]);
    let moved = moved(&seen);
    assert_eq!(moved.len(), 10, "{}", ended.err);
    let mut starts: Vec<Instant> = moved.values().copied().collect();
    starts.sort_unstable();
    for pair in starts.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart >= Duration::from_millis(800), "users come back faster than 1/s: {apart:?}");
    }
    let back = starts[9] - killed;
    assert!(back <= Duration::from_secs(18), "all are back {back:?} after the loss");

    // The other twenty never notice, until the end of the run.
    let end = seen.requests.last().expect("requests").at;
    for slot in (0..30).filter(|slot| !moved.contains_key(slot)) {
        let times = seen.requests.iter().filter(|seen| seen.number("x-slot") == slot).map(|seen| seen.at);
        let times: Vec<Instant> = times.chain([end]).collect();
        let pause = times.windows(2).map(|pair| pair[1] - pair[0]).max().expect("requests");
        assert!(pause < Duration::from_secs(2), "user {slot} stood still for {pause:?}");
    }

    // The report says it, with the figure that the target saw.
    let missing: f64 = starts.iter().map(|start| (*start - killed).as_secs_f64()).sum();
    let said = report["users"]["missing_user_seconds"].as_f64().expect("a number");
    assert!((said - missing).abs() <= 10.0, "{said} user-seconds are said to be missing, {missing} were");
    assert_eq!(report["users"]["losses"][0]["agent"], "b");
    assert!(ended.out.contains("agent b"), "{}", ended.out);
}

#[test]
fn users_of_an_agent_that_leaves_move_at_once_and_nothing_is_missing() {
    let (seen, left, ended, report) = three_agents("leaves", "TERM", "10s", &[]);
    let moved = moved(&seen);
    assert_eq!(moved.len(), 10, "{}", ended.err);
    let first = moved.into_values().min().expect("ten") - left;
    assert!(first < Duration::from_secs(3), "nothing to wait for: {first:?}");
    assert_eq!(report["accounting"]["status"], "exact", "{}", ended.out);
    assert_eq!(report["accounting"]["merged"].as_u64(), Some(seen.requests.len() as u64));
    let distinct: BTreeSet<_> =
        seen.requests.iter().map(|seen| (seen.number("x-slot"), seen.number("x-iteration"))).collect();
    assert_eq!(distinct.len(), seen.requests.len(), "no iteration is done twice");
    let loss = &report["users"]["losses"][0];
    assert_eq!((&loss["agent"], &loss["lost_at_s"], &loss["moved"]), (&"b".into(), &Value::Null, &10.into()));
}

#[test]
fn a_run_goes_on_without_an_agent_or_stops_if_that_is_asked_for() {
    let (seen, _, ended, report) = three_agents("holds", "KILL", "10s", &["--on-agent-loss", "hold"]);
    assert_eq!(moved(&seen).len(), 0, "{}", ended.err);
    assert_eq!(report["users"]["losses"][0]["stranded"], 10);
    assert_eq!(report["verdict"], "inconclusive");

    let (seen, killed, ended, report) = three_agents("aborts", "KILL", "60s", &["--on-agent-loss", "abort"]);
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert_eq!(report["exit_code"], 4);
    let last = seen.requests.last().expect("requests").at;
    assert!(last - killed < Duration::from_secs(5), "the users stop: {:?}", last - killed);
    assert!(report["reasons"].to_string().contains("--on-agent-loss abort"), "{}", report["reasons"]);
}
