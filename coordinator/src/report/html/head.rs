//! What a reader sees first: the verdict, why, and the figures that matter.

use super::{sentence, shown};
use crate::report::model::Report;
use crate::results::quantity;
use maud::{Markup, html};

/// Reasons that are shown at once; the rest is behind a fold.
const SHOWN_REASONS: usize = 8;

/// Most reasons on the page.
const MOST_REASONS: usize = 200;

/// Longest reason in columns.
const REASON_COLUMNS: usize = 600;

pub(super) fn render(report: &Report) -> Markup {
    let run = &report.run;
    html! {
        header {
            div.bar {
                nav aria-label="Sections" {
                    a href="#thresholds" { "Thresholds" }
                    @if report.baseline.is_some() { a href="#baseline" { "Baseline" } }
                    a href="#charts" { "Charts" }
                    @if !report.observed.is_empty() { a href="#observed" { "Figures" } }
                    a href="#requests" { "Requests" }
                    a href="#errors" { "Errors" }
                    a href="#agents" { "Agents" }
                    a href="#plan" { "Plan" }
                }
                button #theme type="button" hidden { "Dark" }
            }
            div.title #verdict tabindex="-1" {
                p.verdict data-value=(report.verdict) { span.sign aria-hidden="true" { (sign(report.verdict)) } (report.verdict.to_uppercase()) }
                div {
                    h1 { (shown(&run.name, 200)) @if let Some(profile) = &run.profile { " " span.profile { (shown(profile, 80)) } } }
                    p.quiet { (shown(&run.target, 200)) " · " (when(report)) }
                }
            }
            (reasons(report))
            (cards(report))
        }
    }
}

/// A sign beside the word, so that colour says nothing alone.
fn sign(verdict: &str) -> &'static str {
    match verdict {
        "pass" => "✓",
        "warn" => "!",
        "fail" => "✕",
        _ => "?",
    }
}

fn when(report: &Report) -> String {
    let run = &report.run;
    let measured = quantity::decimal(run.duration_s - run.warmup_s, 1);
    let warmup = match run.warmup_s {
        seconds if seconds > 0.0 => format!(" after {} s of warm-up", quantity::decimal(seconds, 0)),
        _ => String::new(),
    };
    let started =
        run.started_at.split('.').next().unwrap_or_default().trim_end_matches('Z').replace('T', " ");
    format!("{} UTC · {measured} s measured{warmup}", shown(&started, 30))
}

fn reasons(report: &Report) -> Markup {
    let list = |reasons: &[String]| {
        html! { ul.reasons { @for reason in reasons { li { (sentence(reason, REASON_COLUMNS)) } } } }
    };
    let (first, more) = report.reasons.split_at(report.reasons.len().min(SHOWN_REASONS));
    let shown_more = &more[..more.len().min(MOST_REASONS)];
    html! {
        @if first.is_empty() {
            p.reasons { @if report.thresholds.is_empty() { "The plan has no thresholds." } @else { "Every threshold was met." } }
        } @else {
            (list(first))
        }
        @if !more.is_empty() {
            details { summary { (more.len()) " more reasons" } (list(shown_more)) }
        }
        @if let Some(tags) = &report.run.tags { p.quiet { (shown(&tags.told, REASON_COLUMNS)) } }
    }
}

fn cards(report: &Report) -> Markup {
    let totals = &report.totals;
    let latency = &totals.latency_ms;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let ms = |ms: Option<f64>| or_dash(ms.map(|ms| quantity::milliseconds_to(ms, 3)));
    let peak = report.timeline.iter().map(|row| row.users).max();
    let (exact, lost) = (report.accounting.status == "exact", report.accounting.lost_at_most);
    let cards = [
        ("requests", "Requests", quantity::count(totals.requests), Some(totals.requests as f64)),
        ("rps", "Per second", or_dash(totals.rps.map(|rps| quantity::decimal(rps, 1))), totals.rps),
        (
            "success_rate",
            "Succeeded",
            or_dash(totals.success_rate.map(|share| quantity::percent(share * 100.0))),
            totals.success_rate,
        ),
        ("failures", "Failures", quantity::count(totals.failures), Some(totals.failures as f64)),
        ("p50", "p50", ms(latency.p50), latency.p50),
        ("p95", "p95", ms(latency.p95), latency.p95),
        ("p99", "p99", ms(latency.p99), latency.p99),
        ("users", "Users at most", or_dash(peak.map(|n| quantity::count(n.into()))), peak.map(f64::from)),
    ];
    html! {
        dl.cards {
            @for (key, title, text, value) in cards {
                div { dt { (title) } dd data-key=(key) data-value=[value] { (text) } }
            }
        }
        p.trust {
            span class=(if exact { "good" } else { "doubtful" }) { "Accounting: " (report.accounting.status) }
            @if !exact {
                " " span.quiet { @match lost { Some(lost) => { "at most " (quantity::count(lost)) " requests missing" } None => "an unknown number of requests missing" } }
            }
            " "
            span class=(match report.generator.status { "valid" => "good", "degraded" => "doubtful", _ => "bad" }) { "Generator: " (report.generator.status) }
        }
    }
}
