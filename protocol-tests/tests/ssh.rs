//! `deploy/ssh/agents`: agents on hosts that have SSH and nothing else. `ssh` is a script here, by which each host is a directory
//! of this machine; everything else is real.

use protocol_tests::plan_file::platform;
use protocol_tests::process::{Ended, Process, TestDir, program};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const HOSTS: [&str; 2] = ["host-a", "ops@host-b"];

/// A host is its home; `down` is one that does not answer.
const SSH: &str = r#"#!/bin/sh
home=$(dirname "$0")/hosts/$1
case $1 in dark) echo "ssh: connect to host dark port 22: Connection timed out" >&2; exit 255 ;; esac
mkdir -p "$home"
shift
cd "$home" && exec env -i PATH="$PATH" HOME="$home" sh -c "$*"
"#;

fn agents(dir: &TestDir, args: &[&str]) -> Ended {
    let mut command = Command::new("bash");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/ssh/agents")).args(args);
    let ssh = dir.path().join("ssh");
    Process::spawn("bash", command, dir.path(), &[("MUSTER_SSH", ssh.to_str())]).wait()
}

#[test]
fn agents_come_up_serve_a_run_and_go() {
    let dir = TestDir::new("ssh");
    fs::set_permissions(dir.write("ssh", SSH), fs::Permissions::from_mode(0o755)).expect("ours");
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let load = "{ users: 6, spawn_rate: 20/s, duration: 3s, stop_timeout: 1s }";
    dir.write("loadtest.yaml", &platform(&target.url(), load, "50ms..100ms", "p95 <= 30s"));
    let state = ("LOAD_TEST_STATE_DIR", dir.path().to_str());
    let join = Process::start_in("coordinator", dir.path(), ["join", "--uses", "9"], &[state]).wait();
    assert_eq!(join.code, Some(0), "{}", join.err);
    dir.write("join", &join.out);
    let args = ["--expect-agents=2", "--listen=127.0.0.1:0", "--tls", "--join-file=join"];
    let mut coordinator = Process::start_in("coordinator", dir.path(), args, &[state]);
    let line = coordinator.line_with("waiting for 2 agents");
    let address = line.split(" on ").nth(1).and_then(|rest| rest.split(';').next()).expect("an address");

    let agent = program("agent");
    let agent = agent.to_str().expect("ASCII");
    let flags = ["--coordinator", address, "--join-file", "join", "--agent", agent];
    let up: Vec<&str> =
        ["up"].iter().chain(&flags).chain(&HOSTS).chain(&["--", "--name=it's-wrong"]).copied().collect();
    let wrong = agents(&dir, &up);
    assert_eq!(wrong.code, Some(1), "{}{}", wrong.out, wrong.err);
    assert!(wrong.out.contains("host-a: the agent ended at once:\n"), "{}", wrong.out);
    assert!(wrong.out.contains("invalid value 'it's-wrong'"), "a flag comes through as it is: {}", wrong.out);

    let up: Vec<&str> = ["up"].iter().chain(&flags).chain(&HOSTS).chain(&["dark"]).copied().collect();
    let mixed = agents(&dir, &up);
    assert_eq!(mixed.code, Some(1), "a host is dark, the others run: {}{}", mixed.out, mixed.err);
    assert!(
        mixed.out.contains("dark: ssh: connect to host dark port 22: Connection timed out\ndark: failed")
    );
    for host in HOSTS {
        assert!(mixed.out.contains(&format!("{host}: attached to {address} as ")), "{}", mixed.out);
        let home = dir.path().join("hosts").join(host).join(".muster");
        let mode = |name| fs::metadata(home.join(name)).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode("join"), mode("agent")), (0o600, 0o700));
    }
    let run = coordinator.wait();
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    target.stop();

    let status: Vec<&str> = ["status"].iter().chain(&HOSTS).chain(&["host-c"]).copied().collect();
    let status = agents(&dir, &status);
    assert!(status.out.contains("host-a: runs ("), "agents stay for the next run: {}", status.out);
    assert!(status.out.contains("host-c: no agent was started here"), "{}", status.out);
    assert!(agents(&dir, &["logs", "host-a"]).out.contains(" is over, "));
    let pid = fs::read_to_string(dir.path().join("hosts/host-a/.muster/agent.pid")).expect("a number");
    let down: Vec<&str> = ["down"].iter().chain(&HOSTS).copied().collect();
    let down = agents(&dir, &down);
    assert_eq!(
        (down.code, down.out.as_str()),
        (Some(0), "host-a: stopped\nops@host-b: stopped"),
        "{}",
        down.err
    );
    assert!(!Path::new("/proc").join(pid.trim()).join("exe").exists(), "agent {pid} has ended");
    assert!(agents(&dir, &["status", "host-a"]).out.contains("host-a: stopped"));
}

#[test]
fn wrong_usage_is_told_with_the_remedy() {
    let dir = TestDir::new("ssh-usage");
    for (args, expected) in [
        (&["start", "a"][..], "`start` is no command; write up, status, logs or down"),
        (&["up", "--coordinator", "a", "--join-file", "j"], "no host is named"),
        (&["up", "a"], "--coordinator is missing; write the address that agents dial"),
        (&["up", "--coordinator", "a", "b"], "--join-file is missing; make one with: coordinator join"),
        (&["up", "--coordinator=a", "--join-file=gone", "b"], "--join-file: gone cannot be read"),
        (
            &["up", "--max-rps=5", "b"],
            "`--max-rps=5` is no flag of agents; write flags for the agents after --",
        ),
        (&["down", "--coordinator"], "--coordinator needs a value"),
    ] {
        let ended = agents(&dir, args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{args:?}: {}", ended.err);
    }
    assert!(agents(&dir, &["--help"]).out.contains("Starts agents on other hosts over SSH"));
}
