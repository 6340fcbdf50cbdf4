//! How a run is told: one model of numbers, and the forms it is written in.
//!
//! **Invariant:** a report decides nothing. Everything that is judged is judged in [`results`](crate::results);
//! here numbers get their units, and text from outside is made harmless where it is shown.

mod build;
mod chores;
pub(crate) mod escape;
pub(crate) mod grid;
mod json;
mod model;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub use escape::escape;
pub use json::{ReportError, write_json};
pub use model::Report;
pub use text::{Style, render_text};
