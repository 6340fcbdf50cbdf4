//! Runs side by side, from the real coordinator: `compare`, `history`, and `--baseline`.

use protocol_tests::plan_file::platform;
use protocol_tests::process::{Ended, Process, TestDir};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

const LOAD: &str = "{ users: 8, spawn_rate: 20/s, duration: 2s, stop_timeout: 1s }";

fn coordinate(dir: &TestDir, args: &[&str], env: &[(&str, Option<&str>)]) -> Ended {
    let ended = Process::start_in("coordinator", dir.path(), args, env).wait();
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    ended
}

/// Folders of the runs in `reports`, the oldest first.
fn runs(dir: &TestDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.path().join("reports")).into_iter().flatten().flatten();
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    runs.sort();
    runs
}

#[test]
fn runs_are_listed_compared_and_held_against_a_baseline() {
    let dir = TestDir::new("compare");
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    dir.write("loadtest.yaml", &platform(&target.url(), LOAD, "50ms..100ms", "p95 <= 10s"));
    let baseline = [("LOAD_TEST_BASELINE", Some("last"))];

    // Told before the run, which then does not begin.
    let ended = coordinate(&dir, &["--no-ui"], &baseline);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("error: LOAD_TEST_BASELINE: reports has no run of the plan"), "{}", ended.err);
    let refused = coordinate(&dir, &["--no-ui", "--fail-on-regression"], &[]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(runs(&dir).is_empty(), "nothing was run");

    assert_eq!(coordinate(&dir, &["--no-ui"], &[]).code, Some(0));
    let ended = coordinate(&dir, &["--no-ui", "--baseline", "last"], &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    let both = runs(&dir);
    assert_eq!(both.len(), 2);
    let text = fs::read_to_string(both[1].join("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let base = both[0].file_name().and_then(|name| name.to_str()).expect("ASCII");
    assert_eq!(report["baseline"]["base"]["id"], base);
    assert_eq!(report["baseline"]["on_regression"], "warn");
    for (file, expected) in [
        ("report.html", "id=\"baseline\""),
        ("summary.md", "### Compared with "),
        ("junit.xml", "classname=\"baseline\""),
    ] {
        let text = fs::read_to_string(both[1].join(file)).expect("a file");
        assert!(text.contains(expected), "{file}: {text}");
    }

    let ended = coordinate(&dir, &["compare", "last~1", "last", "--format", "json"], &[]);
    assert!(matches!(ended.code, Some(0 | 99)), "{}", ended.err);
    let compared: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(compared["rows"], report["baseline"]["rows"], "the run said the same");
    let same = coordinate(&dir, &["compare", base, "last~1"], &[]);
    assert_eq!(same.code, Some(0), "{}", same.err);
    assert!(same.out.starts_with("NO REGRESSION  0 of "), "{}", same.out);

    // Another plan, and a report that is cut off.
    let other = platform(&target.url(), LOAD, "50ms..100ms", "p95 <= 10s");
    let name = report["run"]["name"].as_str().expect("a name");
    dir.write("other.yaml", &other.replace(name, "Something else"));
    let ended = coordinate(&dir, &["other.yaml", "--no-ui", "--baseline", base], &[]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("and this is `Something else`"), "{}", ended.err);
    fs::write(both[0].join("report.json"), &text[..text.len() / 2]).expect("writable");
    let ended = coordinate(&dir, &["--no-ui", "--baseline", base], &[]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("cut off"), "{}", ended.err);
    assert_eq!(coordinate(&dir, &["compare", base, "last"], &[]).code, Some(3));
    assert_eq!(runs(&dir).len(), 2, "nothing was run");

    let ended = coordinate(&dir, &["history", "--format", "json"], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let history: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(history["runs"][0]["id"], report["run"]["id"]);
    assert_eq!(history["damaged"][0]["id"], base);
    assert!(ended.err.contains(&format!("warning: run {base} is damaged")), "{}", ended.err);
    target.stop();
}
