//! Two runs side by side: what became slower, what fails more often, and how sure that is.
//!
//! **Invariant:** this module is pure. It is given two reports and makes one model of them
//! (`ComparisonPart`, the `baseline` of a `report.json`), which text, Markdown and pages tell ([`render_text`]). The
//! statistics are those of [`metrics::compare`]; here reports are taken apart into what these compare.
//!
//! Latencies are compared in blocks of time (`blocks`), as requests of one slow second depend on each other. Latencies and
//! failures are two families of tests, and each gets half of the false alarms that are allowed.

mod baseline;
mod blocks;
mod comparison;
mod cost;
mod differences;
mod findings;
mod limits;
mod markdown;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod text;

pub use baseline::{Baseline, OnRegression, exit_code};
pub use comparison::{Incomparable, compare};
pub(crate) use cost::cost_line;
pub(crate) use findings::{change_word, signed_percent};
pub use limits::Limits;
pub use markdown::render_markdown;
pub(crate) use markdown::{sign as markdown_sign, table as markdown_table};
#[cfg(test)]
pub(crate) use simulated::run_like;
pub use text::{render_text, summary_text};
