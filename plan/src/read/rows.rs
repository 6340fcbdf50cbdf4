//! `data` of a user class: the rows that its users have, and what their expressions may read of them.

use super::Reader;
use super::data::Declared;
use super::saved_names::SavedName;
use super::suggest;
use super::users::Workload;
use super::value::Expected;
use super::variables::{ON_START, Wrong, member_remedy, not_a_function, refuse_variable_name, wrong};
use crate::data::{Binding, Exhausted, Per, Pick, Source};
use crate::diagnostic::{Problem, Span, shown};
use crate::model::{ClassId, GroupId, Series, SeriesKind, UserClass};
use crate::slot::Classes;
use crate::template::Variable;
use crate::yaml::{Entry, Node, Value};
use metrics::SeriesId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The task name of users that find no row.
const DATA_TASK: &str = "(data)";
/// Most data sources of a user class.
const MAX_SOURCES: usize = 20;
/// What a class's rows are called if it does not say otherwise.
const ROW: &str = "row";

/// The rows of a user class under one name.
#[derive(Clone, Debug)]
pub(super) struct RowName {
    pub(super) name: String,
    /// `None` if the source is wrong, so nobody knows its columns.
    source: Option<Arc<Source>>,
}

impl RowName {
    /// The rows as the model has them; who shares them is known only when all classes are read.
    pub(super) fn binding(&self) -> Option<Binding> {
        let source = Arc::clone(self.source.as_ref()?);
        Some(Binding { name: self.name.clone(), source, first_rank: 0, users: 1, failures: None })
    }

    /// Whether users may find no row in the middle of their work and are counted as failed then.
    pub(super) fn may_fail(&self) -> bool {
        let fails = |s: &Arc<Source>| {
            s.pick == Pick::Unique && s.per == Per::Iteration && s.when_exhausted == Exhausted::Fail
        };
        self.source.as_ref().is_some_and(fails)
    }
}

impl Reader<'_> {
    /// Reports data sources that no class has.
    pub(super) fn unused_data(&mut self) {
        let unused = |declared: &Declared| {
            let problem = format!("no user class reads the data source {}", shown(&declared.name));
            let remedy = format!("give a class `data: {}`, or remove it", declared.name);
            (!declared.used).then(|| Problem::new(declared.place, problem, remedy))
        };
        for problem in self.data.iter().filter_map(unused).collect::<Vec<_>>() {
            self.report(problem);
        }
    }

    /// The plan's sources.
    pub(super) fn data_sources(&self) -> Vec<Arc<Source>> {
        self.data.iter().filter_map(|declared| declared.source.clone()).collect()
    }

    /// `data` of a user class.
    pub(super) fn rows_of(
        &mut self,
        entry: Option<&Entry>,
        class: &str,
        saved: &[SavedName],
    ) -> Vec<RowName> {
        let Some(entry) = entry else { return Vec::new() };
        let Value::Mapping(entries) = &entry.value.value else {
            return self.row_name(ROW, &entry.value).into_iter().collect();
        };
        let expected = Expected {
            what: "a data source, or a mapping from names to data sources",
            remedy: "write `data: accounts`, or `data: { row: accounts, product: products }`",
        };
        if entries.is_empty() || !self.at_most(entries.len(), MAX_SOURCES, "`data`", entry.key_span) {
            self.wrong(&entry.value, expected);
        }
        let mut rows = Vec::new();
        for entry in entries {
            if let Some((problem, remedy)) =
                Some(&entry.key).filter(|name| *name != ROW).and_then(|name| refuse_variable_name(name))
            {
                self.report(Problem::new(entry.key_span, problem, remedy));
            } else if saved.iter().any(|save| save.is_of(&entry.key, class))
                || self.flows.iter().any(|flow| flow.saves(&entry.key))
            {
                let problem = format!("{} is the name of a saved variable as well", shown(&entry.key));
                self.report(Problem::new(entry.key_span, problem, "choose another name for one of them"));
            }
            rows.extend(self.row_name(&entry.key, &entry.value));
        }
        rows
    }

    fn row_name(&mut self, name: &str, node: &Node) -> Option<RowName> {
        let expected =
            Expected { what: "the name of a data source", remedy: "name one of the plan's `data`" };
        let of = self.text(node, expected)?;
        let names: Vec<String> = self.data.iter().map(|declared| declared.name.clone()).collect();
        let known = || names.iter().map(String::as_str);
        let row = |source| RowName { name: name.to_owned(), source };
        if let Some(declared) = self.data.iter_mut().find(|declared| declared.name == of) {
            declared.used = true;
            return Some(row(declared.source.clone()));
        }
        let otherwise = if names.is_empty() {
            "declare it at the top level: `data: { NAME: { csv: FILE } }`"
        } else {
            "the data sources are"
        };
        let remedy = suggest::remedy(&of, known(), otherwise);
        self.report(Problem::new(node.span, format!("there is no data source {}", shown(&of)), remedy));
        // What it was probably meant to be is not unused as well.
        let close = suggest::closest(&of, known()).first().copied().map(str::to_owned);
        if let Some(declared) = self.data.iter_mut().find(|declared| Some(&declared.name) == close.as_ref()) {
            declared.used = true;
        }
        Some(row(None))
    }

    /// `row` for the class `entry`, with the series of its users' failures if there can be any.
    pub(super) fn binding(
        &mut self,
        row: &RowName,
        entry: &Entry,
        class: ClassId,
        group: Option<GroupId>,
        workload: &mut Workload,
    ) -> Option<Binding> {
        let mut binding = row.binding()?;
        if row.may_fail() {
            let (task, name) = (DATA_TASK.to_owned(), binding.source.name.clone());
            let kind = SeriesKind::Evaluation;
            let series = Series { id: SeriesId(0), class, task, name, kind, group };
            binding.failures = Some(self.series(series, entry.key_span, workload)?);
        }
        Some(binding)
    }

    /// Who shares which source, now that the classes and their users are known. Reports sources that have too
    /// few rows where that is a mistake; `None` then.
    pub(super) fn share_rows(
        &mut self,
        classes: &mut [UserClass],
        places: &[Option<Span>],
        slots: &Classes,
        users: u32,
    ) -> Option<()> {
        let counts = slots.counts(classes.len(), users);
        let mut shared: BTreeMap<u32, u32> = BTreeMap::new();
        for (class, count) in classes.iter_mut().zip(&counts) {
            let ranked = |binding: &Binding| {
                let taken = shared.entry(binding.source.index).or_default();
                let first_rank = *taken;
                *taken += count;
                Binding { first_rank, ..binding.clone() }
            };
            class.data = class.data.iter().map(ranked).collect();
        }
        let mut enough = Some(());
        for (class, place) in classes.iter_mut().zip(places) {
            let counted = |binding: &Binding| {
                let users = shared.get(&binding.source.index).copied().unwrap_or_default().max(1);
                Binding { users, ..binding.clone() }
            };
            class.data = class.data.iter().map(counted).collect();
            for binding in class.data.iter() {
                let (source, users) = (&binding.source, binding.users);
                let rows = source.table.rows();
                if rows >= source.rows_needed(users) {
                    continue;
                }
                let (place, name) = (place.unwrap_or_default(), shown(&source.name));
                let remedy = "add rows, ask for fewer users, or write `when_exhausted: cycle`";
                if source.when_exhausted == Exhausted::Fail {
                    let problem =
                        format!("{name} has {rows} rows for {users} users, each of whom wants its own");
                    self.report(Problem::new(place, problem, remedy));
                    enough = None;
                } else {
                    let without = users - rows;
                    let problem = format!(
                        "{name} has {rows} rows for {users} users: {without} of them have none, and do nothing"
                    );
                    self.warnings.push(Problem::new(place, problem, remedy));
                }
            }
        }
        enough
    }
}

/// `row.COLUMN` in an expression of `task`.
pub(super) fn check_row(row: &RowName, variable: &Variable, task: &str) -> Result<(), Wrong> {
    let name = &row.name;
    let Some(source) = &row.source else { return Ok(()) };
    if source.per == Per::Iteration && task == ON_START {
        return wrong(
            format!(
                "{} has no value in on_start: {} gives a row per iteration",
                shown(name),
                shown(&source.name)
            ),
            format!("write `per: user` in the data source, or use {} in a task", shown(name)),
        );
    }
    let Some(column) = variable.path.get(1) else {
        return if variable.called { not_a_function(name) } else { Ok(()) };
    };
    let full = format!("{name}.{column}");
    let columns: Vec<&str> = source.table.columns().iter().map(|column| column.name.as_str()).collect();
    if !columns.contains(&column.as_str()) {
        let problem = format!("there is no {}: {} has no such column", shown(&full), shown(&source.name));
        return match columns[..] {
            [only] if only.contains([';', '\t', '|']) => wrong(
                problem,
                format!("its one column is {}: does the source need a `delimiter`?", shown(only)),
            ),
            _ => wrong(problem, member_remedy(column, &format!("{name}."), &columns, "")),
        };
    }
    if variable.called && variable.path.len() == 2 { not_a_function(&full) } else { Ok(()) }
}

/// `row` where there is none; `rows` are those that there are.
pub(super) fn no_row(variable: &Variable, rows: &[RowName]) -> Result<(), Wrong> {
    let problem = format!("{} has no value here", shown(&variable.path.join(".")));
    if rows.is_empty() {
        let remedy = "declare a source under `data` at the top level, and give the user class `data: NAME`";
        return wrong(format!("{problem}: the user class has no `data`"), remedy);
    }
    let names = suggest::list(rows.iter().map(|row| row.name.as_str()));
    wrong(problem, format!("the rows of this user class are called {names}"))
}
