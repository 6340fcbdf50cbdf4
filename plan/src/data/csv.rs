//! Comma-separated values (RFC 4180), read strictly: what would be guessed elsewhere is a mistake here, with
//! its place.

use super::table::{CellType, Column, MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Refused, Table, TableBuilder};
use super::text::{self, FileProblem, FileProblems};
use crate::diagnostic::shown;
use std::collections::BTreeMap;

/// The table in `bytes`, whose first row names the columns. Lines end with LF, CR LF or CR; empty lines are
/// left out. `types` holds the columns that are not text; of those that the file does not have nothing is said.
pub(crate) fn read_csv(
    bytes: &[u8],
    delimiter: u8,
    types: &BTreeMap<String, CellType>,
) -> Result<Table, FileProblems> {
    let mut problems = FileProblems::default();
    let table = read(bytes, delimiter, types, &mut problems);
    match table {
        Ok(Some(table)) if problems.is_empty() => return Ok(table),
        Ok(None) if problems.is_empty() => {
            let what = "the file has a header and no row below it";
            problems.push(|| FileProblem::whole(what, "add rows"));
        }
        Ok(_) => {}
        Err(problem) => problems.push(|| problem),
    }
    Err(problems)
}

/// What is wrong with single rows goes to `problems`; what leaves nothing to go on from is the error.
fn read(
    bytes: &[u8],
    delimiter: u8,
    types: &BTreeMap<String, CellType>,
    problems: &mut FileProblems,
) -> Result<Option<Table>, FileProblem> {
    let text = text::decode(bytes)?;
    let mut scanner = Scanner { text, at: 0, delimiter };
    let mut builder = TableBuilder::new(header(&mut scanner, types)?);
    let width = builder.columns().len();
    while scanner.skip_empty_lines() {
        let row_at = scanner.at;
        let mut sound = true;
        loop {
            let cell_at = scanner.at;
            let end = scanner.cell(builder.text())?;
            builder.end_cell();
            if let Some((column, cell)) = builder.last_cell()
                && column.cells != CellType::Text
                && column.cells.value(cell).is_none()
            {
                sound = false;
                problems.push(|| wrong_type(column, cell, text::place(text, cell_at)));
            }
            // A row without end would fill the memory with cells that are refused anyway.
            if builder.cells() > MAX_COLUMNS {
                return Err(too_wide(text::place(text, row_at)));
            }
            if end != End::Cell {
                break;
            }
        }
        if !sound && builder.cells() == width {
            builder.drop_row();
            continue;
        }
        match builder.end_row() {
            Ok(()) => {}
            Err(Refused::Ragged(cells)) => problems.push(|| ragged(cells, width, text::place(text, row_at))),
            Err(Refused::TooMany) => return Err(too_many(text::place(text, row_at))),
        }
    }
    Ok(builder.finish())
}

fn header(scanner: &mut Scanner<'_>, types: &BTreeMap<String, CellType>) -> Result<Vec<Column>, FileProblem> {
    if !scanner.skip_empty_lines() {
        return Err(FileProblem::whole(
            "the file is empty",
            "write the names of the columns into its first line, and rows below it",
        ));
    }
    let row_at = scanner.at;
    let mut columns: Vec<Column> = Vec::new();
    loop {
        let at = scanner.at;
        let mut name = String::new();
        let end = scanner.cell(&mut name)?;
        if let Some((what, remedy)) = refuse_column(&name, &columns) {
            return Err(FileProblem::at(text::place(scanner.text, at), what, remedy));
        }
        let cells = types.get(&name).copied().unwrap_or(CellType::Text);
        columns.push(Column { name, cells });
        if columns.len() > MAX_COLUMNS {
            return Err(too_wide(text::place(scanner.text, row_at)));
        }
        if end != End::Cell {
            return Ok(columns);
        }
    }
}

/// Why a column cannot be called `name`, and what to do.
pub(super) fn refuse_column(name: &str, before: &[Column]) -> Option<(String, String)> {
    const MAX_CHARS: usize = 100;
    let number = before.len() + 1;
    if name.trim().is_empty() {
        let remedy = "give every column a name; does the first line hold the names?";
        return Some((format!("column {number} has no name"), remedy.into()));
    }
    if name.trim() != name {
        let problem = format!("the name {} of column {number} begins or ends with white space", shown(name));
        return Some((problem, format!("write {}", shown(name.trim()))));
    }
    if name.chars().count() > MAX_CHARS || name.chars().any(char::is_control) {
        let problem = format!("{} cannot be the name of column {number}", shown(name));
        return Some((problem, format!("use at most {MAX_CHARS} printable characters")));
    }
    let twin = before.iter().position(|known| known.name == name)?;
    let problem = format!("column {number} is called {}, as column {} is", shown(name), twin + 1);
    Some((problem, "give them different names".into()))
}

fn wrong_type(column: &Column, cell: &str, place: (usize, usize)) -> FileProblem {
    let found = if cell.is_empty() { "nothing".to_owned() } else { shown(cell) };
    let name = shown(&column.name);
    let what = format!("expected {} in column {name}, found {found}", column.cells.what());
    FileProblem::at(place, what, format!("correct it, or leave {name} out of `types`"))
}

fn ragged(cells: usize, width: usize, place: (usize, usize)) -> FileProblem {
    let values = |n: usize| if n == 1 { "1 value".to_owned() } else { format!("{n} values") };
    let columns = if width == 1 { "1 column".to_owned() } else { format!("{width} columns") };
    let what = format!("this row has {}, the header names {columns}", values(cells));
    let remedy = if cells > width {
        "put values that hold the delimiter into quotes, or name the other columns in the header"
    } else {
        "add what is missing; an empty value is two delimiters side by side"
    };
    FileProblem::at(place, what, remedy)
}

pub(super) fn too_many(place: (usize, usize)) -> FileProblem {
    let what = format!("more than {MAX_ROWS} rows, or {MAX_CELLS} values");
    FileProblem::at(place, what, "use fewer rows, or only the columns that the plan reads")
}

pub(super) fn too_wide(place: (usize, usize)) -> FileProblem {
    let what = format!("a row of more than {MAX_COLUMNS} values");
    FileProblem::at(place, what, "keep the columns that the plan reads")
}

/// What follows a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Cell,
    Row,
}

/// Walks through the cells of a text. Everything that it looks for is ASCII, so it only ever stops on the
/// boundaries of characters.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    delimiter: u8,
}

impl Scanner<'_> {
    /// Goes to the next line that has something in it; `false` at the end of the text.
    fn skip_empty_lines(&mut self) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        self.at < self.text.len()
    }

    /// Appends the text of the next cell to `out` and goes behind what ends it.
    fn cell(&mut self, out: &mut String) -> Result<End, FileProblem> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) == Some(&b'"') {
            self.quoted(out)?;
        } else {
            let rest = &bytes[self.at..];
            let special = |b: &u8| *b == self.delimiter || matches!(b, b'"' | b'\n' | b'\r');
            let length = rest.iter().position(special).unwrap_or(rest.len());
            out.push_str(&self.text[self.at..self.at + length]);
            self.at += length;
        }
        match bytes.get(self.at) {
            None => Ok(End::Row),
            Some(b'\n') => {
                self.at += 1;
                Ok(End::Row)
            }
            Some(b'\r') => {
                self.at += if bytes.get(self.at + 1) == Some(&b'\n') { 2 } else { 1 };
                Ok(End::Row)
            }
            Some(byte) if *byte == self.delimiter => {
                self.at += 1;
                Ok(End::Cell)
            }
            Some(_) => Err(self.stray_quote()),
        }
    }

    /// A cell in quotes; stops behind the closing one.
    fn quoted(&mut self, out: &mut String) -> Result<(), FileProblem> {
        let opened = self.at;
        self.at += 1;
        loop {
            let Some(length) = self.text[self.at..].find('"') else {
                let place = text::place(self.text, opened);
                return Err(FileProblem::at(
                    place,
                    "this quote is never closed",
                    "close it; a quote within a value in quotes is written twice: `\"\"`",
                ));
            };
            out.push_str(&self.text[self.at..self.at + length]);
            self.at += length + 1;
            if self.text.as_bytes().get(self.at) != Some(&b'"') {
                return Ok(());
            }
            out.push('"');
            self.at += 1;
        }
    }

    /// A quote in the middle of a value, or text behind a closing one.
    fn stray_quote(&self) -> FileProblem {
        let what = if self.text.as_bytes()[self.at] == b'"' {
            "a quote in a value that does not begin with one"
        } else {
            "text behind a closing quote"
        };
        let remedy = "put the whole value into quotes, and write each quote in it twice: `\"5\"\" pipe\"`";
        FileProblem::at(text::place(self.text, self.at), what, remedy)
    }
}
