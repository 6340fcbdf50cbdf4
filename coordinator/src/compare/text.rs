//! A comparison as text for a terminal.

use super::cost::cost_line;
use super::findings::{change_word, signed_percent};
use crate::report::Style;
use crate::report::escape;
use crate::report::grid::{Fill, Grid, Tone, WIDTH};
use crate::report::model::{ComparedFigures, ComparedRun, ComparisonPart, ComparisonRow, ShiftPart};
use crate::report::text::wrapped;
use crate::results::quantity;
use std::fmt::Write as _;

/// Findings that are shown; JSON has all of them.
const SHOWN_FINDINGS: usize = 20;

/// And in the result of a run, which should fit a screen.
const SUMMED_FINDINGS: usize = 6;

/// The whole comparison: what it says first, then the two runs, then the figures. At most 100 columns wide.
pub fn render_text(comparison: &ComparisonPart, style: Style) -> String {
    let mut text = format!("{}\n", headline(comparison, style));
    text.push_str(&findings(comparison, SHOWN_FINDINGS));
    for (name, run) in [("base", &comparison.base), ("current", &comparison.current)] {
        let _ = writeln!(text, "{}", escape::fit(&format!("{name:<8}{}", run_line(run)), WIDTH));
    }
    for difference in &comparison.differences {
        text.push_str(&wrapped(&escape::escape(&format!("note: {difference}"))));
    }
    text.push_str(&cost(comparison));
    text.push('\n');
    text.push_str(&rows(comparison, style));
    let limits = &comparison.limits;
    let percent = |share: f64| quantity::percent(share * 100.0);
    let _ = writeln!(
        text,
        "The first line of each is the base. Worse or better: p50 or p95 by {} or more, or failures by {}\n\
         points or more, and significant; of two equal runs, at most {} differ so. ~ is the 95 % interval.",
        percent(limits.min_shift),
        quantity::decimal(limits.min_failure_change * 100.0, 2),
        percent(limits.false_alarm)
    );
    text
}

/// What stands in the result of a run: what the comparison says, and the rows that changed.
pub fn summary_text(comparison: &ComparisonPart, style: Style) -> String {
    let mut text = format!("{}\n", headline(comparison, style));
    let _ = writeln!(text, "{}", escape::fit(&format!("  baseline {}", run_line(&comparison.base)), WIDTH));
    text.push_str(&findings(comparison, SUMMED_FINDINGS));
    for difference in comparison.differences.iter().take(SUMMED_FINDINGS) {
        text.push_str(&wrapped(&escape::escape(&format!("note: {difference}"))));
    }
    text.push_str(&cost(comparison));
    text
}

fn cost(comparison: &ComparisonPart) -> String {
    cost_line(comparison).map_or(String::new(), |line| wrapped(&escape::escape(&line)))
}

fn headline(comparison: &ComparisonPart, style: Style) -> String {
    let count = |change: &str| comparison.rows.iter().filter(|row| row.change == change).count();
    let compared =
        comparison.rows.iter().filter(|row| !matches!(row.change, "new" | "gone" | "unknown")).count();
    let (word, colour) = match comparison.outcome {
        "regression" => ("REGRESSION", "31"),
        "no_regression" => ("NO REGRESSION", "32"),
        _ => ("UNKNOWN", "33"),
    };
    let shown = match style {
        Style::Plain => word.to_owned(),
        Style::Colour => format!("\x1b[1;{colour}m{word}\x1b[0m"),
    };
    let told = match comparison.outcome {
        "unknown" => "no request has 30 samples in both runs".to_owned(),
        _ => format!("{} of {compared} rows worse, {} better", count("regression"), count("improvement")),
    };
    format!("{shown}  {told}")
}

fn findings(comparison: &ComparisonPart, most: usize) -> String {
    let mut text = String::new();
    for finding in comparison.findings.iter().take(most) {
        text.push_str(&wrapped(&escape::escape(finding)));
    }
    if let Some(more) = comparison.findings.len().checked_sub(most).filter(|&more| more > 0) {
        let _ = writeln!(text, "  ... and {more} more in JSON");
    }
    text
}

fn run_line(run: &ComparedRun) -> String {
    let profile = run.profile.as_ref().map_or(String::new(), |profile| format!(" ({profile})"));
    let measured = quantity::decimal(run.duration_s - run.warmup_s, 1);
    let users = quantity::count(run.users.into());
    format!(
        "{}: {}{profile}, {measured} s measured, {users} users, {}, {}",
        run.id, run.name, run.verdict, run.target
    )
}

fn rows(comparison: &ComparisonPart, style: Style) -> String {
    let mut grid = Grid::new(&[
        ("REQUEST", Fill::Rest),
        ("COUNT", Fill::Number),
        ("SUCCESS", Fill::Number),
        ("RPS", Fill::Number),
        ("P50", Fill::Number),
        ("P95", Fill::Number),
        ("P99", Fill::Number),
        ("CHANGE", Fill::Text(8)),
    ]);
    for row in &comparison.rows {
        let tone = match row.change {
            "regression" => Tone::Bad,
            "improvement" => Tone::Good,
            "none" => Tone::Plain,
            _ => Tone::Doubtful,
        };
        let tone =
            if row.scope.starts_with("request:") || tone != Tone::Plain { tone } else { Tone::Heading };
        let mut title = Some(row.name.clone());
        let mut change = Some(change_word(row.change).to_owned());
        for (side, name) in [(&row.base, "  base"), (&row.current, "  current")] {
            let Some(side) = side else { continue };
            let first = title.take().unwrap_or_else(|| name.to_owned());
            grid.row(tone, figures(first, side, change.take().unwrap_or_default()));
        }
        if row.shift.p50.is_some() || row.failure_difference.is_some() {
            shifts(&mut grid, row);
        }
    }
    grid.render(style)
}

fn figures(name: String, side: &ComparedFigures, change: String) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let ms = |ms: Option<f64>| or_dash(ms.map(quantity::milliseconds));
    vec![
        name,
        quantity::count(side.requests),
        or_dash(side.success_rate.map(|share| quantity::percent(share * 100.0))),
        or_dash(side.rps.map(|rps| quantity::decimal(rps, 1))),
        ms(side.p50_ms),
        ms(side.p95_ms),
        ms(side.p99_ms),
        change,
    ]
}

/// By how much, and how sure that is.
fn shifts(grid: &mut Grid, row: &ComparisonRow) {
    let value = |shift: Option<ShiftPart>| shift.map_or(String::new(), |shift| signed_percent(shift.value));
    let interval = |shift: Option<ShiftPart>| match shift.and_then(|shift| shift.low.zip(shift.high)) {
        Some((low, high)) => {
            let whole = |share: f64| format!("{:+.0}", share * 100.0);
            format!("~{}..{} %", whole(low), whole(high))
        }
        None => String::new(),
    };
    let (p50, p95, p99) = (row.shift.p50, row.shift.p95, row.shift.p99);
    let points = row.failure_difference.map_or(String::new(), |shift| match -shift.value * 100.0 {
        points if points.abs() < 0.005 => "±0 pt".to_owned(),
        points => format!("{points:+.2} pt"),
    });
    let rate = match (row.base.as_ref().and_then(|s| s.rps), row.current.as_ref().and_then(|s| s.rps)) {
        (Some(before), Some(after)) if before > 0.0 => signed_percent(after / before - 1.0),
        _ => String::new(),
    };
    let empty = String::new;
    grid.row(
        Tone::Plain,
        vec!["  shift".to_owned(), empty(), points, rate, value(p50), value(p95), value(p99), empty()],
    );
    if [p50, p95, p99].iter().flatten().any(|shift| shift.low.is_some() && shift.high.is_some()) {
        grid.row(
            Tone::Plain,
            vec![empty(), empty(), empty(), empty(), interval(p50), interval(p95), interval(p99), empty()],
        );
    }
}
