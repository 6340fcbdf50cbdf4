//! What an agent measured outlives its process, and a coordinator that stands still slows nobody: judged by what the target
//! saw.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::TestDir;
use protocol_tests::recorder::{Recorder, Seens};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

fn plan(target: &str, duration: &str) -> String {
    format!(
        r#"version: 1
name: Spool
target: {target}
load: {{ users: 10, duration: {duration}, stop_timeout: 2s }}
users:
  User:
    wait: 50ms
    tasks:
      look: {{ get: /look, headers: {{ x-slot: "${{user.slot}}", x-agent: "${{agent.name}}" }} }}
"#
    )
}

fn spools(dir: &Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(dir.join("spool")) else { return Vec::new() };
    files.map(|file| file.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}

/// The row of agent `name` in the report's books.
fn account(report: &Value, name: &str) -> Value {
    let rows = report["accounting"]["per_agent"].as_array().expect("rows");
    rows.iter().find(|row| row["name"] == name).expect("the agent's").clone()
}

fn requests_of(seen: &Seens, agent: &str) -> u64 {
    seen.requests.iter().filter(|request| request.header("x-agent") == agent).count() as u64
}

#[test]
fn an_agent_that_is_killed_and_started_again_delivers_what_it_had_measured() {
    let target = Recorder::start(Duration::from_millis(10));
    let dir = TestDir::new("spool-kill");
    let path = dir.write("plan.yaml", &plan(&target.url(), "12s"));
    let mut coordinator =
        Coordinator::start(dir.path(), 2, &[path.to_str().expect("ASCII"), "--on-agent-loss", "hold"]);
    let mut stays = coordinator.agent(dir.path(), "stays");
    let mut dies = coordinator.agent(dir.path(), "dies");
    dies.line_with("begins");
    coordinator.line_with("00:02 /");
    // While the coordinator stands still, nothing is acknowledged.
    coordinator.signal("STOP");
    let until = Instant::now() + Duration::from_millis(2500);
    target.until(|seen| seen.requests.last().is_some_and(|last| last.at >= until));
    dies.signal("KILL");
    drop(dies.wait());
    let left = spools(dir.path());
    assert_eq!(left.len(), 2, "one for each run and agent: {left:?}");
    let mut again = coordinator.agent(dir.path(), "dies");
    again.line_with("left ");
    coordinator.signal("CONT");
    again.line_with("all that an earlier process left has arrived");
    let ended = coordinator.wait();
    let report = report(&dir);
    let (seen, books) = (target.seen(), account(&report, "dies"));
    let (merged, lost) = (books["merged"].as_u64().unwrap(), &report["accounting"]["lost_at_most"]);
    let truth = requests_of(&seen, "dies");
    // All but what was measured in the second in which it was killed, which no window had yet.
    let own: Vec<_> = seen.requests.iter().filter(|request| request.header("x-agent") == "dies").collect();
    let lived = (own[own.len() - 1].at - own[0].at).as_secs_f64();
    let second = truth as f64 / lived;
    let missing = truth.checked_sub(merged).expect("nothing counts twice") as f64;
    assert!(missing <= 1.5 * second, "{missing} of {truth} are missing, {second} in a second\n{}", ended.err);
    assert!(lost.as_u64().is_some_and(|lost| truth - merged <= lost), "{lost} at most are missing");
    assert_eq!(books["status"], "lost");
    assert!(ended.err.contains("agent dies has delivered what was left of its windows"), "{}", ended.err);
    stays.line_with("is over");
    let until = Instant::now() + Duration::from_secs(10);
    while !spools(dir.path()).is_empty() {
        assert!(Instant::now() < until, "what is delivered is removed: {:?}", spools(dir.path()));
        std::thread::yield_now();
    }
}

#[test]
fn a_coordinator_that_stands_still_for_three_seconds_slows_no_user() {
    let target = Recorder::start(Duration::from_millis(10));
    let dir = TestDir::new("spool-still");
    let path = dir.write("plan.yaml", &plan(&target.url(), "12s"));
    let mut coordinator = Coordinator::start(dir.path(), 1, &[path.to_str().expect("ASCII")]);
    let agent = coordinator.agent(dir.path(), "a");
    coordinator.line_with("00:04 /");
    let stopped = Instant::now();
    coordinator.signal("STOP");
    target.until(|seen| seen.requests.last().is_some_and(|last| last.at >= stopped + Duration::from_secs(3)));
    coordinator.signal("CONT");
    let ended = coordinator.wait();
    let (seen, report) = (target.seen(), report(&dir));
    let during = |from: Instant| {
        let to = from + Duration::from_secs(3);
        seen.requests.iter().filter(|request| from <= request.at && request.at < to).count() as f64
    };
    let (before, still) =
        (during(stopped.checked_sub(Duration::from_secs(3)).expect("it ran for 4 s")), during(stopped));
    assert!(still >= before * 0.85, "{still} requests while it stood still, {before} before");
    let books = &report["accounting"];
    assert_eq!(
        (&books["status"], &books["coalesced_windows"]),
        (&"exact".into(), &0.into()),
        "{}",
        ended.out
    );
    assert_eq!(books["merged"].as_u64(), Some(seen.requests.len() as u64));
    drop(agent);
}
