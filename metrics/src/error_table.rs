//! Distinct errors with their counts, bounded whatever the target sends.

use crate::{ErrorKind, SeriesId};
use std::time::Duration;

/// One distinct error and how often it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCount {
    /// The series whose requests failed.
    pub series: SeriesId,
    /// The kind of failure.
    pub kind: ErrorKind,
    /// At most [`ErrorTable::MAX_MESSAGE_CHARS`] characters, control characters replaced.
    pub message: String,
    /// How many requests failed with it.
    pub count: u64,
    /// When the first one ended, since T0.
    pub first: Duration,
    /// When the last one ended, since T0.
    pub last: Duration,
}

/// Counts of distinct (series, kind, message); a full table folds further messages of a series and kind
/// into one row that says so, so counts stay exact while memory stays bounded.
#[derive(Clone, Debug, Default)]
pub struct ErrorTable {
    rows: Vec<ErrorCount>,
}

impl ErrorTable {
    /// Longest message kept, in characters.
    pub const MAX_MESSAGE_CHARS: usize = 200;

    /// A table of at most `max_rows` distinct messages (plus one fold row per series and kind).
    pub fn new(max_rows: usize) -> ErrorTable {
        let _ = max_rows;
        todo!()
    }

    /// Counts `count` failures.
    pub fn add(
        &mut self,
        series: SeriesId,
        kind: ErrorKind,
        message: &str,
        count: u64,
        first: Duration,
        last: Duration,
    ) {
        let _ = (series, kind, message, count, first, last);
        todo!()
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &ErrorTable) {
        let _ = other;
        todo!()
    }

    /// The rows, in a deterministic order.
    pub fn rows(&self) -> impl Iterator<Item = &ErrorCount> {
        self.rows.iter()
    }
}
