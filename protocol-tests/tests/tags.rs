//! A part of a plan, chosen by tags: the same one at the coordinator and at every agent.

use protocol_tests::fleet::{four_agents, reported, truth};
use protocol_tests::process::{Process, TestDir};

const LOAD: &str = "{ users: 8, spawn_rate: 50/s, duration: 2s }";

fn plan(target: &str) -> String {
    format!(
        r#"version: 1
name: Tags
target: {target}
load: {LOAD}
groups:
  auth: {{ thresholds: [ "success_rate >= 99%" ] }}
  generation: {{ thresholds: [ "rate >= 1000000/s" ] }}
users:
  Member:
    group: auth
    wait: 20ms
    tasks:
      login:
        tags: [ smoke ]
        post: /api/v1/auth/login
        json: {{ email: "demo-user-${{user.slot}}@example.com", password: demo-password }}
      health: {{ tags: [ smoke, cheap ], get: /api/v1/auth/health }}
      list: {{ tags: [ slow ], get: /api/v1/generation/list }}
  Writer:
    tags: [ slow, write ]
    group: generation
    tasks:
      create: {{ post: /api/v1/generation/create, json: {{ prompt: "${{fake.sentence()}}" }} }}
"#
    )
}

#[test]
fn a_fleet_runs_the_tasks_that_the_tags_leave_and_no_others() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("tags");
    let args = ["--include-tags", "smoke,slow", "-E", "write", "--exclude-tags", "cheap"];
    let (code, text, report) = four_agents(&dir, &plan(&target.url()), &args);
    assert_eq!(code, Some(0), "{text}");
    let seen = truth(&target);
    assert_eq!(seen, reported(&report), "{text}");
    let names: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(names, ["GET /api/v1/generation/list", "POST /api/v1/auth/login"], "{text}");
    let tags = &report["run"]["tags"];
    assert_eq!(tags["include"], serde_json::json!(["slow", "smoke"]));
    assert_eq!(tags["exclude"], serde_json::json!(["cheap", "write"]));
    assert_eq!((&tags["tasks"], &tags["tasks_in_plan"]), (&2.into(), &4.into()));
    let not_judged = serde_json::json!([{ "scope": "group:generation", "expression": "rate >= 1000000/s" }]);
    assert_eq!(tags["not_judged"], not_judged);
    assert_eq!(report["thresholds"].as_array().map(Vec::len), Some(1), "{}", report["thresholds"]);
    assert_eq!(report["groups"].as_array().map(Vec::len), Some(1), "{}", report["groups"]);
    // Before the run, and with its result.
    let told = "2 of 4 tasks are run; not judged, as no request is left: group:generation";
    assert!(text.contains(told), "{text}");
    let (_, result) = text.split_once("\nPASS").expect("the result");
    assert!(result.contains("--include-tags slow,smoke --exclude-tags cheap,write"), "{result}");
}

#[test]
fn a_check_tells_what_is_left_and_what_is_not_judged() {
    let dir = TestDir::new("check-tags");
    dir.write("loadtest.yaml", &plan("http://127.0.0.1:1"));
    let check = |args: &[&str]| {
        let args = std::iter::once(&"check").chain(args);
        let ended = Process::start("coordinator", dir.path(), args).wait();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out
    };
    let all = check(&[]);
    assert!(all.contains("smoke, cheap") && !all.contains("tasks are run"), "{all}");
    let part = check(&["-T", "smoke"]);
    assert!(part.contains("--include-tags smoke: 2 of 4 tasks are run"), "{part}");
    assert!(!part.contains("/api/v1/generation"), "{part}");
    assert_eq!(check(&["--tags", "smoke"]), part);
    let line = part.lines().find(|line| line.starts_with("create")).expect("every task is told");
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["create", "Writer", "slow,", "write", "no"]);
}

#[test]
fn tags_that_nothing_has_or_that_leave_nothing_are_wrong_usage() {
    let dir = TestDir::new("no-tags");
    dir.write("loadtest.yaml", &plan("http://127.0.0.1:1"));
    let check = |args: &[&str], expected: &[&str]| {
        let ended = Process::start("coordinator", dir.path(), args).wait();
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        for text in expected {
            assert!(ended.err.contains(text), "{args:?}: `{text}` is not in: {}", ended.err);
        }
    };
    check(
        &["-T", "smok"],
        &["--include-tags: no task has the tag `smok`", "did you mean `smoke`?", "`cheap`"],
    );
    check(&["-E", "nightly"], &["--exclude-tags", "`nightly`", "the tags are `cheap`, `slow`"]);
    check(&["-E", "smoke", "-E", "slow"], &["leave no task", "exclude fewer"]);
    check(&["-T", ","], &["--include-tags: `,` names no tag"]);
}
