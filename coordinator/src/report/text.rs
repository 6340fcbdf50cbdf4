//! The result as text for standard output.

use super::grid::{Fill, Grid, Tone, WIDTH};
use super::model::{ArrivalsPart, GeneratorRow, Report, Totals, UsersPart};
use super::{chores, conversations, escape, observed};
use crate::compare::summary_text;
use crate::results::quantity;
use std::fmt::Write as _;
use system::terminal::{error_has_colours, output_has_colours};

/// Whether text may carry colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// None: a file, a pipe, or `NO_COLOR` is set.
    Plain,
    /// ANSI colours: a terminal.
    Colour,
}

/// How what is printed is styled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Styles {
    /// On standard output: results.
    pub output: Style,
    /// On standard error: progress.
    pub error: Style,
}

impl Styles {
    /// Colour where a stream is a terminal, if it is `wanted`.
    pub fn of_streams(wanted: bool) -> Styles {
        let of =
            |has_colours: fn() -> bool| if wanted && has_colours() { Style::Colour } else { Style::Plain };
        Styles { output: of(output_has_colours), error: of(error_has_colours) }
    }
}

/// Errors that are shown; `report.json` has all of them.
const SHOWN_ERRORS: usize = 10;

/// Thresholds that are shown, those that are not met first.
const SHOWN_THRESHOLDS: usize = 12;

/// Requests that are shown: of more those that failed most, then the slowest. The same of groups.
const SHOWN_REQUESTS: usize = 16;
/// User classes that are shown; `report.json` has all of them.
const SHOWN_CLASSES: usize = 10;

/// Reasons that are shown; `report.json` has all of them.
const SHOWN_REASONS: usize = 12;

/// The whole result: verdict and reasons first, then the figures. At most 100 columns wide, unless a number
/// alone is wider; text from outside is escaped and cut.
pub fn render_text(report: &Report, style: Style) -> String {
    let parts = [
        verdict(report, style),
        thresholds(report, style),
        report.baseline.as_ref().map_or(String::new(), |baseline| summary_text(baseline, style)),
        requests(report, style),
        errors(report, style),
        observed::render(report, style),
        chores::render(report),
        accounting(report),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn verdict(report: &Report, style: Style) -> String {
    let run = &report.run;
    let name = report.verdict.to_uppercase();
    let shown = match (style, report.verdict) {
        (Style::Plain, _) => name.clone(),
        (Style::Colour, "pass") => format!("\x1b[1;32m{name}\x1b[0m"),
        (Style::Colour, "fail") => format!("\x1b[1;31m{name}\x1b[0m"),
        (Style::Colour, _) => format!("\x1b[1;33m{name}\x1b[0m"),
    };
    let profile = run.profile.as_ref().map_or(String::new(), |profile| format!(" ({profile})"));
    let title = format!("{}{profile}: {}", run.name, run.target);
    let mut text = format!("{shown}  {}\n", escape::fit(&title, WIDTH - name.len() - 2));
    for reason in report.reasons.iter().take(SHOWN_REASONS) {
        text.push_str(&wrapped(&escape::escape(reason)));
    }
    if let Some(more) = report.reasons.len().checked_sub(SHOWN_REASONS).filter(|&more| more > 0) {
        let _ = writeln!(text, "  ... and {more} more reasons in report.json");
    }
    if let Some(tags) = &run.tags {
        text.push_str(&wrapped(&escape::escape(&tags.told)));
    }
    let measured = quantity::decimal(run.duration_s - run.warmup_s, 1);
    let measured = if run.warmup_s > 0.0 {
        format!("measured {measured} s after {} s of warm-up", quantity::decimal(run.warmup_s, 0))
    } else {
        format!("{measured} s measured")
    };
    let facts = format!("run {}, {measured}, seed {}", run.id, run.seed);
    let _ = writeln!(text, "  {}", escape::fit(&facts, WIDTH - 2));
    text
}

/// A reason, broken between words where it does not fit, and in words where they do not.
pub(crate) fn wrapped(reason: &str) -> String {
    let (first, next, room) = ("  - ", "    ", WIDTH - 4);
    let mut lines: Vec<String> = vec![String::new()];
    for word in reason.split(' ') {
        let word = escape::fit(word, room);
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            *line = word;
        } else if escape::columns(line) + 1 + escape::columns(&word) <= room {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    let indented =
        |(line, text): (usize, &String)| format!("{}{text}\n", if line == 0 { first } else { next });
    lines.iter().enumerate().map(indented).collect()
}

fn thresholds(report: &Report, style: Style) -> String {
    if report.thresholds.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new(&[
        ("THRESHOLD", Fill::Text(40)),
        ("SCOPE", Fill::Rest),
        ("OBSERVED", Fill::Number),
        ("STATUS", Fill::Text(8)),
    ]);
    let mut rows: Vec<_> = report.thresholds.iter().map(|row| (tone_of(row.status), row)).collect();
    rows.sort_by_key(|((rank, ..), _)| *rank);
    for ((_, tone, status), row) in rows.iter().take(SHOWN_THRESHOLDS) {
        let observed = row.observed_text.clone().unwrap_or_else(|| "-".to_owned());
        grid.row(*tone, vec![row.expression.clone(), row.scope.clone(), observed, (*status).to_owned()]);
    }
    let mut text = grid.render(style);
    if let Some(left) = rows.get(SHOWN_THRESHOLDS..).filter(|left| !left.is_empty()) {
        let met = left.iter().filter(|(_, row)| row.status == "pass").count();
        let met = if met == left.len() { ", all met,".to_owned() } else { format!(", {met} of them met,") };
        let _ = writeln!(text, "... and {} more thresholds{met} in report.json", left.len());
    }
    text
}

/// How a threshold that came out so stands in a table: its rank, what is bad first, and its name there.
fn tone_of(status: &str) -> (u8, Tone, &'static str) {
    match status {
        "fail" => (0, Tone::Bad, "FAIL"),
        "warn" => (2, Tone::Doubtful, "WARN"),
        "pass" => (3, Tone::Good, "pass"),
        _ => (1, Tone::Doubtful, "NO DATA"),
    }
}

fn requests(report: &Report, style: Style) -> String {
    let mut grid = Grid::new(&[
        ("REQUEST", Fill::Rest),
        ("COUNT", Fill::Number),
        ("FAILED", Fill::Number),
        ("SUCCESS", Fill::Number),
        ("RPS", Fill::Number),
        ("P50", Fill::Number),
        ("P95", Fill::Number),
        ("P99", Fill::Number),
        ("MAX", Fill::Number),
    ]);
    let shown_requests = worst(report.requests.iter().map(|row| &row.totals));
    let shown_groups = worst(report.groups.iter().map(|group| &group.totals));
    let groups = report.groups.iter().zip(shown_groups).filter(|(_, shown)| *shown);
    let groups: Vec<_> = groups.map(|(group, _)| (Some(&group.name), Some(&group.totals))).collect();
    let left_out = report.groups.len() - groups.len();
    let mut left = report.requests.len();
    for (group, totals) in groups.into_iter().chain([(None, None)]) {
        let rows = report.requests.iter().zip(&shown_requests).filter(|(_, shown)| **shown);
        let rows: Vec<_> = rows.filter(|(row, _)| row.group.as_ref() == group).map(|(row, _)| row).collect();
        left -= rows.len();
        let indent = if report.groups.is_empty() { "" } else { "  " };
        match (group, totals) {
            (Some(name), Some(totals)) => grid.row(Tone::Heading, cells(name, totals)),
            _ if rows.is_empty() || report.groups.is_empty() => {}
            _ => grid.row(Tone::Heading, vec!["(no group)".to_owned()]),
        }
        for row in rows {
            let tone = if row.totals.failures > 0 { Tone::Doubtful } else { Tone::Plain };
            let name = with_method(row.method, &row.name);
            grid.row(tone, cells(&format!("{indent}{name}"), &row.totals));
        }
    }
    grid.row(Tone::Heading, cells("all requests", &report.totals));
    // Of one class they would say the same again.
    let classes = if report.user_classes.len() > 1 { report.user_classes.as_slice() } else { &[] };
    for class in classes.iter().take(SHOWN_CLASSES) {
        grid.row(Tone::Plain, cells(&format!("  by {}", class.name), &class.totals));
    }
    let mut text = grid.render(style);
    if let Some(more) = classes.len().checked_sub(SHOWN_CLASSES).filter(|&more| more > 0) {
        let _ = writeln!(text, "... and {more} more user classes in report.json");
    }
    if left > 0 {
        let groups = if left_out > 0 { format!(" and {left_out} groups") } else { String::new() };
        let _ = writeln!(
            text,
            "... and {left} more requests{groups}, which failed less or were faster, in report.json"
        );
    }
    text.push_str(&service(&report.totals));
    text
}

/// What service times are, where they are not the latencies.
fn service(totals: &Totals) -> String {
    if !totals.waited() {
        return String::new();
    }
    let ms = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| quantity::milliseconds_to(ms, 3));
    let service = &totals.service_ms;
    format!(
        "service time: p50 {}, p95 {}, p99 {} (latencies are from the intended start)\n",
        ms(service.p50),
        ms(service.p95),
        ms(service.p99)
    )
}

/// Which of so many are shown: all of a few; of more, those that failed most, then the slowest by p95.
fn worst<'a>(rows: impl Iterator<Item = &'a Totals>) -> Vec<bool> {
    let mut ranked: Vec<(usize, &Totals)> = rows.enumerate().collect();
    let mut shown = vec![false; ranked.len()];
    let p95 = |totals: &Totals| totals.latency_ms.p95.unwrap_or(-1.0);
    ranked.sort_by(|(_, a), (_, b)| b.failures.cmp(&a.failures).then(p95(b).total_cmp(&p95(a))));
    for (at, _) in ranked.into_iter().take(SHOWN_REQUESTS) {
        shown[at] = true;
    }
    shown
}

/// The name of a series with its method before it, unless it begins with that by itself.
pub(crate) fn with_method(method: &str, name: &str) -> String {
    let own = name.strip_prefix(method).is_some_and(|rest| rest.starts_with(' '));
    if own { name.to_owned() } else { format!("{method} {name}") }
}

fn cells(name: &str, totals: &Totals) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let latency = &totals.latency_ms;
    let milliseconds = |ms: Option<f64>| or_dash(ms.map(quantity::milliseconds));
    vec![
        name.to_owned(),
        quantity::count(totals.requests),
        quantity::count(totals.failures),
        or_dash(totals.success_rate.map(|share| quantity::percent(share * 100.0))),
        or_dash(totals.rps.map(|rps| quantity::decimal(rps, 1))),
        milliseconds(latency.p50),
        milliseconds(latency.p95),
        milliseconds(latency.p99),
        milliseconds(latency.max),
    ]
}

fn errors(report: &Report, style: Style) -> String {
    if report.errors.is_empty() {
        return String::new();
    }
    let mut grid =
        Grid::new(&[("ERRORS", Fill::Number), ("KIND", Fill::Text(10)), ("REQUEST, MESSAGE", Fill::Rest)]);
    for row in report.errors.iter().take(SHOWN_ERRORS) {
        // The message has a line of its own: its end says as much as its beginning.
        grid.row(Tone::Bad, vec![quantity::count(row.count), row.kind.to_owned(), row.request.clone()]);
        grid.row(Tone::Plain, vec![String::new(), String::new(), format!("  {}", row.message)]);
    }
    let mut text = grid.render(style);
    if let Some(more) = report.errors.len().checked_sub(SHOWN_ERRORS).filter(|&more| more > 0) {
        let _ = writeln!(text, "... and {more} more distinct errors in report.json");
    }
    text
}

fn accounting(report: &Report) -> String {
    let books = &report.accounting;
    let n = quantity::count;
    let (started, merged, aborted) = (n(books.started), n(books.merged), n(books.aborted));
    let mut text = match (books.status, books.lost_at_most) {
        ("exact", _) => {
            format!("accounting: exact ({started} started = {merged} merged + {aborted} aborted)\n")
        }
        (_, lost) => {
            let lost = lost.map_or("an unknown number".to_owned(), |lost| format!("at most {}", n(lost)));
            let known = format!("{started} started, {merged} merged, {aborted} aborted");
            format!("accounting: incomplete ({known}; {lost} missing)\n")
        }
    };
    if books.coalesced_windows > 0 {
        let windows = n(books.coalesced_windows);
        let _ = writeln!(
            text,
            "{windows} windows had to wait at their agents and cover several seconds: counts and latencies are exact, the \
             timeline shows the mean of these seconds"
        );
    }
    text.push_str(&match &report.arrivals {
        Some(arrivals) => self::arrivals(arrivals),
        None => users(&report.users),
    });
    text.push_str(&generator(report));
    if let Some(cost) = &report.cost {
        let _ = writeln!(text, "cost: {}", cost.line());
    }
    if report.run.warmup_s > 0.0 {
        let (left_out, seconds) = (n(report.run.warmup_requests), quantity::decimal(report.run.warmup_s, 0));
        let _ = writeln!(
            text,
            "warm-up: {left_out} requests of the first {seconds} s are in the accounting alone"
        );
    }
    if report.late > 0 {
        let late = n(report.late);
        let _ = writeln!(text, "{late} requests came too late for the timeline; the totals have them");
    }
    text
}

fn users(users: &UsersPart) -> String {
    let seconds = |s: f64| quantity::decimal(s, 0);
    let skew = match users.start_skew_ms {
        Some(ms) if ms > 0.0 => format!("; agents began within {} ms", quantity::decimal(ms, 1)),
        _ => String::new(),
    };
    format!(
        "users: {} of {} user-seconds, {} missing{skew}\n",
        seconds(users.actual_user_seconds),
        seconds(users.target_user_seconds),
        seconds(users.missing_user_seconds),
    )
}

fn arrivals(arrivals: &ArrivalsPart) -> String {
    let n = quantity::count;
    let missing = match arrivals.scheduled - arrivals.started - arrivals.dropped {
        0 => String::new(),
        missing => format!(" + {} not made", n(missing)),
    };
    let late = arrivals.start_error_ms.p99.map_or("-".to_owned(), |ms| quantity::milliseconds_to(ms, 3));
    let (scheduled, started, dropped) = (n(arrivals.scheduled), n(arrivals.started), n(arrivals.dropped));
    format!(
        "arrivals: {scheduled} = {started} started + {dropped} dropped{missing}; start error p99 {late}\n"
    )
}

/// How fit the generator was (in one line with one agent, in a line for each with several), and what it carried.
fn generator(report: &Report) -> String {
    format!("{}{}", fitness(report), carried(report))
}

/// What WebSocket conversations carried, and how long connecting took; nothing without any.
fn carried(report: &Report) -> String {
    let mut text =
        conversations::messages(report).map_or(String::new(), |told| format!("messages: {told}\n"));
    for (name, told) in conversations::connecting(report) {
        let line = format!(": {told}");
        let name = escape::fit(name, WIDTH.saturating_sub(line.len() + 11).max(12));
        let _ = writeln!(text, "connecting {name}{line}");
    }
    text
}

fn fitness(report: &Report) -> String {
    let status = report.generator.status;
    let figures = |agent: &GeneratorRow| {
        let cpu = agent.cpu.map_or("-".to_owned(), |share| quantity::percent_to(share * 100.0, 1));
        let lag = agent.lag_ms_p99.map_or("-".to_owned(), |ms| quantity::milliseconds_to(ms, 3));
        format!("cpu {cpu}, lag p99 {lag}")
    };
    if let [agent] = report.generator.agents.as_slice() {
        return format!("generator: {status} ({})\n", figures(agent));
    }
    let mut text = format!("generator: {status}\n");
    for (agent, account) in report.generator.agents.iter().zip(&report.accounting.per_agent) {
        let (users, merged) = (quantity::count(account.users.into()), quantity::count(account.merged));
        let (books, fitness) = (account.status, agent.status);
        let line = format!("{users} users, {merged} merged, {books}; {}, {fitness}", figures(agent));
        let name = escape::fit(&agent.name, WIDTH.saturating_sub(line.len() + 10).max(12));
        let _ = writeln!(text, "  agent {name}: {line}");
    }
    text
}

#[cfg(test)]
mod tests;
