//! `summary.md`: the result on a page, for pull requests and the step summary of GitHub Actions.
//!
//! GitHub takes at most 1 MiB, and refuses all of what is longer. So every table is given so many bytes, says how many
//! rows it left out, and no text from outside is longer than a line. Verdict and reasons come first.

use super::conversations;
use super::escape::fit;
use super::model::{ErrorRow, GeneratorRow, ObservedRow, Report, ThresholdRow, Totals};
use super::remark::remarks;
use super::text::with_method;
use crate::compare::{markdown_sign, markdown_table};
use crate::results::quantity;
use std::fmt::Write as _;

/// Most bytes of each table; all of them together stay well below 1 MiB.
const TABLE_BYTES: usize = 150_000;

/// Longest text from outside in columns; Markdown has at most 8 bytes for each.
const TEXT_COLUMNS: usize = 160;

/// Longest reason in columns.
const REASON_COLUMNS: usize = 600;

/// Reasons that are shown.
const SHOWN_REASONS: usize = 50;

/// The whole page.
pub(super) fn render(report: &Report) -> String {
    let mut page = String::new();
    verdict(&mut page, report);
    thresholds(&mut page, report);
    if let Some(baseline) = &report.baseline {
        let (sign, word) = markdown_sign(baseline);
        let _ = writeln!(page, "### Baseline: {sign} {}\n", word.to_lowercase());
        markdown_table(&mut page, baseline);
    }
    requests(&mut page, report);
    errors(&mut page, report);
    observed_figures(&mut page, report);
    books(&mut page, report);
    page
}

fn verdict(page: &mut String, report: &Report) {
    let run = &report.run;
    let profile = run.profile.as_ref().map_or(String::new(), |profile| format!(" ({})", markdown(profile)));
    let (sign, word) = sign(report.verdict);
    let _ = writeln!(page, "## {sign} {word}: {}{profile}\n", markdown(&run.name));
    for reason in report.reasons.iter().take(SHOWN_REASONS) {
        let _ = writeln!(page, "- {}", sentence(reason));
    }
    if let Some(more) = report.reasons.len().checked_sub(SHOWN_REASONS).filter(|&more| more > 0) {
        let _ = writeln!(page, "- … and {more} more in `report.json`");
    }
    let totals = &report.totals;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rate = or_dash(totals.rps.map(|rps| format!("{}/s", quantity::decimal(rps, 1))));
    let success = or_dash(totals.success_rate.map(|share| quantity::percent(share * 100.0)));
    let p95 = or_dash(totals.latency_ms.p95.map(|ms| quantity::milliseconds_to(ms, 3)));
    let p99 = or_dash(totals.latency_ms.p99.map(|ms| quantity::milliseconds_to(ms, 3)));
    let requests = quantity::count(totals.requests);
    let _ = writeln!(
        page,
        "\n**{requests}** requests, {rate} · success **{success}** · p95 **{p95}** · p99 **{p99}**\n"
    );
    let measured = quantity::decimal(run.duration_s - run.warmup_s, 1);
    let warmup = match run.warmup_s {
        seconds if seconds > 0.0 => format!(" after {} s of warm-up", quantity::decimal(seconds, 0)),
        _ => String::new(),
    };
    let _ = writeln!(
        page,
        "{} · {measured} s measured{warmup} · started {} · run `{}` · seed {} · exit code {}\n",
        markdown(&run.target),
        markdown(&run.started_at),
        code(&run.id),
        run.seed,
        report.exit_code
    );
}

fn sign(verdict: &str) -> (&'static str, &'static str) {
    match verdict {
        "pass" => ("✅", "PASS"),
        "warn" => ("⚠️", "WARN"),
        "fail" => ("❌", "FAIL"),
        _ => ("❔", "INCONCLUSIVE"),
    }
}

fn thresholds(page: &mut String, report: &Report) {
    if report.thresholds.is_empty() {
        return;
    }
    let status = |row: &ThresholdRow| match row.status {
        "pass" => "✅ pass",
        "warn" => "⚠️ WARN",
        "fail" => "❌ **FAIL**",
        _ => "❔ NO DATA",
    };
    let row = |row: &ThresholdRow| {
        vec![
            markdown(&row.expression),
            markdown(&row.scope),
            observed(row),
            quantity::count(row.samples),
            status(row).to_owned(),
        ]
    };
    // What was missed is not what is left out.
    let rank = |row: &&ThresholdRow| match row.status {
        "fail" => 0,
        "no_data" => 1,
        "warn" => 2,
        _ => 3,
    };
    let mut rows: Vec<&ThresholdRow> = report.thresholds.iter().collect();
    rows.sort_by_key(rank);
    let head = ["Threshold", "Scope", "Observed>", "Samples>", "Status"];
    table(page, "Thresholds", &head, rows.into_iter().map(row).collect());
}

/// Figures of the target itself.
fn observed_figures(page: &mut String, report: &Report) {
    if report.observed.is_empty() {
        return;
    }
    let row = |row: &ObservedRow| {
        let [min, mean, max, last] = row.range_texts();
        let mut failed = quantity::count(row.failures);
        for reason in row.reasons.iter().take(SHOWN_REASONS) {
            let _ = write!(failed, "<br><sub>{}</sub>", markdown(reason));
        }
        let samples = quantity::count(row.samples);
        vec![markdown(&row.name), markdown(&row.probe), samples, failed, min, mean, max, last]
    };
    let head = ["Figure", "Probe", "Samples>", "Failed>", "Min>", "Mean>", "Max>", "Last>"];
    table(page, "Figures of the target", &head, report.observed.iter().map(row).collect());
}

/// The observed value, and how sure it is.
fn observed(row: &ThresholdRow) -> String {
    let mut shown = row.observed_text.as_deref().map_or("-".to_owned(), markdown);
    for remark in remarks(row) {
        let _ = write!(shown, "<br><sub>{}</sub>", markdown(&remark));
    }
    shown
}

fn requests(page: &mut String, report: &Report) {
    let all = std::iter::once(cells("**all requests**".to_owned(), String::new(), &report.totals));
    let groups = report
        .groups
        .iter()
        .map(|group| cells(format!("**{}**", markdown(&group.name)), "group".to_owned(), &group.totals));
    let classes =
        report.user_classes.iter().filter(|_| report.user_classes.len() > 1).map(|class| {
            cells(format!("**{}**", markdown(&class.name)), "user class".to_owned(), &class.totals)
        });
    let requests = report.requests.iter().map(|row| {
        let name = markdown(&with_method(row.method, &row.name));
        cells(name, row.group.as_deref().map_or("-".to_owned(), markdown), &row.totals)
    });
    if report.totals.waited() {
        let ms = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| quantity::milliseconds_to(ms, 3));
        let service = &report.totals.service_ms;
        let _ = writeln!(
            page,
            "Latencies count from the intended start; **service time**: p50 {} · p95 {} · p99 {}\n",
            ms(service.p50),
            ms(service.p95),
            ms(service.p99)
        );
    }
    let head = ["Request", "Group", "Count>", "Failed>", "Success>", "Rate>", "p50>", "p95>", "p99>", "Max>"];
    table(page, "Requests", &head, all.chain(groups).chain(classes).chain(requests).collect());
}

fn cells(name: String, group: String, totals: &Totals) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let latency = |ms: Option<f64>| or_dash(ms.map(|ms| quantity::milliseconds_to(ms, 3)));
    let ms = &totals.latency_ms;
    vec![
        name,
        group,
        quantity::count(totals.requests),
        quantity::count(totals.failures),
        or_dash(totals.success_rate.map(|share| quantity::percent(share * 100.0))),
        or_dash(totals.rps.map(|rps| format!("{}/s", quantity::decimal(rps, 1)))),
        latency(ms.p50),
        latency(ms.p95),
        latency(ms.p99),
        latency(ms.max),
    ]
}

fn errors(page: &mut String, report: &Report) {
    if report.errors.is_empty() {
        return;
    }
    let row = |row: &ErrorRow| {
        vec![quantity::count(row.count), row.kind.to_owned(), markdown(&row.request), markdown(&row.message)]
    };
    table(page, "Errors", &["Count>", "Kind", "Request", "Message"], report.errors.iter().map(row).collect());
}

fn books(page: &mut String, report: &Report) {
    let books = &report.accounting;
    let n = quantity::count;
    let missing = match books.lost_at_most {
        _ if books.status == "exact" => String::new(),
        Some(lost) => format!(", at most {} missing", n(lost)),
        None => ", an unknown number missing".to_owned(),
    };
    let _ = writeln!(
        page,
        "**Accounting: {}** ({} started, {} merged, {} aborted{missing}) · **generator: {}**\n",
        books.status,
        n(books.started),
        n(books.merged),
        n(books.aborted),
        report.generator.status
    );
    if let Some(messages) = conversations::messages(report) {
        let _ = writeln!(page, "**Messages:** {messages}\n");
    }
    for (name, times) in conversations::connecting(report) {
        let _ = writeln!(page, "**Time to connect** {}: {times}\n", markdown(name));
    }
    if let Some(cost) = &report.cost {
        let _ = writeln!(page, "**Cost:** {}\n", markdown(&cost.line()));
    }
    let share =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| quantity::percent_to(share * 100.0, 1));
    let row = |agent: &GeneratorRow| {
        let lag = agent.lag_ms_p99.map_or("-".to_owned(), |ms| quantity::milliseconds_to(ms, 3));
        vec![
            markdown(&agent.name),
            agent.status.to_owned(),
            share(agent.cpu),
            share(agent.cpu_max),
            lag,
            agent.reasons.first().map_or(String::new(), |reason| markdown(reason)),
        ]
    };
    let head = ["Agent", "Status", "CPU>", "CPU max>", "Lag p99>", "Why"];
    table(page, "Agents", &head, report.generator.agents.iter().map(row).collect());
}

/// A table of at most [`TABLE_BYTES`]; a title that ends in `>` is of a column of numbers.
pub(crate) fn table(page: &mut String, title: &str, head: &[&str], rows: Vec<Vec<String>>) {
    let names: Vec<&str> = head.iter().map(|title| title.trim_end_matches('>')).collect();
    let rule: Vec<&str> = head.iter().map(|title| if title.ends_with('>') { "--:" } else { "---" }).collect();
    let _ = writeln!(page, "### {title}\n\n| {} |\n| {} |", names.join(" | "), rule.join(" | "));
    let (end, total) = (page.len() + TABLE_BYTES, rows.len());
    for (cells, shown) in rows.into_iter().zip(0..) {
        let line = format!("| {} |\n", cells.join(" | "));
        if page.len() + line.len() > end {
            let _ = writeln!(page, "\n… and {} more rows in `report.json`", total - shown);
            break;
        }
        page.push_str(&line);
    }
    page.push('\n');
}

/// Text from outside, bounded, as Markdown that shows it and does nothing else.
pub(crate) fn markdown(text: &str) -> String {
    safe(&fit(text, TEXT_COLUMNS))
}

/// A sentence of ours with text from outside in it, likewise.
pub(crate) fn sentence(text: &str) -> String {
    safe(&fit(text, REASON_COLUMNS))
}

/// As [`markdown`], of text that is bounded and has no control characters.
fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '#' | ':' | '!' | '$'
            | '"' => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
            // Mentions are made of the page's text, whatever it was written as.
            '@' => safe.push_str("@<!-- -->"),
            _ => safe.push(c),
        }
    }
    safe
}

/// Text in a code span.
fn code(text: &str) -> String {
    fit(text, TEXT_COLUMNS).replace('`', "'")
}

#[cfg(test)]
mod tests;
