//! Figures of the target itself (`observe` of the plan): asked for while the load lasts, kept, plotted and judged.
//!
//! [`Books`] is pure: it takes samples with the time at which they were due, keeps a bounded course of each figure
//! ([`Course`]), counts what went wrong, and judges what was due after the warm-up ([`JudgedFigure`]). The sampler
//! is its driver: one task for each probe, which neither another probe nor the fleet waits for.

mod ask;
mod books;
mod course;
mod judged;
mod sampler;
#[cfg(test)]
mod tests;

pub use books::{Books, FigureRecord, FigureStanding, Sample};
pub use course::{Course, Point};
pub(crate) use judged::told;
pub use judged::{FigureBreach, JudgedFigure};
pub(crate) use sampler::{Sampler, Samples};
