//! Agents that are themselves the bottleneck: they get no more users, and nothing passes that they measured.
#![cfg(unix)]

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::narrow::{CpuGroup, with_open_files};
use protocol_tests::process::{Process, TestDir};
use protocol_tests::recorder::Recorder;
use serde_json::Value;
use std::time::Duration;

/// The figures and the judgement of agent `name`.
fn figures<'a>(report: &'a Value, name: &str) -> &'a Value {
    let agents = report["generator"]["agents"].as_array().expect("agents");
    agents.iter().find(|agent| agent["name"] == name).expect("it was there")
}

fn arguments<'a>(coordinator: &'a Coordinator, name: &'a str) -> [&'a str; 6] {
    ["--coordinator", &coordinator.address, "--name", name, "--threads", "1"]
}

#[test]
fn an_agent_held_up_by_its_quota_gets_no_more_users_and_the_run_does_not_pass() {
    let Some(group) = CpuGroup::new("saturation", 50) else { return };
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("quota");
    let text = format!(
        "version: 1\nname: Quota\ntarget: {}\nload: {{ users: 60, duration: 14s }}\nthresholds: [ \"success_rate >= 1%\" ]\n\
         users: {{ User: {{ wait: 20ms, tasks: {{ look: {{ get: /api/v1/auth/health }} }} }} }}\n",
        target.url()
    );
    let plan = dir.write("plan.yaml", &text);
    let mut coordinator = Coordinator::start(dir.path(), 3, &[plan.to_str().expect("an ASCII path")]);
    let held_up = group.start("agent", dir.path(), arguments(&coordinator, "a"));
    let others = ["b", "c"].map(|name| coordinator.agent(dir.path(), name));
    let line = coordinator.line_with("agent a is saturated");
    let why = ["its CPU quota holds it up for", "its processor is"];
    assert!(why.iter().any(|words| line.contains(words)), "{line}");
    assert!(
        line.contains("(limit ") && line.contains("it gets no more users until it is fit for 10 s"),
        "{line}"
    );
    others[1].signal("TERM");
    let ended = coordinator.wait();
    drop((held_up, others));
    let report = report(&dir);
    let per_agent = report["accounting"]["per_agent"].as_array().expect("agents");
    // It may take longer to attach than the others.
    let held = per_agent.iter().find(|agent| agent["name"] == "a").expect("it was there");
    assert_eq!(held["users"], 20, "it keeps its users, and got none: {}", ended.err);
    let loss = &report["users"]["losses"][0];
    assert_eq!(loss["agent"], "c", "{loss}");

    let a = figures(&report, "a");
    assert_eq!((&a["status"], &a["cpu_limit"]), (&"invalid".into(), &0.05.into()), "{a}");
    assert!(a["throttled_ms"].as_f64().is_some_and(|ms| ms > 500.0), "{a}");
    assert!(
        a["cpu_max"].as_f64().is_some_and(|share| share > 0.5),
        "a share of the quota, not of the machine: {a}"
    );
    let reasons: Vec<&str> =
        a["reasons"].as_array().expect("reasons").iter().filter_map(Value::as_str).collect();
    let quota = reasons.iter().find(|reason| reason.contains("CPU quota of 0.05 cores")).expect("the reason");
    for words in ["(limit 50 ms per second)", "from second ", "raise its CPU limit (cpu.max"] {
        assert!(quota.contains(words), "{quota}");
    }
    assert_eq!(report["generator"]["status"], "invalid");
    assert_eq!((&report["verdict"], ended.code), (&"inconclusive".into(), Some(98)), "{}", ended.out);
    assert!(ended.out.contains("agent a was held up by its CPU quota"), "{}", ended.out);
}

#[test]
fn an_agent_without_descriptors_does_not_pass_for_a_target_that_refuses() {
    let targets: Vec<Recorder> = (0..4).map(|_| Recorder::start(Duration::from_millis(1))).collect();
    let steps: Vec<String> =
        targets.iter().map(|target| format!("{{ get: \"{}/look\" }}", target.url())).collect();
    let dir = TestDir::new("descriptors");
    // A user keeps a connection to each of the four, and an agent takes as many users as it has descriptors.
    let text = format!(
        "version: 1\nname: Descriptors\ntarget: {}\nload: {{ users: 36, duration: 4s }}\n\
         users: {{ User: {{ wait: 100ms, tasks: {{ look: {{ steps: [ {} ] }} }} }} }}\n",
        targets[0].url(),
        steps.join(", ")
    );
    let plan = dir.write("plan.yaml", &text);
    let coordinator = Coordinator::start(dir.path(), 1, &[plan.to_str().expect("an ASCII path")]);
    let agent: Process = with_open_files(100, "agent", dir.path(), arguments(&coordinator, "a"));
    let ended = coordinator.wait();
    drop(agent);
    let report = report(&dir);
    let a = figures(&report, "a");
    assert_eq!(a["descriptors_limit"], 100, "{a}");
    assert!(a["descriptors"].as_u64().is_some_and(|open| open >= 95), "{a}");
    assert!(a["exhausted"].as_u64().is_some_and(|n| n > 0), "{a}");
    let reasons = report["reasons"].to_string();
    for words in [
        "for want of a descriptor, port or memory",
        "of its 100 file descriptors open (limit 95 %)",
        "ulimit -n",
    ] {
        assert!(reasons.contains(words), "{reasons}");
    }
    assert_eq!(a["status"], "invalid", "{a}");
    assert_eq!((&report["verdict"], ended.code), (&"inconclusive".into(), Some(98)), "{}", ended.out);
    let errors = report["errors"].to_string();
    assert!(errors.contains("os error 24"), "{errors}");
}
