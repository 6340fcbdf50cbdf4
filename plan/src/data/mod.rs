//! Data sources: tables of rows that users read, and which user reads which row when.
//!
//! A table is one text and the ends of its cells, shared by all engine threads. Which row a user has is a
//! function of (seed, source, slot, rank, iteration): no agent asks anybody, and a user that moves to another
//! agent goes on with the rows that it would have had.

mod csv;
mod json_lines;
mod permutation;
mod pick;
mod table;
mod text;

pub(crate) use csv::read_csv;
pub(crate) use json_lines::{add, columns, fits, read_json_lines};
pub use pick::{Exhausted, Per, Pick, Turn};
pub(crate) use table::TableBuilder;
pub use table::{CellType, Column, MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Table};
pub(crate) use text::{FileProblem, FileProblems};

use crate::slot::Slot;
use metrics::SeriesId;
use minijinja::Value;
use minijinja::value::{Enumerator, Object};
use std::sync::Arc;

/// One of the plan's `data`.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Which one it is of the plan's sources; tells their random picks apart.
    pub index: u32,
    /// Its rows.
    pub table: Table,
    /// How a row is picked.
    pub pick: Pick,
    /// How long a user keeps a row.
    pub per: Per,
    /// What a user does when no row is left for it.
    pub when_exhausted: Exhausted,
}

impl Source {
    /// The number of the row (0-based) that `turn` has in a run with `seed`; `None` when none is left.
    pub fn row(&self, seed: u64, turn: &Turn) -> Option<u32> {
        pick::row(self, seed, turn)
    }

    /// How many rows there have to be so that none of `users` users goes without one from the start.
    pub fn rows_needed(&self, users: u32) -> u32 {
        match (self.pick, self.when_exhausted) {
            (Pick::Unique, Exhausted::Stop | Exhausted::Fail) => users.max(1),
            _ => 1,
        }
    }
}

/// A source under the name by which a user class knows it.
#[derive(Clone, Debug)]
pub struct Binding {
    /// `row`, unless the class chose another.
    pub name: String,
    /// The source.
    pub source: Arc<Source>,
    /// The rank of the class's first user among all users that share the source.
    pub first_rank: u32,
    /// How many users share the source at full load, those of other classes included; at least 1.
    pub users: u32,
    /// Where users that fail because no row is left are counted.
    pub failures: Option<SeriesId>,
}

impl Binding {
    /// Whose turn it is: that of the class's user number `rank`.
    pub(crate) fn turn(&self, slot: Slot, rank: u32, iteration: u64) -> Turn {
        let rank = u64::from(self.first_rank) + u64::from(rank);
        Turn { slot, rank, users: self.users.max(1).into(), iteration }
    }
}

/// A row as a value of the language: its columns by name.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) source: Arc<Source>,
    pub(crate) number: u32,
}

impl Object for Row {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.source.table.value(self.number, key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.source.table.columns().iter().map(|column| Value::from(&column.name));
        Enumerator::Values(names.collect())
    }
}

#[cfg(test)]
mod tests;
