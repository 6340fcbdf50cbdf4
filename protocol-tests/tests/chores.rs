//! Setup and teardown, exactly once per run, whatever happens to it.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::{Ended, Process, TestDir};
use protocol_tests::things::Things;
use serde_json::Value;

/// Setup makes a thing, all users look at it, teardown removes it. `more` steps follow in setup.
fn plan(things: &Things, duration: &str, more: &str) -> String {
    format!(
        r#"version: 1
name: Things
target: {}
load: {{ users: 6, duration: {duration}, stop_timeout: 5s }}
setup:
  - {{ post: /things, json: {{ by: "${{agent.name}}" }}, expect: {{ status: 201 }}, save: {{ thing: $.id }} }}
{more}
teardown: [ {{ delete: "/things/${{setup.thing}}" }} ]
thresholds: [ "success_rate >= 100%" ]
users:
  Visitor: {{ wait: 100ms, tasks: {{ look: {{ get: "/things/${{setup.thing}}", expect: {{ status: 200 }} }} }} }}
"#,
        things.url
    )
}

struct Fleet {
    dir: TestDir,
    coordinator: Coordinator,
    agents: Vec<Process>,
}

/// A coordinator with this plan and three agents.
fn fleet(test: &str, plan: &str) -> Fleet {
    let dir = TestDir::new(test);
    let path = dir.write("plan.yaml", plan);
    let coordinator = Coordinator::start(dir.path(), 3, &[path.to_str().expect("an ASCII path")]);
    let agents = ["a", "b", "c"].map(|name| coordinator.agent(dir.path(), name)).into();
    Fleet { dir, coordinator, agents }
}

impl Fleet {
    fn wait(self) -> (Ended, Value) {
        let ended = self.coordinator.wait();
        drop(self.agents);
        let report = report(&self.dir);
        (ended, report)
    }

    /// The agent that runs setup.
    fn setting_up(&mut self) -> &Process {
        let line = self.coordinator.line_with("setup on agent ");
        let (_, name) = line.split_once("setup on agent ").expect("just found");
        let at = ["a", "b", "c"].iter().position(|known| name.starts_with(known)).expect("one of ours");
        &self.agents[at]
    }
}

/// Made once, removed once, and nothing of it measured.
fn once(things: &Things, report: &Value, text: &str) {
    let state = things.state();
    assert_eq!((state.count("POST /things"), state.count("DELETE /things/thing-1")), (1, 1), "{text}");
    assert_eq!((state.count("DELETE "), state.there.len()), (1, 0), "{text}");
    let looked = state.count("GET /things/");
    assert_eq!(report["totals"]["requests"].as_u64(), Some(looked), "{text}");
    assert_eq!(report["requests"].as_array().map(Vec::len), Some(1));
    for chore in ["setup", "teardown"] {
        assert_eq!(report[chore]["status"], "ok", "{text}");
        assert_eq!(
            (report[chore]["requests"].as_u64(), report[chore]["failures"].as_u64()),
            (Some(1), Some(0))
        );
    }
}

#[test]
fn three_agents_share_what_one_of_them_set_up() {
    let things = Things::serve();
    let (ended, report) = fleet("chores", &plan(&things, "2s", "")).wait();
    let text = format!("{}\n{}", ended.err, ended.out);
    once(&things, &report, &text);
    assert_eq!((ended.code, &report["verdict"]), (Some(0), &Value::from("pass")), "{text}");
    assert!(things.state().count("GET /things/thing-1") >= 6, "{text}");
    assert_eq!(report["accounting"]["status"], "exact");
    assert!(
        ended.out.contains("setup: 1 request in ") && ended.out.contains("teardown: 1 request in "),
        "{text}"
    );
}

#[test]
fn an_interrupted_run_is_torn_down() {
    let things = Things::serve();
    let fleet = fleet("chores-int", &plan(&things, "100s", ""));
    things.until(|state| state.count("GET /things/") >= 6);
    fleet.coordinator.signal("INT");
    let (ended, report) = fleet.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    once(&things, &report, &ended.err);
}

#[test]
fn an_interrupted_setup_is_torn_down_and_nobody_starts() {
    let things = Things::serve();
    let fleet = fleet("chores-early-int", &plan(&things, "100s", "  - { think: 1h }\nsetup_timeout: 2h"));
    things.until(|state| state.count("POST /things") == 1);
    fleet.coordinator.signal("INT");
    let (ended, report) = fleet.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    let state = things.state();
    assert_eq!((state.count("POST "), state.count("DELETE "), state.count("GET /things/")), (1, 1, 0));
    assert!(state.there.is_empty());
    assert_eq!((&report["setup"]["status"], &report["teardown"]["status"]), (&"failed".into(), &"ok".into()));
}

#[test]
fn a_setup_that_fails_starts_nobody_and_is_torn_down() {
    let things = Things::serve();
    let (ended, report) =
        fleet("chores-fail", &plan(&things, "100s", "  - { get: /nothing, expect: { status: 200 } }")).wait();
    let text = format!("{}\n{}", ended.err, ended.out);
    assert_eq!(ended.code, Some(98), "{text}");
    let state = things.state();
    assert_eq!(
        (state.count("POST "), state.count("DELETE "), state.count("GET /things/")),
        (1, 1, 0),
        "{text}"
    );
    assert!(state.there.is_empty());
    assert_eq!((&report["verdict"], &report["exit_code"]), (&"inconclusive".into(), &98.into()));
    assert_eq!((&report["setup"]["status"], &report["teardown"]["status"]), (&"failed".into(), &"ok".into()));
    assert_eq!(report["setup"]["errors"][0]["request"], "GET /nothing", "{report:#}");
    assert_eq!(report["reasons"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert!(text.contains("step 2 (GET /nothing) failed: "), "{text}");
}

#[test]
fn a_teardown_that_fails_is_a_warning_and_no_other_verdict() {
    let things = Things::serve();
    let plan = plan(&things, "2s", "").replace("delete: \"/things/", "delete: \"/other/");
    let (ended, report) = fleet("chores-warn", &plan).wait();
    assert_eq!((ended.code, &report["verdict"]), (Some(0), &Value::from("pass")), "{}", ended.out);
    assert_eq!(
        (&report["teardown"]["status"], &report["teardown"]["failures"]),
        (&"failed".into(), &1.into())
    );
    assert!(ended.out.contains("warning: teardown: failed on agent "), "{}", ended.out);
    assert!(ended.out.contains("DELETE /other/{setup.thing}"), "{}", ended.out);
}

#[test]
fn an_agent_killed_in_setup_ends_the_run_honestly() {
    let things = Things::serve();
    let mut fleet = fleet("chores-kill", &plan(&things, "100s", "  - { think: 1h }\nsetup_timeout: 2h"));
    things.until(|state| state.count("POST /things") == 1);
    fleet.setting_up().signal("KILL");
    let (ended, report) = fleet.wait();
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    let state = things.state();
    assert_eq!((state.count("POST "), state.count("DELETE "), state.count("GET /things/")), (1, 0, 0));
    assert_eq!(
        (&report["setup"]["status"], &report["teardown"]["status"]),
        (&"lost".into(), &"failed".into())
    );
    let why = report["teardown"]["reason"].as_str().expect("a reason");
    assert!(why.contains("`setup.thing` has no value; setup did not save it"), "{why}");
    assert!(
        report["reasons"][0].as_str().is_some_and(|r| r.contains("was lost while it ran setup")),
        "{report:#}"
    );
}

#[test]
fn another_agent_tears_down_when_the_one_that_set_up_is_gone() {
    let things = Things::serve();
    let mut fleet = fleet("chores-other", &plan(&things, "8s", ""));
    things.until(|state| state.count("GET /things/") >= 6);
    fleet.setting_up().signal("KILL");
    let (ended, report) = fleet.wait();
    let text = format!("{}\n{}", ended.err, ended.out);
    let state = things.state();
    assert_eq!(
        (state.count("POST "), state.count("DELETE /things/thing-1"), state.count("DELETE ")),
        (1, 1, 1),
        "{text}"
    );
    assert_eq!(report["teardown"]["status"], "ok", "{text}");
    assert_ne!(report["teardown"]["agent"], report["setup"]["agent"], "{text}");
    assert_eq!(state.count("GET /things/"), state.count("GET /things/thing-1"), "{text}");
    assert_eq!(
        report["errors"].as_array().map(Vec::len),
        Some(0),
        "users that moved know what was set up: {text}"
    );
    assert!(ended.err.contains(" go on at "), "{text}");
}
