//! The one table of a sweep: a row for each size and each of its groups.

use crate::exit::ExitCode;
use crate::report::grid::{Fill, Grid, Tone, WIDTH};
use crate::report::model::{GroupRow, Report, ThresholdRow, Totals};
use crate::report::summary::{self, markdown, sentence};
use crate::report::text::wrapped;
use crate::report::{Style, escape};
use crate::results::quantity;
use plan::Plan;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// Thresholds that are named where a size does not pass.
const SHOWN_MISSES: usize = 4;

/// All runs of a sweep; its fields are the keys of `coordinator sweep --format json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sweep {
    /// Version of these keys.
    pub schema_version: u32,
    /// The plan's name.
    pub name: String,
    /// The profile that was chosen.
    pub profile: Option<String>,
    /// The system under test.
    pub target: String,
    /// What fixed every random choice, in each of the runs.
    pub seed: u64,
    /// Exit code of the sweep.
    pub exit_code: u8,
    /// The largest size that passed, if all smaller ones did too.
    pub passed_users: Option<u32>,
    /// A row for each size, in the order of the runs.
    pub sizes: Vec<SizeRow>,
}

/// How a run went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SizeRow {
    /// Users at its peak.
    pub users: u32,
    /// The run's identity; null if it did not begin.
    pub run: Option<String>,
    /// `pass`, `warn`, `fail`, `inconclusive`, or `not_run`.
    pub verdict: &'static str,
    /// Its exit code.
    pub exit_code: Option<u8>,
    /// Its `report.json`.
    pub report: Option<String>,
    /// What kept it from passing, a sentence each.
    pub reasons: Vec<String>,
    /// All its requests.
    pub totals: Option<GroupFigures>,
    /// Each of its groups.
    pub groups: Vec<GroupFigures>,
}

/// What the requests of a group, or all of them, add up to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupFigures {
    /// The group's name; of all of them `all requests`.
    pub name: String,
    /// How its thresholds came out, the worst of them: `pass`, `warn`, `fail`, `no_data`; null without any.
    pub status: Option<&'static str>,
    /// Requests with a result.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Share that succeeded, from 0 to 1.
    pub success_rate: Option<f64>,
    /// Requests per second over the measured time.
    pub rps: Option<f64>,
    /// Percentiles of the latency in milliseconds, as in the reports.
    pub p50_ms: Option<f64>,
    /// The 95th.
    pub p95_ms: Option<f64>,
    /// The 99th.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

impl Sweep {
    /// Of `plan` in these sizes, none of which has been run.
    pub(super) fn new(plan: &Plan, sizes: &[u32], seed: u64) -> Sweep {
        Sweep {
            schema_version: 1,
            name: plan.name.clone(),
            profile: plan.profile.clone(),
            target: plan.target.to_string(),
            seed,
            exit_code: 0,
            passed_users: None,
            sizes: sizes.iter().map(|&users| SizeRow::not_run(users)).collect(),
        }
    }

    /// Says how all of it ended.
    pub(super) fn end(&mut self, code: ExitCode) {
        self.exit_code = code.number();
        let mut ascending: Vec<&SizeRow> = self.sizes.iter().collect();
        ascending.sort_by_key(|row| row.users);
        let passed = ascending.into_iter().take_while(|row| row.exit_code == Some(ExitCode::Passed.number()));
        self.passed_users = passed.last().map(|row| row.users);
    }
}

impl SizeRow {
    fn not_run(users: u32) -> SizeRow {
        SizeRow {
            users,
            run: None,
            verdict: "not_run",
            exit_code: None,
            report: None,
            reasons: Vec::new(),
            totals: None,
            groups: Vec::new(),
        }
    }

    /// Takes in that there was no run, and why.
    pub(super) fn fail(&mut self, code: ExitCode, why: &str) {
        self.exit_code = Some(code.number());
        self.reasons = vec![why.to_owned()];
    }

    /// Takes in how the run ended. Reports are in `report_dir`.
    pub(super) fn take(&mut self, code: ExitCode, report: Option<&Report>, report_dir: &Path) {
        self.exit_code = Some(code.number());
        let Some(report) = report else { return };
        self.run = Some(report.run.id.clone());
        self.verdict = report.verdict;
        let path = report_dir.join(&report.run.id).join("report.json");
        self.report = path.is_file().then(|| path.display().to_string());
        self.reasons = reasons(report);
        self.totals = Some(GroupFigures::new("all requests", "plan", &report.totals, &report.thresholds));
        let group = |group: &GroupRow| {
            let scope = format!("group:{}", group.name);
            GroupFigures::new(&group.name, &scope, &group.totals, &report.thresholds)
        };
        self.groups = report.groups.iter().map(group).collect();
    }

    /// How it went, in a line.
    pub(super) fn line(&self) -> String {
        let users = quantity::count(self.users.into());
        let verdict = words(self.verdict).to_uppercase();
        match (&self.totals, &self.run) {
            (Some(totals), Some(run)) => {
                let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
                format!(
                    "{users} users: {verdict}, {} requests, {}/s, p95 {}, {} failed (run {run})",
                    quantity::count(totals.requests),
                    or_dash(totals.rps.map(|rps| quantity::decimal(rps, 1))),
                    or_dash(totals.p95_ms.map(quantity::milliseconds)),
                    quantity::count(totals.failures),
                )
            }
            _ => format!("{users} users: {verdict}"),
        }
    }
}

impl GroupFigures {
    fn new(name: &str, scope: &str, totals: &Totals, thresholds: &[ThresholdRow]) -> GroupFigures {
        let statuses = thresholds.iter().filter(|row| row.scope == scope).map(|row| row.status);
        let latency = &totals.latency_ms;
        GroupFigures {
            name: name.to_owned(),
            status: statuses.max_by_key(|status| severity(status)),
            requests: totals.requests,
            failures: totals.failures,
            success_rate: totals.success_rate,
            rps: totals.rps,
            p50_ms: latency.p50,
            p95_ms: latency.p95,
            p99_ms: latency.p99,
            max_ms: latency.max,
        }
    }
}

/// What kept a run from passing: thresholds first; where all of them were met, what the report says.
fn reasons(report: &Report) -> Vec<String> {
    if report.verdict == "pass" {
        // What is missing is told, also where it could not have changed the verdict.
        let whole = report.accounting.status == "exact";
        return if whole { Vec::new() } else { report.reasons.clone() };
    }
    let mut missed: Vec<&ThresholdRow> =
        report.thresholds.iter().filter(|row| row.status != "pass").collect();
    missed.sort_by_key(|row| std::cmp::Reverse(severity(row.status)));
    if missed.is_empty() {
        return report.reasons.clone();
    }
    let told = |row: &&ThresholdRow| match &row.observed_text {
        Some(observed) => format!("{} of {} was {observed}", row.expression, row.scope),
        None => format!("{} of {} has no data", row.expression, row.scope),
    };
    missed.iter().map(told).collect()
}

/// The larger, the worse.
fn severity(status: &str) -> u8 {
    match status {
        "pass" => 0,
        "warn" => 1,
        "fail" => 3,
        _ => 2,
    }
}

fn words(verdict: &'static str) -> &'static str {
    match verdict {
        "not_run" => "not run",
        "no_data" => "no data",
        other => other,
    }
}

/// What the sizes say together, a sentence for each verdict.
fn findings(sweep: &Sweep) -> Vec<String> {
    let with = |verdict: &str| -> Vec<String> {
        let rows = sweep.sizes.iter().filter(|row| row.verdict == verdict);
        rows.map(|row| quantity::count(row.users.into())).collect()
    };
    let told = [
        ("passed", "pass"),
        ("passed with a warning", "warn"),
        ("failed", "fail"),
        ("inconclusive", "inconclusive"),
        ("not run", "not_run"),
    ];
    let told = told.into_iter().map(|(word, verdict)| (word, with(verdict)));
    let told = told.filter(|(_, users)| !users.is_empty());
    let mut lines: Vec<String> =
        told.map(|(word, users)| format!("{word} with {} users", listed(&users))).collect();
    for row in &sweep.sizes {
        let users = quantity::count(row.users.into());
        let shown = row.reasons.iter().take(SHOWN_MISSES);
        lines.extend(shown.map(|reason| format!("{users} users: {reason}")));
        if let Some(more) = row.reasons.len().checked_sub(SHOWN_MISSES).filter(|&more| more > 0) {
            lines.push(format!("{users} users: and {more} more reasons in its report"));
        }
    }
    lines
}

/// `1, 2 and 3`.
fn listed(items: &[String]) -> String {
    match items {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        items => items.concat(),
    }
}

fn title(sweep: &Sweep) -> String {
    let profile = sweep.profile.as_ref().map_or(String::new(), |profile| format!(" ({profile})"));
    format!("{}{profile}: {}", sweep.name, sweep.target)
}

/// The table for a terminal, at most 100 columns wide.
pub fn render_text(sweep: &Sweep, style: Style) -> String {
    let mut text = format!("SWEEP  {}\n", escape::fit(&title(sweep), WIDTH - 7));
    for finding in findings(sweep) {
        text.push_str(&wrapped(&escape::escape(&finding)));
    }
    text.push('\n');
    let mut grid = Grid::new(&[
        ("USERS", Fill::Number),
        ("REQUESTS", Fill::Rest),
        ("COUNT", Fill::Number),
        ("SUCCESS", Fill::Number),
        ("RPS", Fill::Number),
        ("P50", Fill::Number),
        ("P95", Fill::Number),
        ("P99", Fill::Number),
        ("MAX", Fill::Number),
        ("STATUS", Fill::Text(12)),
    ]);
    for (status, cells) in rows(sweep) {
        grid.row(tone(status), cells);
    }
    text.push_str(&grid.render(style));
    text.push('\n');
    for row in &sweep.sizes {
        if let Some(run) = &row.run {
            let _ = writeln!(text, "{} users: run {run}", quantity::count(row.users.into()));
        }
    }
    text
}

fn tone(status: Option<&str>) -> Tone {
    match status {
        None => Tone::Plain,
        Some("pass") => Tone::Good,
        Some("fail") => Tone::Bad,
        Some(_) => Tone::Doubtful,
    }
}

/// The rows, and how what they tell came out: each size, and below it its groups.
fn rows(sweep: &Sweep) -> Vec<(Option<&'static str>, Vec<String>)> {
    let mut rows = Vec::new();
    for row in &sweep.sizes {
        let users = quantity::count(row.users.into());
        let status = words(row.verdict);
        let size = if let Some(totals) = &row.totals {
            cells(users, totals, status)
        } else {
            let empty = std::iter::repeat_n(String::new(), 8);
            std::iter::once(users).chain(empty).chain([status.to_owned()]).collect()
        };
        rows.push((Some(row.verdict), size));
        for group in &row.groups {
            let status = group.status.map_or("", words);
            // Good news of a group is no news.
            let shown = group.status.filter(|status| severity(status) > 0);
            rows.push((shown, cells(String::new(), group, status)));
        }
    }
    rows
}

fn cells(users: String, figures: &GroupFigures, status: &str) -> Vec<String> {
    let indent = if users.is_empty() { "  " } else { "" };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let ms = |ms: Option<f64>| or_dash(ms.map(quantity::milliseconds));
    vec![
        users,
        format!("{indent}{}", figures.name),
        quantity::count(figures.requests),
        or_dash(figures.success_rate.map(|share| quantity::percent(share * 100.0))),
        or_dash(figures.rps.map(|rps| quantity::decimal(rps, 1))),
        ms(figures.p50_ms),
        ms(figures.p95_ms),
        ms(figures.p99_ms),
        ms(figures.max_ms),
        status.to_owned(),
    ]
}

/// The table for pull requests and job summaries.
pub fn render_markdown(sweep: &Sweep) -> String {
    let mut page = format!("## Sweep of {}\n\n", markdown(&title(sweep)));
    for finding in findings(sweep) {
        let _ = writeln!(page, "- {}", sentence(&finding));
    }
    page.push('\n');
    let head =
        ["Users>", "Requests", "Count>", "Success>", "Rate>", "p50>", "p95>", "p99>", "max>", "Status"];
    let safe = |cells: Vec<String>| cells.iter().map(|cell| markdown(cell.trim())).collect();
    let rows = rows(sweep).into_iter().map(|(_, cells)| safe(cells)).collect();
    summary::table(&mut page, "By number of users", &head, rows);
    page
}

/// All of it for programs.
pub fn render_json(sweep: &Sweep) -> String {
    let text = serde_json::to_string_pretty(sweep).expect("plain text and numbers");
    format!("{text}\n")
}

#[cfg(test)]
mod tests;
