//! A mapping with the keys that it may have.

use super::Reader;
use super::suggest::{closest, did_you_mean, list};
use crate::diagnostic::{Problem, Span, shown};
use crate::language::peers::own_key;
use crate::language::{Key, MESSAGE_VERBS, Shape, TABLES, Table};
use crate::yaml::{Entry, Node, Value};

/// A mapping whose keys have been checked: the unknown ones are reported already.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    /// Where to report what is missing.
    pub(super) place: Span,
    table: &'static Table,
    found: Vec<(&'static str, &'n Entry)>,
    /// Entries whose key no table entry has.
    unknown: Vec<&'n Entry>,
    /// Whether it has, or may be meant to have, keys that are not read yet.
    pub(super) beyond: bool,
}

impl<'n> Fields<'n> {
    /// Checks the keys of `node`. A misspelt key is reported, and then read as what it was meant to be, so that
    /// one slip makes one error.
    pub(super) fn new(
        reader: &mut Reader<'_>,
        node: &'n Node,
        place: Span,
        table: &'static Table,
    ) -> Option<Fields<'n>> {
        let Value::Mapping(entries) = &node.value else {
            let keys = list(table.all_keys().filter(|k| !matches!(k.shape, Shape::Later)).map(|k| k.name));
            let problem = format!("expected {} (a mapping), found {}", table.name, node.describe());
            reader.report(Problem::new(node.span, problem, format!("its keys are {keys}")));
            return None;
        };
        let mut fields = Fields { place, table, found: Vec::new(), unknown: Vec::new(), beyond: false };
        let mut unknown = Vec::new();
        for entry in entries {
            match table.key(&entry.key) {
                Some(key) if matches!(key.shape, Shape::Later) => {
                    fields.beyond = true;
                    reader.report(not_supported(entry));
                }
                Some(key) => fields.found.push((key.name, entry)),
                None => unknown.push(entry),
            }
        }
        fields.unknown.clone_from(&unknown);
        for entry in unknown {
            fields.adopt(reader, entry);
        }
        Some(fields)
    }

    /// Reports an unknown key and reads it as the closest known one, if that is not there itself.
    fn adopt(&mut self, reader: &mut Reader<'_>, entry: &'n Entry) {
        let close = match own_key(self.table, &entry.key) {
            Some(own) => vec![own],
            None => closest(&entry.key, self.table.all_keys().map(|k| k.name)),
        };
        let problem = format!("unknown key {} in {}", shown(&entry.key), self.table.name);
        let has = |table: &&&Table| table.keys.iter().any(|known| known.name == entry.key);
        let elsewhere: Vec<&str> = TABLES.iter().filter(has).take(2).map(|table| table.name).collect();
        let remedy = if close.is_empty() && MESSAGE_VERBS.contains(&entry.key.as_str()) {
            self.beyond = true;
            format!(
                "{} stands in the `messages` of a `websocket`; move it there, or remove it",
                shown(&entry.key)
            )
        } else if close.is_empty() && !elsewhere.is_empty() {
            let tables = elsewhere.join(" or ");
            format!("{} is a key of {tables}; move it there, or remove it", shown(&entry.key))
        } else if close.is_empty() {
            let known = self.table.all_keys().filter(|k| !matches!(k.shape, Shape::Later)).map(|k| k.name);
            format!("the keys of {} are {}", self.table.name, list(known))
        } else {
            did_you_mean(&close)
        };
        reader.report(Problem::new(entry.key_span, problem, remedy).label("unknown key"));
        // Of several that are as close, the first that could have such a value.
        let keys: Vec<&Key> = close.iter().filter_map(|name| self.table.key(name)).collect();
        let fitting = keys.iter().find(|key| fits(key.shape, &entry.value));
        let Some(key) = fitting.or(keys.first()) else { return };
        if matches!(key.shape, Shape::Later) {
            self.beyond = true;
        } else if self.get(key.name).is_none() {
            self.found.push((key.name, entry));
        }
    }

    /// The entry of a key.
    ///
    /// # Panics
    /// In debug builds when the table does not know the key.
    pub(super) fn get(&self, name: &str) -> Option<&'n Entry> {
        debug_assert!(self.table.key(name).is_some(), "{name} is not in the table of {}", self.table.name);
        self.found.iter().find(|(known, _)| *known == name).map(|(_, entry)| *entry)
    }

    /// The entry of a key that the table does not have.
    pub(super) fn unknown(&self, name: &str) -> Option<&'n Entry> {
        self.unknown.iter().find(|entry| entry.key == name).copied()
    }

    /// All keys that are there and known.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &'n Entry)> {
        self.found.iter().copied()
    }

    /// The entries of those `names` that are there, in the order of `names`.
    pub(super) fn among(&self, names: &[&'static str]) -> Vec<(&'static str, &'n Entry)> {
        names.iter().filter_map(|name| Some((*name, self.get(name)?))).collect()
    }
}

/// A key that is part of the language but not read by this version.
fn not_supported(entry: &Entry) -> Problem {
    let problem = format!("{} is not supported yet", shown(&entry.key));
    Problem::new(entry.key_span, problem, "remove it; this version of Muster does not read it")
}

/// Whether `node` looks like a value of this shape: enough to choose between two keys.
fn fits(shape: Shape, node: &Node) -> bool {
    match shape {
        Shape::Json | Shape::Arrivals | Shape::RowSources => true,
        Shape::Table(_)
        | Shape::Named(_)
        | Shape::Templates
        | Shape::Addresses
        | Shape::Saves
        | Shape::Figures
        | Shape::Parts
        | Shape::Sets
        | Shape::Types(_)
        | Shape::JsonChecks => {
            matches!(node.value, Value::Mapping(_))
        }
        Shape::List(_) | Shape::Rows | Shape::Thresholds | Shape::FigureThresholds | Shape::Texts => {
            matches!(node.value, Value::Sequence(_))
        }
        Shape::Statuses | Shape::Expressions | Shape::Sources => !matches!(node.value, Value::Mapping(_)),
        _ => matches!(node.value, Value::Scalar(_)),
    }
}
