//! Threshold sentences: `METRIC OP VALUE [critical VALUE] [over WINDOW] [samples N] [abort [after TIME]]`.
//!
//! A sentence is parsed into exact bounds (integers), and judged by cross-multiplying integers: 99 of 100
//! successes meet `success_rate >= 99%`, 98.99999 % do not. The `f64`s of this module are for reports.

mod bears;
mod bound;
mod figure;
mod judge;
mod metric;
mod observed;
mod sentence;
#[cfg(test)]
mod tests;

pub use figure::FigureThreshold;
pub use judge::{Judgement, Status};
pub use metric::Metric;

use bound::Bound;
use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

/// How the observed value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// One parsed sentence; made by [`Threshold::parse`] only.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The sentence as it was written, one space between its words.
    pub expression: String,
    /// What it looks at.
    pub metric: Metric,
    /// How it compares.
    pub op: Op,
    /// The value to meet, in the metric's [`unit`](Metric::unit). For reports; judged is the exact value.
    pub value: f64,
    /// With `critical`: missing `value` is a warning, missing this one a failure.
    pub critical: Option<f64>,
    /// With `over`: judged on a sliding window of this length, whole seconds from 1 s to 1 h.
    pub over: Option<Duration>,
    /// With `samples`: fewer requests than this are no data.
    pub samples: Option<u64>,
    /// With `abort`, missing it stops the run; not before so long after the warm-up.
    pub abort: Option<Duration>,
    /// `value`, exact.
    target: Bound,
    /// `critical`, exact.
    limit: Option<Bound>,
}

impl Threshold {
    /// Of a threshold that says just `abort`, how long after the warm-up it may stop the run.
    pub const ABORT_AFTER: Duration = Duration::from_secs(5);
}

impl Op {
    /// As written in a plan: `<=`.
    pub fn symbol(self) -> &'static str {
        match self {
            Op::Less => "<",
            Op::LessOrEqual => "<=",
            Op::Greater => ">",
            Op::GreaterOrEqual => ">=",
            Op::Equal => "==",
            Op::NotEqual => "!=",
        }
    }

    /// Whether a value that compares to the bound as `ordering` meets it.
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Op::Less => ordering.is_lt(),
            Op::LessOrEqual => ordering.is_le(),
            Op::Greater => ordering.is_gt(),
            Op::GreaterOrEqual => ordering.is_ge(),
            Op::Equal => ordering.is_eq(),
            Op::NotEqual => ordering.is_ne(),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.symbol())
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.expression)
    }
}
