//! Hosts of our own, and what happens between them: pulled wires, one-way wires, dead and frozen processes. The demo
//! target's truth, user by user and request by request, is the judge.
#![cfg(target_os = "linux")]

use demo::{UserRequest, UsersTruth};
use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::hosts::{Host, Lan};
use protocol_tests::process::{Ended, Process, TestDir};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The lease, and what an agent may need to notice, in microseconds.
const LEASE_AND_A_BIT: u64 = 4_300_000;

/// How long after the loss of an agent all its users are back: its lease surely over, and 12 users at 12/s.
const BACK: u64 = 4_504_000 + 2_500_000;

const USERS: u64 = 12;

fn plan(target: &Host, seconds: u32) -> String {
    format!(
        r#"version: 1
name: Hosts
target: http://{}:8000
load: {{ users: {USERS}, spawn_rate: 12/s, duration: {seconds}s }}
users:
  User:
    wait: 50ms
    tasks:
      look:
        get: /api/v1/auth/health
        headers: {{ x-slot: "${{user.slot}}", x-request: "${{user.iteration}}", x-agent: "${{agent.name}}" }}
"#,
        target.address
    )
}

/// A coordinator, three agents and a target, each on a host of its own, in the middle of a run.
struct Trial {
    lan: Lan,
    dir: TestDir,
    coordinator_host: Host,
    agent_hosts: [Host; 3],
    target_host: Host,
    coordinator: Coordinator,
    agents: Vec<Process>,
    target: Process,
}

impl Trial {
    /// All that, once three seconds of the run are over; `None` where such hosts cannot be made.
    fn begin(name: &str, seconds: u32, before: impl FnOnce(&[Host; 3])) -> Option<Trial> {
        let mut lan = Lan::new(name)?;
        let dir = TestDir::new(&format!("hosts-{name}"));
        let coordinator_host = lan.host();
        let agent_hosts = [lan.host(), lan.host(), lan.host()];
        let target_host = lan.host();
        before(&agent_hosts);
        let listen = format!("{}:8000", target_host.address);
        let latency = ["--latency", "auth/health=constant 5ms"];
        let mut target =
            target_host.start("demo-target", dir.path(), ["--listen", &listen].into_iter().chain(latency));
        target.line_with("listening on");
        let plan = dir.write("plan.yaml", &plan(&target_host, seconds));
        let listen = format!("{}:5557", coordinator_host.address);
        let plan = plan.to_str().expect("an ASCII path");
        let args = [plan, "--expect-agents", "3", "--listen", &listen, "--no-ui", "--state-dir", "state"];
        let process = coordinator_host.start("coordinator", dir.path(), args);
        let mut coordinator = Coordinator::listening(process, None);
        let join = coordinator.join.clone().expect("not loopback: agents need a join string");
        let agents = ["a", "b", "c"].iter().zip(&agent_hosts).map(|(name, host)| {
            let args =
                ["--coordinator", &coordinator.address, "--join", &join, "--name", name, "--threads", "1"];
            host.start("agent", dir.path(), args)
        });
        let agents = agents.collect();
        coordinator.line_with("00:03 /");
        Some(Trial { lan, dir, coordinator_host, agent_hosts, target_host, coordinator, agents, target })
    }

    /// What the target saw so far.
    fn truth(&self) -> UsersTruth {
        truth(&self.target_host)
    }

    /// The target's clock.
    fn now(&self) -> u64 {
        self.truth().now_us
    }

    /// Waits until the target's clock shows `at`.
    fn until(&self, at: u64) {
        let limit = Instant::now() + Duration::from_secs(60);
        while self.now() < at {
            assert!(Instant::now() < limit, "the target's clock goes on");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Another coordinator goes on with the run of the one that was killed.
    fn resume(&mut self) {
        let process = self.coordinator_host.start("coordinator", self.dir.path(), ["--resume", "last"]);
        let killed = std::mem::replace(&mut self.coordinator, Coordinator::listening(process, None));
        assert_eq!(killed.wait().code, None, "it was killed");
    }

    /// Waits for the end of the run.
    fn end(self) -> Run {
        let Trial { lan, dir, target_host, coordinator, agents, target, .. } = self;
        let ended = coordinator.wait();
        drop(agents);
        let truth = truth(&target_host);
        drop((target, lan));
        assert_eq!(truth.forgotten, 0);
        Run { truth, report: report(&dir), ended }
    }
}

fn truth(target: &Host) -> UsersTruth {
    let address = format!("{}:8000", target.address);
    let answer = target.on(|| {
        let mut stream = TcpStream::connect(address).expect("the target listens");
        stream
            .write_all(b"GET /truth/users HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    });
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer:.300}"))
}

/// A run that is over.
struct Run {
    truth: UsersTruth,
    report: Value,
    ended: Ended,
}

impl Run {
    fn of(&self, agent: &str) -> impl Iterator<Item = &UserRequest> {
        self.truth.requests.iter().filter(move |seen| seen.agent == agent)
    }

    /// When `agent` made its last request.
    fn last_of(&self, agent: &str) -> u64 {
        self.of(agent).map(|seen| seen.at_us).max().expect("it made requests")
    }

    /// I3: no user was with two agents at once: it went from one to the next, and did not come back.
    fn check_single_owner(&self) {
        let mut of_slot: BTreeMap<u64, Vec<&UserRequest>> = BTreeMap::new();
        for seen in &self.truth.requests {
            of_slot.entry(seen.slot).or_default().push(seen);
        }
        assert!(of_slot.keys().copied().eq(0..USERS), "every user was there, and no other");
        for (slot, requests) in of_slot {
            let mut owners: Vec<&str> = requests.iter().map(|seen| seen.agent.as_str()).collect();
            owners.dedup();
            let distinct: BTreeSet<&str> = owners.iter().copied().collect();
            assert_eq!(
                distinct.len(),
                owners.len(),
                "user {slot} went from agent to agent and back: {owners:?}"
            );
        }
    }

    /// I1, I2: what arrived is what was counted, apart from requests that a machine took with it.
    fn check_conservation(&self, status: &str) {
        let books = &self.report["accounting"];
        let count = |what: &str| books[what].as_u64().unwrap_or_else(|| panic!("{what}: {books}"));
        assert_eq!(books["status"], status, "{books}\n{}", self.ended.err);
        let arrived = self.truth.requests.len() as u64;
        let (least, most) = (count("merged"), count("merged") + count("aborted") + count("lost_at_most"));
        assert!((least..=most).contains(&arrived), "{arrived} arrived: {books}");
    }

    /// I2: nobody noticed anything: no iteration was done twice, no user was missing, no agent lost.
    fn check_unnoticed(&self) {
        self.check_single_owner();
        self.check_conservation("exact");
        let all = &self.truth.requests;
        let distinct: BTreeSet<_> = all.iter().map(|seen| (seen.slot, seen.request)).collect();
        assert_eq!(distinct.len(), all.len(), "no iteration is done twice");
        let users = &self.report["users"];
        assert_eq!(users["losses"], Value::Array(Vec::new()), "{}", self.ended.err);
        assert_eq!(users["missing_user_seconds"], 0.0, "{users}");
    }

    /// I4: from `at` on every user is there, until the last second.
    fn check_all_there_from(&self, at: u64) {
        let end = self.truth.requests.iter().map(|seen| seen.at_us).max().expect("requests");
        assert!(at + 1_000_000 < end, "the run is long enough to see it: {at} {end}");
        for second in (at..end - 1_000_000).step_by(1_000_000) {
            let there =
                self.truth.requests.iter().filter(|seen| (second..second + 1_000_000).contains(&seen.at_us));
            let there: BTreeSet<u64> = there.map(|seen| seen.slot).collect();
            assert_eq!(
                there.len() as u64,
                USERS,
                "users in the second from {second}: {there:?}\n{}",
                self.ended.err
            );
        }
    }
}

#[test]
fn a_wire_that_is_pulled_for_two_seconds_changes_nothing() {
    let Some(trial) = Trial::begin("blink", 12, |_| ()) else { return };
    let from = trial.now();
    trial.agent_hosts[1].unplug();
    // Its target is beyond that wire, too: only its requests wait.
    trial.until(from + 2_000_000);
    trial.agent_hosts[1].plug();
    trial.end().check_unnoticed();
}

#[test]
fn an_agent_that_reaches_the_target_and_not_the_coordinator_stops_when_its_lease_is_over() {
    // In one direction, in the other, in both: the renewals do not arrive, the leases do not, nothing does.
    for (name, mutes, deafens) in [("mute", true, false), ("deaf", false, true), ("apart", true, true)] {
        let Some(trial) = Trial::begin(name, 18, |_| ()) else { return };
        let (coordinator, agent) = (&trial.coordinator_host, &trial.agent_hosts[1]);
        let from = trial.now();
        if mutes {
            agent.lose_what_goes_to(coordinator);
        }
        if deafens {
            coordinator.lose_what_goes_to(agent);
        }
        trial.until(from + BACK);
        if mutes {
            agent.reach(coordinator);
        }
        if deafens {
            coordinator.reach(agent);
        }
        let run = trial.end();
        let ran_on = run.last_of("b").saturating_sub(from);
        assert!(ran_on < LEASE_AND_A_BIT, "{name}: it ran on for {ran_on} us\n{}", run.ended.err);
        assert!(ran_on > 1_500_000, "{name}: it had a lease, and used it: {ran_on} us");
        run.check_single_owner();
        run.check_all_there_from(from + BACK);
        assert_eq!(run.report["users"]["losses"][0]["agent"], "b", "{name}");
        run.check_conservation("exact");
    }
}

#[test]
fn an_agent_that_dies_behind_a_pulled_wire_is_missed_and_its_users_go_on() {
    let Some(trial) = Trial::begin("half-open", 15, |_| ()) else { return };
    let from = trial.now();
    trial.agent_hosts[1].unplug();
    trial.agents[1].signal("KILL");
    let run = trial.end();
    assert!(run.last_of("b") <= from + 200_000, "it is dead, behind a pulled wire");
    run.check_single_owner();
    run.check_all_there_from(from + BACK);
    run.check_conservation("incomplete");
    let missing = run.report["users"]["missing_user_seconds"].as_f64().expect("a number");
    assert!((10.0..=40.0).contains(&missing), "4 users for about 5 s: {missing}\n{}", run.ended.err);
}

#[test]
fn agents_of_a_dead_coordinator_stop_by_themselves() {
    for (name, pulled) in [("dead", false), ("dead-and-pulled", true)] {
        let Some(mut trial) = Trial::begin(name, 60, |_| ()) else { return };
        let from = trial.now();
        if pulled {
            trial.coordinator_host.unplug();
        }
        trial.coordinator.signal("KILL");
        for agent in &mut trial.agents {
            agent.line_with("the lease of run");
        }
        trial.until(from + LEASE_AND_A_BIT + 2_000_000);
        let truth = trial.truth();
        let last = truth.requests.iter().map(|seen| seen.at_us).max().expect("requests");
        assert!(last < from + LEASE_AND_A_BIT, "{name}: the last request came {} us after", last - from);
        assert!(last > from + 1_500_000, "{name}: they had leases, and used them");
        let open = truth.requests.iter().filter(|seen| seen.ended_us.is_none()).count();
        assert_eq!(open, 0, "{name}: nothing is open");
    }
}

#[test]
fn agents_of_a_coordinator_that_is_killed_and_goes_on_in_time_never_notice() {
    for (name, pulled) in [("resumed", false), ("resumed-pulled", true)] {
        let Some(mut trial) = Trial::begin(name, 14, |_| ()) else { return };
        if pulled {
            // Nobody is told that it is gone: the agents find half-open streams.
            trial.coordinator_host.unplug();
        }
        trial.coordinator.signal("KILL");
        if pulled {
            trial.until(trial.now() + 1_000_000);
            trial.coordinator_host.plug();
        }
        trial.resume();
        trial.end().check_unnoticed();
    }
}

#[test]
fn agents_of_a_coordinator_that_goes_on_too_late_have_stopped_and_deliver() {
    let Some(mut trial) = Trial::begin("resumed-late", 10, |_| ()) else { return };
    let from = trial.now();
    trial.coordinator.signal("KILL");
    for agent in &mut trial.agents {
        agent.line_with("the lease of run");
    }
    trial.resume();
    let run = trial.end();
    run.check_conservation("exact");
    assert_ne!(run.report["verdict"], "pass", "{}", run.report["reasons"]);
    let missing = run.report["users"]["missing_user_seconds"].as_f64().expect("a number");
    assert!(missing > 10.0, "12 users stopped {missing}\n{}", run.ended.err);
    let stopped = |agent| run.of(agent).filter(|seen| seen.at_us < from + LEASE_AND_A_BIT).count();
    assert!(["a", "b", "c"].iter().all(|agent| stopped(agent) > 0));
}

#[test]
fn a_coordinator_that_stands_still_for_less_than_a_lease_is_not_noticed() {
    let Some(trial) = Trial::begin("frozen", 12, |_| ()) else { return };
    let rate = |truth: &UsersTruth, from: u64, to: u64| {
        truth.requests.iter().filter(|seen| (from..to).contains(&seen.at_us)).count() as f64
            / ((to - from) as f64 / 1e6)
    };
    let from = trial.now();
    trial.coordinator.signal("STOP");
    trial.until(from + 2_000_000);
    trial.coordinator.signal("CONT");
    trial.until(from + 4_000_000);
    let truth = trial.truth();
    let (frozen, after) =
        (rate(&truth, from, from + 2_000_000), rate(&truth, from + 2_000_000, from + 4_000_000));
    assert!(frozen > after * 0.8, "{frozen} requests a second while it stood still, {after} after");
    trial.end().check_unnoticed();
}

#[test]
fn slow_wires_between_agents_and_coordinator_change_nothing() {
    // 256 kbit/s is enough for what the protocol and 4 users say, and far from a lan.
    let Some(trial) =
        Trial::begin("slow", 12, |hosts| hosts.iter().for_each(|host| host.slow_down("256kbit")))
    else {
        return;
    };
    trial.end().check_unnoticed();
}
