//! Steps that decide what happens next: what is sent, in which order, and what is counted.

use crate::rig::{Outcome, Rig, http, plan};
use crate::server::{Answer, Seen, Server, Then};
use agent::engine::StopMode;
use metrics::{ErrorKind, SeriesStats};
use plan::Plan;
use std::sync::Arc;
use std::time::Duration;

/// Starts an iteration once an hour.
const ONCE: &str = "wait: 1h";
const PATIENT: StopMode = StopMode::Graceful { timeout: Duration::from_hours(1) };

/// One class with one task of these steps, for 1 h.
fn steps(user: &str, steps: &[&str]) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("          - {{ {step} }}\n")).collect();
    let steps = steps.concat();
    format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 1, duration: 1h }}\n\
         users:\n  User:\n    {user}\n    tasks:\n      task:\n        steps:\n{steps}"
    )
}

fn paths(server: &Server) -> Vec<String> {
    server.truth().requests.iter().map(|seen| seen.path().to_owned()).collect()
}

/// Runs one user until the server has seen `requests` requests, and lets it finish.
async fn run(server: &Server, text: &str, requests: usize) -> (Arc<Plan>, Outcome) {
    let plan = plan(text, &http(server));
    let rig = Rig::running(&plan, 1).await;
    server.until(|truth| truth.requests.len() >= requests).await;
    (plan, rig.stop(PATIENT).await)
}

/// What the series called `name` adds up to.
fn series(plan: &Plan, outcome: &Outcome, name: &str) -> SeriesStats {
    let id = plan.series.iter().find(|series| series.name == name).expect("a series").id;
    let mut total = SeriesStats::default();
    for stats in outcome.windows.iter().filter_map(|window| window.window.series.get(&id)) {
        total.merge(stats);
    }
    total
}

fn status(code: u16) -> Answer {
    Answer::raw(format!("HTTP/1.1 {code} x\r\ncontent-length: 0\r\n\r\n"), Then::KeepOpen)
}

#[tokio::test]
async fn paced_latencies_count_from_the_intended_start() {
    let check = |wait: &'static str, late: bool| async move {
        let held = Duration::from_millis(500);
        let server = Server::start(|seen| Answer { held: seen.number == 1, ..Answer::ok("") });
        let plan = plan(&steps(wait, &["get: /a", "get: /b"]), &http(&server));
        let rig = Rig::running(&plan, 1).await;
        server.until(|truth| truth.requests.len() == 2).await;
        tokio::time::sleep(held).await;
        server.release();
        server.until(|truth| truth.requests.len() >= 6).await;
        let outcome = rig.stop(PATIENT).await;
        // The second iteration was due before the first had its answer to `/b`.
        let max = series(&plan, &outcome, "GET /a").latency.max().expect("requests");
        assert_eq!(max >= held.mul_f64(0.9), late, "{wait}: {max:?}");
        // Later ones are on time again, and only the first request of an iteration is late.
        let fast = |name| series(&plan, &outcome, name).latency.min().expect("requests") < held;
        assert!(fast("GET /a") && fast("GET /b"), "{wait}");
    };
    check("wait: pacing 10ms", true).await;
    check("wait: constant 10ms", false).await;
}

#[tokio::test]
async fn loops_branches_and_variables_decide_what_is_sent() {
    let server = Server::start(|_| Answer::ok("{\"n\":2}"));
    let text = steps(
        ONCE,
        &[
            "set: { page: 1, all: { list: [ 1, \"${user.slot}\" ] } }",
            "repeat: 2, steps: [ { get: \"/page/${page}\", save: { n: $.n } }, { set: { page: \"${page + 1}\" } } ]",
            "if: 'page == 3 and all.list[1] == 0', then: [ { get: /then } ], else: [ { get: /else } ]",
            "if: page > 3, then: [ { get: /then2 } ], else: [ { get: /else2 } ]",
            "repeat: \"${n}\", steps: [ { get: \"/n/${n}\" } ]",
            "repeat: \"${n - 2}\", steps: [ { get: /never } ]",
            "if: n > 2, then: [ { get: /never } ]",
            "if: n == 2, then: [ { stop: iteration } ]",
            "get: /never",
        ],
    );
    let (_, outcome) = run(&server, &text, 6).await;
    assert_eq!(paths(&server), ["/page/1", "/page/2", "/then", "/else2", "/n/2", "/n/2"]);
    assert_eq!((outcome.started, outcome.total.ok), (6, 6), "nothing but requests is counted");
}

#[tokio::test]
async fn rounds_are_counted_by_the_innermost_repeat_also_through_flows() {
    let server = Server::start(|_| Answer::ok(""));
    let inner = "{ repeat: 2, steps: [ { get: \"/in/${repeat.index}\" } ] }";
    let again = "{ if: repeat.index == 1, then: [ { stop: iteration } ] }";
    let rounds = format!("repeat: 9, steps: [ {inner}, {{ call: out }}, {again} ]");
    let flow = "flows: { out: { steps: [ { get: \"/out/${repeat.index}\" } ] } }\n";
    run(&server, &(steps(ONCE, &[&rounds]) + flow), 6).await;
    assert_eq!(paths(&server), ["/in/0", "/in/1", "/out/0", "/in/0", "/in/1", "/out/1"]);
}

#[tokio::test]
async fn flows_run_with_the_variables_of_their_caller() {
    let server = Server::start(|_| Answer::ok("{\"id\":7}"));
    let text = steps(ONCE, &["set: { who: me }", "call: login", "get: \"/item/${id}\""])
        + "flows: { login: { steps: [ { post: \"/login/${who}\", save: { id: $.id } } ] } }\n";
    let (plan, _) = run(&server, &text, 2).await;
    assert_eq!(paths(&server), ["/login/me", "/item/7"]);
    assert!(plan.series.iter().all(|series| series.task == "task"));
}

#[tokio::test]
async fn a_user_that_thinks_when_it_is_told_to_stop_ends_there() {
    let server = Server::start(|_| Answer::ok(""));
    let text = steps(
        ONCE,
        &["group: visit, steps: [ { get: /a }, { think: 1h..2h }, { get: /never } ]", "get: /never"],
    );
    let (_, outcome) = run(&server, &text, 1).await;
    assert_eq!(paths(&server), ["/a"]);
    assert_eq!((outcome.started, outcome.total.ok, outcome.aborted), (1, 1, 0), "no transaction is counted");
}

#[tokio::test]
async fn a_short_pause_only_delays() {
    let server = Server::start(|_| Answer::ok(""));
    let (_, outcome) = run(&server, &steps(ONCE, &["get: /a", "think: 1ms", "get: /b"]), 2).await;
    assert_eq!((paths(&server).join(" "), outcome.aborted), ("/a /b".to_owned(), 0));
}

#[tokio::test]
async fn a_poll_asks_until_it_is_done() {
    let server = Server::start(|seen: &Seen| match (seen.path(), seen.number) {
        ("/jobs", _) => Answer::ok("{\"id\":7}"),
        (_, 1) => Answer::raw("garbage\r\n\r\n", Then::Close),
        (_, 2) => status(503),
        (_, 3) => Answer::ok("not JSON"),
        (_, 4) => Answer::ok("{\"status\":\"running\"}"),
        _ => Answer::ok("{\"status\":\"done\",\"result\":\"x\"}"),
    });
    let poll = "poll: \"/jobs/${id}\", every: 1ms, until: json.status == 'done', save: { result: $.result }";
    let text = steps(ONCE, &["post: /jobs, save: { id: $.id }", poll, "get: \"/after/${result}\""]);
    let (plan, outcome) = run(&server, &text, 7).await;
    let polls = vec!["/jobs/7"; 5];
    assert_eq!(paths(&server), [vec!["/jobs"], polls, vec!["/after/x"]].concat());
    let polled = series(&plan, &outcome, "GET /jobs/{id}");
    assert_eq!((polled.ok, polled.failed), (2, 3), "{:?}", outcome.failures);
    let completed = series(&plan, &outcome, "task / complete");
    assert_eq!((completed.ok, completed.failed, outcome.started), (1, 0, 8));
    let submit = series(&plan, &outcome, "POST /jobs").latency.min();
    assert!(completed.latency.min() >= submit.max(polled.latency.min()), "from submit to done");
}

#[tokio::test]
async fn a_poll_that_cannot_become_done_fails_and_ends_the_iteration() {
    let check = async |keys: &str, kind: ErrorKind, message: &str| {
        let server = Server::start(|_| Answer::ok("{\"status\":\"failed\"}"));
        let poll = format!("poll: /job, until: json.status == 'done', {keys}");
        let (plan, outcome) = run(&server, &steps(ONCE, &[&poll, "get: /never"]), 1).await;
        assert!(paths(&server).iter().all(|path| path == "/job"), "{:?}", paths(&server));
        let completed = series(&plan, &outcome, "task / complete");
        assert_eq!((completed.ok, completed.failed, outcome.aborted), (0, 1, 0));
        assert_eq!(series(&plan, &outcome, "GET /job").failed, 0, "the polls themselves were answered");
        assert_eq!(outcome.failures[&kind], (1, message.to_owned()));
        outcome.total.requests()
    };
    let failed = "`json.status == 'failed'` is true (json.status = \"failed\")";
    let asked = check("fail_if: json.status == 'failed'", ErrorKind::Assertion, failed).await;
    assert_eq!(asked, 2, "one poll and its completion");
    let late = "not done after 20 ms: `json.status == 'done'` was not true";
    check("every: 1ms, timeout: 20ms", ErrorKind::Timeout, late).await;
}

#[tokio::test]
async fn a_transaction_lasts_as_long_as_its_steps_and_fails_with_them() {
    let server = Server::start(|seen| if seen.path() == "/bad" { status(500) } else { Answer::ok("") });
    let text = steps(
        ONCE,
        &[
            "group: good, steps: [ { get: /a }, { think: 2ms }, { get: /b } ]",
            "group: outer, steps: [ { group: inner, steps: [ { get: /bad }, { get: /never } ] } ]",
        ],
    );
    let (plan, outcome) = run(&server, &text, 3).await;
    let of = |name: &str| series(&plan, &outcome, name);
    let least = of("GET /a").latency.min().unwrap() + of("GET /b").latency.min().unwrap();
    assert!(of("good").latency.min().unwrap() >= least + Duration::from_millis(1), "its pause counts");
    assert_eq!((of("good").ok, of("inner").failed, of("outer").failed), (1, 1, 1));
    assert_eq!((outcome.started, outcome.aborted), (6, 0));
    assert_eq!(outcome.failures[&ErrorKind::Status].0, 3);
}

#[tokio::test]
async fn a_stopped_user_does_nothing_more() {
    let server = Server::start(|_| Answer::ok(""));
    let text = steps("wait: 0s", &["get: /once", "stop: user"])
        .replace("users: 1, duration: 1h", "users: 3, duration: 1s");
    let outcome = Rig::running(&plan(&text, &http(&server)), 3).await.finish().await;
    assert_eq!((outcome.started, outcome.windows[0].users), (3, 3), "it exists, and is idle");
}

#[tokio::test]
async fn what_cannot_be_evaluated_is_counted_and_ends_the_iteration_only() {
    for (step, message) in [
        ("set: { x: \"${1 // (user.slot - user.slot)}\" }", "set `x`: "),
        ("if: 1 // (user.slot - user.slot) > 1, then: [ { get: /never } ]", "`1 // "),
        (
            "repeat: \"${user.slot + 10001}\", steps: [ { get: /never } ]",
            "repeat: `user.slot + 10001` is 10001",
        ),
    ] {
        let server = Server::start(|_| Answer::ok(""));
        let text = steps("wait: 1ms", &["get: /a", step, "get: /never"]);
        let (plan, outcome) = run(&server, &text, 3).await;
        assert!(paths(&server).iter().all(|path| path == "/a"));
        let (count, told) = &outcome.failures[&ErrorKind::Template];
        assert!(told.starts_with(message), "{told}");
        assert_eq!((series(&plan, &outcome, "steps").failed, outcome.total.failed), (*count, *count));
        assert_eq!(*count, paths(&server).len() as u64, "each iteration once");
    }
}
