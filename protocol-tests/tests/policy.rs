//! Agents have the last word: what their operator does not allow, no coordinator gets.

use protocol_tests::fleet::{Coordinator, report, reported, truth};
use protocol_tests::plan_file::platform;
use protocol_tests::process::{Process, TestDir};

const LOAD: &str = "{ users: 2, spawn_rate: 2/s, duration: 2s }";

/// Runs a plan against the demo target with one agent, which has these flags; gives the coordinator's exit code and what it
/// said, and what the agent said until it was told to leave.
fn refused(name: &str, flags: &[&str]) -> (Option<i32>, String, String) {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new(name);
    let plan = dir.write("plan.yaml", &platform(&target.url(), LOAD, "100ms..200ms", "p95 <= 30s"));
    let coordinator = Coordinator::start(dir.path(), 1, &[plan.to_str().expect("an ASCII path")]);
    let mut agent = coordinator.agent_with(dir.path(), "a", flags);
    let ended = coordinator.wait();
    assert_eq!(truth(&target).values().sum::<u64>(), 0, "nothing has reached the target");
    let address = target.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    agent.line_with("refused run");
    // It stays for other runs.
    agent.line_with("waiting for the next run");
    agent.signal("TERM");
    let agent = agent.wait();
    assert_eq!(agent.code, Some(0), "{}", agent.err);
    (ended.code, ended.err.replace(&address, "TARGET"), agent.err.replace(&address, "TARGET"))
}

#[test]
fn a_run_against_a_target_that_an_agent_does_not_allow_does_not_start() {
    let (code, coordinator, agent) = refused("forbidden-target", &["--allow-target", "10.0.0.0/8:443"]);
    assert_eq!(code, Some(4), "{coordinator}");
    let why = "target `http://TARGET/`: TARGET is not in --allow-target 10.0.0.0/8:443; start the agent with \
               --allow-target 10.0.0.0/8:443,TARGET";
    assert!(coordinator.contains(&format!("agent a does not allow this run: {why}")), "{coordinator}");
    assert!(agent.contains(why), "{agent}");
    assert!(agent.contains("targets: 10.0.0.0/8:443; at most "), "{agent}");
}

#[test]
fn a_run_that_is_longer_than_an_agent_allows_does_not_start() {
    let (code, coordinator, agent) = refused("too-long", &["--max-run-time", "1s"]);
    assert_eq!(code, Some(4), "{coordinator}");
    assert!(coordinator.contains("attached from") && coordinator.contains("it allows at most runs of 1s"));
    let why = ", and --max-run-time is 1s; make the run shorter, or start the agent with --max-run-time ";
    assert!(coordinator.contains("agent a does not allow this run: the run may take "), "{coordinator}");
    assert!(coordinator.contains(why) && agent.contains(why), "{coordinator}");
}

#[test]
fn an_agent_makes_no_more_requests_than_its_cap_and_the_report_says_so() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("capped");
    let plan = dir.write("plan.yaml", &platform(&target.url(), LOAD, "1ms..2ms", "p95 <= 30s"));
    let mut coordinator = Coordinator::start(dir.path(), 1, &[plan.to_str().expect("an ASCII path")]);
    let agent = coordinator.agent_with(dir.path(), "a", &["--max-rps", "5"]);
    coordinator.line_with("it allows at most 5 requests/s");
    let ended = coordinator.wait();
    drop(agent);
    let report = report(&dir);
    let seen: u64 = truth(&target).values().sum();
    assert_eq!(reported(&report), truth(&target), "{}", ended.out);
    // Two seconds, and what its two users were about to do then.
    assert!((2..=2 * 5 + 1 + 2 * 5).contains(&seen), "{seen}");
    let generator = &report["generator"];
    assert_ne!(generator["status"], "valid", "{generator}");
    assert!(generator["agents"][0]["held_back"].as_u64().is_some_and(|n| n > 0), "{generator}");
    let reason = "requests and messages, because it makes no more (--max-rps)";
    assert!(generator["agents"][0]["reasons"].to_string().contains(reason), "{generator}");
    assert!(report["reasons"].to_string().contains(reason), "{}", report["reasons"]);
}

#[test]
fn what_is_allowed_runs_as_ever() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("allowed-target");
    let plan = dir.write("plan.yaml", &platform(&target.url(), LOAD, "100ms..200ms", "p95 <= 30s"));
    let coordinator = Coordinator::start(dir.path(), 1, &[plan.to_str().expect("an ASCII path")]);
    let address = target.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let args = ["--coordinator", &coordinator.address, "--name", "a"];
    let allowed = format!("10.0.0.0/8, {address}");
    let agent = Process::start_in("agent", dir.path(), args, &[("LOAD_TEST_ALLOW_TARGET", Some(&allowed))]);
    let ended = coordinator.wait();
    drop(agent);
    assert!(ended.err.contains("users 2/2"), "{}", ended.err);
    let report = report(&dir);
    assert_eq!(report["accounting"]["status"], "exact");
    assert_eq!(report["totals"]["failures"], 0);
    assert_eq!(reported(&report), truth(&target));
}

#[test]
fn the_embedded_agent_never_connects_to_cloud_metadata_either() {
    let dir = TestDir::new("embedded-metadata");
    let plan = platform("http://169.254.169.254", LOAD, "100ms..200ms", "p95 <= 30s");
    let plan = dir.write("plan.yaml", &plan);
    let ended = Process::start("coordinator", dir.path(), [plan.to_str().expect("ASCII"), "--no-ui"]).wait();
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    let why = "agent embedded does not allow this run: target `http://169.254.169.254/`: no agent ever connects to \
               169.254.169.254:80: link-local addresses, where clouds hand out credentials";
    assert!(ended.err.contains(why), "{}", ended.err);
    assert!(ended.err.contains("cannot be reached from here: no agent ever connects to"), "{}", ended.err);
}

#[test]
fn patterns_that_are_none_are_wrong_usage() {
    let check = |args: &[&str], env: &[(&str, Option<&str>)], expected: &str| {
        let dir = TestDir::new("bad-patterns");
        let args = ["--coordinator", "127.0.0.1:1"].iter().chain(args);
        let ended = Process::start_in("agent", dir.path(), args, env).wait();
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains(expected), "{}", ended.err);
    };
    check(
        &["--allow-target", "http://a.test"],
        &[],
        "write its host, and its port if need be: example.com:443",
    );
    let never =
        "`169.254.169.254` can never be allowed: link-local addresses, where clouds hand out credentials";
    check(&["--allow-target", "private,169.254.169.254"], &[], never);
    let port = "`x` in `a.test:x` is no port from 1 to 65535, as in :443 or :8000-8999";
    check(&[], &[("LOAD_TEST_ALLOW_TARGET", Some("a.test:x"))], port);
}
