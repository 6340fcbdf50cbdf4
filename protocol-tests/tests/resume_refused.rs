//! Runs that cannot be gone on with, and what a journal must not hold.

use protocol_tests::fleet::Coordinator;
use protocol_tests::process::{Ended, Process, TestDir};
use std::path::PathBuf;

const PLAN: &str = r#"version: 1
name: Refused
target: http://127.0.0.1:9
load: { users: 2, duration: 30s }
data:
  accounts: { csv: accounts.csv }
users:
  User:
    data: accounts
    tasks:
      look:
        get: /look
        headers: { key: "${secret.key}", canary: "${env.CANARY}", who: "${row.name}" }
"#;

const ENV: [(&str, Option<&str>); 2] =
    [("LOAD_TEST_SECRET_KEY", Some("s3cret-canary-1")), ("CANARY", Some("env-canary-2"))];

/// A coordinator that waits for an agent.
struct Waiting {
    dir: TestDir,
    coordinator: Coordinator,
}

impl Waiting {
    fn new(name: &str) -> Waiting {
        let dir = TestDir::new(name);
        dir.write("plan.yaml", PLAN);
        dir.write("accounts.csv", "name\nfile-canary-3\n");
        let mut coordinator = Coordinator::start_in(dir.path(), 1, &["plan.yaml"], &ENV);
        coordinator.line_with("target http://127.0.0.1:9");
        // Told of an agent, it has kept something.
        let mut agent = coordinator.agent(dir.path(), "a");
        agent.line_with("attached to");
        drop(agent);
        coordinator.line_with("agent a is gone");
        Waiting { dir, coordinator }
    }

    fn folder(&self) -> PathBuf {
        let mut entries = std::fs::read_dir(self.dir.path().join("reports")).expect("reports");
        entries.next().expect("one run").expect("readable").path()
    }

    fn id(&self) -> String {
        self.folder().file_name().expect("a name").to_string_lossy().into_owned()
    }
}

fn resume(dir: &TestDir, args: &[&str], env: &[(&str, Option<&str>)]) -> Ended {
    Process::start_in("coordinator", dir.path(), ["--resume"].iter().chain(args), env).wait()
}

/// Checks that `coordinator --resume ARGS` is wrong usage, and says `expected`.
fn check(dir: &TestDir, args: &[&str], env: &[(&str, Option<&str>)], expected: &str) {
    let ended = resume(dir, args, env);
    assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
    assert!(ended.err.contains(expected), "{args:?}: {}\nexpected: {expected}", ended.err);
}

#[test]
fn what_cannot_be_resumed_is_told_with_the_remedy() {
    let waiting = Waiting::new("refused");
    let id = waiting.id();
    let Waiting { dir, coordinator } = &waiting;
    let held = format!("run {id}: another coordinator (process ");
    check(dir, &["last"], &ENV, &held);
    check(
        dir,
        &["nope"],
        &ENV,
        &format!("there is no run nope in reports; the newest are {id} (going on); --report-dir"),
    );
    check(
        dir,
        &["last", "--report-dir", "empty"],
        &ENV,
        "there is no run in empty; --report-dir says where they are",
    );
    check(dir, &["last", "--users", "4"], &ENV, "--users would change it; leave --users away");
    coordinator.signal("KILL");
    let Waiting { dir, coordinator } = waiting;
    drop(coordinator.wait());

    check(&dir, &[&id], &ENV[..1], "which are not set now: CANARY; set them to what they were");
    check(&dir, &[&id], &ENV[1..], "which are not set now: LOAD_TEST_SECRET_KEY (or --secret-file KEY=…)");
    let other = [ENV[0], ("CANARY", Some("another"))];
    check(
        &dir,
        &[&id],
        &other,
        "was started with other values of CANARY, LOAD_TEST_SECRET_KEY, which are not kept",
    );
    dir.write("accounts.csv", "name\nsomebody else\n");
    check(&dir, &[&id], &ENV, "file accounts.csv of the plan has changed since the run began");
    let path = dir.path().join("reports").join(&id).join("journal.db");
    std::fs::write(&path, "this is no journal, and never was one\n".repeat(200)).expect("writable");
    check(&dir, &[&id], &ENV, "journal.db: ");

    // A report says that a run is over, whatever else lies about.
    std::fs::write(path.with_file_name("report.json"), "{}").expect("writable");
    check(&dir, &["last"], &ENV, &format!("run {id} is over, and its report is reports/{id}/report.json"));
}

#[test]
fn no_secret_is_in_a_journal_and_a_run_that_nobody_finished_is_hinted_at() {
    let waiting = Waiting::new("canaries");
    let (id, folder) = (waiting.id(), waiting.folder());
    for entry in std::fs::read_dir(&folder).expect("readable").flatten() {
        let bytes = std::fs::read(entry.path()).expect("readable");
        for canary in ["s3cret-canary-1", "env-canary-2", "file-canary-3"] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} is in {}", entry.path().display());
        }
    }
    waiting.coordinator.signal("KILL");
    let Waiting { dir, coordinator } = waiting;
    drop(coordinator.wait());
    let mut next = Coordinator::start_in(dir.path(), 1, &["plan.yaml", "--agents-timeout", "1s"], &ENV);
    next.line_with(&format!("run {id} was not finished; `coordinator --resume {id}` goes on with it"));
    let ended = next.wait();
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    let folders = std::fs::read_dir(dir.path().join("reports")).expect("reports").count();
    assert_eq!(folders, 1, "a run that never began leaves nothing");
    // That one had not begun either: it waits for its agents again.
    let path = dir.path().to_owned();
    let mut resumed =
        Coordinator::listening(Process::start_in("coordinator", &path, ["--resume", &id], &ENV), None);
    resumed.line_with("going on with run");
    resumed.signal("INT");
    assert_eq!(resumed.wait().code, Some(130));
    assert!(!folder.exists(), "nothing is left of it");
}

#[test]
fn a_coordinator_that_was_succeeded_while_it_was_frozen_does_nothing_more() {
    let waiting = Waiting::new("fenced");
    let folder = waiting.folder();
    waiting.coordinator.signal("STOP");
    check(&waiting.dir, &["last"], &ENV, "is at it; let that go on, or end it first (kill ");
    // Somebody knows better.
    std::fs::remove_file(folder.join("journal.lock")).expect("it is there");
    let process = Process::start_in(
        "coordinator",
        waiting.dir.path(),
        ["--resume", "last", "--listen", "127.0.0.1:0"],
        &ENV,
    );
    let mut next = Coordinator::listening(process, None);
    next.line_with("going on with run");
    waiting.coordinator.signal("CONT");
    let Waiting { dir, mut coordinator } = waiting;
    let agent = coordinator.agent(dir.path(), "late");
    coordinator.line_with("another coordinator has taken over the run");
    assert_eq!(coordinator.wait().code, Some(1));
    drop(agent);
    assert!(folder.join("journal.db").exists(), "the run is the other one's");
    next.signal("INT");
    assert_eq!(next.wait().code, Some(130));
}
