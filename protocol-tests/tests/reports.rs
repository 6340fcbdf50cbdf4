//! The files of a report, from the real coordinator: what a run writes, what `coordinator report` makes again, and what it
//! refuses.

use protocol_tests::plan_file::platform;
use protocol_tests::process::{Ended, Process, TestDir, program};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LOAD: &str = "{ users: 8, spawn_rate: 20/s, duration: 2s, stop_timeout: 1s }";

const FILES: [&str; 8] = [
    "junit.xml",
    "latency.hlog",
    "locust_failures.csv",
    "locust_stats.csv",
    "locust_stats_history.csv",
    "report.html",
    "report.json",
    "summary.md",
];

fn coordinate(dir: &TestDir, args: &[&str], env: &[(&str, Option<&str>)]) -> Ended {
    let ended = Process::start_in("coordinator", dir.path(), args, env).wait();
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    ended
}

/// A short run with that threshold, and the directory of its report.
fn run(dir: &TestDir, threshold: &str, env: &[(&str, Option<&str>)]) -> (Ended, PathBuf) {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    dir.write("loadtest.yaml", &platform(&target.url(), LOAD, "50ms..100ms", threshold));
    let ended = coordinate(dir, &["--no-ui"], env);
    target.stop();
    let mut runs = fs::read_dir(dir.path().join("reports")).expect("a report").flatten();
    let folder = runs.next().map(|run| run.path()).unwrap_or_default();
    (ended, folder)
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).expect("a directory").flatten();
    files
        .map(|file| {
            (file.file_name().into_string().expect("UTF-8"), fs::read(file.path()).expect("readable"))
        })
        .collect()
}

#[test]
fn what_a_run_wrote_is_made_again_to_the_byte() {
    let dir = TestDir::new("reports-again");
    let (summary, output) = (dir.path().join("summary"), dir.path().join("output"));
    let (summary, output) = (summary.to_str().expect("ASCII"), output.to_str().expect("ASCII"));
    let github = [
        ("GITHUB_ACTIONS", Some("true")),
        ("GITHUB_STEP_SUMMARY", Some(summary)),
        ("GITHUB_OUTPUT", Some(output)),
    ];
    let (ended, folder) = run(&dir, "p95 <= 1us", &github);
    assert_eq!(ended.code, Some(99), "{}", ended.err);
    let live = contents(&folder);
    assert_eq!(live.keys().map(String::as_str).collect::<Vec<_>>(), FILES);
    let json = folder.join("report.json");
    assert!(
        ended
            .out
            .contains(&format!("report: reports/{}/report.json\n", folder.file_name().unwrap().display())),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("::error title=Threshold missed::p95 of plan is "), "{}", ended.out);
    assert_eq!(fs::read(summary).expect("a step summary"), live["summary.md"]);
    let outputs = fs::read_to_string(output).expect("outputs");
    assert!(outputs.contains("verdict=fail\nexit_code=99\n"), "{outputs}");

    let schema = coordinate(&dir, &["schema", "report"], &[]).out;
    let schema =
        jsonschema::draft202012::new(&serde_json::from_str(&schema).expect("JSON")).expect("a schema");
    let report = serde_json::from_slice(&live["report.json"]).expect("JSON");
    let wrong: Vec<String> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new(), "the report is what its schema says");

    for name in FILES.iter().filter(|name| **name != "report.json") {
        fs::remove_file(folder.join(name)).expect("removed");
    }
    let path = folder.to_str().expect("ASCII");
    let again = coordinate(&dir, &["report", path], &[]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(again.out.lines().count(), FILES.len() - 1, "{}", again.out);
    assert!(again.out.contains(&format!("{path}/report.html\n")), "{}", again.out);
    assert!(contents(&folder) == live, "every file is the same");

    let json = json.to_str().expect("ASCII");
    let elsewhere = coordinate(&dir, &["report", json, "--out", "else", "--format", "csv,json"], &[]);
    assert_eq!(elsewhere.code, Some(0), "{}", elsewhere.err);
    let made = contents(&dir.path().join("else"));
    assert_eq!(made.len(), 4);
    assert!(made.iter().all(|(name, content)| live[name] == *content));
}

#[test]
fn what_is_no_report_is_refused_with_its_place() {
    let dir = TestDir::new("reports-bad");
    let (ended, folder) = run(&dir, "p95 <= 30s", &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    let json = fs::read_to_string(folder.join("report.json")).expect("a report");
    let refuse = |name: &str, text: &str, expected: &[&str]| {
        dir.write(name, text);
        let ended = coordinate(&dir, &["report", name, "--out", "none"], &[]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""), "{}", ended.err);
        assert!(ended.err.starts_with(&format!("error: {name}:")), "{}", ended.err);
        for expected in expected {
            assert!(ended.err.contains(expected), "`{expected}` is not in: {}", ended.err);
        }
        assert!(!dir.path().join("none").exists(), "nothing is written of a file that is refused");
    };
    refuse("cut.json", &json[..json.len() / 2], &["EOF while parsing", "the file is cut off"]);
    refuse("edited.json", &json.replacen("\"pass\"", "\"fail\"", 1), &["`exit_code`", "undo the change"]);
    refuse(
        "newer.json",
        &json.replacen("\"schema_version\": 1", "\"schema_version\": 9", 1),
        &["2:21", "9 is newer than 1"],
    );
    refuse(
        "k6.json",
        "{\"metrics\":{}}",
        &["`schema_version`: the key is missing", "name the `report.json`"],
    );
    refuse("plan.json", "version: 1\n", &["1:1"]);
    let missing = coordinate(&dir, &["report", "gone.json"], &[]);
    assert_eq!(missing.code, Some(3), "{}", missing.err);
    assert!(missing.err.contains("error: gone.json: cannot be read"), "{}", missing.err);
    let usage = coordinate(&dir, &["report", "gone.json", "--format", "pdf"], &[]);
    assert_eq!(usage.code, Some(2), "{}", usage.err);
    assert!(
        usage.err.contains("--format: `pdf` is no form of a report; write one or more of json, html"),
        "{}",
        usage.err
    );
    dir.write("taken", "a file");
    let path = folder.to_str().expect("ASCII");
    let taken = coordinate(&dir, &["report", path, "--out", "taken"], &[]);
    assert_eq!(taken.code, Some(1), "{}", taken.err);
    assert!(taken.err.contains("error: cannot write taken: "), "{}", taken.err);
    assert!(taken.err.contains(&format!("coordinator report {path} --out taken")), "{}", taken.err);
}

/// Runs `command` of a shell in `dir`, where `full` is a disk of that many KiB; `None`, and a word about it, where none can
/// be made.
fn on_a_small_disk(dir: &TestDir, size: u32, command: &str) -> Option<Ended> {
    fs::create_dir_all(dir.path().join("full")).expect("a mount point");
    let script = format!("mount -t tmpfs -o size={size}k none full || exit 77\n{command}");
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "--propagation", "private", "sh", "-c", &script]).current_dir(dir.path());
    shell.env("COORDINATOR", program("coordinator")).env("TMPDIR", dir.path().join("spare"));
    match shell.output() {
        Ok(output) if !matches!(output.status.code(), Some(77 | 1) if output.stdout.is_empty()) => {
            Some(Ended {
                code: output.status.code(),
                out: String::from_utf8_lossy(&output.stdout).into_owned(),
                err: String::from_utf8_lossy(&output.stderr).into_owned(),
            })
        }
        refused => {
            eprintln!("SKIPPED: no small disk can be mounted here ({refused:?}); it takes Linux and root");
            None
        }
    }
}

#[test]
fn a_disk_that_fills_costs_no_more_than_it_must() {
    let dir = TestDir::new("reports-full");
    let (ended, folder) = run(&dir, "p95 <= 30s", &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let path = folder.to_str().expect("ASCII");
    // The page does not fit, what is smaller does.
    let made = format!("\"$COORDINATOR\" report {path} --out full/x; code=$?; ls -A full/x; exit $code");
    let size = fs::metadata(folder.join("report.json")).expect("a report").len() / 1024 + 44;
    let Some(made) = on_a_small_disk(&dir, size as u32, &made) else { return };
    assert_eq!(made.code, Some(1), "{}{}", made.out, made.err);
    assert!(
        made.err.contains("error: cannot write full/x/report.html: No space left on device"),
        "{}",
        made.err
    );
    assert!(made.err.contains("make room, and write the rest again: coordinator report "), "{}", made.err);
    for name in ["report.json", "junit.xml", "summary.md", "locust_stats.csv"] {
        assert!(made.out.lines().any(|line| line == name), "{name} is not in {}", made.out);
    }
    assert!(!made.out.contains(".draft"), "what was half written is gone: {}", made.out);

    // A run whose disk takes not even report.json.
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    dir.write("loadtest.yaml", &platform(&target.url(), LOAD, "50ms..100ms", "p95 <= 30s"));
    fs::create_dir_all(dir.path().join("spare")).expect("a directory");
    let Some(ended) = on_a_small_disk(&dir, 8, "\"$COORDINATOR\" --no-ui --report-dir full") else { return };
    target.stop();
    assert_eq!(ended.code, Some(1), "passed, but not as it was asked to: {}", ended.err);
    assert!(ended.err.contains("report.json: No space left on device"), "{}", ended.err);
    let line = ended.out.lines().find_map(|line| line.strip_prefix("report: ")).expect("where the report is");
    assert!(line.starts_with(dir.path().join("spare").to_str().expect("ASCII")), "{line}");
    assert!(ended.err.contains(&format!("coordinator report {line} --out full/")), "{}", ended.err);
    let again = coordinate(&dir, &["report", line, "--out", "room"], &[]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(contents(&dir.path().join("room")).len(), FILES.len());
}
