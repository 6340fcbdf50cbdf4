//! What was run, and what the books say.

use super::shown;
use crate::report::conversations;
use crate::report::model::{ChorePart, Report};
use crate::results::quantity;
use maud::{Markup, html};

/// Longest texts from outside in columns.
const TEXT: usize = 300;
const NAME: usize = 60;

/// Most errors of setup or teardown.
const MOST_ERRORS: usize = 20;

pub(super) fn render(report: &Report) -> Markup {
    let (run, books, users) = (&report.run, &report.accounting, &report.users);
    let n = quantity::count;
    let seconds = |s: f64| quantity::decimal(s, 1);
    let books_line = format!(
        "{}: {} started, {} merged, {} aborted{}",
        books.status,
        n(books.started),
        n(books.merged),
        n(books.aborted),
        match (books.status, books.lost_at_most) {
            ("exact", _) => String::new(),
            (_, Some(lost)) => format!(", at most {} missing", n(lost)),
            (_, None) => ", an unknown number missing".to_owned(),
        }
    );
    let mut facts: Vec<(&str, String)> = vec![
        ("Run", run.id.clone()),
        ("Plan", run.name.clone()),
        ("Profile", run.profile.clone().unwrap_or_else(|| "none".to_owned())),
        ("Target", run.target.clone()),
        ("Started", run.started_at.clone()),
        ("Ended", run.ended_at.clone()),
        (
            "Schedule",
            format!("{} s, of which {} s are warm-up", seconds(run.duration_s), seconds(run.warmup_s)),
        ),
        ("Seed", run.seed.to_string()),
        ("SHA-256 of the plan", run.plan_sha256.clone()),
        ("Exit code", report.exit_code.to_string()),
        ("Accounting", books_line),
        (
            "User-seconds",
            format!(
                "{} of {}, {} missing",
                seconds(users.actual_user_seconds),
                seconds(users.target_user_seconds),
                seconds(users.missing_user_seconds)
            ),
        ),
        ("Traffic", format!("{} in, {} out", bytes(report.totals.bytes_in), bytes(report.totals.bytes_out))),
    ];
    if let Some(messages) = conversations::messages(report) {
        facts.push(("Messages", messages));
    }
    if let Some(cost) = &report.cost {
        facts.push(("Cost", cost.line()));
    }
    if let Some(skew) = users.start_skew_ms {
        facts.push(("Agents began within", quantity::milliseconds_to(skew, 3)));
    }
    if let Some(iterations) = &users.iterations {
        let line = format!(
            "{} of {}, {} given up",
            n(iterations.done),
            n(iterations.target),
            n(iterations.given_up)
        );
        facts.push(("Iterations", line));
    }
    if let Some(arrivals) = &report.arrivals {
        let late =
            arrivals.start_error_ms.p99.map_or("–".to_owned(), |ms| quantity::milliseconds_to(ms, 3));
        let line = format!(
            "{} scheduled, {} started, {} dropped; start error p99 {late}",
            n(arrivals.scheduled),
            n(arrivals.started),
            n(arrivals.dropped)
        );
        facts.push(("Arrivals", line));
    }
    if report.late > 0 {
        facts.push(("Too late for the charts", format!("{} requests; the totals have them", n(report.late))));
    }
    if run.warmup_requests > 0 {
        facts.push(("Warm-up", format!("{} requests that no total counts", n(run.warmup_requests))));
    }
    html! {
        dl.facts { @for (name, value) in &facts { div { dt { (name) } dd { (shown(value, TEXT)) } } }
            @for (name, times) in conversations::connecting(report) {
                div { dt { "Time to connect " (shown(name, NAME)) } dd { (times) } }
            }
        }
        @for (name, part) in [("Setup", &report.setup), ("Teardown", &report.teardown)] {
            @if let Some(part) = part { (chore(name, part)) }
        }
    }
}

fn chore(name: &str, part: &ChorePart) -> Markup {
    html! {
        p {
            b { (name) ": " (part.status.replace('_', " ")) }
            ", " (quantity::count(part.requests)) @if part.requests == 1 { " request, " } @else { " requests, " } (quantity::count(part.failures)) " failed"
            @if let Some(agent) = &part.agent { ", on agent " (shown(agent, TEXT)) }
            @if let Some(reason) = &part.reason { ": " (shown(reason, TEXT)) }
        }
        @if !part.errors.is_empty() {
            ul.facts {
                @for error in part.errors.iter().take(MOST_ERRORS) {
                    li { (quantity::count(error.count)) " × " (error.kind) " " (shown(&error.request, TEXT)) ": " (shown(&error.message, TEXT)) }
                }
            }
        }
    }
}

fn bytes(n: u64) -> String {
    let value = n as f64;
    for (unit, size) in [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0)] {
        if value >= size {
            return format!("{} {unit}", quantity::decimal(value / size, 1));
        }
    }
    format!("{n} B")
}
