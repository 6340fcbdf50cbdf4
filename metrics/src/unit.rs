//! Quantities with their units, as people write them in plans and on command lines.
//!
//! All arithmetic is on integers, so `0.1s` is exactly 100 ms and `0.5/s` exactly one event per 2 s. A bare
//! number is never a quantity: the error names the value with its likely units.

mod decimal;
mod duration;
mod percent;
mod price;
mod rate;
mod size;
#[cfg(test)]
mod tests;

pub(crate) use decimal::Decimal;
pub use duration::{format_duration, parse_duration};
pub use percent::parse_percent;
pub(crate) use percent::{MILLIONTHS_PER_PERCENT, parse_percent_millionths};
pub use price::{Currency, MICROS, Price, parse_price};
pub use rate::{Rate, parse_rate};
pub use size::{format_size, parse_size};

/// Why a quantity was refused: what was wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct UnitError {
    /// What is wrong with the text.
    pub problem: String,
    /// How to write it, for instance ``write `500ms` or `2s` ``.
    pub remedy: String,
}

impl UnitError {
    /// An error that reads `problem` and is put right by `remedy`.
    pub(crate) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> UnitError {
        UnitError { problem: problem.into(), remedy: remedy.into() }
    }
}

/// `text` between backquotes, safe to show: at most 40 characters, control characters escaped.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown = String::from("`");
    let mut characters = text.chars();
    for character in characters.by_ref().take(SHOWN) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}
