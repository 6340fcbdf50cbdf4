//! Distinct errors with their counts, bounded whatever the target sends.

use crate::fingerprint::fingerprint;
use crate::{ErrorKind, SeriesId, Window};
use std::borrow::Cow;
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

/// Counts of distinct (series, kind, message), exact and in bounded memory.
///
/// Messages that are the same but for their numbers, UUIDs, addresses and quotes are told apart as long as there are few:
/// with more than [`MAX_ALIKE`](ErrorTable::MAX_ALIKE) of a series and kind, all of them become one row, whose message is
/// what they have in common (`order {number} is not there`). So `status 500` and `status 503` keep a row each, and a
/// million order numbers have one. What is different beyond that fills the table; a full one counts further messages of a
/// series and kind in one row that says so.
///
/// The sum of all counts is always exact. Unless the table was full, the rows are the same in whatever order and parts they
/// came. Which messages have a row of their own once it was full depends on the order; the same calls in the same order
/// make the same table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorTable {
    /// Sorted by series, kind and message.
    rows: Vec<ErrorCount>,
    /// A hash of what each row's message has in common with others; in the order of the rows.
    alike: Vec<u64>,
    max_rows: usize,
    /// How many of the rows are fold rows.
    folds: usize,
}

impl ErrorTable {
    /// Longest message kept, in characters.
    pub const MAX_MESSAGE_CHARS: usize = 200;
    /// Most messages of a series and kind that differ only in numbers and the like and have a row each.
    pub const MAX_ALIKE: usize = 10;
    /// The message of the rows that count what a full table could not keep apart.
    pub const FOLD_MESSAGE: &str = "(other messages)";
    /// Most fold rows by series; further series share the fold row of the first series with that kind.
    pub const MAX_FOLDS: usize = 4_096;

    /// A table of at most `max_rows` distinct messages (plus one fold row per series and kind, of which there are
    /// at most [`MAX_FOLDS`](ErrorTable::MAX_FOLDS) and one per kind).
    pub fn new(max_rows: usize) -> ErrorTable {
        ErrorTable { rows: Vec::new(), alike: Vec::new(), max_rows, folds: 0 }
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
        if count == 0 {
            return;
        }
        let message = bounded(message);
        let index = match self.find(series, kind, &message) {
            Ok(index) => index,
            Err(_) if message == Self::FOLD_MESSAGE => self.fold_row(series, kind, first, last),
            Err(place) => self.new_message(place, series, kind, &message, first, last),
        };
        let row = &mut self.rows[index];
        row.count = row.count.saturating_add(count);
        row.first = row.first.min(first);
        row.last = row.last.max(last);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &ErrorTable) {
        for row in &other.rows {
            self.add(row.series, row.kind, &row.message, row.count, row.first, row.last);
        }
    }

    /// The rows, by series, kind and message.
    pub fn rows(&self) -> impl Iterator<Item = &ErrorCount> {
        self.rows.iter()
    }

    /// Sum of all counts.
    pub fn total(&self) -> u64 {
        self.rows.iter().fold(0, |total, row| total.saturating_add(row.count))
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Where the row is, or where it belongs.
    fn find(&self, series: SeriesId, kind: ErrorKind, message: &str) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| {
            (row.series, row.kind, row.message.as_str()).cmp(&(series, kind, message))
        })
    }

    /// The index of the row that counts a message that has none of its own yet; its place would be `place`.
    fn new_message(
        &mut self,
        place: usize,
        series: SeriesId,
        kind: ErrorKind,
        message: &str,
        first: Duration,
        last: Duration,
    ) -> usize {
        let common = fingerprint(message);
        let common = bounded(&common);
        if common != message
            && let Ok(index) = self.find(series, kind, &common)
        {
            return index;
        }
        let hash = hash_of(&common);
        let from = self.rows.partition_point(|row| (row.series, row.kind) < (series, kind));
        let of_both =
            self.rows[from..].iter().take_while(|row| (row.series, row.kind) == (series, kind)).count();
        let alike = self.alike[from..from + of_both].iter().filter(|other| **other == hash).count();
        // One that comes as what others have in common stands for more of them than may be told apart.
        let many = alike >= Self::MAX_ALIKE || (alike > 0 && common == message);
        if many {
            return self.join_alike(from..from + of_both, hash, &common, first, last);
        }
        if self.rows.len() - self.folds >= self.max_rows {
            return self.fold_row(series, kind, first, last);
        }
        self.insert(place, series, kind, message.to_owned(), first, last);
        self.alike[place] = hash;
        place
    }

    /// Makes one row, with the message `common`, of those among `rows` that have this hash.
    fn join_alike(
        &mut self,
        rows: std::ops::Range<usize>,
        hash: u64,
        common: &str,
        first: Duration,
        last: Duration,
    ) -> usize {
        let (series, kind) = (self.rows[rows.start].series, self.rows[rows.start].kind);
        let mut joined = ErrorCount { series, kind, message: common.to_owned(), count: 0, first, last };
        for index in rows.rev().filter(|index| self.alike[*index] == hash).collect::<Vec<_>>() {
            let row = self.rows.remove(index);
            self.alike.remove(index);
            joined.count = joined.count.saturating_add(row.count);
            joined.first = joined.first.min(row.first);
            joined.last = joined.last.max(row.last);
        }
        let place = self.find(series, kind, common).unwrap_or_else(|place| place);
        self.rows.insert(place, joined);
        self.alike.insert(place, hash);
        place
    }

    /// The index of the fold row for `series` and `kind`, made if it is not there yet.
    fn fold_row(&mut self, series: SeriesId, kind: ErrorKind, first: Duration, last: Duration) -> usize {
        let place = match self.find(series, kind, Self::FOLD_MESSAGE) {
            Ok(index) => return index,
            Err(place) => place,
        };
        if self.folds >= Self::MAX_FOLDS {
            let shared =
                self.rows.iter().position(|row| row.kind == kind && row.message == Self::FOLD_MESSAGE);
            if let Some(index) = shared {
                return index;
            }
        }
        self.folds += 1;
        self.insert(place, series, kind, Self::FOLD_MESSAGE.to_owned(), first, last);
        place
    }

    fn insert(
        &mut self,
        place: usize,
        series: SeriesId,
        kind: ErrorKind,
        message: String,
        first: Duration,
        last: Duration,
    ) {
        self.rows.insert(place, ErrorCount { series, kind, message, count: 0, first, last });
        // No message has it: fold rows are like nothing else.
        self.alike.insert(place, 0);
    }
}

impl Default for ErrorTable {
    /// As large as a window's.
    fn default() -> ErrorTable {
        ErrorTable::new(Window::MAX_ERRORS)
    }
}

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>), never 0. A collision, of one in 2^64 pairs, would join messages
/// that have less in common; no count would be wrong.
fn hash_of(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.max(1)
}

/// `message` cut to [`ErrorTable::MAX_MESSAGE_CHARS`] characters, in one line and without characters that steer a
/// terminal. Allocates only if something must change.
fn bounded(message: &str) -> Cow<'_, str> {
    let is_plain = |character| plain(character) == character;
    let is_short = message.len() <= ErrorTable::MAX_MESSAGE_CHARS
        || message.chars().nth(ErrorTable::MAX_MESSAGE_CHARS).is_none();
    if is_short && message.chars().all(is_plain) {
        return Cow::Borrowed(message);
    }
    let kept = if is_short { ErrorTable::MAX_MESSAGE_CHARS } else { ErrorTable::MAX_MESSAGE_CHARS - 1 };
    let mut text: String = message.chars().take(kept).map(plain).collect();
    if !is_short {
        text.push('…');
    }
    Cow::Owned(text)
}

/// White space becomes a space; other control characters, and those that reverse the direction of writing, become
/// U+FFFD.
fn plain(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            char::REPLACEMENT_CHARACTER
        }
        _ if character.is_control() => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

#[cfg(test)]
mod tests;
