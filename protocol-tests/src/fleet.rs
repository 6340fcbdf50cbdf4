//! A real coordinator, real agents, and what came of them.

use crate::process::{Ended, Process, TestDir};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A coordinator that listens on a port of its own choice.
#[derive(Debug)]
pub struct Coordinator {
    process: Process,
    /// Where agents attach, from this machine.
    pub address: String,
    /// What they join with, if it was printed.
    pub join: Option<String>,
}

impl Coordinator {
    /// Starts `coordinator ARGS --expect-agents N` in `dir`, on a port of its own choice on loopback unless ARGS say
    /// where, and waits until it listens.
    pub fn start(dir: &Path, expect_agents: u32, args: &[&str]) -> Coordinator {
        Coordinator::start_in(dir, expect_agents, args, &[])
    }

    /// The same, with these variables.
    pub fn start_in(
        dir: &Path,
        expect_agents: u32,
        args: &[&str],
        env: &[(&str, Option<&str>)],
    ) -> Coordinator {
        let expect_agents = expect_agents.to_string();
        let mut all = vec!["--expect-agents", &expect_agents, "--no-ui"];
        // Agents may have to be built first.
        for (flag, value) in
            [("--listen", "127.0.0.1:0"), ("--state-dir", "state"), ("--agents-timeout", "10m")]
        {
            if !args.contains(&flag) {
                all.extend([flag, value]);
            }
        }
        all.extend(args);
        let process = Process::start_in("coordinator", dir, all, env);
        let everywhere = args.iter().any(|arg| arg.starts_with("0.0.0.0:"));
        Coordinator::listening(process, everywhere.then_some("127.0.0.1"))
    }

    /// The coordinator that `process` is, once it listens; it is reached at `host_here` if that is not what it says.
    pub fn listening(mut process: Process, host_here: Option<&str>) -> Coordinator {
        let line = process.line_with("agent --coordinator ");
        let (_, command) = line.rsplit_once("agent --coordinator ").expect("just found");
        let mut words = command.split_whitespace();
        let (host, port) = words.next().and_then(|word| word.rsplit_once(':')).expect("HOST:PORT");
        assert!(host != "0.0.0.0" && host != "[::]", "an address that agents can use: {line}");
        let host = host_here.unwrap_or(host);
        let join = words.skip_while(|word| *word != "--join").nth(1).map(str::to_owned);
        Coordinator { process, address: format!("{host}:{port}"), join }
    }

    /// Starts agent `name` for it.
    pub fn agent(&self, dir: &Path, name: &str) -> Process {
        let join = self.join.iter().flat_map(|join| ["--join", join]);
        self.agent_with(dir, name, &join.collect::<Vec<_>>())
    }

    /// Starts agent `name` for it with these flags.
    pub fn agent_with(&self, dir: &Path, name: &str, flags: &[&str]) -> Process {
        let args = ["--coordinator", &self.address, "--name", name, "--threads", "1"];
        Process::start("agent", dir, args.iter().chain(flags))
    }

    /// Starts agent `name` for the coordinator that is reached at `address`.
    pub fn agent_at(address: &str, dir: &Path, name: &str) -> Process {
        Process::start("agent", dir, ["--coordinator", address, "--name", name, "--threads", "1"])
    }

    /// The first line that holds `text`.
    pub fn line_with(&mut self, text: &str) -> String {
        self.process.line_with(text)
    }

    /// The most memory that it has had so far, in bytes; `None` where the system does not tell.
    pub fn peak_memory(&self) -> Option<u64> {
        self.process.peak_memory()
    }

    /// The number by which the system knows its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it signal `name`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end.
    pub fn wait(self) -> Ended {
        self.process.wait()
    }
}

/// Reads the only `report.json` below `dir/reports`.
pub fn report(dir: &TestDir) -> Value {
    let reports = dir.path().join("reports");
    let runs: Vec<_> = std::fs::read_dir(&reports)
        .unwrap_or_else(|error| panic!("no reports in {}: {error}", reports.display()))
        .map(|entry| entry.expect("readable").path())
        .collect();
    assert_eq!(runs.len(), 1, "one run, one report: {runs:?}");
    let text = std::fs::read_to_string(runs[0].join("report.json")).expect("report.json is there");
    serde_json::from_str(&text).expect("report.json is JSON")
}

const AGENTS: [&str; 4] = ["a", "b", "c", "d"];

/// Runs `plan` with four agents; gives back the coordinator's exit code, what it printed, and the report.
pub fn four_agents(dir: &TestDir, plan: &str, args: &[&str]) -> (Option<i32>, String, Value) {
    let path = dir.write("plan.yaml", plan);
    let mut all = vec![path.to_str().expect("an ASCII path")];
    all.extend(args);
    let coordinator = Coordinator::start(dir.path(), 4, &all);
    let agents: Vec<Process> = AGENTS.iter().map(|name| coordinator.agent(dir.path(), name)).collect();
    let ended = coordinator.wait();
    drop(agents);
    (ended.code, format!("{}\n{}", ended.err, ended.out), report(dir))
}

/// Requests per method and path template, as the report has them.
pub fn reported(report: &Value) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for request in report["requests"].as_array().expect("requests") {
        let name = request["name"].as_str().expect("a name").to_owned();
        *counts.entry(name).or_default() += request["requests"].as_u64().expect("a count");
    }
    counts.retain(|_, count| *count > 0);
    counts
}

/// Requests per method and path template, as the target saw them.
pub fn truth(target: &demo::Running) -> BTreeMap<String, u64> {
    let truth = target.truth();
    let counts = truth.endpoints.iter().filter(|endpoint| endpoint.requests > 0);
    counts.map(|endpoint| (format!("{} {}", endpoint.method, endpoint.path), endpoint.requests)).collect()
}
