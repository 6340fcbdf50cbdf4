//! The command bus as its owner would test it; what came of it is counted in its database.

use protocol_tests::fleet::{report, reported, truth};
use protocol_tests::process::{Process, TestDir};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Runs the plan with `args` against `target`; the report and what was printed.
fn run(dir: &TestDir, target: &demo::Running, args: &[&str]) -> (Value, String) {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/command-bus.yaml");
    let plan = plan.to_str().expect("an ASCII path").to_owned();
    let url = target.url();
    let args = [&[plan.as_str(), "--target", &url, "--no-ui"], args].concat();
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let report = report(dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    assert_eq!(report["accounting"]["status"], "exact", "{}", ended.out);
    (report, ended.out)
}

fn database_of(dir: &TestDir) -> PathBuf {
    dir.path().join("target.db")
}

fn count(database: &Connection, query: &str) -> u64 {
    let count: i64 = database.query_row(query, [], |row| row.get(0)).expect("a count");
    count.unsigned_abs()
}

/// The last value that the probe saw of a figure.
fn last(report: &Value, name: &str) -> f64 {
    let rows = report["observed"].as_array().expect("figures");
    let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    row["last"].as_f64().expect("a number")
}

fn row<'a>(report: &'a Value, name: &str) -> &'a Value {
    let rows = report["requests"].as_array().expect("rows");
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no row {name}"))
}

fn status<'a>(report: &'a Value, expression: &str) -> &'a Value {
    let rows = report["thresholds"].as_array().expect("thresholds");
    &rows.iter().find(|row| row["expression"] == expression).expect("it is judged")["status"]
}

#[test]
fn ten_thousand_commands_end_exactly_once() {
    let dir = TestDir::new("command-bus");
    let config = demo::Config::default().database(database_of(&dir));
    let target = demo::spawn(config).expect("the demo target starts");
    let fast =
        ["--profile", "bulk", "--set", "commands=10000", "--set", "delay_ms=0", "--set", "backoff_ms=20"];
    let (report, out) = run(&dir, &target, &fast);
    assert_eq!(
        (&report["totals"]["failures"], &report["setup"]["status"]),
        (&0.into(), &"ok".into()),
        "{out}"
    );

    // By the database: each of them ended, once, after as many attempts as the mix says.
    let database = Connection::open(database_of(&dir)).expect("the target has made it");
    let count = |query: &str| count(&database, query);
    let commands = |which: &str| count(&format!("SELECT count(*) FROM commands WHERE {which}"));
    assert_eq!(commands("status = 'completed' AND ended_at IS NOT NULL"), 9500);
    assert_eq!(commands("status = 'dead_letter' AND ended_at IS NOT NULL"), 500);
    assert_eq!((commands("true"), commands("due_at IS NOT NULL")), (10_000, 0), "nothing is pending");
    for (behaviour, number, attempts, end) in [
        ("success", 8500, 1, "completed"),
        ("transient", 1000, 2, "completed"),
        ("permanent", 500, 3, "dead_letter"),
    ] {
        let of_it = format!("behaviour = '{behaviour}'");
        assert_eq!(commands(&of_it), number, "{behaviour}");
        assert_eq!(commands(&format!("{of_it} AND attempts = {attempts} AND status = '{end}'")), number);
    }
    let attempts = |which: &str| count(&format!("SELECT {which}"));
    assert_eq!(attempts("count(*) FROM command_attempts"), 8500 + 2 * 1000 + 3 * 500);
    let ends = "FROM command_attempts WHERE outcome IN ('completed', 'dead_letter')";
    assert_eq!(attempts(&format!("count(*) {ends}")), 10_000);
    assert_eq!(attempts(&format!("count(DISTINCT command) {ends}")), 10_000);

    // By the target, and by the report: the last sample sees all of it.
    let told = target.commands().expect("the database answers");
    assert_eq!((told.accepted, told.completed, told.dead_letter), (10_000, 9500, 500));
    assert_eq!((told.pending, told.running, told.failed, told.lost, told.ended_twice), (0, 0, 0, 0, 0));
    for (figure, expected) in [
        ("completed", told.completed),
        ("dead_letter", told.dead_letter),
        ("pending", 0),
        ("failed", 0),
        ("lost", 0),
    ] {
        assert!((last(&report, figure) - expected as f64).abs() < 0.5, "{figure} is not {expected}: {out}");
    }
    for (number, attempts) in told.workers.into_iter().enumerate() {
        assert!(attempts >= 300, "an even share of 12,000 is 3,000: {:?}", told.workers);
        assert!((last(&report, &format!("worker_{}", number + 1)) - attempts as f64).abs() < 0.5, "{out}");
    }
    for figure in [
        "generation_ms",
        "throughput_per_s",
        "queue_p50_ms",
        "queue_p95_ms",
        "queue_p99_ms",
        "processing_p99_ms",
    ] {
        assert!(last(&report, figure) > 0.0 && out.contains(figure), "{figure}: {out}");
    }
    let samples = report["observed"].as_array().expect("figures").iter();
    assert!(samples.clone().all(|row| row["failures"] == 0 && row["samples"].as_u64() > Some(2)), "{out}");
    // As a client sees it: how long the generation took, and all of it.
    let (generation, whole) = (row(&report, "generate"), row(&report, "finished / complete"));
    assert_eq!((&generation["method"], &generation["requests"]), (&"GROUP".into(), &1.into()));
    assert_eq!((&whole["method"], &whole["requests"]), (&"POLL".into(), &1.into()));
    let max = |row: &Value| row["latency_ms"]["max"].as_f64().expect("it was measured");
    assert!(max(generation) < max(whole), "{out}");

    // Every request of the report is what the target saw, and nothing else was there but setup.
    let mut seen = truth(&target);
    assert_eq!(seen.remove("GET /api/v1/commands/health"), Some(1), "{seen:?}");
    assert_eq!(seen["POST /api/v1/commands/jobs/{id}/batches"], 100);
    assert_eq!(report["totals"]["requests"].as_u64(), Some(seen.values().sum()), "{out}");
    assert_eq!(reported(&report)["POST /api/v1/commands/jobs/{job}/batches"], 100);
}

#[test]
fn number_mix_and_delay_are_parameters() {
    let dir = TestDir::new("command-bus-params");
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let params = [
        "commands=250",
        "batch=100",
        "transient=20",
        "permanent=40",
        "delay_ms=3",
        "backoff_ms=1",
        "max_attempts=2",
    ];
    // The flag has two names.
    let args = params
        .iter()
        .enumerate()
        .flat_map(|(n, param)| [if n % 2 == 0 { "--param" } else { "--set" }, *param]);
    let (report, out) = run(&dir, &target, &args.collect::<Vec<_>>());
    assert_eq!(report["totals"]["failures"], 0, "{out}");
    let told = target.commands().expect("the database answers");
    assert_eq!((told.accepted, told.completed, told.dead_letter), (250, 150, 100));
    assert_eq!((told.attempts, told.failed_attempts), (100 + 2 * 50 + 2 * 100, 50 + 2 * 100));
    assert!(last(&report, "processing_p50_ms") >= 3.0, "{out}");
    assert_eq!(
        reported(&report)["POST /api/v1/commands/jobs/{job}/batches"],
        3,
        "two whole batches and the rest"
    );
}

#[test]
fn a_parameter_that_cannot_be_is_told_with_the_reason() {
    let dir = TestDir::new("command-bus-refused");
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let (report, out) = run(&dir, &target, &["--set", "permanent=95"]);
    assert_eq!(report["exit_code"], 99, "{out}");
    let message = report["errors"][0]["message"].as_str().expect("an error");
    assert!(message.contains("mix.success is -5; send a number from 0 to 100"), "{message}");
    assert_eq!(target.commands().expect("the database answers").accepted, 0);
}

#[test]
fn jobs_of_one_run_are_told_of_together() {
    let dir = TestDir::new("command-bus-parallel");
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let small = ["--profile", "parallel", "--set", "commands=100", "--set", "delay_ms=1"];
    let (report, out) = run(&dir, &target, &small);
    assert_eq!(report["users"]["iterations"]["done"], 4, "{out}");
    assert_eq!(row(&report, "finished / complete")["requests"], 4, "{out}");
    assert!((last(&report, "completed") - 380.0).abs() < 0.5, "{out}");
}

#[test]
fn lost_and_repeated_commands_fail_the_run() {
    let check = |fault: &str, missed: &str| {
        let dir = TestDir::new(&format!("command-bus-{}", fault.replace('/', "-")));
        let config =
            demo::Config::default().fail(fault, "5%".parse().expect("a share")).expect("an endpoint");
        let target = demo::spawn(config).expect("the demo target starts");
        let (report, out) = run(&dir, &target, &["--set", "commands=1000", "--set", "delay_ms=1"]);
        assert_eq!((&report["exit_code"], status(&report, missed)), (&99.into(), &"fail".into()), "{out}");
        // The job's own check finds it, too.
        let errors = report["errors"].as_array().expect("errors");
        let found =
            errors.iter().find(|error| error["kind"] == "assertion").expect("a check that does not hold");
        assert!(found["message"].as_str().is_some_and(|text| text.contains("json.lost == 0")), "{found}");
    };
    check("commands/lost", "lost <= 0");
    check("commands/repeat", "ended_twice <= 0");
}

#[test]
fn workers_that_die_are_seen_and_lose_nothing() {
    let dir = TestDir::new("command-bus-crash");
    let config = demo::Config::default().fail("commands/crash", "2%".parse().expect("a share"));
    let target = demo::spawn(config.expect("an endpoint")).expect("the demo target starts");
    let params = ["commands=1000", "delay_ms=1", "lease_ms=200", "max_attempts=20", "permanent=0"];
    let args: Vec<&str> = params.iter().flat_map(|param| ["--set", *param]).collect();
    let (report, out) = run(&dir, &target, &args);
    // Every command was completed, and some of them late: a warning, and no failure.
    assert_eq!(status(&report, "abandoned_attempts <= 0 critical 100"), "warn", "{out}");
    assert_ne!(report["exit_code"], 99, "{out}");
    let told = target.commands().expect("the database answers");
    assert_eq!((told.completed, told.lost, told.ended_twice), (1000, 0, 0), "{told:?}");
    assert_eq!(told.attempts, 1100 + told.abandoned_attempts, "{told:?}");
}

#[test]
fn a_bus_that_is_not_healthy_gets_no_commands() {
    let dir = TestDir::new("command-bus-sick");
    let config = demo::Config::default().fail("commands/health", "100%".parse().expect("a share"));
    let target = demo::spawn(config.expect("an endpoint")).expect("the demo target starts");
    let (report, out) = run(&dir, &target, &[]);
    assert_eq!((&report["exit_code"], &report["verdict"]), (&98.into(), &"inconclusive".into()), "{out}");
    assert_eq!(target.commands().expect("the database answers").accepted, 0);
}

#[test]
fn the_demo_completes_ten_thousand_commands() {
    let dir = TestDir::new("demo-command-bus");
    let ended = Process::start("coordinator", dir.path(), ["demo", "command-bus"]).wait();
    let report = report(&dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    assert_eq!((&report["run"]["name"], &report["totals"]["failures"]), (&"Command bus".into(), &0.into()));
    let line = "demo target's database: 10000 commands accepted: 9500 completed, 500 in dead-letter, 0 pending, 0 lost, \
                0 ended twice; 12000 attempts, by worker ";
    assert!(ended.out.contains(line), "{}", ended.out);
    assert!(last(&report, "processing_p50_ms") >= 5.0, "{}", ended.out);
}

#[test]
fn what_was_accepted_survives_a_killed_target() {
    let dir = TestDir::new("command-bus-killed");
    let path = database_of(&dir);
    let (target, address) = demo_target(&dir, &path);
    let job = json!({ "run": "kill", "commands": 200, "delay_ms": 40, "lease_ms": 3000 });
    let job = ask(&address, "POST", "/api/v1/commands/jobs", &job.to_string())["id"].clone();
    let batches = format!("/api/v1/commands/jobs/{job}/batches");
    assert_eq!(ask(&address, "POST", &batches, "{\"commands\":200}")["accepted"], 200);
    progress(&address, &job, |told| told["completed"].as_u64() >= Some(10) && told["running"] == 4);
    target.signal("KILL");
    assert_eq!(target.wait().code, None, "it had no time to put anything in order");

    let database = Connection::open(&path).expect("the target has made it");
    let with_status =
        |status: &str| count(&database, &format!("SELECT count(*) FROM commands WHERE status = '{status}'"));
    let (running, completed) = (with_status("running"), with_status("completed"));
    assert!((1..=4).contains(&running) && (10..200).contains(&completed), "{running} and {completed}");
    assert_eq!(count(&database, "SELECT count(*) FROM commands"), 200);

    let (_target, address) = demo_target(&dir, &path);
    let told = progress(&address, &job, |told| told["remaining"] == 0);
    assert_eq!((&told["accepted"], &told["completed"]), (&200.into(), &200.into()), "{told}");
    let result = ask(&address, "GET", &format!("/api/v1/commands/jobs/{job}/result"), "");
    assert_eq!((&result["lost"], &result["ended_twice"]), (&0.into(), &0.into()), "{result}");
    // What its workers were at was begun once more, and nothing else was.
    assert_eq!(result["abandoned_attempts"], running, "{result}");
    assert_eq!(result["attempts"], 200 + running, "{result}");
}

/// A `demo-target` process that keeps its state in `path`, and where it listens.
fn demo_target(dir: &TestDir, path: &Path) -> (Process, String) {
    let path = path.to_str().expect("an ASCII path");
    let mut target = Process::start(
        "demo-target",
        dir.path(),
        ["--listen", "127.0.0.1:0", "--database", path, "--latency", "*=constant 0ms"],
    );
    let line = target.line_with("demo-target listening on http://");
    let (_, address) = line.split_once("http://").expect("it says where");
    (target, address.to_owned())
}

/// What a request is answered.
fn ask(address: &str, method: &str, path: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(address).expect("the target listens");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("head and body");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{method} {path}: {error} in {answer}"))
}

/// A job's progress once `done` is true of it.
fn progress(address: &str, job: &Value, done: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let told = ask(address, "GET", &format!("/api/v1/commands/jobs/{job}"), "");
        if done(&told) {
            return told;
        }
        assert!(Instant::now() < until, "{told}");
    }
}
