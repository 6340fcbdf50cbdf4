//! Coordinators that are killed in the middle of a run: what the target sees of it, and what the next one reports.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::{Ended, Process, TestDir};
use protocol_tests::recorder::{Recorder, Seens};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

const USERS: usize = 12;

fn plan(target: &str, length: &str) -> String {
    format!(
        r#"version: 1
name: Resume
target: {target}
load: {{ users: {USERS}, duration: {length} }}
users:
  User:
    wait: 50ms
    tasks:
      look:
        get: /look
        headers: {{ x-slot: "${{user.slot}}", x-iteration: "${{user.iteration}}", x-agent: "${{agent.name}}" }}
"#
    )
}

/// A run whose coordinator was killed when it had lasted for some seconds.
struct Killed {
    dir: TestDir,
    target: Recorder,
    agents: Vec<Process>,
}

impl Killed {
    fn new(name: &str, agents: &[&str], length: &str, args: &[&str]) -> Killed {
        let target = Recorder::start(Duration::from_millis(5));
        let dir = TestDir::new(name);
        let plan = dir.write("plan.yaml", &plan(&target.url(), length));
        let mut all = vec![plan.to_str().expect("an ASCII path")];
        all.extend(args);
        let mut coordinator = Coordinator::start(dir.path(), agents.len() as u32, &all);
        let agents = agents.iter().map(|name| coordinator.agent(dir.path(), name)).collect();
        coordinator.line_with("00:03 /");
        coordinator.signal("KILL");
        assert_eq!(coordinator.wait().code, None, "it was killed");
        Killed { dir, target, agents }
    }

    /// The run's folder.
    fn folder(&self) -> PathBuf {
        let mut entries = std::fs::read_dir(self.dir.path().join("reports")).expect("reports");
        entries.next().expect("one run").expect("readable").path()
    }

    fn resume(&self, args: &[&str]) -> Process {
        Process::start("coordinator", self.dir.path(), ["--resume", "last"].iter().chain(args))
    }

    /// Goes on with the run, to its end; what the target saw, how that ended, and the report.
    fn go_on(self, args: &[&str]) -> (Seens, Ended, Value) {
        let ended = self.resume(args).wait();
        let left = std::fs::read_dir(self.folder()).expect("the folder").flatten();
        let left: Vec<_> = left.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        let journal = left.iter().any(|name| name.starts_with("journal"));
        assert!(
            left.iter().any(|name| name == "report.json") && !journal,
            "the report, and no journal any more: {left:?}\n{}",
            ended.err
        );
        drop(self.agents);
        (self.target.seen(), ended, report(&self.dir))
    }
}

fn count(report: &Value, what: &str) -> u64 {
    report["accounting"][what].as_u64().unwrap_or_else(|| panic!("{what}: {}", report["accounting"]))
}

/// Checks that no iteration of any user was begun twice.
fn check_iterations(seen: &Seens) {
    let distinct: BTreeSet<_> =
        seen.requests.iter().map(|seen| (seen.number("x-slot"), seen.number("x-iteration"))).collect();
    assert_eq!(distinct.len(), seen.requests.len(), "an iteration is done twice");
}

#[test]
fn agents_of_a_killed_coordinator_never_notice_if_another_goes_on_in_time() {
    let killed = Killed::new("resume-in-time", &["a", "b", "c"], "12s", &[]);
    let (seen, ended, report) = killed.go_on(&[]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.err, ended.out);
    assert_eq!((seen.connections, seen.most_open), (USERS, USERS), "no user noticed\n{}", ended.err);
    check_iterations(&seen);
    assert_eq!(report["accounting"]["status"], "exact", "{}", ended.out);
    assert_eq!((count(&report, "merged"), count(&report, "aborted")), (seen.requests.len() as u64, 0));
    assert_eq!(report["users"]["losses"], Value::Array(Vec::new()));
    assert_eq!(report["users"]["missing_user_seconds"].as_f64(), Some(0.0), "{}", report["users"]);
    assert_eq!(report["verdict"], "pass");
    let seconds = report["run"]["duration_s"].as_f64().expect("a number");
    assert!((11.0..=12.5).contains(&seconds), "{seconds} s");
    for name in ["a", "b", "c"] {
        assert!(ended.err.contains(&format!("agent {name} is back from")), "{}", ended.err);
    }
}

#[test]
fn agents_with_proofs_are_let_in_again_and_a_second_kill_is_none_too_many() {
    let mut killed = Killed::new("resume-tls", &["a", "b"], "14s", &["--tls"]);
    let mut second = Coordinator::listening(killed.resume(&[]), None);
    assert!(second.join.is_some(), "it prints what other agents join with");
    second.line_with("agent a is back from");
    second.line_with("agent b is back from");
    second.line_with("00:06 /");
    second.signal("KILL");
    drop(second.wait());
    for agent in &mut killed.agents {
        agent.line_with("attached to");
    }
    let (seen, ended, report) = killed.go_on(&[]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.err, ended.out);
    assert!(ended.err.contains("(start 3 of it)"), "{}", ended.err);
    assert_eq!((seen.connections, seen.most_open), (USERS, USERS), "{}", ended.err);
    assert_eq!(report["accounting"]["status"], "exact");
    assert_eq!(count(&report, "merged"), seen.requests.len() as u64);
}

#[test]
fn agents_whose_lease_is_over_deliver_what_they_measured() {
    let killed = Killed::new("resume-late", &["a", "b"], "8s", &[]);
    killed.target.until(|seen| seen.open == 0);
    let (seen, ended, report) = killed.go_on(&[]);
    assert_eq!(seen.most_open, USERS);
    let books = &report["accounting"];
    assert_eq!(books["status"], "exact", "{}\n{}", ended.err, ended.out);
    let (merged, aborted, arrived) =
        (count(&report, "merged"), count(&report, "aborted"), seen.requests.len() as u64);
    assert!(aborted <= USERS as u64 && (merged..=merged + aborted).contains(&arrived), "{arrived}: {books}");
    check_iterations(&seen);
    assert_ne!(report["verdict"], "pass", "most of its users were missing");
    assert!(ended.code == Some(4) || ended.code == Some(98), "{:?}\n{}", ended.code, ended.out);
    assert!(ended.err.contains("agent a is back from"), "{}", ended.err);
}

#[test]
fn a_run_to_which_nobody_comes_back_says_what_is_missing() {
    let mut killed = Killed::new("resume-alone", &["a", "b"], "60s", &[]);
    killed.agents.clear();
    let (seen, ended, report) = killed.go_on(&[]);
    assert_eq!((ended.code, &report["exit_code"]), (Some(4), &4.into()), "{}\n{}", ended.err, ended.out);
    assert_eq!(report["verdict"], "inconclusive");
    assert_eq!(report["accounting"]["status"], "incomplete");
    let (merged, lost) = (count(&report, "merged"), count(&report, "lost_at_most"));
    let missing = (seen.requests.len() as u64).saturating_sub(merged);
    assert!(
        merged > 0 && missing <= lost,
        "{missing} of {} are missing, at most {lost} admitted",
        seen.requests.len()
    );
    assert_eq!(report["users"]["losses"].as_array().map(Vec::len), Some(2), "{}", report["users"]);
}

#[test]
fn a_run_with_an_embedded_agent_is_reported() {
    let target = Recorder::start(Duration::from_millis(5));
    let dir = TestDir::new("resume-embedded");
    let plan = dir.write("plan.yaml", &plan(&target.url(), "60s"));
    let mut process = Process::start("coordinator", dir.path(), [&plan]);
    process.line_with("00:03 /");
    process.signal("KILL");
    drop(process.wait());
    let killed = Killed { dir, target, agents: Vec::new() };
    let (seen, ended, report) = killed.go_on(&[]);
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.err, ended.out);
    assert!(count(&report, "merged") > 0, "{}", ended.out);
    assert!(seen.requests.len() as u64 <= count(&report, "merged") + count(&report, "lost_at_most"));
    assert!(report["reasons"].to_string().contains("it ended with the coordinator"), "{}", report["reasons"]);
}

#[test]
fn a_disk_that_does_not_answer_costs_no_lease_and_a_journal_that_fails_stops_the_run() {
    let target = Recorder::start(Duration::from_millis(5));
    let dir = TestDir::new("resume-disk");
    let plan = dir.write("plan.yaml", &plan(&target.url(), "60s"));
    let mut coordinator = Coordinator::start(dir.path(), 1, &[plan.to_str().expect("an ASCII path")]);
    let mut agent = coordinator.agent(dir.path(), "a");
    coordinator.line_with("00:02 /");
    let killed = Killed { dir, target, agents: Vec::new() };
    let other = rusqlite::Connection::open(killed.folder().join("journal.db")).expect("the journal");
    other.execute_batch("BEGIN IMMEDIATE").expect("it is free between commits");
    coordinator.line_with("the journal of the run cannot be written");
    drop(other);
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(98), "{}\n{}", ended.err, ended.out);
    let report = report(&killed.dir);
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains("because its journal could not be written: "), "{reasons}");
    let seen = killed.target.seen();
    assert_eq!((seen.connections, seen.most_open), (USERS, USERS), "users went on for longer than a lease");
    assert_eq!(count(&report, "merged") + count(&report, "aborted"), seen.requests.len() as u64);
    agent.line_with("lost the stream to");
}
