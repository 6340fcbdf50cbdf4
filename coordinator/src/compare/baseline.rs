//! What a run makes of its comparison with a baseline.

use super::findings::brief;
use super::{Incomparable, Limits, compare};
use crate::exit::ExitCode;
use crate::report::Report;
use crate::report::model::ComparisonPart;
use std::path::PathBuf;
use std::sync::Arc;

/// The run with which another one is compared at its end. It was read before that began.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// Where it was read.
    pub path: PathBuf,
    /// What it says.
    pub report: Arc<Report>,
    /// What a regression does.
    pub on_regression: OnRegression,
    /// When a change is one.
    pub limits: Limits,
}

/// What a regression does to a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRegression {
    /// A run that would have passed warns.
    #[default]
    Warn,
    /// It fails (`--fail-on-regression`), and a comparison that cannot be made leaves it without an answer.
    Fail,
}

impl OnRegression {
    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            OnRegression::Warn => "warn",
            OnRegression::Fail => "fail",
        }
    }
}

impl Baseline {
    /// Compares the run of `report` with this one, and puts down in it what that says: the comparison, and what follows for
    /// verdict, reasons and exit code. A run that has no answer keeps having none: what made it so may be what made it slower.
    pub fn judge(&self, report: &mut Report) {
        match compare(&self.report, report, self.limits) {
            Ok(mut comparison) => {
                comparison.on_regression = Some(self.on_regression.name().to_owned());
                weigh(report, &comparison, self.on_regression);
                report.baseline = Some(comparison);
            }
            Err(why) => without(report, &why, self.on_regression),
        }
    }
}

/// What `comparison` makes of a run's verdict.
fn weigh(report: &mut Report, comparison: &ComparisonPart, on_regression: OnRegression) {
    let base = &comparison.base.id;
    let counted = |change: &str| comparison.rows.iter().filter(|row| row.change == change).count();
    match comparison.outcome {
        "regression" => {
            let rows = match counted("regression") {
                1 => "one row".to_owned(),
                n => format!("{n} rows"),
            };
            let mut told = vec![format!("compared with the baseline {base}, {rows} became worse")];
            let worse = comparison.rows.iter().filter(|row| row.change == "regression");
            told.extend(worse.take(SHOWN_ROWS).map(brief));
            settle(report, on_regression, told);
        }
        "no_regression" => {
            let tested = comparison.rows.len() - counted("unknown") - counted("new") - counted("gone");
            report
                .reasons
                .push(format!("compared with the baseline {base}, none of {tested} rows became worse"));
        }
        _ => {
            let why = format!(
                "the comparison with the baseline {base} says nothing: no request has 30 samples in both runs; make the run longer"
            );
            undecided(report, why, on_regression);
        }
    }
}

/// Rows that stand among the reasons; the comparison itself tells of all.
const SHOWN_ROWS: usize = 4;

fn without(report: &mut Report, why: &Incomparable, on_regression: OnRegression) {
    undecided(report, format!("the run could not be compared with its baseline: {why}"), on_regression);
}

/// The comparison was lost: the run fails or warns, unless it has no answer anyway.
fn settle(report: &mut Report, on_regression: OnRegression, told: Vec<String>) {
    let verdict = match (report.verdict, on_regression) {
        ("pass" | "warn", OnRegression::Fail) => "fail",
        ("pass", OnRegression::Warn) => "warn",
        (verdict, _) => verdict,
    };
    // What decided comes first.
    if verdict == report.verdict {
        report.reasons.extend(told);
    } else {
        report.reasons.splice(0..0, told);
    }
    turn(report, verdict);
}

/// Nothing was compared. No data is not a pass where a regression fails the run.
fn undecided(report: &mut Report, why: String, on_regression: OnRegression) {
    if on_regression == OnRegression::Fail && matches!(report.verdict, "pass" | "warn") {
        report.reasons.insert(0, why);
        turn(report, "inconclusive");
    } else {
        report.reasons.push(why);
    }
}

fn turn(report: &mut Report, verdict: &'static str) {
    if verdict == report.verdict {
        return;
    }
    report.verdict = verdict;
    // Whoever passed now fails; other codes have reasons of their own.
    if report.exit_code == ExitCode::Passed.number() {
        report.exit_code = match verdict {
            "fail" => ExitCode::Failed.number(),
            "inconclusive" => ExitCode::Inconclusive.number(),
            _ => ExitCode::Passed.number(),
        };
    }
}

/// How `coordinator compare` tells scripts what it found.
pub fn exit_code(comparison: &ComparisonPart) -> ExitCode {
    match comparison.outcome {
        "regression" => ExitCode::Failed,
        "no_regression" => ExitCode::Passed,
        _ => ExitCode::Inconclusive,
    }
}
