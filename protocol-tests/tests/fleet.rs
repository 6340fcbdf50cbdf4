//! Real agents and the real coordinator against the demo target, whose own counts are the judge.

use protocol_tests::fleet::{Coordinator, four_agents, report, reported, truth};
use protocol_tests::plan_file::{platform, polling};
use protocol_tests::process::TestDir;

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

#[test]
fn polls_are_requests_and_their_completions_are_counted_apart() {
    let config = demo::Config::default()
        .latency("generation/done", "constant 300ms".parse().expect("a law"))
        .expect("an endpoint");
    let target = demo::spawn(config).expect("the demo target starts");
    let dir = TestDir::new("polls");
    let (code, text, report) = four_agents(&dir, &polling(&target.url()), &[]);
    assert_eq!(report["accounting"]["status"], "exact", "{text}");
    assert_eq!(code.map(i64::from), report["exit_code"].as_i64());
    let rows = report["requests"].as_array().expect("requests");
    let of = |method: &str| rows.iter().find(|row| row["method"] == method).expect("a row");
    let count = |row: &serde_json::Value| row["requests"].as_u64().expect("a count");
    let (whole, done) = (of("GROUP"), of("POLL"));
    assert_eq!(
        (whole["name"].as_str(), done["name"].as_str()),
        (Some("answer a prompt"), Some("write / complete"))
    );
    let seen = truth(&target);
    let mut counted = reported(&report);
    let not_requests =
        ["answer a prompt", "write / complete"].map(|name| counted.remove(name).expect("a row"));
    assert_eq!(counted, seen, "{text}");
    assert_eq!(report["totals"]["requests"].as_u64(), Some(seen.values().sum()));
    assert_eq!(report["groups"][0]["requests"], report["totals"]["requests"]);
    let created = seen["POST /api/v1/generation/create"];
    assert_eq!((count(whole), count(done), not_requests), (created, created, [created; 2]));
    assert!(done["latency_ms"]["min"].as_f64().expect("a time") >= 250.0, "from submit to done: {done}");
    assert!(seen["GET /api/v1/generation/{id}"] > 2 * created, "several polls for each: {seen:?}");
    let accounting = &report["accounting"];
    assert_eq!(
        accounting["started"].as_u64(),
        report["totals"]["requests"].as_u64().map(|all| all + 2 * created)
    );
}
