//! The same seed makes the same requests, on however many agents and whoever is lost.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::TestDir;
use protocol_tests::recorder::{Recorder, Seen};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rows of the largest source: one for every iteration.
const ROWS: u32 = 600;

/// Weighted tasks, steps that decide, everything random that templates offer, rows of every pick, and who makes the
/// request with them.
fn plan(target: &str, iterations: u32) -> String {
    let who = "x-slot: \"${user.slot}\", x-iteration: \"${user.iteration}\", x-class: \"${user.class}\"";
    let rows = "x-account: \"${account.email}\"";
    let who = format!(
        "{who}, {rows}, x-rows: \"${{row.id}} ${{turn.id}} ${{shuffled.id}} ${{any.id}} ${{kept.id}}\""
    );
    let hello = "x-slot: \"${user.slot}\", x-task: on_start";
    let sources =
        "{ row: tickets, account: accounts, turn: turns, shuffled: shuffles, any: randoms, kept: keeps }";
    format!(
        r#"version: 1
name: Determinism
target: {target}
load: {{ users: 12, spawn_rate: 20/s, iterations: {iterations}, duration: 5m }}
data:
  tickets: {{ csv: tickets.csv, pick: unique, per: iteration, when_exhausted: fail }}
  accounts: {{ csv: accounts.csv, pick: unique }}
  turns: {{ csv: tickets.csv }}
  shuffles: {{ csv: accounts.csv, pick: shuffle }}
  randoms: {{ csv: tickets.csv, pick: random }}
  keeps: {{ csv: tickets.csv, pick: random, per: user }}
flows:
  buy:
    steps:
      - post: "/buy/${{item}}"
        headers: {{ {who}, x-task: buy, x-id: "${{uuid()}}" }}
        json: {{ amount: "${{rand(1, 1000)}}", colour: "${{choice(['red', 'green', 'blue'])}}", to: "${{fake.email()}}", code: "${{random_string(8, 'A-Z')}}" }}
users:
  Reader:
    weight: 2
    data: {sources}
    wait: 20ms..60ms
    tasks:
      look: {{ weight: 5, get: "/look?q=${{fake.sentence()}}", headers: {{ {who}, x-task: look }} }}
      pick:
        weight: 3
        steps:
          - set: {{ item: "${{rand(1, 50)}}", twice: "${{rand(0, 1)}}" }}
          - call: buy
          - if: twice == 1
            then: [ {{ call: buy }} ]
          - repeat: 2
            steps: [ {{ get: "/again/${{rand(1, 9)}}/${{repeat.index}}", headers: {{ {who}, x-task: pick }} }} ]
  Writer:
    weight: 1
    data: {sources}
    wait: 30ms
    on_start: [ {{ post: /hello, headers: {{ {hello}, {rows} }}, body: "${{fake.name()}}" }} ]
    tasks:
      write: {{ post: /write, headers: {{ {who}, x-task: write }}, body: "${{fake.sentence()}} ${{uuid()}}" }}
"#
    )
}

/// A file of so many rows with a number each, and an address.
fn rows(count: u32) -> String {
    (0..count).fold("id,email\n".to_owned(), |csv, id| format!("{csv}{id},row-{id}@example.com\n"))
}

/// What makes a request what it is: user, iteration, task, rows, and everything that its templates gave.
fn essence(seen: &Seen) -> String {
    let names = ["x-slot", "x-iteration", "x-class", "x-task", "x-account", "x-rows", "x-id"];
    format!("{:?} {} {}", names.map(|name| seen.header(name)), seen.line, seen.body)
}

/// Runs the plan on so many agents; the second of them is killed after so many requests, if at all.
fn run(agents: u32, iterations: u32, kill_after: Option<usize>) -> (Vec<Seen>, Value) {
    let target = Recorder::start(Duration::from_millis(2));
    let dir = TestDir::new(&format!("determinism-{agents}-{iterations}"));
    dir.write("tickets.csv", &rows(ROWS));
    dir.write("accounts.csv", &rows(12));
    let path = dir.write("plan.yaml", &plan(&target.url(), iterations));
    let path = path.to_str().expect("an ASCII path");
    let coordinator = Coordinator::start(dir.path(), agents, &[path, "--seed", "417"]);
    let fleet: Vec<_> =
        (0..agents).map(|number| coordinator.agent(dir.path(), &format!("agent-{number}"))).collect();
    if let Some(requests) = kill_after {
        target.until(|seen| seen.requests.len() >= requests);
        fleet[1].signal("KILL");
    }
    let ended = coordinator.wait();
    drop(fleet);
    let report = report(&dir);
    assert_eq!(report["users"]["iterations"]["done"], iterations, "{}\n{}", ended.err, ended.out);
    assert_eq!(report["users"]["iterations"]["target"], iterations);
    (target.seen().requests, report)
}

fn multiset(requests: &[Seen]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for seen in requests {
        *counts.entry(essence(seen)).or_default() += 1;
    }
    counts
}

/// The iterations that were begun, those of `on_start` left out.
fn iterations(requests: &[Seen]) -> BTreeSet<(u64, u64)> {
    let begun = requests.iter().filter(|seen| seen.header("x-task") != "on_start");
    begun.map(|seen| (seen.number("x-slot"), seen.number("x-iteration"))).collect()
}

/// The number of the unique row that each iteration had, and the account that each user had; every row has one owner.
fn owners(requests: &[Seen]) -> (BTreeMap<u64, (u64, u64)>, BTreeMap<String, u64>) {
    let (mut tickets, mut accounts) = (BTreeMap::new(), BTreeMap::new());
    for seen in requests {
        let slot = seen.number("x-slot");
        let owner = *accounts.entry(seen.header("x-account").to_owned()).or_insert(slot);
        assert_eq!(owner, slot, "two users have an account: {seen:?}");
        if seen.header("x-task") == "on_start" {
            continue;
        }
        let ticket = seen.header("x-rows").split(' ').next().and_then(|id| id.parse().ok());
        let iteration = (slot, seen.number("x-iteration"));
        let owner = *tickets.entry(ticket.expect("a number")).or_insert(iteration);
        assert_eq!(owner, iteration, "two iterations have a row: {seen:?}");
    }
    (tickets, accounts)
}

#[test]
fn one_two_and_eight_agents_make_the_same_requests() {
    let (alone, report) = run(1, 250, None);
    assert_eq!(iterations(&alone).len(), 250, "exactly as many as were asked for");
    assert_eq!(report["accounting"]["status"], "exact");
    let expected = multiset(&alone);
    assert!(expected.len() > 250, "there is something to compare");
    let (tickets, accounts) = owners(&alone);
    assert_eq!((tickets.len(), accounts.len()), (250, 12), "a row of its own for each iteration and user");
    for agents in [2, 8] {
        let (seen, report) = run(agents, 250, None);
        assert_eq!(multiset(&seen), expected, "{agents} agents");
        assert_eq!(report["verdict"], "pass", "{}", report["reasons"]);
    }
}

#[test]
fn the_users_of_a_killed_agent_make_the_requests_that_it_would_have_made() {
    let (alone, _) = run(1, 600, None);
    let (seen, report) = run(3, 600, Some(300));
    assert_eq!(report["users"]["losses"][0]["agent"], "agent-1", "{}", report["users"]);
    let (expected, got) = (multiset(&alone), multiset(&seen));
    assert!(got.keys().eq(expected.keys()), "as sets they are equal");
    assert_eq!(iterations(&seen).len(), 600);
    // Every unique row was used, by one iteration each, wherever it was done.
    let (tickets, accounts) = owners(&seen);
    assert!(tickets.keys().copied().eq(0..u64::from(ROWS)), "{} rows were used", tickets.len());
    assert_eq!((&tickets, accounts.len()), (&owners(&alone).0, 12));
    // What was begun twice is what nobody had heard of, and the users' on_start.
    let lost: BTreeSet<u64> = seen
        .iter()
        .filter(|seen| got[&essence(seen)] > expected[&essence(seen)])
        .map(|seen| seen.number("x-slot"))
        .collect();
    assert!(lost.len() <= 4, "only users of the lost agent repeat anything: {lost:?}");
}
