//! How many rows of data there are, and how many the users want.

use super::Rates;
use plan::Plan;
use plan::data::{Exhausted, Per, Pick, Source};

/// One data source.
#[derive(Clone, Debug, PartialEq)]
pub struct DataRow {
    /// Its name.
    pub name: String,
    /// `unique per user`
    pub pick: String,
    /// The rows that are there.
    pub rows: u32,
    /// How many a run wants, and whether that is an estimate.
    pub wanted: Wanted,
    /// The user classes that read it.
    pub classes: Vec<String>,
}

/// How many rows a run wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// Any number will do: rows are used again.
    Any,
    /// One for each user.
    Exactly(u32),
    /// One for each iteration, as many as there would be at full load from start to end.
    About(f64),
}

impl DataRow {
    /// Whether rows may run out.
    pub fn is_short(&self) -> bool {
        match self.wanted {
            Wanted::Any => false,
            Wanted::Exactly(wanted) => wanted > self.rows,
            Wanted::About(wanted) => wanted > f64::from(self.rows),
        }
    }
}

/// The data sources of `plan`.
pub(super) fn data_rows(plan: &Plan, rates: &Rates) -> Vec<DataRow> {
    let rows = plan.data.iter().map(|source| data_row(plan, rates, source));
    // Without a class only where tags leave out all that read it.
    rows.filter(|row| !row.classes.is_empty()).collect()
}

fn data_row(plan: &Plan, rates: &Rates, source: &Source) -> DataRow {
    let readers = || {
        plan.classes
            .iter()
            .enumerate()
            .filter(|(_, class)| class.data.iter().any(|binding| binding.source.index == source.index))
    };
    let pick = match source.pick {
        Pick::Unique => "unique",
        Pick::Sequential => "sequential",
        Pick::Shuffle => "shuffle",
        Pick::Random => "random",
    };
    let (per, wanted) = match source.per {
        Per::User => ("user", Wanted::Exactly(readers().map(|(at, _)| rates.users[at]).sum())),
        Per::Iteration => {
            let iterations: f64 = readers().map(|(at, _)| rates.iterations[at]).sum();
            ("iteration", Wanted::About((iterations * plan.schedule.end().as_secs_f64()).ceil()))
        }
    };
    let runs_out = source.pick == Pick::Unique && source.when_exhausted != Exhausted::Cycle;
    DataRow {
        name: source.name.clone(),
        pick: format!("{pick} per {per}"),
        rows: source.table.rows(),
        wanted: if runs_out { wanted } else { Wanted::Any },
        classes: readers().map(|(_, class)| class.name.clone()).collect(),
    }
}
