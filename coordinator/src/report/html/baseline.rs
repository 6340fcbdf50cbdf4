//! How the run compares with its baseline.

use super::table::{Cell, Row, Use, more, number, render as table, text};
use super::{sentence, shown};
use crate::compare::{change_word, cost_line, signed_percent};
use crate::report::model::{ComparedFigures, ComparisonPart, ComparisonRow, ShiftPart};
use crate::results::quantity;
use maud::{Markup, html};

/// Rows that are shown; `report.json` has all of them.
const SHOWN_ROWS: usize = 600;

/// Sentences of each kind that are shown.
const SHOWN: usize = 30;

/// Longest sentence in columns.
const COLUMNS: usize = 600;

pub(super) fn render(comparison: &ComparisonPart) -> Markup {
    let base = &comparison.base;
    let (class, told) = match comparison.outcome {
        "regression" => ("bad", "Regression"),
        "no_regression" => ("good", "No regression"),
        _ => ("doubtful", "No answer: no request has 30 samples in both runs"),
    };
    let columns = [
        text("Request"),
        text("Change"),
        number("Count"),
        number("Success"),
        number("Per second"),
        number("p50"),
        number("p95"),
        number("p99"),
    ];
    let rows: Vec<Row> = comparison.rows.iter().take(SHOWN_ROWS).map(row).collect();
    html! {
        p {
            span class=(class) data-outcome=(comparison.outcome) { (told) }
            " compared with run " code { (shown(&base.id, 80)) } " of " (shown(&base.started_at, 30))
            ", which measured " (quantity::decimal(base.duration_s - base.warmup_s, 1)) " s with "
            (quantity::count(base.users.into())) " users (" (base.verdict) ")."
        }
        ul.reasons { @for finding in comparison.findings.iter().take(SHOWN) { li { (sentence(finding, COLUMNS)) } } }
        @for difference in comparison.differences.iter().take(SHOWN) { p.quiet { "Note: " (sentence(difference, COLUMNS)) } }
        @if let Some(line) = cost_line(comparison) { p { (sentence(&line, COLUMNS)) } }
        (table("baseline-rows", "This run and its baseline", Use::Explore, &columns, &rows))
        (more(comparison.rows.len(), rows.len()))
        p.quiet {
            "Worse and better: p50 or p95 by " (quantity::percent(comparison.limits.min_shift * 100.0)) " or more, or failures by "
            (quantity::decimal(comparison.limits.min_failure_change * 100.0, 2)) " points or more, and significant: of two equal runs, at most "
            (quantity::percent(comparison.limits.false_alarm * 100.0)) " differ so. In brackets: 95 % intervals."
        }
    }
}

fn row(row: &ComparisonRow) -> Row {
    let (sign, status) = match row.change {
        "regression" => ("✕", "fail"),
        "improvement" => ("✓", "pass"),
        _ => ("?", "no_data"),
    };
    let change = html! {
        @if row.change == "none" { span.quiet { (change_word(row.change)) } }
        @else { span.pill data-status=(status) { span aria-hidden="true" { (sign) } " " (change_word(row.change)) } }
    };
    let ms = |ms: f64| quantity::milliseconds_to(ms, 3);
    // Both figures, and by how much they differ.
    let both = |figure: fn(&ComparedFigures) -> Option<f64>,
                text: &dyn Fn(f64) -> String,
                shift: Option<String>| {
        let value = |side: &Option<ComparedFigures>| side.as_ref().and_then(figure);
        let told = |value: Option<f64>| value.map_or("–".to_owned(), text);
        let (before, after) = (value(&row.base), value(&row.current));
        let shown =
            html! { (told(before)) " → " (told(after)) @if let Some(shift) = &shift { small { (shift) } } };
        Cell { shown, value: after }
    };
    let points = |share: f64| {
        let sign = match share * 100.0 {
            share if share.abs() < 0.005 => "±",
            share if share < 0.0 => "-",
            _ => "+",
        };
        format!("{sign}{} pt", quantity::decimal((share * 100.0).abs(), 2))
    };
    // Of successes, where the model has failures.
    let success = row.failure_difference.map(|shift| ShiftPart {
        value: -shift.value,
        low: shift.high.map(|high| -high),
        high: shift.low.map(|low| -low),
    });
    let percent = |shift: Option<ShiftPart>| shift.map(|shift| with_interval(shift, &signed_percent, 0));
    Row {
        class: if row.scope.starts_with("request:") { "" } else { "group" },
        cells: vec![
            Cell::text(&shown(&row.name, 160)),
            Cell::markup(change),
            both(|side| Some(side.requests as f64), &|n| quantity::decimal(n, 0), None),
            both(
                |side| side.success_rate,
                &|share| quantity::percent(share * 100.0),
                success.map(|shift| with_interval(shift, &points, 2)),
            ),
            both(|side| side.rps, &|rps| quantity::decimal(rps, 1), None),
            both(|side| side.p50_ms, &ms, percent(row.shift.p50)),
            both(|side| side.p95_ms, &ms, percent(row.shift.p95)),
            both(|side| side.p99_ms, &ms, percent(row.shift.p99)),
        ],
    }
}

/// `+63.7 % (+52..+75)`
fn with_interval(shift: ShiftPart, unit: &dyn Fn(f64) -> String, decimals: usize) -> String {
    let bare = |share: f64| format!("{:+.decimals$}", share * 100.0);
    let interval = shift.low.zip(shift.high);
    let interval = interval.map_or(String::new(), |(low, high)| format!(" ({}..{})", bare(low), bare(high)));
    format!("{}{interval}", unit(shift.value))
}
