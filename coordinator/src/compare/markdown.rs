//! A comparison as Markdown, for pull requests.

use super::cost::cost_line;
use super::findings::{change_word, signed_percent};
use crate::report::model::{ComparedFigures, ComparedRun, ComparisonPart, ComparisonRow, ShiftPart};
use crate::report::summary::{self, markdown, sentence};
use crate::results::quantity;
use std::fmt::Write as _;

/// Sentences of each kind that are shown.
const SHOWN: usize = 30;

/// The whole comparison.
pub fn render_markdown(comparison: &ComparisonPart) -> String {
    let mut page = String::new();
    let (sign, word) = sign(comparison);
    let _ = writeln!(page, "## {sign} {word}: {}\n", markdown(&comparison.current.name));
    for (name, run) in [("base", &comparison.base), ("current", &comparison.current)] {
        let _ = writeln!(page, "- {name}: {}", run_line(run));
    }
    page.push('\n');
    table(&mut page, comparison);
    page
}

/// What it says in a sign and a word.
pub(crate) fn sign(comparison: &ComparisonPart) -> (&'static str, &'static str) {
    match comparison.outcome {
        "regression" => ("❌", "REGRESSION"),
        "no_regression" => ("✅", "NO REGRESSION"),
        _ => ("❔", "UNKNOWN"),
    }
}

/// Findings, what makes the runs differ, and the table: what `summary.md` has of a baseline.
pub(crate) fn table(page: &mut String, comparison: &ComparisonPart) {
    for finding in comparison.findings.iter().take(SHOWN) {
        let _ = writeln!(page, "- {}", sentence(finding));
    }
    for difference in comparison.differences.iter().take(SHOWN) {
        let _ = writeln!(page, "- note: {}", sentence(difference));
    }
    if let Some(line) = cost_line(comparison) {
        let _ = writeln!(page, "- {}", sentence(&line));
    }
    page.push('\n');
    let head = [
        "Request",
        "Count>",
        "Success>",
        "Rate>",
        "p50>",
        "p95>",
        "p99>",
        "Shift p50>",
        "Shift p95>",
        "p-value>",
        "Change",
    ];
    let title = format!("Compared with {}", markdown(&comparison.base.id));
    summary::table(page, &title, &head, comparison.rows.iter().map(cells).collect());
}

fn run_line(run: &ComparedRun) -> String {
    let profile = run.profile.as_ref().map_or(String::new(), |profile| format!(" ({})", markdown(profile)));
    format!(
        "{} · {}{profile} · {} s measured · {} users · {} · {}",
        markdown(&run.id),
        markdown(&run.name),
        quantity::decimal(run.duration_s - run.warmup_s, 1),
        quantity::count(run.users.into()),
        run.verdict,
        markdown(&run.target)
    )
}

fn cells(row: &ComparisonRow) -> Vec<String> {
    let both = |text: &dyn Fn(&ComparedFigures) -> Option<String>| {
        let side =
            |side: &Option<ComparedFigures>| side.as_ref().and_then(text).unwrap_or_else(|| "-".to_owned());
        format!("{} → {}", side(&row.base), side(&row.current))
    };
    let ms = |ms: Option<f64>| ms.map(|ms| quantity::milliseconds_to(ms, 3));
    let strong = if row.scope.starts_with("request:") { "" } else { "**" };
    let p_value = [row.latency_p_value, row.failure_p_value].into_iter().flatten().reduce(f64::min);
    vec![
        format!("{strong}{}{strong}", markdown(&row.name)),
        both(&|side| Some(quantity::count(side.requests))),
        both(&|side| side.success_rate.map(|share| quantity::percent(share * 100.0))),
        both(&|side| side.rps.map(|rps| format!("{}/s", quantity::decimal(rps, 1)))),
        both(&|side| ms(side.p50_ms)),
        both(&|side| ms(side.p95_ms)),
        both(&|side| ms(side.p99_ms)),
        shift(row.shift.p50),
        shift(row.shift.p95),
        p_value.map_or(
            "-".to_owned(),
            |p| if p < 0.0001 { "&lt; 0.0001".to_owned() } else { format!("{p:.4}") },
        ),
        match row.change {
            "regression" => "❌ **WORSE**".to_owned(),
            "improvement" => "✅ better".to_owned(),
            other => change_word(other).to_owned(),
        },
    ]
}

fn shift(shift: Option<ShiftPart>) -> String {
    let Some(shift) = shift else { return "-".to_owned() };
    let interval = match (shift.low, shift.high) {
        (Some(low), Some(high)) => {
            format!("<br><sub>{} to {}</sub>", signed_percent(low), signed_percent(high))
        }
        _ => String::new(),
    };
    format!("{}{interval}", signed_percent(shift.value))
}
