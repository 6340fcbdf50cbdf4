//! `report.html`: the result as one page, for people: a release meeting, a phone, a printer.
//!
//! It needs nothing but itself: no network, no script to be read (charts are drawn here, as SVG), one style sheet and one
//! small script (sorting, filtering, the choice of light and dark) whose hashes the page's own policy demands, so that
//! nothing else could run. Markup is made with maud, which escapes whatever it is given; text from outside is cut and
//! made visible first ([`shown`]).

mod baseline;
mod charts;
mod facts;
mod figures;
mod head;
mod plot;
mod table;
mod tables;

use super::escape;
use super::model::Report;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The whole page.
pub(super) fn render(report: &Report) -> String {
    let (style, script) = (content_hash(STYLE), content_hash(SCRIPT));
    let policy = format!(
        "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:; base-uri 'none'; form-action 'none'"
    );
    let word = report.verdict.to_uppercase();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "Muster " (env!("CARGO_PKG_VERSION")) };
                title { (word) ": " (shown(&report.run.name, 120)) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body data-verdict=(report.verdict) {
                a.skip href="#verdict" { "Skip to the verdict" }
                (head::render(report))
                main {
                    (section("thresholds", "Thresholds", &tables::thresholds(report)))
                    @if let Some(comparison) = &report.baseline {
                        (section("baseline", "Baseline", &baseline::render(comparison)))
                    }
                    (section("charts", "Charts", &charts::render(report)))
                    @if !report.observed.is_empty() {
                        (section("observed", "Figures of the target", &figures::render(report)))
                    }
                    (section("requests", "Requests", &tables::requests(report)))
                    (section("errors", "Errors", &tables::errors(report)))
                    (section("agents", "Agents", &tables::agents(report)))
                    (section("plan", "Plan and environment", &facts::render(report)))
                }
                footer {
                    p { "Made by Muster " (env!("CARGO_PKG_VERSION")) " from " code { "report.json" } ", which has all of it: " code { "coordinator report" } " makes this page again." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            (content)
        }
    }
}

/// Text from outside in at most so many columns, with what cannot be seen made visible.
fn shown(text: &str, columns: usize) -> String {
    escape::fit(text, columns)
}

/// The same of a sentence of ours, with what stands in backquotes as code.
fn sentence(text: &str, columns: usize) -> Markup {
    let text = shown(text, columns);
    let parts: Vec<&str> = text.split('`').collect();
    // Backquotes that are no pairs came from outside.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! { @for (part, at) in parts.iter().zip(0_usize..) { @if at % 2 == 1 { code { (part) } } @else { (part) } } }
}

/// As a content security policy names an inline element.
fn content_hash(text: &str) -> String {
    let hexadecimal = plan::sha256_hex(text.as_bytes());
    let digit = |at: usize| hexadecimal.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Vec<u8> = (0..hexadecimal.len()).step_by(2).filter_map(digit).collect();
    format!("sha256-{}", BASE64_STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests;
