//! What the programs say beside their results (`--log-format`, `--quiet`).

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::{Ended, Process, TestDir, program};
use serde_json::Value;

/// A plan against `target`, for so many seconds.
fn plan(target: &str, seconds: u32) -> String {
    format!(
        "version: 1\nname: 'a \"quoted\" name'\ntarget: {target}\nload: {{ users: 2, duration: {seconds}s }}\n\
         thresholds: [ \"success_rate >= 99%\" ]\n\
         users:\n  Visitor: {{ wait: 50ms, tasks: {{ look: {{ get: /api/v1/auth/health }} }} }}\n"
    )
}

/// Each line of standard error as an object of `program`.
fn lines(program: &str, text: &str) -> Vec<Value> {
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(value["program"], program, "{line}");
        let time = value["timestamp"].as_str().unwrap_or_else(|| panic!("no time: {line}"));
        assert!(time.len() == 27 && time.ends_with('Z') && &time[10..11] == "T", "{time}");
        assert!(["INFO", "WARN", "ERROR"].iter().any(|level| value["level"] == *level), "{line}");
        assert!(value["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}");
        value
    };
    text.lines().map(line).collect()
}

/// Runs `coordinator ARGS` in `dir` to its end.
fn coordinator(dir: &TestDir, args: &[&str], env: &[(&str, Option<&str>)]) -> Ended {
    Process::start_in("coordinator", dir.path(), args, env).wait()
}

#[test]
fn every_line_of_a_run_is_an_object_and_results_stay_as_they_are() {
    let target = demo::spawn(demo::Config::default()).expect("it starts");
    let dir = TestDir::new("logs-json");
    let path = dir.write("plan.yaml", &plan(&target.url(), 4));
    let path = path.to_str().expect("ASCII");
    // Building it may take longer than a coordinator waits.
    program("agent");
    let mut run = Process::start_in(
        "coordinator",
        dir.path(),
        [path, "--no-ui", "--expect-agents", "1", "--listen", "127.0.0.1:0", "--log-format", "json"],
        &[],
    );
    let waiting: Value = serde_json::from_str(&run.line_with("waiting for 1 agents")).expect("an object");
    let message = waiting["message"].as_str().expect("text");
    let (_, address) = message.split_once("agent --coordinator ").expect("the command for agents");
    let address = address.split_whitespace().next().expect("an address");
    let args = ["--coordinator", address, "--name", "a", "--threads", "1"];
    let mut agent = Process::start_in("agent", dir.path(), args, &[("LOAD_TEST_LOG_FORMAT", Some("json"))]);
    let attached: Value = serde_json::from_str(&agent.line_with("attached to ")).expect("an object");
    assert_eq!((&attached["program"], &attached["level"]), (&"agent".into(), &"INFO".into()));
    let ended = run.wait();
    agent.signal("TERM");
    let left = agent.wait();
    assert_eq!((ended.code, left.code), (Some(0), Some(0)), "{}\n{}", ended.err, left.err);
    assert!(!lines("agent", &left.err).is_empty());

    let said = lines("coordinator", &ended.err);
    let report = report(&dir);
    let progress: Vec<&Value> = said.iter().filter(|line| line["event"] == "progress").collect();
    assert!(progress.len() >= 3, "a line a second: {}", ended.err);
    for line in &progress {
        for key in ["elapsed_s", "users", "target_users", "rps", "requests", "failures", "dropped"] {
            assert!(line[key].is_number(), "{key} of {line}");
        }
    }
    let last = progress.last().expect("just counted");
    assert_eq!((&last["target_users"], &last["warmup"]), (&2.into(), &false.into()), "{last}");
    assert!(last["requests"].as_u64() <= report["totals"]["requests"].as_u64(), "{last}");
    let end = said.last().expect("lines");
    assert_eq!(
        (&end["event"], &end["verdict"], &end["exit_code"], &end["run"]),
        (&"end".into(), &"pass".into(), &0.into(), &report["run"]["id"])
    );
    let place = dir.path().join(end["report"].as_str().expect("a path"));
    assert!(place.is_file(), "{end}");
    assert!(ended.out.contains("PASS") && !ended.out.contains("{\""), "{}", ended.out);
}

#[test]
fn what_is_wrong_is_told_in_the_format_that_was_asked_for() {
    let dir = TestDir::new("logs-wrong");
    dir.write("broken.yaml", "version: 1\nname: T\ntaget: x\n");
    let json = [("LOAD_TEST_LOG_FORMAT", Some("json"))];
    let check = |args: &[&str], env: &[(&str, Option<&str>)], code: i32, told: &str| {
        let ended = coordinator(&dir, args, env);
        let said = lines("coordinator", &ended.err);
        let error = said.iter().find(|line| line["level"] == "ERROR");
        let message = error.and_then(|line| line["message"].as_str()).unwrap_or_default();
        assert_eq!((ended.code, message.contains(told)), (Some(code), true), "{args:?}: {}", ended.err);
        assert!(!message.starts_with("error"), "the level says that: {message}");
    };
    check(&["broken.yaml", "--log-format=json"], &[], 3, "unknown key `taget`");
    check(&["broken.yaml", "--nope"], &json, 2, "unexpected argument '--nope'");
    check(&["check", "nowhere.yaml", "--log-format", "json", "-q"], &[], 3, "cannot read the plan");
    check(&["broken.yaml", "--users", "x"], &json, 2, "--users: `x` is not a whole number");
    check(&["report", "nowhere"], &json, 3, "nowhere");

    let text = coordinator(&dir, &["broken.yaml", "--log-format", "xml"], &[]);
    let told = "error: --log-format: `xml` is no format of lines; write `text` or `json`";
    assert_eq!((text.code, &*text.err), (Some(2), told));
    let agent = Process::start_in("agent", dir.path(), ["--coordinator", "h:port"], &json).wait();
    assert!(
        lines("agent", &agent.err)[0]["message"].as_str().is_some_and(|text| text.contains("is not a port"))
    );
}

#[test]
fn quiet_runs_say_what_is_wrong_and_nothing_else() {
    let target = demo::spawn(demo::Config::default()).expect("it starts");
    let dir = TestDir::new("logs-quiet");
    let path = dir.write("plan.yaml", &plan(&target.url(), 2));
    let path = path.to_str().expect("ASCII");
    let good = coordinator(&dir, &[path, "--no-ui", "-q"], &[]);
    assert_eq!((good.code, &*good.err), (Some(0), ""), "{}", good.err);
    assert!(good.out.contains("PASS"), "{}", good.out);

    let quiet = [("LOAD_TEST_QUIET", Some("1"))];
    let wrong =
        coordinator(&dir, &[path, "--no-ui", "--target", "http://127.0.0.1:9", "--duration", "1s"], &quiet);
    assert!(wrong.err.starts_with("warning: target "), "{}", wrong.err);
    assert!(wrong.err.lines().all(|line| line.starts_with("warning: ")), "{}", wrong.err);

    let fleet = Coordinator::start(dir.path(), 1, &[path]);
    let agent = fleet.agent_with(dir.path(), "a", &["--quiet"]);
    assert_eq!(fleet.wait().code, Some(0));
    agent.signal("TERM");
    let left = agent.wait();
    assert_eq!((left.code, &*left.err), (Some(0), ""), "{}", left.err);
}
