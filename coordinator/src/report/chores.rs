//! What setup and teardown did, which is no part of what the run measured.

use super::build::{kind_name, thousandths};
use super::model::{ChoreErrorRow, ChorePart, Report};
use super::{escape, grid, text};
use crate::fleet::{ChoreEnd, ChoreStatus};
use crate::results::quantity;
use metrics::ErrorCount;
use plan::chore::Chore;
use std::fmt::Write as _;

/// Errors of one chore that are shown; `report.json` has all of them.
const SHOWN_ERRORS: usize = 10;

impl ChorePart {
    /// Of a chore that the plan has.
    pub(super) fn new(chore: &Chore, end: &ChoreEnd) -> ChorePart {
        let (status, reason) = match &end.status {
            ChoreStatus::Done => ("ok", None),
            ChoreStatus::Failed(why) => ("failed", Some(why.clone())),
            ChoreStatus::Lost(why) => ("lost", Some(why.clone())),
            ChoreStatus::NotRun(why) => ("not_run", Some(why.clone())),
        };
        let row = |error: &ErrorCount| ChoreErrorRow {
            request: chore.series.get(error.series.0 as usize).map_or(String::new(), |s| s.name.clone()),
            kind: kind_name(error.kind),
            message: error.message.clone(),
            count: error.count,
        };
        let report = end.report.as_deref();
        ChorePart {
            status,
            reason,
            agent: end.agent.clone(),
            duration_s: report.map(|report| thousandths(report.took.as_secs_f64())),
            requests: report.map_or(0, |report| report.requests),
            failures: report.map_or(0, |report| report.failures),
            errors: report.map(|report| report.errors.iter().map(row).collect()).unwrap_or_default(),
        }
    }
}

/// A line for each chore, and its errors where it failed.
pub(super) fn render(report: &Report) -> String {
    let chores = [("setup", &report.setup), ("teardown", &report.teardown)];
    chores.into_iter().filter_map(|(name, part)| Some(chore(name, part.as_ref()?))).collect()
}

fn chore(name: &str, part: &ChorePart) -> String {
    let plural = if part.requests == 1 { "" } else { "s" };
    let mut did = format!("{} request{plural}", quantity::count(part.requests));
    if part.failures > 0 {
        let _ = write!(did, ", {} failed,", quantity::count(part.failures));
    }
    if let Some(seconds) = part.duration_s {
        let _ = write!(did, " in {} s", quantity::decimal(seconds, 1));
    }
    let Some(reason) = &part.reason else { return format!("{name}: {did}\n") };
    let what = part.status.replace('_', " ");
    // Of teardown alone, nothing else says that something is wrong.
    let level = if name == "teardown" { "warning: " } else { "" };
    let on = part.agent.as_ref().map_or(String::new(), |agent| format!(" on agent {agent}"));
    let mut lines = format!("{}\n", escape::fit(&format!("{level}{name}: {what}{on}, {did}"), grid::WIDTH));
    lines.push_str(&text::wrapped(&escape::escape(reason)));
    for error in part.errors.iter().take(SHOWN_ERRORS) {
        let line =
            format!("{} x {} {}: {}", quantity::count(error.count), error.kind, error.request, error.message);
        lines.push_str(&text::wrapped(&escape::escape(&line)));
    }
    lines
}
