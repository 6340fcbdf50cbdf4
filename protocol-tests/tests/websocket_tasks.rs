//! WebSocket tasks as their owner would test them: sessions at once, output that stays apart, memory that comes back.

use protocol_tests::fleet::report;
use protocol_tests::process::{Process, TestDir};
use rusqlite::Connection;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn plan_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/websocket-tasks.yaml")
}

/// Runs the plan with `args` against the target at `url`; the report and what was printed.
fn run_at(dir: &TestDir, url: &str, args: &[&str]) -> (Value, String) {
    let plan = plan_path().to_str().expect("an ASCII path").to_owned();
    let args = [&[plan.as_str(), "--target", url, "--no-ui"], args].concat();
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let report = report(dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    assert_eq!(report["accounting"]["status"], "exact", "{}", ended.out);
    (report, ended.out)
}

/// Two batches of 10 sessions.
const SHORT: [&str; 6] = ["--profile", "sessions-10", "--duration", "6s", "--set", "batch=3s"];

/// Runs the short load against a target of its own; also the target, its database and where that is.
fn short(name: &str, config: demo::Config) -> (Value, String, demo::Running, Connection, TestDir) {
    let dir = TestDir::new(name);
    let path = dir.path().join("target.db");
    let target = demo::spawn(config.database(path.clone())).expect("the demo target starts");
    let database = Connection::open(path).expect("the target has made it");
    let (report, out) = run_at(&dir, &target.url(), &SHORT);
    (report, out, target, database, dir)
}

fn failing(endpoint: &str, share: &str) -> demo::Config {
    demo::Config::default().fail(endpoint, share.parse().expect("a share")).expect("an endpoint")
}

fn count(database: &Connection, query: &str) -> u64 {
    let count: i64 = database.query_row(query, [], |row| row.get(0)).expect("a count");
    count.unsigned_abs()
}

fn row<'a>(report: &'a Value, name: &str) -> &'a Value {
    let rows = report["requests"].as_array().expect("rows");
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no row `{name}`"))
}

fn most(report: &Value, figure: &str) -> f64 {
    let rows = report["observed"].as_array().expect("figures");
    let row = rows.iter().find(|row| row["name"] == figure).expect("the figure");
    row["max"].as_f64().unwrap_or_else(|| panic!("{row}"))
}

/// The same, of a figure that counts.
fn highest(report: &Value, figure: &str) -> u64 {
    most(report, figure).round() as u64
}

fn judged<'a>(report: &'a Value, expression: &str) -> &'a Value {
    let rows = report["thresholds"].as_array().expect("thresholds");
    rows.iter().find(|row| row["expression"] == expression).unwrap_or_else(|| panic!("{rows:#?}"))
}

#[test]
fn sessions_at_once_get_their_own_output_and_their_tasks_are_stored() {
    let (report, out, target, database, _dir) = short("websocket-tasks", demo::Config::default());
    assert_eq!(report["totals"]["failures"], 0, "{out}");
    assert_eq!((&report["setup"]["status"], &report["teardown"]["status"]), (&"ok".into(), &"ok".into()));

    // Two batches of ten, all of a batch open at once, by both ends.
    let truth = target.truth();
    let handshakes = truth.endpoint("GET", "/ws/{id}").expect("an endpoint").requests;
    assert_eq!((handshakes, truth.websocket.sessions, truth.websocket.open), (20, 20, 0), "{out}");
    assert_eq!(report["generator"]["agents"][0]["connections"], 10, "{out}");
    assert_eq!((highest(&report, "most_sessions"), highest(&report, "open_sessions")), (10, 10), "{out}");
    assert!(highest(&report, "batches") >= 1, "{out}");

    // Every message is counted, and by both ends alike: 3 tasks, each with a beginning, 5 lines and an end.
    let counted = |key: &str| report["totals"][key].as_u64();
    assert_eq!((counted("messages_sent"), counted("messages_received")), (Some(60), Some(420)), "{out}");
    assert_eq!((truth.websocket.received, truth.websocket.sent), (60, 420));
    assert!(
        out.contains("messages: 60 (10.0/s) sent, 420 (70.0/s) received; at most 10 connections"),
        "{out}"
    );
    assert_eq!(row(&report, "stream / line")["requests"], 300);
    let session = row(&report, "stream / session");
    assert_eq!((&session["method"], &session["requests"]), (&"SESSION".into(), &20.into()));
    // Its lines come 20 ms apart, and it pauses for half a second three times.
    assert!(session["latency_ms"]["min"].as_f64() >= Some(3.0 * (5.0 * 20.0 + 500.0)), "{session}");

    // Time to connect, in every figure that is asked for.
    let connect = &row(&report, "stream")["latency_ms"];
    let figures =
        ["min", "mean", "p50", "max", "stddev"].map(|name| connect[name].as_f64().expect("a number"));
    let [min, mean, median, max, deviation] = figures;
    assert!(
        min <= mean && mean <= max && min <= median && median <= max && deviation <= max - min,
        "{connect}"
    );
    assert!(out.contains("connecting stream: min ") && out.contains(", std dev "), "{out}");

    // Acknowledged = stored, by the database.
    assert_eq!(
        count(&database, "SELECT count(*) FROM ws_tasks WHERE status = 'completed' AND lines = 5"),
        60
    );
    assert_eq!(count(&database, "SELECT count(*) FROM ws_tasks"), 60);
    assert_eq!(count(&database, "SELECT count(DISTINCT session) FROM ws_tasks"), 20);
    assert_eq!(
        count(&database, "SELECT count(DISTINCT content) FROM ws_tasks"),
        20,
        "a token for each session"
    );
    let told = target.sessions().expect("the database answers");
    let all = demo::SessionsTruth {
        sessions: 20,
        open: 0,
        acknowledged: 60,
        stored: 60,
        completed: 60,
        stored_completed: 60,
        lost: 0,
    };
    assert_eq!(told, all);
}

#[test]
fn output_of_another_session_fails_the_one_that_gets_it() {
    let (report, out, target, database, _dir) = short("websocket-tasks-leak", failing("ws/leak", "2%"));
    let session = row(&report, "stream / session");
    let (all, failed) = (session["requests"].as_u64(), session["failures"].as_u64());
    assert_eq!(all, Some(20), "{out}");
    let messages = report["errors"].as_array().expect("errors").iter();
    let foreign = messages.filter(|error| {
        let message = error["message"].as_str().expect("text");
        error["request"] == "Session/session/stream / session"
            && message.starts_with("isolation: a message carries `TOKEN_")
    });
    let foreign: u64 = foreign.map(|error| error["count"].as_u64().expect("a count")).sum();
    assert!(foreign > 0, "{out}");
    assert_eq!(Some(foreign), failed, "nothing else went wrong\n{out}");
    assert_eq!(row(&report, "stream / isolation")["failures"].as_u64(), failed, "{out}");
    assert_eq!(judged(&report, "success_rate >= 100%")["status"], "fail", "{out}");
    assert_eq!(report["exit_code"], 99, "{out}");
    // A session that ends early leaves its task behind, and the database says so.
    let ended =
        |status| count(&database, &format!("SELECT count(*) FROM ws_tasks WHERE status = '{status}'"));
    let told = target.sessions().expect("the database answers");
    assert_eq!((told.open, told.lost, told.stored), (0, 0, told.acknowledged));
    assert_eq!((ended("completed"), ended("running")), (told.completed, 0), "{told:?}");
}

#[test]
fn tasks_that_fail_are_counted_against_the_share_that_may() {
    let (report, out, target, database, _dir) = short("websocket-tasks-failing", failing("ws/output", "3%"));
    let failed = row(&report, "stream / session")["failures"].as_u64();
    assert!(failed > Some(2), "{out}");
    assert_eq!(judged(&report, "success_rate >= 90%")["status"], "fail", "{out}");
    // None of them got what was another one's.
    assert_eq!(row(&report, "stream / isolation")["failures"], 0, "{out}");
    assert_eq!(judged(&report, "success_rate >= 100%")["status"], "pass", "{out}");
    assert_eq!(
        count(&database, "SELECT count(*) FROM ws_tasks WHERE status = 'failed'"),
        failed.unwrap_or(0)
    );
    let told = target.sessions().expect("the database answers");
    assert_eq!((told.stored, told.stored_completed), (told.acknowledged, told.completed));
    assert_eq!(report["teardown"]["status"], "ok", "{:#}", report["teardown"]);
}

#[test]
fn every_profile_has_its_sessions_and_what_they_have_to_meet() {
    let source = std::fs::read_to_string(plan_path()).expect("UTF-8");
    let check = |profile: &str, users: u32, success: &str| {
        let settings = plan::Settings { profile: Some(profile.to_owned()), ..plan::Settings::default() };
        let bundle = plan::Bundle { file: "plan.yaml".to_owned(), source: source.clone(), settings };
        let plan = bundle.compile().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.schedule.max_users(), users, "{profile}");
        let sentences: Vec<&str> = plan.thresholds.iter().map(|t| t.threshold.expression.as_str()).collect();
        assert_eq!(sentences, ["p50 < 100ms", success, "success_rate >= 100%"], "{profile}");
    };
    check("sessions-10", 10, "success_rate >= 90%");
    check("sessions-50", 50, "success_rate >= 80%");
    check("sessions-5000", 5000, "success_rate >= 80%");
    check("batches", 50, "success_rate >= 80%");
    check("demo", 50, "success_rate >= 80%");
}

/// Runs five batches of 50 sessions against a `demo-target` of its own, so that nothing else is in its memory.
fn batches(name: &str, args: &[&str]) -> (Value, String) {
    let dir = TestDir::new(name);
    let mut target = Process::start("demo-target", dir.path(), [&["--listen", "127.0.0.1:0"], args].concat());
    let line = target.line_with("listening on ");
    let (_, url) = line.rsplit_once(' ').expect("an address");
    let load = ["--profile", "batches", "--duration", "10s", "--set", "batch=2s", "--set", "pause=100ms"];
    run_at(&dir, url, &load)
}

const FLAT: &str = "batch_growth_percent <= 10 critical 25";

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_flat_over_batches() {
    let (report, out) = batches("websocket-tasks-flat", &[]);
    assert_eq!(highest(&report, "most_sessions"), 50, "{out}");
    assert!(highest(&report, "batches") >= 4, "{out}");
    let flat = judged(&report, FLAT);
    assert!(flat["status"] == "pass" || flat["status"] == "warn", "{flat}");
    assert!(most(&report, "resident_mib") > 1.0 && most(&report, "memory_per_session_kib") > 0.0, "{out}");
}

#[test]
#[cfg(target_os = "linux")]
fn memory_that_sessions_do_not_give_back_fails_the_run() {
    let (report, out) = batches("websocket-tasks-retain", &["--fail", "ws/retain=100%"]);
    assert_eq!(judged(&report, FLAT)["status"], "fail", "{out}");
    assert_eq!(report["exit_code"], 99, "{out}");
}

#[test]
fn the_demo_shows_sessions_and_counts_their_tasks() {
    let dir = TestDir::new("demo-websocket-tasks");
    let args = ["demo", "websocket-tasks", "--duration", "6s"];
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let report = report(&dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    assert_eq!(report["run"]["name"], "WebSocket tasks", "{:#}", report["run"]);
    assert_eq!(highest(&report, "most_sessions"), 50, "{}", ended.out);
    let sessions = report["totals"]["requests"].as_u64().expect("a count");
    let told = format!("tasks of {sessions} sessions acknowledged, ");
    assert!(sessions >= 50 && ended.out.contains(&told), "{}", ended.out);
    assert!(ended.out.contains(&format!("demo target saw {sessions} requests, and ")), "{}", ended.out);
}

#[test]
fn a_system_that_is_not_healthy_gets_no_sessions() {
    let (report, out, target, _database, _dir) =
        short("websocket-tasks-sick", failing("ws-tasks/health", "100%"));
    assert_eq!((&report["exit_code"], &report["verdict"]), (&98.into(), &"inconclusive".into()), "{out}");
    assert_eq!(target.truth().websocket.sessions, 0);
}
