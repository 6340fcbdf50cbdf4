//! What GitHub Actions shows of a run beside its log: the step summary, annotations, and outputs for later steps.
//!
//! Limits of GitHub: 1 MiB of summary in a step, 10 errors and 10 warnings as annotations of a step; what is more, it
//! drops without a word. So the tenth says how many there are.

use super::escape::fit;
use super::model::Report;
use super::summary;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Most annotations of one level in a step.
const MOST: usize = 10;

/// Longest annotation in columns.
const COLUMNS: usize = 500;

/// Where GitHub Actions takes what a step has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitHub {
    /// Whether this is a step of GitHub Actions (`GITHUB_ACTIONS`), whose log is read for annotations.
    pub annotate: bool,
    /// The file for the summary (`GITHUB_STEP_SUMMARY`).
    pub summary: Option<PathBuf>,
    /// The file for outputs (`GITHUB_OUTPUT`).
    pub output: Option<PathBuf>,
}

impl GitHub {
    /// As the variables say that `variable` reads; an empty one counts as unset.
    pub fn new(variable: impl Fn(&str) -> Option<String>) -> GitHub {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        GitHub {
            annotate: set("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            summary: set("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            output: set("GITHUB_OUTPUT").map(PathBuf::from),
        }
    }

    /// Appends summary and outputs of a report whose files are in `folder`. Returns the annotations, which belong on
    /// standard output, and what could not be written: no reason to fail a run.
    pub fn tell(&self, report: &Report, folder: &Path) -> (String, Vec<String>) {
        let texts = [
            ("GITHUB_STEP_SUMMARY", &self.summary, summary::render(report)),
            ("GITHUB_OUTPUT", &self.output, outputs(report, folder)),
        ];
        let mut problems = Vec::new();
        for (variable, path, text) in texts {
            let Some(path) = path else { continue };
            if let Err(error) = append(path, &text) {
                let path = path.display();
                problems.push(format!(
                    "warning: {variable}: cannot append to {path}: {error}; see summary.md in {}",
                    folder.display()
                ));
            }
        }
        (if self.annotate { annotations(report) } else { String::new() }, problems)
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

/// `NAME=VALUE` lines; none of our values has a line break but the directory, which has a form of its own if it does.
fn outputs(report: &Report, folder: &Path) -> String {
    let totals = &report.totals;
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let values = [
        ("verdict", report.verdict.to_owned()),
        ("exit_code", report.exit_code.to_string()),
        ("run_id", report.run.id.clone()),
        ("report_dir", folder.display().to_string()),
        ("report_json", folder.join("report.json").display().to_string()),
        ("requests", totals.requests.to_string()),
        ("failures", totals.failures.to_string()),
        ("success_rate", number(totals.success_rate)),
        ("error_rate", number(totals.success_rate.map(|_| totals.failures as f64 / totals.requests as f64))),
        ("rps", number(totals.rps)),
        ("p50_ms", number(totals.latency_ms.p50)),
        ("p95_ms", number(totals.latency_ms.p95)),
        ("p99_ms", number(totals.latency_ms.p99)),
        ("accounting", report.accounting.status.to_owned()),
        ("generator", report.generator.status.to_owned()),
        ("baseline", report.baseline.as_ref().map_or("", |comparison| comparison.outcome).to_owned()),
    ];
    let mut text = String::new();
    for (name, value) in values {
        if value.contains(['\n', '\r']) {
            // A line that the value does not have ends it.
            let mut end = "END".to_owned();
            while value.contains(&end) {
                end.push('_');
            }
            let _ = writeln!(text, "{name}<<{end}\n{value}\n{end}");
        } else {
            let _ = writeln!(text, "{name}={value}");
        }
    }
    text
}

/// An annotation for each threshold that was missed or has no data, and for each other reason of the verdict.
fn annotations(report: &Report) -> String {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for row in &report.thresholds {
        let observed = row.observed_text.as_deref().unwrap_or("no data");
        let told = format!("{} of {} is {observed}, threshold {}", row.metric, row.scope, row.expression);
        match row.status {
            "fail" => errors.push(("Threshold missed", told)),
            "no_data" => errors.push(("Threshold without data", told)),
            "warn" => warnings.push(("Threshold near its limit", told)),
            _ => {}
        }
    }
    if errors.is_empty() && !matches!(report.verdict, "pass" | "warn") {
        let title = if report.verdict == "fail" { "Load test failed" } else { "Load test inconclusive" };
        errors.extend(report.reasons.iter().map(|reason| (title, reason.clone())));
    }
    if report.verdict == "warn" && warnings.is_empty() {
        warnings.extend(report.reasons.iter().map(|reason| ("Load test", reason.clone())));
    }
    for agent in report.generator.agents.iter().filter(|agent| agent.status != "valid") {
        let why = agent.reasons.first().map_or("", String::as_str);
        warnings.push(("Generator", format!("agent {} was {}: {why}", agent.name, agent.status)));
    }
    let mut text = String::new();
    for (level, all) in [("error", errors), ("warning", warnings)] {
        let shown = if all.len() > MOST { MOST - 1 } else { all.len() };
        for (title, message) in &all[..shown] {
            let _ = writeln!(text, "::{level} title={}::{}", property(title), data(&fit(message, COLUMNS)));
        }
        if all.len() > shown {
            let more = all.len() - shown;
            let _ = writeln!(text, "::{level} title=Load test::and {more} more; see the step summary");
        }
    }
    text
}

/// As the toolkit of GitHub Actions escapes messages.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The same for properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests;
