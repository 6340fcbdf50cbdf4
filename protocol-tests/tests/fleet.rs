//! Four real agents and the real coordinator against the demo target, whose own counts are the judge.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::plan_file::platform;
use protocol_tests::process::{Process, TestDir};
use serde_json::Value;
use std::collections::BTreeMap;

const AGENTS: [&str; 4] = ["a", "b", "c", "d"];

/// Runs `plan` with four agents; gives back the coordinator's exit code, what it printed, and the report.
fn four_agents(dir: &TestDir, plan: &str, args: &[&str]) -> (Option<i32>, String, Value) {
    let path = dir.write("plan.yaml", plan);
    let mut all = vec![path.to_str().expect("an ASCII path")];
    all.extend(args);
    let coordinator = Coordinator::start(dir.path(), 4, &all);
    let agents: Vec<Process> = AGENTS.iter().map(|name| coordinator.agent(dir.path(), name)).collect();
    let ended = coordinator.wait();
    drop(agents);
    (ended.code, format!("{}\n{}", ended.err, ended.out), report(dir))
}

/// Requests per method and path template, as the report has them.
fn reported(report: &Value) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for request in report["requests"].as_array().expect("requests") {
        let name = request["name"].as_str().expect("a name").to_owned();
        *counts.entry(name).or_default() += request["requests"].as_u64().expect("a count");
    }
    counts.retain(|_, count| *count > 0);
    counts
}

fn truth(target: &demo::Running) -> BTreeMap<String, u64> {
    let truth = target.truth();
    let counts = truth.endpoints.iter().filter(|endpoint| endpoint.requests > 0);
    counts.map(|endpoint| (format!("{} {}", endpoint.method, endpoint.path), endpoint.requests)).collect()
}

#[test]
fn a_thousand_users_on_four_agents_are_counted_exactly_as_the_target_saw_them() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("thousand");
    let load = "{ users: 10, spawn_rate: 1/s, duration: 1m }";
    let plan = platform(&target.url(), load, "3s..6s", "success_rate >= 99%");
    let args = ["--users", "1000", "--spawn-rate", "250", "--duration", "9s", "--seed", "7"];
    let (code, text, report) = four_agents(&dir, &plan, &args);

    assert_eq!(reported(&report), truth(&target), "{text}");
    assert!(reported(&report).len() == 4, "every endpoint was used: {:?}", reported(&report));
    assert_eq!(report["accounting"]["status"], "exact", "{text}");
    assert_eq!(report["accounting"]["started"], report["totals"]["requests"]);
    assert_eq!(report["totals"]["failures"], 0, "{text}");

    let per_agent = report["accounting"]["per_agent"].as_array().expect("agents");
    let users: Vec<u64> = per_agent.iter().map(|agent| agent["users"].as_u64().expect("users")).collect();
    assert_eq!(users, [250; 4]);
    let timeline = report["timeline"].as_array().expect("a timeline");
    let peak = timeline.iter().map(|point| point["users"].as_u64().unwrap_or(0)).max();
    assert_eq!(peak, Some(1000), "all users existed at once");
    // The ramp is fleet-wide: at the end of second t, 250·(t + 1) + 1 users exist.
    for (t, point) in timeline.iter().take(3).enumerate() {
        let users = point["users"].as_u64().expect("users");
        let target = point["target_users"].as_u64().expect("target");
        assert!(users.abs_diff(250 * (t as u64 + 1)) <= 4, "second {t}: {users} users");
        assert!(users.abs_diff(target) <= 4, "second {t}: {users} users, {target} planned");
    }
    assert_eq!(code, Some(report["exit_code"].as_i64().expect("a code") as i32));
    assert!(text.contains("accounting: exact"), "{text}");
}

#[test]
fn thresholds_decide_the_exit_code_both_ways() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let check = |name: &str, threshold: &str, verdict: &str, code: i32| {
        let dir = TestDir::new(name);
        let load = "{ users: 12, spawn_rate: 12/s, duration: 3s }";
        let plan = platform(&target.url(), load, "100ms..200ms", threshold);
        let (got, text, report) = four_agents(&dir, &plan, &[]);
        assert_eq!(report["verdict"], verdict, "{text}");
        assert_eq!(got, Some(code), "{text}");
        assert_eq!(report["exit_code"], code);
        let thresholds = report["thresholds"].as_array().expect("thresholds");
        assert_eq!(thresholds[0]["expression"], threshold);
        assert_eq!(thresholds[0]["scope"], "plan");
    };
    check("passes", "p95 <= 30s", "pass", 0);
    check("warns", "p95 <= 1us critical 30s", "warn", 0);
    check("fails", "p95 <= 1us", "fail", 99);
}

#[test]
fn failures_of_the_target_are_counted_by_kind_and_fail_the_run() {
    let config =
        demo::Config::default().fail("auth/login", "50%".parse().expect("a share")).expect("an endpoint");
    let target = demo::spawn(config).expect("the demo target starts");
    let dir = TestDir::new("failures");
    let load = "{ users: 8, spawn_rate: 8/s, duration: 3s }";
    let (code, text, report) =
        four_agents(&dir, &platform(&target.url(), load, "100ms..200ms", "success_rate >= 99%"), &[]);
    assert_eq!(code, Some(99), "{text}");
    let truth = target.truth();
    let login = truth.endpoint("POST", "/api/v1/auth/login").expect("an endpoint");
    let errors = report["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["kind"], "status");
    assert_eq!(errors[0]["count"].as_u64(), login.responses.get(&503).copied());
    assert!(text.contains("success_rate of group `auth`") || text.contains("group `auth`"), "{text}");
}

#[test]
fn ctrl_c_stops_cleanly_and_still_reports() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("ctrl-c");
    let load = "{ users: 8, spawn_rate: 8/s, duration: 100s }";
    let plan = dir.write("plan.yaml", &platform(&target.url(), load, "100ms..200ms", "success_rate >= 99%"));
    let mut coordinator = Coordinator::start(dir.path(), 2, &[plan.to_str().expect("an ASCII path")]);
    let agents = [coordinator.agent(dir.path(), "a"), coordinator.agent(dir.path(), "b")];
    coordinator.line_with("00:02 /");
    coordinator.signal("INT");
    let ended = coordinator.wait();
    drop(agents);
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    let report = report(&dir);
    assert_eq!(report["exit_code"], 130);
    assert_eq!(report["accounting"]["status"], "exact", "{}", ended.out);
    assert_eq!(reported(&report), truth(&target), "what was measured until then is all there");
    assert!(ended.out.contains("interrupted"), "{}", ended.out);
}

#[test]
fn an_agent_killed_in_the_middle_is_named_and_the_verdict_is_not_a_pass() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("killed");
    let load = "{ users: 8, spawn_rate: 8/s, duration: 6s }";
    let plan = dir.write("plan.yaml", &platform(&target.url(), load, "100ms..200ms", "p95 <= 30s"));
    let mut coordinator = Coordinator::start(dir.path(), 2, &[plan.to_str().expect("an ASCII path")]);
    let agents = [coordinator.agent(dir.path(), "a"), coordinator.agent(dir.path(), "b")];
    coordinator.line_with("00:02 /");
    agents[1].signal("KILL");
    let ended = coordinator.wait();
    let report = report(&dir);
    assert_eq!(report["accounting"]["status"], "incomplete");
    let lost_at_most = report["accounting"]["lost_at_most"].as_u64().expect("a bound");
    let seen: u64 = truth(&target).values().sum();
    let merged = report["accounting"]["merged"].as_u64().expect("a count");
    assert!(
        merged <= seen && seen <= merged + lost_at_most,
        "{merged} merged, {seen} seen, {lost_at_most} lost"
    );
    assert!(ended.err.contains("agent b with 4 users was lost"), "{}", ended.err);
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains('b'), "{reasons}");
    assert_ne!(report["verdict"], "pass", "8 users were asked for and 4 are left: {reasons}");
    assert_ne!(ended.code, Some(0));
}
