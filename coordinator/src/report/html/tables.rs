//! The tables of the page.

use super::shown;
use super::table::{self, Cell, Row, Use, number, text};
use crate::report::model::{ErrorRow, GeneratorRow, LatencyPart, Report, ThresholdRow, Totals};
use crate::report::remark::remarks;
use crate::report::text::with_method;
use crate::results::quantity;
use maud::{Markup, html};

/// Most rows of a table; a page with that many of each stays below 2 MB.
const MOST_THRESHOLDS: usize = 400;
const MOST_REQUESTS: usize = 600;
const MOST_ERRORS: usize = 150;
const MOST_AGENTS: usize = 200;

/// Longest texts from outside in columns.
const NAME: usize = 120;
const MESSAGE: usize = 400;
const GROUP: usize = 32;

fn count(n: u64) -> Cell {
    Cell::number(Some(quantity::count(n)), Some(n as f64))
}

fn milliseconds(ms: Option<f64>) -> Cell {
    Cell::number(ms.map(|ms| quantity::milliseconds_to(ms, 3)), ms)
}

fn share(share: Option<f64>) -> Cell {
    Cell::number(share.map(|share| quantity::percent(share * 100.0)), share)
}

fn processor(share: Option<f64>) -> Cell {
    Cell::number(share.map(|share| quantity::percent_to(share * 100.0, 1)), share)
}

pub(super) fn thresholds(report: &Report) -> Markup {
    if report.thresholds.is_empty() {
        return html! { p.quiet { "The plan has none." } };
    }
    let row = |row: &ThresholdRow| {
        let (class, sign, word) = match row.status {
            "pass" => ("good", "✓", "pass"),
            "warn" => ("doubtful", "!", "WARN"),
            "fail" => ("bad", "✕", "FAIL"),
            _ => ("doubtful", "?", "NO DATA"),
        };
        let status = html! {
            span.pill data-status=(row.status) { span aria-hidden="true" { (sign) } " " (word) }
            @if row.undecided { " " span.quiet { "undecided" } }
        };
        let cells = vec![
            Cell::markup(status),
            Cell::markup(html! { code { (shown(&row.expression, NAME)) } }),
            Cell::text(&shown(&row.scope, NAME)),
            observed(row),
            count(row.samples),
        ];
        Row { class, cells }
    };
    // What was missed comes first, the rest as in the plan.
    let rank = |row: &&ThresholdRow| match row.status {
        "fail" => 0,
        "no_data" => 1,
        "warn" => 2,
        _ => 3,
    };
    let mut sorted: Vec<&ThresholdRow> = report.thresholds.iter().collect();
    sorted.sort_by_key(rank);
    let rows: Vec<Row> = sorted.into_iter().take(MOST_THRESHOLDS).map(row).collect();
    let columns = [text("Status"), text("Threshold"), text("Scope"), number("Observed"), number("Samples")];
    html! {
        (table::render("threshold-table", "Thresholds, those that were missed first", Use::Show, &columns, &rows))
        (table::more(report.thresholds.len(), rows.len()))
    }
}

/// The observed value, and how sure it is.
fn observed(row: &ThresholdRow) -> Cell {
    let text = row.observed_text.as_deref().map_or("–".to_owned(), |text| shown(text, 40));
    let shown = html! { (text) @for remark in remarks(row) { small { (remark) } } };
    Cell { shown, value: row.observed }
}

pub(super) fn requests(report: &Report) -> Markup {
    let waited = report.totals.waited();
    let figures = |name: Cell, group: Cell, totals: &Totals| figures(name, group, totals, waited);
    let mut columns = vec![
        text("Request"),
        text("Group"),
        number("Count"),
        number("Failed"),
        number("Success"),
        number("Rate"),
        number("p50"),
        number("p90"),
        number("p95"),
        number("p99"),
        number("Max"),
    ];
    if waited {
        columns.extend([number("Service p50"), number("Service p95"), number("Service p99")]);
    }
    columns.extend([number("Min"), number("Mean"), number("Std dev")]);
    let groups = report.groups.iter().map(|group| Row {
        class: "group",
        cells: figures(Cell::text(&shown(&group.name, NAME)), Cell::text("group"), &group.totals),
    });
    let classes = report.user_classes.iter().filter(|_| report.user_classes.len() > 1).map(|class| Row {
        class: "group",
        cells: figures(Cell::text(&shown(&class.name, NAME)), Cell::text("user class"), &class.totals),
    });
    let requests = report.requests.iter().take(MOST_REQUESTS).map(|row| {
        let name = html! {
            (shown(&with_method(row.method, &row.name), NAME))
            " " small { (shown(&format!("{} / {}", row.user_class, row.task), NAME)) }
        };
        let class = match row {
            row if row.totals.requests == 0 => "never",
            row if row.totals.failures > 0 => "failed",
            _ => "",
        };
        let group = Cell::text(&row.group.as_deref().map_or("–".to_owned(), |group| shown(group, GROUP)));
        Row { class, cells: figures(Cell::markup(name), group, &row.totals) }
    });
    let all = std::iter::once(Row {
        class: "all",
        cells: figures(Cell::text("all requests"), Cell::default(), &report.totals),
    });
    let rows: Vec<Row> = all.chain(groups).chain(classes).chain(requests).collect();
    html! {
        (table::render("request-table", "All requests, groups, user classes, then each request of the plan", Use::Explore, &columns, &rows))
        (table::more(report.requests.len(), report.requests.len().min(MOST_REQUESTS)))
        @if waited {
            p.quiet { "Latencies count from when a request was to be made, service times from when it was: what lies between is what late users add." }
        }
    }
}

/// A row of the request table, with service times where these are not the latencies.
fn figures(name: Cell, group: Cell, totals: &Totals, waited: bool) -> Vec<Cell> {
    let LatencyPart { min, mean, stddev, p50, p90, p95, p99, max, .. } = totals.latency_ms;
    let rate = Cell::number(totals.rps.map(|rps| format!("{}/s", quantity::decimal(rps, 1))), totals.rps);
    let mut cells =
        vec![name, group, count(totals.requests), count(totals.failures), share(totals.success_rate), rate];
    cells.extend([p50, p90, p95, p99, max].map(milliseconds));
    if waited {
        let LatencyPart { p50, p95, p99, .. } = totals.service_ms;
        cells.extend([p50, p95, p99].map(milliseconds));
    }
    cells.extend([min, mean, stddev].map(milliseconds));
    cells
}

pub(super) fn errors(report: &Report) -> Markup {
    if report.errors.is_empty() {
        return html! { p.quiet { "None." } };
    }
    let row = |row: &ErrorRow| {
        let clock =
            |at: &str| at.split(['T', '.', 'Z']).nth(1).map_or_else(|| shown(at, 20), |time| shown(time, 20));
        let cells = vec![
            count(row.count),
            Cell::text(row.kind),
            Cell::markup(html! { span.message { (shown(&row.message, MESSAGE)) } }),
            Cell::text(&shown(&row.request, NAME)),
            Cell::text(&clock(&row.first_at)),
            Cell::text(&clock(&row.last_at)),
        ];
        Row { class: "", cells }
    };
    let rows: Vec<Row> = report.errors.iter().take(MOST_ERRORS).map(row).collect();
    let columns = [
        number("Count"),
        text("Kind"),
        text("Message"),
        text("Request"),
        text("First, UTC"),
        text("Last, UTC"),
    ];
    html! {
        (table::render("error-table", "Distinct errors, the most frequent first", Use::Explore, &columns, &rows))
        (table::more(report.errors.len(), rows.len()))
    }
}

pub(super) fn agents(report: &Report) -> Markup {
    let columns = [
        text("Agent"),
        text("Fit to measure"),
        number("Users"),
        number("Merged"),
        text("Books"),
        number("Cores"),
        number("CPU"),
        number("CPU max"),
        number("Lag p99"),
        number("Memory"),
        text("Version"),
    ];
    let row = |agent: &GeneratorRow| {
        let books = report.accounting.per_agent.iter().find(|books| books.name == agent.name);
        let class = match agent.status {
            "valid" => "good",
            "degraded" => "doubtful",
            _ => "bad",
        };
        let fit = html! {
            span.pill data-status=(agent.status) { (agent.status) }
            @for reason in agent.reasons.iter().take(5) { small.why { (shown(reason, MESSAGE)) } }
        };
        let memory = agent
            .memory_bytes
            .map(|bytes| format!("{} MiB", quantity::decimal(bytes as f64 / 1_048_576.0, 1)));
        let cells = vec![
            Cell::text(&shown(&agent.name, NAME)),
            Cell::markup(fit),
            books.map_or_else(Cell::default, |books| count(books.users.into())),
            books.map_or_else(Cell::default, |books| count(books.merged)),
            Cell::text(books.map_or("–", |books| books.status)),
            count(agent.cores.into()),
            processor(agent.cpu),
            processor(agent.cpu_max),
            milliseconds(agent.lag_ms_p99),
            Cell::number(memory, agent.memory_bytes.map(|bytes| bytes as f64)),
            Cell::text(&shown(&agent.build, 40)),
        ];
        Row { class, cells }
    };
    let rows: Vec<Row> = report.generator.agents.iter().take(MOST_AGENTS).map(row).collect();
    html! {
        @if rows.is_empty() { p.quiet { "None had users." } }
        @else { (table::render("agent-table", "Agents that had users", Use::Explore, &columns, &rows)) }
        (table::more(report.generator.agents.len(), rows.len()))
        (losses(report))
    }
}

fn losses(report: &Report) -> Markup {
    let seconds =
        |at: Option<f64>| at.map_or("–".to_owned(), |at| format!("{} s", quantity::decimal(at, 1)));
    html! {
        @if !report.users.losses.is_empty() {
            ul.facts {
                @for loss in report.users.losses.iter().take(MOST_AGENTS) {
                    li {
                        "Agent " b { (shown(&loss.agent, NAME)) } " " (loss.kind) " at "
                        (seconds(loss.lost_at_s.or(loss.left_at_s))) " with " (loss.users) " users: "
                        (loss.moved) " moved, " (loss.stranded) " found no room, " (loss.waited) " waited."
                    }
                }
            }
        }
    }
}
