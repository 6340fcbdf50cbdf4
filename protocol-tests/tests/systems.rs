//! The example systems as their owners would test them; what came of it is counted in their databases.

use protocol_tests::fleet::{report, reported, truth};
use protocol_tests::process::{Process, TestDir};
use rusqlite::Connection;
use serde_json::Value;
use std::path::Path;

/// Runs `examples/NAME.yaml` with `args` against `target`; the report and what was printed.
fn run(name: &str, dir: &TestDir, target: &demo::Running, args: &[&str]) -> (Value, String) {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{name}.yaml"));
    let plan = plan.to_str().expect("an ASCII path").to_owned();
    let url = target.url();
    let args = [&[plan.as_str(), "--target", &url, "--no-ui"], args].concat();
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let report = report(dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    assert_eq!(report["accounting"]["status"], "exact", "{}", ended.out);
    (report, ended.out)
}

/// A target whose database is a file in `dir`, so that a test can look into it.
fn target(dir: &TestDir, config: demo::Config) -> (demo::Running, Connection) {
    let path = dir.path().join("target.db");
    let target = demo::spawn(config.database(path.clone())).expect("the demo target starts");
    (target, Connection::open(path).expect("the target has made it"))
}

fn count(database: &Connection, query: &str) -> u64 {
    let count: i64 = database.query_row(query, [], |row| row.get(0)).expect("a count");
    count.unsigned_abs()
}

/// Requests of the report's rows of that name that succeeded.
fn good(report: &Value, name: &str) -> u64 {
    let rows = report["requests"].as_array().expect("rows").iter().filter(|row| row["name"] == name);
    let count = |row: &Value, key: &str| row[key].as_u64().expect("a count");
    rows.map(|row| count(row, "requests") - count(row, "failures")).sum()
}

fn figure<'a>(report: &'a Value, probe: &str, name: &str) -> &'a Value {
    let rows = report["observed"].as_array().expect("figures");
    rows.iter().find(|row| row["probe"] == probe && row["name"] == name).expect("the figure")
}

fn expressions(report: &Value) -> Vec<&str> {
    let rows = report["thresholds"].as_array().expect("thresholds").iter();
    rows.map(|row| row["expression"].as_str().expect("text")).collect()
}

#[test]
fn every_task_that_was_acknowledged_is_stored() {
    let dir = TestDir::new("task-workflow");
    let (target, database) = target(&dir, demo::Config::default());
    let (report, out) = run("task-workflow", &dir, &target, &["--profile", "demo", "--duration", "8s"]);
    assert_eq!(report["totals"]["failures"], 0, "{out}");

    // Every row of the report is what the target saw, and nothing else was there but setup and teardown.
    let mut seen = truth(&target);
    for chore in ["POST /api/v1/tasks/seed", "DELETE /api/v1/tasks/seed/{batch}"] {
        assert_eq!(seen.remove(chore), Some(1), "{seen:?}");
    }
    assert_eq!(reported(&report), seen, "{out}");

    // Acknowledged = stored, by the database.
    let created = good(&report, "POST /api/v1/tasks");
    let changed = good(&report, "PATCH /api/v1/tasks/{id}/status");
    assert!(created > 0 && changed > 0, "{out}");
    assert_eq!(count(&database, "SELECT count(*) FROM tasks"), created, "and the seeded ones are gone");
    assert_eq!(count(&database, "SELECT count(*) FROM task_changes"), changed);
    let counts = demo::TaskCounts { created, changed };
    let told = target.tasks().expect("the database answers");
    assert_eq!((told.acknowledged, told.stored), (counts, counts));

    // Pool and cache were looked at, and judged.
    assert!(figure(&report, "pool", "overflow")["samples"].as_u64() > Some(0), "{report:#}");
    assert!(figure(&report, "cache", "hit_rate")["max"].as_f64() > Some(50.0), "{report:#}");
    assert_eq!(
        expressions(&report),
        [
            "p95 <= 500ms critical 1s",
            "p99 <= 1s critical 2s",
            "error_rate <= 0% critical 1%",
            "rate >= 1000/m critical 800/m",
            "overflow <= 0",
            "hit_rate > 70 critical 50",
        ]
    );
}

#[test]
fn a_workflow_that_fails_too_often_fails_the_run() {
    let dir = TestDir::new("task-workflow-failing");
    let half = "50%".parse().expect("a share");
    let config = demo::Config::default().fail("tasks/create", half).expect("an endpoint");
    let (target, database) = target(&dir, config);
    let (report, out) = run("task-workflow", &dir, &target, &["--profile", "demo", "--duration", "6s"]);
    let rows = report["thresholds"].as_array().expect("thresholds");
    let errors = rows.iter().find(|row| row["metric"] == "error_rate").expect("it is judged");
    assert_eq!((&errors["status"], &errors["level"]), (&"fail".into(), &"critical".into()), "{out}");
    assert_eq!(report["exit_code"], 99, "{out}");
    // Whatever fails, what was acknowledged is stored, and nothing else.
    let created = good(&report, "POST /api/v1/tasks");
    assert_eq!(count(&database, "SELECT count(*) FROM tasks"), created, "{out}");
}

#[test]
fn the_benchmark_has_a_row_and_marks_for_each_endpoint() {
    let dir = TestDir::new("task-workflow-benchmark");
    let (target, database) = target(&dir, demo::Config::default());
    let (report, out) = run("task-workflow-benchmark", &dir, &target, &["--set", "rounds=4"]);
    let rows = reported(&report);
    assert_eq!((rows.len(), rows.values().all(|n| *n == 50 * 4)), (9, true), "{rows:?}");
    assert_eq!(report["thresholds"].as_array().map(Vec::len), Some(9 * 4));
    assert_eq!(count(&database, "SELECT count(*) FROM tasks"), 50 * 4, "{out}");
    assert_eq!(report["users"]["iterations"]["done"], 50, "{out}");
}

#[test]
fn the_demo_shows_the_system_that_is_named() {
    let dir = TestDir::new("demo-task-workflow");
    let ended =
        Process::start("coordinator", dir.path(), ["demo", "task-workflow", "--duration", "6s"]).wait();
    let report = report(&dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    assert_eq!(report["run"]["name"], "Task workflow", "{:#}", report["run"]);
    let (requests, created) = (&report["totals"]["requests"], good(&report, "POST /api/v1/tasks"));
    let saw = format!("demo target saw {requests} requests, and 2 of setup and teardown");
    let kept = format!("demo target's database: {created} tasks acknowledged, {created} stored");
    assert!(ended.out.contains(&saw) && ended.out.contains(&kept), "{}", ended.out);
}

/// The rows of the target's database: all, of how many messages, of how many contents.
fn messages(database: &Connection) -> (u64, u64, u64) {
    let count = |what| count(database, &format!("SELECT count({what}) FROM messages"));
    (count("*"), count("DISTINCT message"), count("DISTINCT content"))
}

/// Messages that were acknowledged, by the report.
fn acknowledged(report: &Value) -> u64 {
    good(report, "POST /api/v1/messages") + good(report, "POST /api/v1/messages (tracked)")
}

#[test]
fn every_message_that_was_acknowledged_is_stored_once() {
    let dir = TestDir::new("message-ingest");
    let (target, database) = target(&dir, demo::Config::default());
    let (report, out) = run("message-ingest", &dir, &target, &["--profile", "quick"]);
    assert_eq!(report["totals"]["failures"], 0, "{out}");
    assert_eq!((acknowledged(&report), messages(&database)), (1000, (1000, 1000, 1000)), "{out}");
    let told = target.messages().expect("the database answers");
    let all = demo::MessagesTruth { acknowledged: 1000, stored: 1000, pending: 0, lost: 0, duplicated: 0 };
    assert_eq!(told, all);
    let truth = target.truth();
    let sent = truth.endpoint("POST", "/api/v1/messages").expect("an endpoint");
    assert_eq!(sent.responses[&202], 1000);
    let users = |column| count(&database, &format!("SELECT count(DISTINCT {column}) FROM messages"));
    assert!(users("user") > 900 && users("channel") > 90, "random users and channels");
    assert_eq!(count(&database, "SELECT count(*) FROM messages WHERE user NOT BETWEEN 1 AND 10000"), 0);
    assert_eq!(count(&database, "SELECT count(*) FROM messages WHERE channel NOT BETWEEN 1 AND 100"), 0);

    // Health first, and at the end the queue is empty and the accounts agree.
    assert_eq!(report["setup"]["status"], "ok", "{:#}", report["setup"]);
    assert_eq!((&report["teardown"]["status"], &report["teardown"]["failures"]), (&"ok".into(), &0.into()));
    let health = truth.endpoint("GET", "/api/v1/messages/health").expect("an endpoint");
    assert_eq!(health.requests, 1);
    // End to end, as a client sees it: a worker takes 25 ms.
    let rows = report["requests"].as_array().expect("rows");
    let tracked = rows.iter().find(|row| row["name"] == "stored / complete").expect("it is measured");
    assert_eq!(tracked["requests"], 100, "{out}");
    assert!(tracked["latency_ms"]["min"].as_f64() >= Some(25.0), "{tracked}");
}

#[test]
fn lost_and_duplicated_messages_are_found() {
    let dir = TestDir::new("message-ingest-lossy");
    let config = demo::Config::default().fail("messages/lost", "5%".parse().expect("a share"));
    let config = config.and_then(|config| config.fail("messages/duplicate", "5%".parse().expect("a share")));
    let (target, database) = target(&dir, config.expect("endpoints"));
    let (report, out) = run("message-ingest", &dir, &target, &["--profile", "demo", "--duration", "5s"]);
    let (rows, stored, _) = messages(&database);
    let acknowledged = acknowledged(&report);
    assert!(rows > stored && stored < acknowledged, "{acknowledged} acknowledged, {stored} of {rows} stored");
    let told = target.messages().expect("the database answers");
    assert_eq!(
        (told.acknowledged, told.stored, told.lost, told.duplicated),
        (acknowledged, stored, acknowledged - stored, rows - stored)
    );
    // While it ran, and at its end.
    assert_eq!(report["exit_code"], 99, "{out}");
    let rows = report["thresholds"].as_array().expect("thresholds");
    for expression in ["lost <= 0", "duplicated <= 0"] {
        let row = rows.iter().find(|row| row["expression"] == expression).expect("it is judged");
        assert_eq!(row["status"], "fail", "{row}");
    }
    assert_eq!(report["teardown"]["status"], "failed", "{:#}", report["teardown"]);
}

#[test]
fn the_queue_is_observed_while_messages_come() {
    let dir = TestDir::new("demo-message-ingest");
    let args = ["demo", "message-ingest", "--duration", "6s"];
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let report = report(&dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    let most = |name: &str| figure(&report, "ingest", name)["max"].as_f64().expect("a number");
    assert!(most("batches") > 10.0 && most("messages_per_batch") >= 1.0, "{}", ended.out);
    assert!(most("worker_p50_ms") >= 25.0, "{}", ended.out);
    assert!(most("end_to_end_p95_ms") >= most("worker_p50_ms"), "{}", ended.out);
    assert_eq!((most("lost"), most("duplicated")), (0.0, 0.0), "{}", ended.out);
    let count = acknowledged(&report);
    let kept = format!("{count} messages acknowledged, {count} stored, 0 lost, 0 duplicated");
    assert!(count >= 500 && ended.out.contains(&kept), "{}", ended.out);
}

#[test]
fn a_system_that_is_not_healthy_gets_no_messages() {
    let dir = TestDir::new("message-ingest-sick");
    let all = "100%".parse().expect("a share");
    let (target, database) =
        target(&dir, demo::Config::default().fail("messages/health", all).expect("an endpoint"));
    let (report, out) = run("message-ingest", &dir, &target, &["--profile", "quick"]);
    assert_eq!((&report["exit_code"], &report["verdict"]), (&98.into(), &"inconclusive".into()), "{out}");
    assert_eq!(messages(&database).0, 0);
}
