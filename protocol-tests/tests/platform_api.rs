//! The Platform API as its owners would test it: set by the environment, with accounts of its own, against what it was before, and
//! with more and more users.

use protocol_tests::fleet::Coordinator;
use protocol_tests::process::{Ended, Process, TestDir};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    path.to_str().expect("an ASCII path").to_owned()
}

fn target() -> demo::Running {
    demo::spawn(demo::Config::default()).expect("the demo target starts")
}

fn coordinate(dir: &TestDir, args: &[&str], env: &[(&str, Option<&str>)]) -> Ended {
    let ended = Process::start_in("coordinator", dir.path(), args, env).wait();
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    ended
}

/// The reports in `folder` of `dir`, the oldest first.
fn reports(dir: &TestDir, folder: &str) -> Vec<Value> {
    let entries = fs::read_dir(dir.path().join(folder)).expect("reports").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path().join("report.json")).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    let read =
        |path: &PathBuf| serde_json::from_str(&fs::read_to_string(path).expect("a report")).expect("JSON");
    paths.iter().map(read).collect()
}

fn expressions(report: &Value) -> Vec<&str> {
    let rows = report["thresholds"].as_array().expect("thresholds").iter();
    rows.map(|row| row["expression"].as_str().expect("text")).collect()
}

#[test]
fn the_environment_or_a_file_sets_it() {
    let dir = TestDir::new("platform-environment");
    let target = target();
    let url = target.url();
    dir.write(
        "staging.env",
        &format!(
            "# of the staging host\nLOAD_TEST_HOST={url}\nLOAD_TEST_USERS_MAX=9\nLOAD_TEST_USERS_MIN=2\n\
             LOAD_TEST_SPAWN_RATE=20\nLOAD_TEST_DURATION_SECONDS=3\nLOAD_TEST_TIMEOUT=2\n\
             AUTH_SUCCESS_RATE_THRESHOLD=0.57\nAUTH_P95_LATENCY_MS=1500\nGENERATION_P95_LATENCY_MS=1600\n\
             GENERATION_SUCCESS_RATE_THRESHOLD=0.999\nGENERATION_REQUESTS_PER_SECOND=0.5\n\
             PAYMENTS_SUCCESS_RATE_THRESHOLD=0.9\nPAYMENTS_P95_LATENCY_MS=1700\nLOAD_TEST_REPORT_DIR=from-file\n"
        ),
    );
    let plan = example("platform-api.yaml");
    let args = [plan.as_str(), "--no-ui", "--env-file", "staging.env"];
    let ended = coordinate(&dir, &args, &[("AUTH_P95_LATENCY_MS", Some("1400"))]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.err, ended.out);
    let report = &reports(&dir, "from-file")[0];
    assert_eq!(report["run"]["duration_s"], 3.0);
    let users =
        report["timeline"].as_array().expect("seconds").iter().map(|row| row["target_users"].as_u64());
    assert_eq!(users.max(), Some(Some(9)));
    assert_eq!(
        expressions(report),
        [
            "success_rate >= 57%",
            "p95 <= 1400ms",
            "success_rate >= 99.9%",
            "p95 <= 1600ms",
            "rate >= 0.5/s",
            "success_rate >= 90%",
            "p95 <= 1700ms",
        ]
    );

    // The same from `.env`, with the smallest test, and a variable of the environment over it.
    fs::rename(dir.path().join("staging.env"), dir.path().join(".env")).expect("one file, two names");
    let ended = coordinate(&dir, &["check", &plan, "--profile", "minimum"], &[]);
    assert!(ended.out.contains("\nusers      2\n"), "{}", ended.out);
    let ended = coordinate(&dir, &["check", &plan], &[("LOAD_TEST_USERS_MAX", Some("11"))]);
    assert!(ended.out.contains("\nusers      11\n"), "{}", ended.out);

    // The sample says what holds without it.
    fs::remove_file(dir.path().join(".env")).expect("it is there");
    let sample = example("platform-api.env");
    let explained = |args: &[&str]| {
        let told = coordinate(&dir, &[&["check", plan.as_str()], args].concat(), &[]).out;
        told.split_once("ENVIRONMENT VARIABLE").expect("and which variables are set").0.to_owned()
    };
    assert_eq!(explained(&["--env-file", &sample]), explained(&[]));
}

#[test]
fn a_value_that_cannot_be_used_is_named_before_anything_runs() {
    let dir = TestDir::new("platform-mistakes");
    let plan = example("platform-api.yaml");
    let check = |env: &[(&str, Option<&str>)], code: i32, expected: &str| {
        let ended = coordinate(&dir, &[&plan, "--no-ui"], env);
        assert_eq!((ended.code, ended.err.contains(expected)), (Some(code), true), "{env:?}: {}", ended.err);
    };
    let share = "`99` is neither a share from 0 to 1 nor a percentage; write for instance `0.99` or `99%`";
    check(&[("AUTH_SUCCESS_RATE_THRESHOLD", Some("99"))], 3, share);
    check(&[("GENERATION_P95_LATENCY_MS", Some("0.5s"))], 3, "`0.5sms` has the unknown unit `sms`");
    check(&[("LOAD_TEST_USERS_MAX", Some("many"))], 3, "expected a whole number, found the text `many`");
    check(&[("LOAD_TEST_TIMEOUT", Some("30s"))], 3, "`30ss` has the unknown unit `ss`");
    check(&[("LOAD_TEST_DURATION_SECONDS", Some("5m"))], 2, "`5m` is not a number of seconds");
    check(
        &[("LOAD_TEST_ENV_FILE", Some("gone.env"))],
        2,
        "LOAD_TEST_ENV_FILE: gone.env: there is no such file",
    );
    dir.write("bad.env", "A=1\nsecret words\n");
    let ended = coordinate(&dir, &[&plan, "--no-ui", "--env-file", "bad.env"], &[]);
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert_eq!(ended.err, "error: --env-file: bad.env: line 2 cannot be read; write one NAME=VALUE per line");
    assert!(!dir.path().join("reports").exists(), "nothing was run");
}

#[test]
fn a_request_ends_after_the_longest_time_of_the_environment() {
    let dir = TestDir::new("platform-timeout");
    let slow = "constant 3s".parse().expect("a law");
    let config = demo::Config::default().latency("payments/list", slow).expect("an endpoint");
    let target = demo::spawn(config).expect("the demo target starts");
    let url = target.url();
    let plan = example("platform-api.yaml");
    let args = [plan.as_str(), "--no-ui", "--target", &url, "--users", "16", "--duration", "6s"];
    coordinate(&dir, &args, &[("LOAD_TEST_TIMEOUT", Some("0.4"))]);
    let report = &reports(&dir, "reports")[0];
    let row = report["requests"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["name"] == "GET /api/v1/payments/list");
    let row = row.expect("the row");
    assert!(row["requests"].as_u64() > Some(0) && row["requests"] == row["failures"], "{row:#}");
    let max = row["latency_ms"]["max"].as_f64().expect("a latency");
    assert!((400.0..3000.0).contains(&max), "{max}");
    assert_eq!(report["errors"][0]["kind"], "timeout", "{report:#}");
}

#[test]
fn accounts_are_seeded_for_the_run_and_removed_after_it() {
    let dir = TestDir::new("platform-seed");
    let target = target();
    let url = target.url();
    let source = fs::read_to_string(example("platform-api.yaml")).expect("the plan");
    let kept = source.lines().filter(|line| !line.starts_with("teardown:")).collect::<Vec<_>>().join("\n");
    dir.write("kept.yaml", &kept);
    let load = ["--target", &url, "--no-ui", "--users", "16", "--duration", "3s", "--set", "seed_users=37"];
    let run = |plan: &str| {
        let ended = coordinate(&dir, &[&[plan], load.as_slice()].concat(), &[]);
        assert!(matches!(ended.code, Some(0 | 99)), "{}{}", ended.err, ended.out);
        target.platform().expect("the database answers")
    };
    let with_teardown = run(&example("platform-api.yaml"));
    assert_eq!(with_teardown.seeded, 0, "teardown removed them");
    assert_eq!(with_teardown.acknowledged, with_teardown.stored);
    let stored = with_teardown.stored;
    assert!(stored.accounts > 0 && stored.generations > 0 && stored.payments > 0, "{stored:?}");
    // So there was something to remove; and who logged in, did so with one of them: another one would have been refused.
    assert_eq!(run("kept.yaml").seeded, 37);
    for report in reports(&dir, "reports") {
        assert_eq!(report["totals"]["failures"], 0, "{report:#}");
    }
}

#[test]
fn it_is_held_against_what_it_was_before() {
    let dir = TestDir::new("platform-baseline");
    let plan = example("platform-api.yaml");
    let run = |target: &demo::Running, more: &[&str]| {
        let url = target.url();
        let args =
            [plan.as_str(), "--target", &url, "--no-ui", "--users", "60", "--duration", "5s", "--seed", "7"];
        let env =
            [("GENERATION_P95_LATENCY_MS", Some("5000")), ("GENERATION_REQUESTS_PER_SECOND", Some("0.1"))];
        coordinate(&dir, &[&args, more].concat(), &env)
    };
    let ended = run(&target(), &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.err, ended.out);
    let slow = "constant 400ms".parse().expect("a law");
    let slower = demo::Config::default().latency("generation/create", slow).expect("an endpoint");
    let slower = demo::spawn(slower).expect("the demo target starts");
    let ended = run(&slower, &["--baseline", "last", "--fail-on-regression"]);
    assert_eq!(ended.code, Some(99), "{}{}", ended.err, ended.out);
    let report = &reports(&dir, "reports")[1];
    assert_eq!(report["baseline"]["outcome"], "regression");
    let rows = report["baseline"]["rows"].as_array().expect("rows").iter();
    let worse: Vec<&str> =
        rows.filter(|row| row["change"] == "regression").filter_map(|row| row["scope"].as_str()).collect();
    assert!(worse.contains(&"group:generation"), "{worse:?}");
    assert!(!worse.contains(&"group:auth") && !worse.contains(&"group:payments"), "{worse:?}");
}

#[test]
fn a_sweep_prints_one_table_of_runs_that_the_target_saw() {
    let dir = TestDir::new("platform-sweep");
    let target = target();
    let (url, plan) = (target.url(), example("platform-api.yaml"));
    let args = [
        "sweep",
        &plan,
        "--target",
        &url,
        "--no-ui",
        "--users",
        "6,12,18",
        "--duration",
        "3s",
        "--rest",
        "0s",
    ];
    let fleet =
        ["--expect-agents", "2", "--listen", "127.0.0.1:0", "--agents-timeout", "10m", "--format", "json"];
    let env = [("GENERATION_REQUESTS_PER_SECOND", Some("0.1"))];
    let process = Process::start_in("coordinator", dir.path(), [args.as_slice(), &fleet].concat(), &env);
    let coordinator = Coordinator::listening(process, None);
    let agents = ["a", "b"].map(|name| coordinator.agent(dir.path(), name));
    let ended = coordinator.wait();
    drop(agents);
    assert_eq!(ended.code, Some(0), "{}", ended.err);

    let table: Value =
        serde_json::from_str(&ended.out).expect("standard output is the table, and nothing else");
    assert_eq!((&table["passed_users"], &table["exit_code"]), (&18.into(), &0.into()));
    let reports = reports(&dir, "reports");
    let sizes = table["sizes"].as_array().expect("sizes");
    assert_eq!((sizes.len(), reports.len()), (3, 3), "{}", ended.err);
    for ((size, report), users) in sizes.iter().zip(&reports).zip([6, 12, 18]) {
        assert_eq!((&size["users"], &size["run"]), (&users.into(), &report["run"]["id"]));
        assert_eq!(
            (&size["verdict"], &report["accounting"]["status"]),
            (&report["verdict"], &"exact".into())
        );
        assert_eq!(report["run"]["seed"], reports[0]["run"]["seed"], "runs differ in their sizes alone");
        assert_eq!(report["accounting"]["per_agent"].as_array().map(Vec::len), Some(2), "agents stay");
        let same = |figures: &Value, totals: &Value| {
            for (key, of) in [("requests", &totals["requests"]), ("failures", &totals["failures"])] {
                assert_eq!(&figures[key], of, "{key}");
            }
            assert_eq!(figures["p95_ms"], totals["latency_ms"]["p95"]);
        };
        same(&size["totals"], &report["totals"]);
        let groups = size["groups"]
            .as_array()
            .expect("groups")
            .iter()
            .zip(report["groups"].as_array().expect("groups"));
        groups.for_each(|(figures, totals)| same(figures, totals));
    }
    let told: u64 = sizes.iter().filter_map(|size| size["totals"]["requests"].as_u64()).sum();
    let chores = 2 * sizes.len() as u64;
    assert_eq!(target.truth().total, told + chores);
}

#[test]
fn a_sweep_ends_at_the_first_failure_if_asked_and_on_request() {
    let dir = TestDir::new("platform-sweep-end");
    let target = target();
    let (url, plan) = (target.url(), example("platform-api.yaml"));
    let args = ["sweep", &plan, "--target", &url, "--no-ui", "--duration", "2s"];
    // No number of users in two seconds makes that many requests.
    let env = [("GENERATION_REQUESTS_PER_SECOND", Some("100000"))];
    let ended = coordinate(
        &dir,
        &[&args[..], &["--users", "4,8", "--fail-fast", "--out", "table.md", "--format", "markdown"]]
            .concat(),
        &env,
    );
    assert_eq!((ended.code, ended.out.as_str()), (Some(99), ""), "{}", ended.err);
    let page = fs::read_to_string(dir.path().join("table.md")).expect("the table");
    assert!(page.contains("failed with 4 users") && page.contains("not run with 8 users"), "{page}");
    assert_eq!(reports(&dir, "reports").len(), 1);

    let mut process = Process::start_in(
        "coordinator",
        dir.path(),
        [&args[..], &["--users", "4,8", "--rest", "10m"]].concat(),
        &env,
    );
    process.line_with("600 s of rest");
    process.signal("INT");
    let ended = process.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    assert!(
        ended.out.contains("failed with 4 users") && ended.out.contains("not run with 8 users"),
        "{}",
        ended.out
    );
}

#[test]
fn a_sweep_that_would_tell_nothing_does_not_begin() {
    let dir = TestDir::new("platform-sweep-refused");
    let plan = example("platform-api.yaml");
    let check = |args: &[&str], expected: &str| {
        let ended = coordinate(&dir, &[&["sweep"], args].concat(), &[]);
        assert_eq!((ended.code, ended.err.contains(expected)), (Some(2), true), "{args:?}: {}", ended.err);
        assert!(!dir.path().join("reports").exists(), "nothing was run");
    };
    check(
        &[&plan, "--users", "5,400", "--duration", "2s"],
        "--users 400: the run ends when 20 of them have started",
    );
    check(&[&example("open-load.yaml")], "a sweep changes the number of users, and this plan has `arrivals`");
    check(&[&plan, "--users", "5", "--duration", "2s", "--out", "gone/table.md"], "--out gone/table.md: ");
}

#[test]
fn a_sweep_that_is_stopped_in_a_teardown_begins_no_other_run() {
    let dir = TestDir::new("platform-sweep-teardown");
    let slow = "constant 3s".parse().expect("a law");
    let config = demo::Config::default().latency("seed/{tenant}", slow).expect("an endpoint");
    let target = demo::spawn(config).expect("the demo target starts");
    let (url, plan) = (target.url(), example("platform-api.yaml"));
    let args =
        ["sweep", &plan, "--target", &url, "--no-ui", "--duration", "1s", "--rest", "0s", "--users", "4,8"];
    let mut process = Process::start("coordinator", dir.path(), args);
    process.line_with("teardown on agent");
    process.signal("INT");
    let ended = process.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    assert!(ended.out.contains("not run with 8 users"), "{}", ended.out);
    assert_eq!(reports(&dir, "reports").len(), 1);
    assert_eq!(target.platform().expect("the database answers").seeded, 0, "the teardown was not given up");
}

#[test]
fn ports_are_free_for_the_next_run_whoever_stays_connected() {
    let dir = TestDir::new("platform-sweep-ports");
    let target = target();
    let (url, plan) = (target.url(), example("platform-api.yaml"));
    // One that was free a moment ago: metrics stay at one address through a sweep.
    let metrics =
        TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").to_string();
    let args = [
        "sweep",
        &plan,
        "--target",
        &url,
        "--no-ui",
        "--duration",
        "2s",
        "--rest",
        "0s",
        "--users",
        "4,8,12",
    ];
    let fleet = [
        "--expect-agents",
        "1",
        "--listen",
        "127.0.0.1:0",
        "--agents-timeout",
        "10m",
        "--metrics-listen",
        &metrics,
    ];
    let env = [("GENERATION_REQUESTS_PER_SECOND", Some("0.1"))];
    let process = Process::start_in("coordinator", dir.path(), [args.as_slice(), &fleet].concat(), &env);
    let coordinator = Coordinator::listening(process, None);
    // HTTP/2's preface and empty settings, and then nothing: a connection that is never done.
    let mut idle = TcpStream::connect(&coordinator.address).expect("it listens");
    idle.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("it is read");
    let agent = coordinator.agent(dir.path(), "a");
    let ended = coordinator.wait();
    drop((agent, idle));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(reports(&dir, "reports").len(), 3, "{}", ended.out);
}
