//! Real agents and the real coordinator against the demo target, whose own counts are the judge.

use protocol_tests::fleet::{Coordinator, four_agents, report, reported, truth};
use protocol_tests::plan_file::platform;
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
