//! JSON lines: one JSON object a line, all with the same members.

use super::csv::{refuse_column, too_many, too_wide};
use super::table::{CellType, Column, MAX_COLUMNS, Table, TableBuilder};
use super::text::{self, FileProblem, FileProblems};
use crate::diagnostic::shown;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// The table in `bytes`; the first line says what the columns are. Lines of white space are left out.
pub(crate) fn read_json_lines(bytes: &[u8]) -> Result<Table, FileProblems> {
    let mut problems = FileProblems::default();
    match read(bytes, &mut problems) {
        Ok(Some(table)) if problems.is_empty() => return Ok(table),
        Ok(None) if problems.is_empty() => {
            problems.push(|| FileProblem::whole("the file is empty", "write one JSON object a line"));
        }
        Ok(_) => {}
        Err(problem) => problems.push(|| problem),
    }
    Err(problems)
}

fn read(bytes: &[u8], problems: &mut FileProblems) -> Result<Option<Table>, FileProblem> {
    let text = text::decode(bytes)?;
    let mut builder: Option<TableBuilder> = None;
    for (number, line) in (1..).zip(text.split('\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let members = match serde_json::from_str::<Members>(line) {
            Ok(Members(members)) => members,
            Err(error) => {
                problems.push(|| not_an_object(&error, number, line));
                continue;
            }
        };
        let at = (number, 1);
        if let Some(builder) = &mut builder {
            match fits(&members, builder.columns()) {
                Some((what, remedy)) => problems.push(|| FileProblem::at(at, what, remedy)),
                None => add(builder, &members).map_err(|()| too_many(at))?,
            }
        } else {
            let mut first = TableBuilder::new(columns(&members, at)?);
            add(&mut first, &members).map_err(|()| too_many(at))?;
            builder = Some(first);
        }
    }
    Ok(builder.and_then(TableBuilder::finish))
}

fn not_an_object(error: &serde_json::Error, number: usize, line: &str) -> FileProblem {
    // serde_json counts bytes; a column past the end stands for the end.
    let bytes = error.column().saturating_sub(1).min(line.len());
    let column = line.char_indices().take_while(|(at, _)| *at < bytes).count() + 1;
    let told = error.to_string();
    let what = told.rfind(" at line ").map_or(told.as_str(), |end| &told[..end]);
    let what = format!("not a JSON object: {}", crate::template::escaped(what, 120));
    FileProblem::at((number, column), what, "write one JSON object a line: `{\"id\": 1, \"name\": \"a\"}`")
}

/// The columns that an object has.
pub(crate) fn columns(
    members: &[(String, Value)],
    place: (usize, usize),
) -> Result<Vec<Column>, FileProblem> {
    if members.is_empty() {
        return Err(FileProblem::at(place, "an object without members", "give it at least one"));
    }
    if members.len() > MAX_COLUMNS {
        return Err(too_wide(place));
    }
    let mut columns: Vec<Column> = Vec::with_capacity(members.len());
    for (name, _) in members {
        if let Some((what, remedy)) = refuse_column(name, &columns) {
            return Err(FileProblem::at(place, what, remedy));
        }
        columns.push(Column { name: name.clone(), cells: CellType::Json });
    }
    Ok(columns)
}

/// Why an object is not a row of these columns, and what to do.
pub(crate) fn fits(members: &[(String, Value)], columns: &[Column]) -> Option<(String, String)> {
    let missing = columns.iter().find(|column| members.iter().all(|(name, _)| *name != column.name));
    if let Some(column) = missing {
        let name = shown(&column.name);
        let remedy = "give every row the same members; `null` is a value";
        return Some((format!("this row has no {name}, the first one has"), remedy.into()));
    }
    let more = members.iter().find(|(name, _)| columns.iter().all(|column| *name != column.name))?;
    let problem = format!("this row has {}, the first one has not", shown(&more.0));
    Some((problem, "give every row the same members; `null` is a value".into()))
}

/// Adds an object that fits; the error stands for too many.
pub(crate) fn add(builder: &mut TableBuilder, members: &[(String, Value)]) -> Result<(), ()> {
    for at in 0..builder.columns().len() {
        let name = &builder.columns()[at].name;
        let value = members.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string());
        builder.text().push_str(&value.unwrap_or_default());
        builder.end_cell();
    }
    builder.end_row().map_err(|_| ())
}

/// The members of a JSON object in their order, each once.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct Seen;

        impl<'de> Visitor<'de> for Seen {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("{} is here twice", shown(&name))));
                    }
                    if members.len() > MAX_COLUMNS {
                        return Err(A::Error::custom(format!("more than {MAX_COLUMNS} members")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Seen)
    }
}
