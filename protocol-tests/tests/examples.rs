//! Every plan in examples/ runs as it is, and so does the demo.

use protocol_tests::fleet::report;
use protocol_tests::process::{Process, TestDir};
use std::path::Path;

#[test]
fn every_example_compiles_with_every_profile() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut plans = 0;
    for entry in std::fs::read_dir(examples).expect("examples/ is there") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        plans += 1;
        let source = std::fs::read_to_string(&path).expect("UTF-8");
        let profiles = profiles(&source);
        for profile in std::iter::once(None).chain(profiles.into_iter().map(Some)) {
            let mut bundle = plan::Bundle {
                file: path.display().to_string(),
                source: source.clone(),
                settings: plan::Settings { profile: profile.clone(), ..plan::Settings::default() },
            };
            for name in bundle.file_names() {
                let content = std::fs::read(path.with_file_name(&name)).map_err(|error| error.to_string());
                bundle.settings.files.insert(name, content);
            }
            if let Err(diagnostics) = bundle.compile() {
                panic!("{} with profile {profile:?}:\n{diagnostics}", path.display());
            }
        }
    }
    assert!(plans > 0, "there are examples");
}

/// Names of the profiles of a plan in block style.
fn profiles(source: &str) -> Vec<String> {
    source
        .lines()
        .skip_while(|line| !line.starts_with("profiles:"))
        .skip(1)
        .take_while(|line| line.starts_with([' ', '#']) || line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| rest.starts_with(char::is_alphanumeric)))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name.to_owned()))
        .collect()
}

#[test]
fn the_platform_plan_runs_against_the_demo_target() {
    run_example("platform-api", &["--profile", "smoke"]);
}

#[test]
fn the_plan_with_accounts_runs_against_the_demo_target() {
    run_example("accounts", &["--duration", "4s"]);
}

/// Runs `examples/NAME.yaml` with `args` against a demo target, which it has to get through without a failure.
fn run_example(name: &str, args: &[&str]) {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new(&format!("example-{name}"));
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{name}.yaml"));
    let plan = plan.to_str().expect("an ASCII path").to_owned();
    let url = target.url();
    let args = [&[plan.as_str(), "--target", &url, "--no-ui"], args].concat();
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let report = report(&dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    assert_eq!(report["accounting"]["status"], "exact");
    assert_eq!(report["totals"]["failures"], 0, "{}", ended.out);
    let chores = ["setup", "teardown"].map(|chore| report[chore]["requests"].as_u64().unwrap_or_default());
    let expected = target.truth().total - chores.iter().sum::<u64>();
    assert_eq!(report["totals"]["requests"].as_u64(), Some(expected));
}

/// Runs the WebSocket example's smoke profile; the report, and what was printed.
fn websocket_echo(name: &str, target: &demo::Running) -> (serde_json::Value, String) {
    let dir = TestDir::new(name);
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/websocket-echo.yaml");
    let plan = plan.to_str().expect("an ASCII path").to_owned();
    let args = [plan.as_str(), "--profile", "smoke", "--target", &target.url(), "--no-ui"];
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let report = report(&dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    assert_eq!(report["accounting"]["status"], "exact");
    (report, ended.out)
}

#[test]
fn the_websocket_plan_counts_what_the_demo_target_saw() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let (report, out) = websocket_echo("example-websocket", &target);
    let truth = target.truth();
    assert_eq!(report["totals"]["failures"], 0, "{out}");
    assert_eq!(report["totals"]["requests"].as_u64(), Some(truth.total), "{out}");
    let counted = |key: &str| report["totals"][key].as_u64();
    assert_eq!(
        (counted("messages_sent"), counted("messages_received")),
        (Some(truth.websocket.received), Some(truth.websocket.sent)),
        "{out}"
    );
    assert!(truth.websocket.sessions > 0 && truth.websocket.open == 0, "{:?}", truth.websocket);
    let row = |name: &str| {
        let rows = report["requests"].as_array().expect("rows");
        rows.iter().find(|row| row["name"] == name).expect("the row").clone()
    };
    assert_eq!(row("watch")["method"], "WS");
    assert_eq!(row("watch")["messages_sent"].as_u64(), Some(truth.websocket.received));
    assert!(row("watch / output")["latency_ms"]["min"].as_f64().is_some_and(|ms| ms >= 20.0), "{out}");
    assert!(out.contains("messages: "), "{out}");
    assert!(report["generator"]["agents"][0]["connections"].as_u64().is_some_and(|most| most > 0), "{out}");
}

#[test]
fn a_leak_between_sessions_is_found() {
    let all: demo::Share = "100%".parse().expect("a share");
    let config = demo::Config::default().fail("ws/leak", all).expect("an endpoint");
    let target = demo::spawn(config).expect("the demo target starts");
    let (report, out) = websocket_echo("example-websocket-leak", &target);
    assert_eq!(report["exit_code"], 99, "{out}");
    let messages = report["errors"].as_array().expect("errors").iter().map(|error| error["message"].as_str());
    let breaches = messages.flatten().filter(|message| message.starts_with("isolation: a message carries"));
    assert!(breaches.count() > 0, "{out}");
}

#[test]
fn the_demo_runs_on_its_own_and_says_where_the_report_is() {
    let dir = TestDir::new("demo");
    let ended = Process::start("coordinator", dir.path(), ["demo", "--duration", "5s"]).wait();
    let report = report(&dir);
    assert_eq!(ended.code.map(i64::from), report["exit_code"].as_i64(), "{}\n{}", ended.err, ended.out);
    assert_eq!(report["accounting"]["status"], "exact");
    assert!(report["totals"]["requests"].as_u64().is_some_and(|requests| requests > 0));
    assert!(ended.out.contains("report.json"), "{}", ended.out);
    assert!(ended.err.contains("ETA"), "live progress: {}", ended.err);
}
