//! Rows of data in a fleet: each where it belongs, none twice.

use protocol_tests::fleet::{Coordinator, four_agents, report};
use protocol_tests::process::{Process, TestDir};
use protocol_tests::recorder::Recorder;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A plan whose users register the accounts of `accounts.csv`, each of which the target takes once only.
fn plan(target: &str, source: &str, users: u32) -> String {
    format!(
        r#"version: 1
name: Accounts
target: {target}
load: {{ users: {users}, spawn_rate: 100/s, duration: 4s }}
data: {{ accounts: {{ csv: accounts.csv, pick: unique, {source} }} }}
users:
  Visitor:
    wait: 20ms
    data: accounts
    tasks:
      register:
        steps:
          - post: /api/v1/auth/register
            json: {{ email: "${{row.email}}", password: "${{row.password}}" }}
            expect: {{ status: 201 }}
          {stop}
"#,
        stop = if source.contains("per: user") { "- stop: user" } else { "" }
    )
}

/// A CSV of so many accounts with passwords of `padding` characters.
fn accounts(rows: u32, padding: usize) -> String {
    let padding = "p".repeat(padding);
    (0..rows).fold("email,password\n".to_owned(), |csv, n| format!("{csv}row-{n}@example.com,{padding}{n}\n"))
}

fn totals(report: &serde_json::Value) -> (Option<u64>, Option<u64>) {
    (report["totals"]["requests"].as_u64(), report["totals"]["failures"].as_u64())
}

#[test]
fn unique_rows_are_used_once_by_users_of_four_agents() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("unique-rows");
    dir.write("accounts.csv", &accounts(30, 8));
    // Eight users: one more round than there are rows for, and the last one is not full.
    let source = "per: iteration, when_exhausted: stop";
    let (code, text, report) = four_agents(&dir, &plan(&target.url(), source, 8), &[]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(totals(&report), (Some(30), Some(0)), "{text}");
    assert_eq!(target.truth().total, 30);
    assert_eq!(report["accounting"]["status"], "exact");
}

#[test]
fn every_unique_row_is_used_by_one_iteration_though_an_agent_dies() {
    let target = Recorder::start(Duration::from_millis(2));
    let dir = TestDir::new("rows-of-the-dead");
    dir.write("accounts.csv", &accounts(360, 1));
    // 12 users with 30 rows each, which they have used up well before the end.
    let plan = format!(
        r#"version: 1
name: Rows
target: {}
load: {{ users: 12, duration: 18s }}
data: {{ accounts: {{ csv: accounts.csv, pick: unique, per: iteration }} }}
users:
  User:
    wait: 150ms
    data: accounts
    tasks:
      use:
        post: /use
        headers: {{ x-slot: "${{user.slot}}", x-iteration: "${{user.iteration}}" }}
        body: "${{row.email}}"
"#,
        target.url()
    );
    let path = dir.write("plan.yaml", &plan);
    let coordinator = Coordinator::start(dir.path(), 3, &[path.to_str().expect("an ASCII path")]);
    let agents = ["a", "b", "c"].map(|name| coordinator.agent(dir.path(), name));
    target.until(|seen| seen.requests.len() >= 120);
    agents[1].signal("KILL");
    let ended = coordinator.wait();
    drop(agents);
    let seen = target.seen().requests;
    let mut owners: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut repeating = BTreeSet::new();
    for seen in &seen {
        let iteration = (seen.number("x-slot"), seen.number("x-iteration"));
        // A row is used again only where its very iteration is done again, as nobody had heard of it.
        match owners.insert(&seen.body, iteration) {
            Some(owner) if owner == iteration => _ = repeating.insert(owner.0),
            Some(owner) => panic!("{} is used by {owner:?} and by {iteration:?}", seen.body),
            None => {}
        }
    }
    assert_eq!(owners.len(), 360, "every row is used: {}\n{}", ended.err, ended.out);
    assert!(repeating.len() <= 4, "only users of the lost agent repeat anything: {repeating:?}");
    assert_eq!(report(&dir)["users"]["losses"][0]["moved"], 4, "{}", ended.out);
}

#[test]
fn users_that_find_no_row_fail_once_if_the_plan_says_so() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("failing-rows");
    dir.write("accounts.csv", &accounts(30, 8));
    let source = "per: iteration, when_exhausted: fail";
    let (_, text, report) = four_agents(&dir, &plan(&target.url(), source, 8), &[]);
    assert_eq!(totals(&report), (Some(38), Some(8)), "{text}");
    let error = &report["errors"][0];
    assert_eq!(error["message"], "no row of the data source `accounts` is left", "{text}");
    assert_eq!(target.truth().total, 30);
}

#[test]
fn a_large_file_arrives_and_users_without_a_row_are_told_of() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("large-rows");
    // 3 MB: many parts of the bundle.
    dir.write("accounts.csv", &accounts(6, 500_000));
    let plan = plan(&target.url(), "per: user", 9).replace("row.password", "row.password[:10]");
    let path = dir.write("plan.yaml", &plan);
    let coordinator = Coordinator::start(dir.path(), 2, &[path.to_str().expect("an ASCII path")]);
    let agents = [coordinator.agent(dir.path(), "a"), coordinator.agent(dir.path(), "b")];
    let ended = coordinator.wait();
    drop(agents);
    let told = "`accounts` has 6 rows for 9 users: 3 of them have none, and do nothing";
    assert!(ended.err.contains(told), "{}", ended.err);
    assert_eq!(totals(&report(&dir)), (Some(6), Some(0)), "{}\n{}", ended.err, ended.out);
}

#[test]
fn data_that_cannot_be_read_is_told_before_the_run() {
    let check = |name: &str, csv: Option<&[u8]>, source: &str, expected: &str| {
        let dir = TestDir::new(name);
        if let Some(csv) = csv {
            std::fs::write(dir.path().join("accounts.csv"), csv).expect("a file can be written");
        }
        dir.write("plan.yaml", &plan("http://127.0.0.1:9", source, 8));
        // From elsewhere: the file stands beside the plan.
        let elsewhere = TestDir::new(&format!("{name}-elsewhere"));
        let path = dir.path().join("plan.yaml");
        let ended =
            Process::start("coordinator", elsewhere.path(), ["check".as_ref(), path.as_os_str()]).wait();
        assert_eq!(ended.code, Some(3), "{}", ended.err);
        assert!(ended.err.contains(expected), "{}", ended.err);
        assert!(ended.err.contains("plan.yaml:5:"), "{}", ended.err);
    };
    check("no-file", None, "per: user", "accounts.csv: No such file or directory");
    check("ragged", Some(b"email,password\na\n"), "per: user", "accounts.csv:2:1: this row has 1 value");
    check(
        "binary",
        Some(b"email,password\n\xff\xfe,b\n"),
        "per: user",
        "accounts.csv:2:1: the byte 0xff is not UTF-8",
    );
    let csv = accounts(3, 1);
    let short = "`accounts` has 3 rows for 8 users";
    let dir = TestDir::new("too-few");
    dir.write("accounts.csv", &csv);
    dir.write("plan.yaml", &plan("http://127.0.0.1:9", "when_exhausted: fail", 8));
    let ended = Process::start("coordinator", dir.path(), ["check", "plan.yaml"]).wait();
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains(short), "{}", ended.err);
    dir.write("plan.yaml", &plan("http://127.0.0.1:9", "per: user", 8));
    let ended = Process::start("coordinator", dir.path(), ["check", "plan.yaml"]).wait();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("Visitor; too few rows"), "{}", ended.out);
}
