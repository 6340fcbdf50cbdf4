//! Wrong input to the real coordinator: one clear message with the place and the remedy, the documented exit
//! code, and no panic.

use protocol_tests::fleet::report;
use protocol_tests::plan_file::platform;
use protocol_tests::process::{Ended, Process, TestDir};

const LOAD: &str = "{ users: 4, spawn_rate: 10/s, duration: 1s, stop_timeout: 1s }";

fn coordinate(dir: &TestDir, args: &[&str]) -> Ended {
    coordinate_all(dir, args.iter().copied().chain(["--no-ui"]))
}

fn coordinate_all<'a>(dir: &TestDir, args: impl IntoIterator<Item = &'a str>) -> Ended {
    let ended = Process::start("coordinator", dir.path(), args).wait();
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    ended
}

/// A plan in which `from` is replaced by `to` gives exit code 3 and a message that holds all of `expected`.
fn check(name: &str, from: &str, to: &str, expected: &[&str]) {
    let dir = TestDir::new(name);
    let good = platform("http://127.0.0.1:1", LOAD, "1s..2s", "p95 <= 200ms");
    assert!(good.contains(from), "the plan holds `{from}`");
    let bad = good.replacen(from, to, 1);
    dir.write("plan.yaml", &bad);
    let ended = coordinate(&dir, &["plan.yaml"]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    let line =
        bad.lines().position(|line| line.contains(to.lines().next().unwrap_or(to))).map_or(0, |n| n + 1);
    assert!(ended.err.contains(&format!("plan.yaml:{line}:")), "line {line}: {}", ended.err);
    for text in expected {
        assert!(ended.err.contains(text), "`{text}` is not in: {}", ended.err);
    }
    assert_eq!(ended.out, "", "results go to standard output, and there are none");
}

#[test]
fn a_misspelt_key_names_the_right_one() {
    check("typo", "weight: 3", "wieght: 3", &["wieght", "weight"]);
}

#[test]
fn a_number_without_a_unit_says_how_to_write_it() {
    check("unit", "spawn_rate: 10/s", "spawn_rate: 10", &["spawn_rate: 10", "10/s"]);
    check("unit2", "duration: 1s", "duration: 1 parsec", &["1 parsec"]);
}

#[test]
fn an_undefined_variable_names_the_close_one() {
    check("undefined", "/${id}\"", "/${idd}\"", &["idd", "`id`"]);
}

#[test]
fn thresholds_on_an_unknown_group_name_the_close_one() {
    check("group", "group: auth\n    wait", "group: aut\n    wait", &["aut", "auth"]);
    check("unused", "generation: { thresholds", "payments: { thresholds", &["payments"]);
}

#[test]
fn text_that_is_no_plan_is_refused_in_place() {
    let dir = TestDir::new("no-plan");
    let check = |text: &str, code: i32, expected: &str| {
        dir.write("plan.yaml", text);
        let ended = coordinate(&dir, &["plan.yaml"]);
        assert_eq!(ended.code, Some(code), "{}", ended.err);
        assert!(ended.err.contains(expected), "{}", ended.err);
    };
    check("version: 1\nname: [", 3, "plan.yaml:");
    check("", 3, "plan.yaml:1:1");
    check("just text", 3, "plan.yaml:1:1");
    check("version: 2\n", 3, "version");
    let missing = coordinate(&dir, &["missing.yaml"]);
    assert_eq!(missing.code, Some(3), "{}", missing.err);
    assert!(missing.err.contains("missing.yaml"), "{}", missing.err);
    std::fs::write(dir.path().join("bytes.yaml"), b"name: \xff\xfe").expect("written");
    let bytes = coordinate(&dir, &["bytes.yaml"]);
    assert_eq!(bytes.code, Some(3), "{}", bytes.err);
    assert!(bytes.err.contains("bytes.yaml") && bytes.err.contains("UTF-8"), "{}", bytes.err);
}

#[test]
fn wrong_flags_name_the_flag_and_the_remedy() {
    let dir = TestDir::new("flags");
    dir.write("loadtest.yaml", &platform("http://127.0.0.1:1", LOAD, "1s", "p95 <= 1s"));
    let check = |args: &[&str], expected: &[&str]| {
        let ended = coordinate(&dir, args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        for text in expected {
            assert!(ended.err.contains(text), "{args:?}: `{text}` is not in: {}", ended.err);
        }
    };
    check(&["--duration", "10"], &["--duration", "10s"]);
    check(&["--users", "none"], &["--users", "none"]);
    check(&["--spawn-rate", "-1"], &["--spawn-rate"]);
    check(&["--expect-agent", "4"], &["--expect-agents"]);
    check(&["--target", "ftp://host"], &["--target", "http"]);
}

#[test]
fn values_for_parameters_that_the_plan_does_not_take_are_wrong_usage() {
    let dir = TestDir::new("set");
    let plan = platform("http://127.0.0.1:1", LOAD, "1s", "p95 <= 1s");
    dir.write("loadtest.yaml", &plan.replace("groups:", "params: { item: 5 }\ngroups:"));
    let check = |args: &[&str], expected: &[&str]| {
        let ended = coordinate(&dir, args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        for text in expected {
            assert!(ended.err.contains(text), "{args:?}: `{text}` is not in: {}", ended.err);
        }
    };
    check(&["--set", "itme=5"], &["--set", "`itme`", "did you mean `item`?"]);
    check(&["--set", "item=many"], &["--set", "`many`", "a number"]);
    check(&["--set", "item"], &["--set", "NAME=VALUE"]);
}

#[test]
fn a_check_explains_or_refuses_and_runs_nothing() {
    let dir = TestDir::new("check");
    dir.write("good.yaml", &platform("http://127.0.0.1:1", LOAD, "1s", "p95 <= 1s"));
    let check = |args: &[&str]| Process::start("coordinator", dir.path(), args.iter().copied()).wait();
    let good = check(&["check", "good.yaml", "--users", "8", "--expect-agents", "2"]);
    assert_eq!(good.code, Some(0), "{}", good.err);
    assert!(good.out.contains("USER CLASS") && good.out.contains("on 2 agents"), "{}", good.out);
    assert!(!dir.path().join("reports").exists());
    dir.write("bad.yaml", "version: 1\n");
    let bad = check(&["check", "bad.yaml"]);
    assert_eq!((bad.code, bad.out.as_str()), (Some(3), ""), "{}", bad.err);
    assert!(bad.err.contains("bad.yaml:1:1"), "{}", bad.err);
    let wrong = check(&["check", "good.yaml", "--set", "x=1"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    let schema = check(&["schema"]);
    assert_eq!(schema.code, Some(0), "{}", schema.err);
    assert!(schema.out.starts_with('{') && schema.out.contains("draft/2020-12"), "{}", schema.out);
}

#[test]
fn what_should_be_known_is_said_by_a_check_and_before_a_run() {
    let dir = TestDir::new("warnings");
    let plan = "version: 1\nname: W\ntarget: http://127.0.0.1:1\nload: { users: 1, duration: 1s, stop_timeout: 0s }\n\
                http: { tls: { insecure: on } }\nusers: { U: { tasks: { t: { get: / } }, wait: 1s } }\n";
    dir.write("plan.yaml", plan);
    for args in [&["check", "plan.yaml"][..], &["plan.yaml"]] {
        let ended = Process::start("coordinator", dir.path(), args.iter().copied()).wait();
        let said = ended.err.lines().find(|line| line.contains("plan.yaml:5:16")).unwrap_or(&ended.err);
        assert!(said.contains("warning: ") && said.contains("accepts any certificate"), "{said}");
        assert!(said.contains("test systems only"), "the remedy: {said}");
    }
}

#[test]
fn an_unknown_profile_names_the_known_ones() {
    let dir = TestDir::new("profile");
    let plan = platform("http://127.0.0.1:1", LOAD, "1s", "p95 <= 1s");
    dir.write("plan.yaml", &plan.replace("groups:", "profiles:\n  smoke: { users: 1 }\ngroups:"));
    let check = |name: &str, expected: &str| {
        for arguments in [&["plan.yaml"][..], &["check", "plan.yaml"]] {
            let ended = coordinate_all(&dir, arguments.iter().copied().chain(["--profile", name]));
            assert_eq!(ended.code, Some(2), "wrong usage: {}", ended.err);
            assert!(ended.err.contains(expected), "{}", ended.err);
        }
    };
    let problem = "error: --profile: the plan has no profile ";
    check("smok", &format!("{problem}`smok`; did you mean `smoke`? (its profiles are `smoke`)"));
    check("nightly", &format!("{problem}`nightly`; its profiles are: `smoke`"));
}

#[test]
fn a_target_that_refuses_is_said_before_and_counted_after() {
    // A port that was free a moment ago: nothing listens there.
    let refused = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
    let dir = TestDir::new("refused");
    dir.write("plan.yaml", &platform(&format!("http://{refused}"), LOAD, "100ms", "success_rate >= 99%"));
    let ended = coordinate(&dir, &["plan.yaml"]);
    assert_eq!(ended.code, Some(99), "{}", ended.err);
    let warning =
        ended.err.find("cannot be reached from here: Connection refused").expect("the check says so");
    assert!(
        ended.err.find("00:0").is_none_or(|progress| warning < progress),
        "before users start: {}",
        ended.err
    );
    let report = report(&dir);
    let errors = report["errors"].as_array().expect("errors");
    assert!(!errors.is_empty() && errors.iter().all(|error| error["kind"] == "refused"), "{errors:?}");
    let counted: u64 = errors.iter().map(|error| error["count"].as_u64().expect("a count")).sum();
    assert_eq!(Some(counted), report["totals"]["failures"].as_u64(), "each failure is counted by kind");
    assert_eq!(report["totals"]["requests"], report["totals"]["failures"]);
}

#[test]
fn agents_that_do_not_come_and_a_port_that_is_taken_say_what_to_do() {
    let dir = TestDir::new("missing");
    dir.write("loadtest.yaml", &platform("http://127.0.0.1:1", LOAD, "1s", "p95 <= 1s"));
    let missing =
        coordinate(&dir, &["--expect-agents", "2", "--listen", "127.0.0.1:0", "--agents-timeout", "100ms"]);
    assert_eq!(missing.code, Some(4), "{}", missing.err);
    assert!(
        missing.err.contains("0 of 2 agents attached within 0.1 s (--agents-timeout)"),
        "{}",
        missing.err
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = taken.local_addr().expect("bound").to_string();
    let ended = coordinate(&dir, &["--expect-agents", "1", "--listen", &address]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains(&address) && ended.err.contains("--listen"), "{}", ended.err);
}

#[test]
fn a_report_directory_that_cannot_be_written_is_said_before_the_run() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("unwritable");
    dir.write("loadtest.yaml", &platform(&target.url(), LOAD, "100ms", "p95 <= 30s"));
    dir.write("reports", "a file stands where the directory should be");
    let ended = coordinate(&dir, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("reports") && ended.err.contains("--report-dir"), "{}", ended.err);
    assert_eq!(target.truth().total, 0, "a run whose report finds no place is not begun");
}

#[test]
fn requests_that_never_end_leave_no_pass() {
    // Accepts connections and never answers: they stay in the listener's queue.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = silent.local_addr().expect("bound");
    let dir = TestDir::new("silent");
    let load = "{ users: 4, spawn_rate: 10/s, duration: 1s, stop_timeout: 100ms }";
    dir.write("plan.yaml", &platform(&format!("http://{address}"), load, "100ms", "success_rate >= 1%"));
    let ended = coordinate(&dir, &["plan.yaml"]);
    assert_eq!(ended.code, Some(98), "{}", ended.out);
    let report = report(&dir);
    assert_eq!(report["verdict"], "inconclusive");
    assert_eq!(report["accounting"]["aborted"], 4);
}

#[test]
fn requests_that_the_plan_cannot_make_leave_no_pass() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("never-sent");
    let plan = platform(&target.url(), LOAD, "100ms", "count >= 1");
    dir.write(
        "plan.yaml",
        &plan.replace("get: /api/v1/auth/health", "get: \"/x/${choice([user.slot])[9]}\""),
    );
    let ended = coordinate(&dir, &["plan.yaml", "--seed", "3"]);
    assert_ne!(ended.code, Some(0), "{}", ended.out);
    assert!(ended.out.contains("were never sent, the plan could not make them"), "{}", ended.out);
}
