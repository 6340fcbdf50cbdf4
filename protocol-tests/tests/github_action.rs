//! What `.github/workflows/load-test.yml` and the action do, run on this machine: GitHub's variables are set as GitHub does, and
//! `gh` is a script that has artifacts.

use protocol_tests::plan_file::platform;
use protocol_tests::process::{Ended, Process, TestDir, program};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const LOAD: &str = "{ users: 6, spawn_rate: 20/s, duration: 2s, stop_timeout: 1s }";

/// Inputs that nobody has filled in.
const EMPTY: [&str; 6] = [
    "LOAD_TEST_HOST",
    "LOAD_TEST_PROFILE",
    "LOAD_TEST_USERS",
    "LOAD_TEST_SPAWN_RATE",
    "LOAD_TEST_DURATION",
    "LOAD_TEST_MAX_RPS",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace is there")
}

/// A step of a job: a directory to work in, files for outputs and summary, and programs on its PATH.
struct Step {
    dir: TestDir,
    env: BTreeMap<&'static str, String>,
}

impl Step {
    fn new(name: &str) -> Step {
        let dir = TestDir::new(name);
        let below = |name: &str| dir.path().join(name).to_str().expect("ASCII").to_owned();
        for folder in ["tmp", "gh"] {
            fs::create_dir_all(below(folder)).expect("a directory");
        }
        let bin = program("coordinator");
        program("agent");
        let env = [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_OUTPUT", below("output")),
            ("GITHUB_STEP_SUMMARY", below("summary")),
            ("GITHUB_REPOSITORY", "acme/shop".to_owned()),
            ("GITHUB_REF_NAME", "main".to_owned()),
            ("RUNNER_TEMP", below("tmp")),
            ("PATH", format!("{}:{}", below("gh"), std::env::var("PATH").expect("a PATH"))),
            ("MUSTER_BIN", bin.parent().expect("a directory").to_str().expect("ASCII").to_owned()),
            ("MUSTER_AGENTS", "2".to_owned()),
            ("LOAD_TEST_LISTEN", "127.0.0.1:0".to_owned()),
        ];
        let mut env: BTreeMap<&str, String> = env.into();
        env.extend(EMPTY.map(|name| (name, String::new())));
        env.insert("LOAD_TEST_FAIL_ON_REGRESSION", "false".to_owned());
        let step = Step { dir, env };
        step.script("gh/gh", "echo 'gh: not logged in' >&2; exit 4");
        step
    }

    fn set(mut self, name: &'static str, value: &str) -> Step {
        self.env.insert(name, value.to_owned());
        self
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.dir.write(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    fn start(&self, script: &str) -> Process {
        let mut command = Command::new("bash");
        command.arg(root().join("deploy/github-action").join(script));
        let env: Vec<(&str, Option<&str>)> =
            self.env.iter().map(|(name, value)| (*name, Some(value.as_str()))).collect();
        Process::spawn("bash", command, self.dir.path(), &env)
    }

    fn run(&self) -> Ended {
        let ended = self.start("run.sh").wait();
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
        ended
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    /// The last value of each output.
    fn outputs(&self) -> BTreeMap<String, String> {
        let text = self.file("output");
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }

    /// Programs of this step that still run.
    fn left(&self) -> Vec<String> {
        let place = self.dir.path().to_str().expect("ASCII");
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
            .map(|words| String::from_utf8_lossy(&words).replace('\0', " "))
            .filter(|words| words.contains(place))
            .collect()
    }
}

#[test]
fn a_good_run_is_reported_and_becomes_the_baseline_of_the_next() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let step = Step::new("action-good").set("LOAD_TEST_HOST", &target.url()).set("LOAD_TEST_USERS", "4");
    step.dir.write("loadtest.yaml", &platform("http://127.0.0.1:1", LOAD, "50ms..100ms", "p95 <= 30s"));
    // A repository without artifacts.
    step.script("gh/gh", "echo \"$@\" >>calls");
    let first = step.run();
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    let outputs = step.outputs();
    let expected = [
        ("verdict", "pass"),
        ("exit_code", "0"),
        ("good", "true"),
        ("baseline", ""),
        ("accounting", "exact"),
    ];
    for (name, value) in expected {
        assert_eq!(outputs[name], value, "{name}: {outputs:?}");
    }
    assert_eq!(outputs["requests"].parse(), Ok(target.truth().total), "what the target saw");
    assert!(
        step.file("summary").contains("agent-2"),
        "both agents of this machine: {}",
        step.file("summary")
    );
    assert!(first.out.contains("no good run of the name load-test-baseline yet"), "{}", first.out);
    let calls = step.file("calls");
    assert!(
        calls.contains("repos/acme/shop/actions/artifacts?name=load-test-baseline&per_page=100"),
        "{calls}"
    );
    let logs = Path::new(&outputs["logs"]);
    for name in ["coordinator.log", "agent-1.log", "agent-2.log"] {
        assert!(!fs::read_to_string(logs.join(name)).expect("a log").is_empty(), "{name}");
    }
    assert!(step.dir.path().join(&outputs["report_dir"]).join("report.html").exists());
    assert_eq!(step.left(), Vec::<String>::new(), "no agent stays behind");
    // All that the coordinator says is an output of the action.
    let action = fs::read_to_string(root().join("deploy/github-action/action.yml")).expect("UTF-8");
    for name in outputs.keys().filter(|name| *name != "logs") {
        assert!(
            action.contains(&format!("  {name}:\n    description:")),
            "{name} is no output of the action"
        );
        assert!(action.contains(&format!("steps.run.outputs.{name} }}}}")), "{name}");
    }

    // The next run finds it.
    step.dir.write("good.json", &step.file(&outputs["report_json"]));
    step.script(
        "gh/gh",
        "echo \"$@\" >>calls
         case $1 in api) echo 77 ;; run) while [ $# -gt 0 ]; do case $1 in --dir) mkdir -p \"$2\" && cp good.json \"$2/report.json\" ;; esac; shift; done ;; esac",
    );
    let second = step.run();
    target.stop();
    assert_eq!(second.code, Some(0), "{}{}", second.out, second.err);
    assert!(second.out.contains("compared with workflow run 77"), "{}", second.out);
    assert!(step.file("calls").contains("run download 77 --repo acme/shop --name load-test-baseline"));
    let outputs = step.outputs();
    assert!(
        ["no_regression", "unknown", "regression"].contains(&outputs["baseline"].as_str()),
        "{outputs:?}"
    );
    let report = step.file(&outputs["report_json"]);
    assert!(report.contains("\"comparison_version\""), "the comparison is in the report");
}

#[test]
fn a_missed_threshold_fails_the_step_and_is_told() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let step = Step::new("action-fail").set("LOAD_TEST_HOST", &target.url());
    step.dir.write("loadtest.yaml", &platform("http://127.0.0.1:1", LOAD, "50ms..100ms", "p95 <= 1us"));
    let ended = step.run();
    target.stop();
    assert_eq!(ended.code, Some(99), "{}{}", ended.out, ended.err);
    let outputs = step.outputs();
    assert_eq!((outputs["verdict"].as_str(), outputs["good"].as_str()), ("fail", "false"));
    assert!(ended.out.contains("::error title=Threshold missed::p95 of plan is "), "{}", ended.out);
    // Artifacts cannot be listed with this `gh`: a warning, and no reason to fail.
    assert!(ended.out.contains("::warning title=Load test::artifacts cannot be listed"), "{}", ended.out);
    assert!(step.dir.path().join(&outputs["report_json"]).exists(), "reports are there to upload");
}

#[test]
fn a_run_that_does_not_begin_says_why() {
    let check = |step: &Step, code: i32, message: &str| {
        let ended = step.run();
        assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.err);
        let outputs = step.outputs();
        assert_eq!((outputs["verdict"].as_str(), outputs["exit_code"].parse()), ("error", Ok(code)));
        assert_eq!(outputs["good"], "false");
        let annotation =
            ended.out.lines().find(|line| line.starts_with("::error title=Load test did not run::"));
        assert!(annotation.is_some_and(|line| line.contains(message)), "{}", ended.out);
        let summary = step.file("summary");
        assert!(summary.contains("## Load test did not run") && summary.contains(message), "{summary}");
        assert_eq!(step.left(), Vec::<String>::new());
    };
    let step = Step::new("action-plan").set("MUSTER_BASELINE", "none");
    step.dir.write("loadtest.yaml", "version: 1\nname: T\nlaod: 1\n");
    check(&step, 3, "unknown key `laod`");

    let step = Step::new("action-flag").set("MUSTER_BASELINE", "none").set("MUSTER_ARGS", "--users=none\n");
    step.dir.write("loadtest.yaml", &platform("http://127.0.0.1:1", LOAD, "50ms..100ms", "p95 <= 30s"));
    check(&step, 2, "--users");

    // Agents that cannot start.
    let step =
        Step::new("action-agents").set("MUSTER_BASELINE", "none").set("LOAD_TEST_AGENTS_TIMEOUT", "2s");
    step.dir.write("loadtest.yaml", &platform("http://127.0.0.1:1", LOAD, "50ms..100ms", "p95 <= 30s"));
    fs::create_dir_all(step.dir.path().join("bin")).expect("a directory");
    step.script("bin/agent", "echo 'error: broken' >&2; exit 1");
    step.script("bin/coordinator", &format!("exec '{}' \"$@\"", program("coordinator").display()));
    let bin = step.dir.path().join("bin").to_str().expect("ASCII").to_owned();
    check(&step.set("MUSTER_BIN", &bin), 4, "0 of 2 agents attached within 2 s");
}

#[test]
fn wrong_settings_are_refused_with_a_remedy() {
    for (name, value, message) in [
        ("MUSTER_AGENTS", "many", "agents: `many` is no number of agents; write 0 to 999"),
        ("MUSTER_BASELINE", "gone.json", "baseline: `gone.json` is not there; write last, none"),
        ("MUSTER_BASELINE", "12", "baseline: workflow run 12 has no artifact load-test-baseline"),
        ("MUSTER_BIN", "/nowhere", "there is no program /nowhere/coordinator; set bin-dir"),
    ] {
        let ended = Step::new("action-wrong").set(name, value).run();
        assert_eq!(ended.code, Some(2), "{name}={value}: {}{}", ended.out, ended.err);
        assert!(ended.out.contains(&format!("::error title=Load test::{message}")), "{}", ended.out);
    }
}

#[test]
fn a_workflow_that_is_cancelled_leaves_a_report_and_no_process() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let step = Step::new("action-cancel").set("LOAD_TEST_HOST", &target.url()).set("MUSTER_BASELINE", "none");
    let load = "{ users: 6, spawn_rate: 20/s, duration: 10m, stop_timeout: 1s }";
    step.dir.write("loadtest.yaml", &platform("http://127.0.0.1:1", load, "50ms..100ms", "p95 <= 30s"));
    let mut running = step.start("run.sh");
    running.line_with("users 6/6");
    running.signal("TERM");
    let ended = running.wait();
    target.stop();
    assert_eq!(ended.code, Some(130), "{}{}", ended.out, ended.err);
    let outputs = step.outputs();
    assert!(step.dir.path().join(&outputs["report_json"]).exists(), "{outputs:?}");
    assert_eq!(outputs["good"], "false");
    assert_eq!(step.left(), Vec::<String>::new());
}

#[test]
fn an_agent_of_a_matrix_ends_with_the_run() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let step = Step::new("action-matrix");
    step.dir.write("loadtest.yaml", &platform(&target.url(), LOAD, "50ms..100ms", "p95 <= 30s"));
    let args = ["--expect-agents=1", "--listen=127.0.0.1:0"];
    let mut coordinator = Process::start("coordinator", step.dir.path(), args);
    let line = coordinator.line_with("waiting for 1 agent");
    let address = line.split(" on ").nth(1).and_then(|rest| rest.split(';').next()).expect("an address");
    let step = step.set("LOAD_TEST_COORDINATOR", address).set("LOAD_TEST_AGENT_NAME", "agent-3");
    let agent = step.start("agent.sh");
    let run = coordinator.wait();
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    assert!(run.err.contains("agent agent-3 attached"), "{}", run.err);
    let ended = agent.wait();
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    target.stop();

    // A coordinator that never comes.
    let step = step.set("MUSTER_PATIENCE", "1");
    let ended = step.start("agent.sh").wait();
    assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("::error title=Agent::no run began within 1 s"), "{}", ended.out);
    assert_eq!(step.left(), Vec::<String>::new());
}

#[test]
fn the_workflow_has_the_inputs_that_people_are_told_of() {
    let workflow = fs::read_to_string(root().join(".github/workflows/load-test.yml")).expect("UTF-8");
    let inputs = workflow.split("    inputs:\n").nth(1).and_then(|rest| rest.split("  schedule:").next());
    let inputs: Vec<&str> = inputs
        .expect("inputs and a schedule")
        .lines()
        .filter_map(|line| line.strip_prefix("      ")?.strip_suffix(':'))
        .filter(|name| !name.starts_with(' '))
        .collect();
    assert_eq!(inputs, ["environment", "profile", "users", "duration", "agents", "target", "baseline"]);
    assert!(inputs.len() <= 10, "GitHub takes ten");
    assert!(workflow.contains("options: [staging, performance]"));
    for name in inputs {
        assert!(workflow.contains(&format!("inputs.{name}")), "{name} is used");
    }
}

/// The script of the step called `name` in a workflow, as GitHub hands it to bash.
fn script_of(workflow: &str, name: &str) -> String {
    let step = workflow
        .split("\n      - ")
        .find(|step| step.starts_with(&format!("name: {name}\n")))
        .expect("the step");
    let (_, script) = step.split_once("        run: |\n").expect("a script of several lines");
    let lines: Vec<&str> =
        script.lines().map(|line| line.strip_prefix("          ").unwrap_or(line)).collect();
    lines.join("\n")
}

#[test]
fn secrets_of_the_workflow_keep_every_byte_and_are_hidden() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let workflow = fs::read_to_string(root.join(".github/workflows/load-test.yml")).expect("UTF-8");
    let dir = TestDir::new("github-secrets");
    let script = dir.write("step.sh", &script_of(&workflow, "Secrets of the plan"));
    let ended = Command::new("bash")
        .args(["-e", script.to_str().expect("ASCII")])
        .env("SECRETS", "token=c2VjcmV0MTI=\nkey=a=b==\n\nnonsense\nempty=\nlast= spaces ")
        .env("RUNNER_TEMP", dir.path())
        .env("GITHUB_ENV", dir.path().join("env"))
        .output()
        .expect("bash is there");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let held = |name: &str| fs::read_to_string(dir.path().join(format!("secret-{name}"))).ok();
    for (name, value) in [("token", "c2VjcmV0MTI="), ("key", "a=b=="), ("empty", ""), ("last", " spaces ")] {
        assert_eq!(held(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(held("nonsense"), None);
    let hidden = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(hidden, "::add-mask::c2VjcmV0MTI=\n::add-mask::a=b==\n::add-mask:: spaces \n");
    let flags = fs::read_to_string(dir.path().join("env")).expect("variables of the next steps");
    assert_eq!(flags.matches("--secret-file=").count(), 4, "{flags}");
}
