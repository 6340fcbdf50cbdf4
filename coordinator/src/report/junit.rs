//! `junit.xml`: one test case for each threshold, for pipelines that show tests.
//!
//! A missed threshold is a `failure`. What has no answer (no data, statistics that were lost and could have changed the
//! outcome) is an `error`. A run that has no answer for a reason that is no threshold's (agents that did not come, a
//! generator that was itself the bottleneck), or that has no thresholds, has one more case: the run itself.

use super::escape::escape;
use super::model::{ComparisonPart, Report, ThresholdRow};
use super::remark::remarks;
use std::fmt::Write as _;

/// What a test case says beside that it is there.
struct Case<'a> {
    scope: &'a str,
    name: &'a str,
    outcome: Outcome,
}

/// How a test case ended; texts are not yet escaped.
enum Outcome {
    /// Met; what stands beside it.
    Passed(Option<String>),
    /// Missed: message and details.
    Failure(String, String),
    /// No answer: its type, message and details.
    Error(&'static str, String, String),
}

/// The whole file.
pub(super) fn render(report: &Report) -> String {
    let mut cases: Vec<Case<'_>> = report.thresholds.iter().map(|row| threshold(report, row)).collect();
    cases.extend(report.baseline.as_ref().map(baseline));
    let answered = |case: &Case<'_>| matches!(case.outcome, Outcome::Passed(_));
    if cases.is_empty() || (cases.iter().all(answered) && !matches!(report.verdict, "pass" | "warn")) {
        cases.push(whole_run(report));
    }
    let failures = cases.iter().filter(|case| matches!(case.outcome, Outcome::Failure(..))).count();
    let errors = cases.iter().filter(|case| matches!(case.outcome, Outcome::Error(..))).count();
    let counts = format!(
        r#"name="{}" tests="{}" failures="{failures}" errors="{errors}" skipped="0" time="{}""#,
        xml(&report.run.name),
        cases.len(),
        report.run.duration_s
    );
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites {counts}>");
    let _ = writeln!(text, "  <testsuite {counts} timestamp=\"{}\">", xml(&report.run.started_at));
    properties(&mut text, report);
    for case in &cases {
        write_case(&mut text, case);
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn threshold<'a>(report: &Report, row: &'a ThresholdRow) -> Case<'a> {
    let observed = row.observed_text.as_deref().unwrap_or("no data");
    let told = format!("{} of {} is {observed}, threshold {}", row.metric, row.scope, row.expression);
    let counted = if row.scope.starts_with("probe:") { "samples" } else { "requests" };
    let mut details = format!(
        "observed: {observed}\nthreshold: {}\nlevel: {}\n{counted}: {}\nrun: {} against {}",
        row.expression, row.level, row.samples, report.run.id, report.run.target
    );
    for remark in remarks(row) {
        let _ = write!(details, "\n{remark}");
    }
    let outcome = match row.status {
        "no_data" => {
            let none = format!("{} of {} has no data, threshold {}", row.metric, row.scope, row.expression);
            Outcome::Error("no_data", none, details)
        }
        _ if row.undecided && row.scope.starts_with("probe:") => {
            let lost = "samples of a coordinator that was ended are lost, which could change that";
            Outcome::Error("lost_statistics", format!("{told}; {lost}"), details)
        }
        _ if row.undecided => {
            let lost = report.accounting.lost_at_most;
            let lost = lost.map_or("an unknown number of".to_owned(), |lost| format!("at most {lost}"));
            let message = format!("{told}; {lost} requests are missing, which could change that");
            Outcome::Error("lost_statistics", message, details)
        }
        "fail" => Outcome::Failure(told, details),
        "warn" => Outcome::Passed(Some(format!("warning: {told}"))),
        _ if row.straddles => Outcome::Passed(Some(details)),
        _ => Outcome::Passed(None),
    };
    Case { scope: &row.scope, name: &row.expression, outcome }
}

/// The scope of the case that is the comparison with a baseline.
const BASELINE: &str = "baseline";

/// The comparison with the baseline: lost, it is a failure where a regression fails the run, and told beside it otherwise.
fn baseline(comparison: &ComparisonPart) -> Case<'_> {
    let details =
        comparison.findings.iter().chain(&comparison.differences).cloned().collect::<Vec<_>>().join("\n");
    let told = comparison.findings.first().cloned().unwrap_or_default();
    let fails = comparison.on_regression.as_deref() == Some("fail");
    let outcome = match comparison.outcome {
        "regression" if fails => Outcome::Failure(told, details),
        "regression" => Outcome::Passed(Some(format!("warning: {details}"))),
        "unknown" if fails => {
            let why = "no request has 30 samples in both runs".to_owned();
            Outcome::Error("no_data", why, details)
        }
        _ => Outcome::Passed(Some(details).filter(|details| !details.is_empty())),
    };
    Case { scope: BASELINE, name: &comparison.base.id, outcome }
}

/// The run as a case of its own.
fn whole_run(report: &Report) -> Case<'_> {
    let message =
        report.reasons.first().cloned().unwrap_or_else(|| format!("the run ended in {}", report.verdict));
    let outcome = match report.verdict {
        "pass" | "warn" => Outcome::Passed(None),
        "fail" => Outcome::Failure(message, report.reasons.join("\n")),
        _ => Outcome::Error("inconclusive", message, report.reasons.join("\n")),
    };
    Case { scope: "run", name: "verdict", outcome }
}

fn properties(text: &mut String, report: &Report) {
    let run = &report.run;
    let properties = [
        ("run", run.id.clone()),
        ("target", run.target.clone()),
        ("profile", run.profile.clone().unwrap_or_default()),
        ("seed", run.seed.to_string()),
        ("plan_sha256", run.plan_sha256.clone()),
        ("verdict", report.verdict.to_owned()),
        ("exit_code", report.exit_code.to_string()),
        ("requests", report.totals.requests.to_string()),
        ("failures", report.totals.failures.to_string()),
        ("accounting", report.accounting.status.to_owned()),
        ("generator", report.generator.status.to_owned()),
    ];
    text.push_str("    <properties>\n");
    for (name, value) in properties {
        let _ = writeln!(text, "      <property name=\"{name}\" value=\"{}\"/>", xml(&value));
    }
    text.push_str("    </properties>\n");
}

fn write_case(text: &mut String, case: &Case<'_>) {
    let (scope, name) = (xml(case.scope), xml(case.name));
    let _ = write!(text, "    <testcase classname=\"{scope}\" name=\"{name}\" time=\"0\"");
    let (tag, kind, message, details) = match &case.outcome {
        Outcome::Passed(None) => return text.push_str("/>\n"),
        Outcome::Passed(Some(beside)) => {
            let _ = writeln!(text, ">\n      <system-out>{}</system-out>\n    </testcase>", lines(beside));
            return;
        }
        Outcome::Failure(message, details) if case.scope == BASELINE => {
            ("failure", "regression", message, details)
        }
        Outcome::Failure(message, details) => ("failure", "threshold", message, details),
        Outcome::Error(kind, message, details) => ("error", *kind, message, details),
    };
    let _ = writeln!(
        text,
        ">\n      <{tag} type=\"{kind}\" message=\"{}\">{}</{tag}>\n    </testcase>",
        xml(message),
        lines(details)
    );
}

/// Lines that stay lines.
fn lines(text: &str) -> String {
    text.lines().map(xml).collect::<Vec<_>>().join("\n")
}

/// Text as XML has it: what XML cannot hold at all, as most control characters, is shown as an escape.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests;
