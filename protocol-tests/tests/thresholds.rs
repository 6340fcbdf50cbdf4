//! Thresholds that are judged while the run goes on, from the plan to the exit code.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::{Process, TestDir};
use serde_json::Value;

fn plan(target: &str, load: &str, threshold: &str) -> String {
    format!(
        "version: 1\nname: thresholds\ntarget: {target}\nload: {load}\n\
         groups: {{ health: {{ thresholds: [ \"{threshold}\" ] }} }}\n\
         users:\n  Visitor: {{ group: health, wait: 20ms, tasks: {{ look: {{ get: /api/v1/auth/health }} }} }}\n"
    )
}

fn target(latency: &str) -> demo::Running {
    let law = latency.parse().expect("a law");
    demo::spawn(demo::Config::default().latency("auth/health", law).expect("an endpoint")).expect("it starts")
}

#[test]
fn a_lost_run_is_stopped_on_all_agents_soon() {
    let target = target("constant 60ms");
    let dir = TestDir::new("abort");
    let load = "{ users: 6, duration: 2m, stop_timeout: 5s }";
    let sentence = "p95 <= 50ms critical 55ms abort after 2s";
    let path = dir.write("plan.yaml", &plan(&target.url(), load, sentence));
    let mut coordinator = Coordinator::start(dir.path(), 2, &[path.to_str().expect("an ASCII path")]);
    let agents = [coordinator.agent(dir.path(), "a"), coordinator.agent(dir.path(), "b")];
    coordinator.line_with("the run stops: p95 of group `health` is ");
    let ended = coordinator.wait();
    drop(agents);
    assert_eq!(ended.code, Some(99), "{}", ended.err);
    let report = report(&dir);
    assert_eq!((&report["verdict"], &report["exit_code"]), (&"fail".into(), &99.into()));
    let reason = report["reasons"][0].as_str().expect("text");
    assert!(reason.starts_with("the run was stopped after "), "{reason}");
    assert!(
        reason.ends_with(&format!("because `{sentence}` of group `health` was missed for certain")),
        "{reason}"
    );
    let row = &report["thresholds"][0];
    let at = row["aborted_at_s"].as_f64().expect("a time");
    let stopped = report["run"]["duration_s"].as_f64().expect("a time");
    assert!((2.0..20.0).contains(&at), "two minutes were planned: {row}");
    // Windows of a second are delivered in the next one.
    assert!((at..at + 6.0).contains(&stopped), "certain at {at} s, stopped at {stopped} s");
    assert_eq!(row["level"], "critical");
    assert!(row["ci_low"].as_f64().is_some_and(|low| low > 55.0), "{row}");
    assert_eq!(report["accounting"]["status"], "exact", "{}", ended.out);
    assert_eq!(report["totals"]["requests"].as_u64(), Some(target.truth().total), "{}", ended.out);
    assert!(ended.out.contains("the run was stopped after"), "{}", ended.out);
}

#[test]
fn a_coordinator_that_goes_on_for_another_judges_the_seconds_before_it_too() {
    let target = target("constant 60ms");
    let dir = TestDir::new("abort-resumed");
    // About 70 requests a second: only a whole window of 8 s has more than 350.
    let sentence = "count <= 350 over 8s abort after 1s";
    let path = dir
        .write("plan.yaml", &plan(&target.url(), "{ users: 6, duration: 2m, stop_timeout: 5s }", sentence));
    let mut coordinator = Coordinator::start(dir.path(), 1, &[path.to_str().expect("an ASCII path")]);
    let agent = coordinator.agent(dir.path(), "a");
    coordinator.line_with("00:03 /");
    coordinator.signal("KILL");
    assert_eq!(coordinator.wait().code, None, "it was killed");
    let ended = Process::start("coordinator", dir.path(), ["--resume", "last"]).wait();
    drop(agent);
    assert_eq!(ended.code, Some(99), "{}", ended.err);
    let row = &report(&dir)["thresholds"][0];
    // Without what was before, the first whole window would end at 11 s.
    assert_eq!(row["aborted_at_s"].as_f64(), Some(8.0), "{row}");
    assert_eq!((&row["window"]["from_s"], &row["window"]["to_s"]), (&0.into(), &8.into()), "{row}");
}

/// The report of a run without agents of its own.
fn run(dir: &TestDir, plan: &str) -> (Option<i32>, Value) {
    let path = dir.write("plan.yaml", plan);
    let args = [path.to_str().expect("an ASCII path"), "--no-ui"];
    let ended = Process::start("coordinator", dir.path(), args).wait();
    (ended.code, report(dir))
}

#[test]
fn sliding_windows_are_judged_on_a_real_run() {
    let target = target("constant 30ms");
    let dir = TestDir::new("sliding");
    let load = "{ users: 4, duration: 5s, warmup: 1s }";
    let (code, report) = run(&dir, &plan(&target.url(), load, "p95 <= 10ms critical 5s over 2s"));
    let row = &report["thresholds"][0];
    assert_eq!((code, &report["verdict"]), (Some(0), &"warn".into()), "{row}");
    let window = |key: &str| row["window"][key].as_u64().expect("a number");
    assert_eq!((window("judged"), window("missed")), (3, 3), "{row}");
    assert_eq!(window("to_s") - window("from_s"), 2, "{row}");
    assert!(window("from_s") >= 1 && window("to_s") <= 5, "{row}");
    assert!(
        row["samples"].as_u64().is_some_and(|n| n > 50 && n < report["totals"]["requests"].as_u64().unwrap())
    );
    let interval = &report["groups"][0]["latency_ci_ms"]["p50"];
    let p50 = report["groups"][0]["latency_ms"]["p50"].as_f64().expect("a latency");
    assert!(interval[0].as_f64().unwrap() <= p50 && p50 <= interval[1].as_f64().unwrap(), "{interval}");
}

#[test]
fn a_window_that_could_never_be_judged_is_a_mistake_of_the_plan() {
    let dir = TestDir::new("unreachable");
    let text = plan("http://127.0.0.1:9", "{ users: 1, duration: 20s, warmup: 5s }", "p95 <= 1s over 30s");
    let path = dir.write("plan.yaml", &text);
    let ended = Process::start("coordinator", dir.path(), ["check", path.to_str().expect("ASCII")]).wait();
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("plan.yaml:5:"), "{}", ended.err);
    let problem = "the window `over 30s` is longer than what is measured, 15s: it could never be judged";
    assert!(ended.err.contains(problem), "{}", ended.err);
}
