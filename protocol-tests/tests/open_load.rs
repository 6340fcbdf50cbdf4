//! Open load and warm-up from the command line to the report, with the target's own counts as the judge.

use protocol_tests::fleet::{Coordinator, four_agents, report};
use protocol_tests::process::{Process, TestDir};
use std::path::Path;

/// A plan with one request, `GET /api/v1/auth/health`.
fn plan(target: &str, load: &str) -> String {
    format!(
        "version: 1\nname: open\ntarget: {target}\nload: {load}\n\
         users:\n  Visitor: {{ tasks: {{ look: {{ get: /api/v1/auth/health }} }} }}\n"
    )
}

#[test]
fn arrivals_are_started_or_dropped_and_each_is_counted() {
    // Every answer takes a quarter of a second, so 8 users serve 32 of 60 arrivals per second.
    let config = demo::Config::default()
        .latency("auth/health", "constant 250ms".parse().expect("a law"))
        .expect("an endpoint");
    let target = demo::spawn(config).expect("the demo target starts");
    let dir = TestDir::new("open-drops");
    let load = "{ arrivals: 60/s, max_users: 8, duration: 3s }";
    let (code, text, report) = four_agents(&dir, &plan(&target.url(), load), &[]);
    let arrivals = |key: &str| report["arrivals"][key].as_u64().expect("a count");
    let (scheduled, started, dropped) = (arrivals("scheduled"), arrivals("started"), arrivals("dropped"));
    assert_eq!(scheduled, 180, "{text}");
    assert_eq!(started + dropped, scheduled, "{text}");
    assert!((8..=8 * 13).contains(&started), "{text}");
    assert_eq!(report["totals"]["requests"].as_u64(), Some(started), "{text}");
    assert_eq!(target.truth().total, started);
    let timeline = report["timeline"].as_array().expect("a timeline");
    assert_eq!(timeline.iter().filter_map(|row| row["dropped"].as_u64()).sum::<u64>(), dropped);
    assert!(timeline.iter().all(|row| row["users"].as_u64().is_some_and(|users| users <= 8)));
    assert_eq!(report["accounting"]["status"], "exact");
    assert_eq!(code, Some(98), "{text}");
    let reason = format!("{dropped} of 180 arrivals were dropped, because no user was idle");
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains(&reason) && reasons.contains("raise `max_users`"), "{reasons}");
}

#[test]
fn a_target_that_keeps_up_drops_nothing_and_users_are_not_missed() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("open-passes");
    let load = "{ arrivals: { stages: [ { rate: 60/s, over: 2s }, { rate: 60/s, for: 1s } ], pattern: poisson }, max_users: 200 }";
    let (code, text, report) = four_agents(&dir, &plan(&target.url(), load), &[]);
    let (scheduled, started) = (&report["arrivals"]["scheduled"], &report["arrivals"]["started"]);
    assert_eq!((code, scheduled), (Some(0), started), "{text}");
    assert_eq!(started.as_u64(), Some(target.truth().total), "{text}");
    assert_eq!(report["users"]["missing_user_seconds"], 0.0);
    assert!(report["arrivals"]["start_error_ms"]["p99"].is_f64(), "{text}");
}

#[test]
fn what_ends_in_the_warm_up_is_left_out_and_accounted_for() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("warm-up");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/open-load.yaml");
    let example = example.to_str().expect("an ASCII path").to_owned();
    let args = [example.as_str(), "--profile", "smoke", "--target", &target.url(), "--no-ui"];
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let report = report(&dir);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let (measured, left_out) = (&report["totals"]["requests"], &report["run"]["warmup_requests"]);
    let (measured, left_out) = (measured.as_u64().expect("a count"), left_out.as_u64().expect("a count"));
    assert!(measured > 0 && left_out > 0);
    assert_eq!(measured + left_out, target.truth().total);
    assert_eq!(report["accounting"]["merged"].as_u64(), Some(target.truth().total));
    assert_eq!(
        (report["run"]["warmup_s"].as_f64(), report["run"]["duration_s"].as_f64()),
        (Some(1.0), Some(3.0))
    );
    let seen: u64 = report["timeline"]
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| row["rps"].as_f64())
        .sum::<f64>() as u64;
    assert_eq!(seen, measured + left_out, "the timeline has all of it");
    assert!(ended.out.contains("measured 2.0 s after 1 s of warm-up"), "{}", ended.out);
    assert!(ended.err.contains("warm-up  users"), "{}", ended.err);
}

#[test]
fn the_arrivals_of_a_killed_agent_go_on_at_the_others() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("open-killed");
    let path =
        dir.write("plan.yaml", &plan(&target.url(), "{ arrivals: 40/s, max_users: 40, duration: 12s }"));
    let mut coordinator = Coordinator::start(dir.path(), 2, &[path.to_str().expect("an ASCII path")]);
    let agents = [coordinator.agent(dir.path(), "a"), coordinator.agent(dir.path(), "b")];
    coordinator.line_with("00:02 /");
    agents[1].signal("KILL");
    let ended = coordinator.wait();
    let report = report(&dir);
    let arrivals = |key: &str| report["arrivals"][key].as_u64().expect("a count");
    let made = arrivals("started") + arrivals("dropped");
    assert_eq!(arrivals("scheduled"), 480);
    // Half of those that came between its last window and the end of its lease.
    assert!((1..=20 * 8).contains(&(480 - made)), "{made} made: {}", ended.out);
    let timeline = report["timeline"].as_array().expect("rows");
    let late = timeline.iter().find(|row| row["t_s"] == 10).expect("the run goes on");
    assert!(late["rps"].as_f64().is_some_and(|rps| rps > 30.0), "all arrivals again: {timeline:?}");
    let (merged, lost) = (&report["accounting"]["merged"], &report["accounting"]["lost_at_most"]);
    let (merged, lost) = (merged.as_u64().expect("a count"), lost.as_u64().expect("a bound"));
    let seen = target.truth().total;
    assert!(merged <= seen && seen <= merged + lost, "{merged} merged, {seen} seen, {lost} lost");
    assert!(report["reasons"].to_string().contains("480 arrivals were not made"), "{}", ended.out);
    assert_ne!(report["verdict"], "pass");
}
