//! A real coordinator, real agents, and what came of them.

use crate::process::{Ended, Process, TestDir};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A coordinator that listens on a port of its own choice.
#[derive(Debug)]
pub struct Coordinator {
    process: Process,
    /// Where agents attach.
    pub address: String,
}

impl Coordinator {
    /// Starts `coordinator ARGS --expect-agents N --listen 127.0.0.1:0` in `dir` and waits until it listens.
    pub fn start(dir: &Path, expect_agents: u32, args: &[&str]) -> Coordinator {
        let expect_agents = expect_agents.to_string();
        let mut all = vec!["--expect-agents", &expect_agents, "--listen", "127.0.0.1:0", "--no-ui"];
        all.extend(args);
        let mut process = Process::start("coordinator", dir, all);
        let line = process.line_with("agent --coordinator ");
        let (_, address) = line.rsplit_once("--coordinator ").expect("just found");
        let address = address.trim().to_owned();
        Coordinator { process, address }
    }

    /// Starts agent `name` for it.
    pub fn agent(&self, dir: &Path, name: &str) -> Process {
        Coordinator::agent_at(&self.address, dir, name)
    }

    /// Starts agent `name` for the coordinator that is reached at `address`.
    pub fn agent_at(address: &str, dir: &Path, name: &str) -> Process {
        Process::start("agent", dir, ["--coordinator", address, "--name", name, "--threads", "1"])
    }

    /// The first line that holds `text`.
    pub fn line_with(&mut self, text: &str) -> String {
        self.process.line_with(text)
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
