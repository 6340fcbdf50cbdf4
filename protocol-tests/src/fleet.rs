//! A real coordinator, real agents, and what came of them.

use crate::process::{Ended, Process, TestDir};
use serde_json::Value;
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
        Process::start("agent", dir, ["--coordinator", &self.address, "--name", name, "--threads", "1"])
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
