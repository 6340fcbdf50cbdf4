//! A table in memory: one text, and where each cell ends in it.

use crate::template::from_json;
use minijinja::Value;

/// Most rows of a source.
pub const MAX_ROWS: usize = 5_000_000;
/// Most columns of a source.
pub const MAX_COLUMNS: usize = 1000;
/// Most cells of a source: each costs four bytes beside its text.
pub const MAX_CELLS: usize = 20_000_000;

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellType {
    /// Text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// Any finite number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// JSON.
    Json,
}

impl CellType {
    /// The type called `name`, one of [`COLUMN_TYPES`](crate::language::COLUMN_TYPES).
    pub(crate) fn named(name: &str) -> Option<CellType> {
        Some(match name {
            "string" => CellType::Text,
            "integer" => CellType::Integer,
            "number" => CellType::Number,
            "boolean" => CellType::Boolean,
            "json" => CellType::Json,
            _ => return None,
        })
    }

    /// What such a cell holds, with its article.
    pub(crate) fn what(self) -> &'static str {
        match self {
            CellType::Text => "a text",
            CellType::Integer => "a whole number",
            CellType::Number => "a number",
            CellType::Boolean => "`true` or `false`",
            CellType::Json => "JSON",
        }
    }

    /// The value of a cell; `None` if it is not of this type.
    pub(crate) fn value(self, cell: &str) -> Option<Value> {
        match self {
            CellType::Text => Some(Value::from(cell)),
            CellType::Integer => cell.parse::<i64>().ok().map(Value::from),
            CellType::Number => match crate::yaml::plain_kind(cell) {
                crate::yaml::Kind::Integer(_) => {
                    let whole = cell.parse::<i64>().map(Value::from);
                    whole.or_else(|_| cell.parse::<f64>().map(Value::from)).ok()
                }
                crate::yaml::Kind::Float(number) if number.is_finite() => Some(Value::from(number)),
                _ => None,
            },
            CellType::Boolean => cell.parse::<bool>().ok().map(Value::from),
            CellType::Json => serde_json::from_str(cell).ok().as_ref().map(from_json),
        }
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub cells: CellType,
}

/// Rows of as many cells as there are columns.
#[derive(Clone, PartialEq, Eq)]
pub struct Table {
    columns: Vec<Column>,
    text: String,
    /// Row by row.
    ends: Vec<u32>,
}

impl std::fmt::Debug for Table {
    /// Its shape only: it is long, and may be passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows of {:?}", self.rows(), self.columns)
    }
}

impl Table {
    /// Its columns, at least one.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many rows it has; at least one.
    pub fn rows(&self) -> u32 {
        (self.ends.len() / self.columns.len()) as u32
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    /// The value of a cell; `None` if there is none.
    pub(crate) fn value(&self, row: u32, column: &str) -> Option<Value> {
        let at = self.columns.iter().position(|known| known.name == column)?;
        let cell = self.cell(row as usize * self.columns.len() + at)?;
        self.columns[at].cells.value(cell)
    }

    fn cell(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.text.get(start..end)
    }

    /// Digest of its cells.
    pub(crate) fn sha256(&self) -> String {
        use sha2::Digest as _;
        let mut digest = sha2::Sha256::new();
        for end in &self.ends {
            digest.update(end.to_le_bytes());
        }
        digest.update(self.text.as_bytes());
        crate::sha256_hex(&digest.finalize())
    }
}

/// Why a row was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It has so many cells, which is not what the columns are.
    Ragged(usize),
    /// There are too many rows, or cells, or too much text.
    TooMany,
}

/// A table in the making.
#[derive(Debug)]
pub(crate) struct TableBuilder {
    table: Table,
    /// Cells and bytes of text before the row in the making.
    before: (usize, usize),
}

impl TableBuilder {
    pub(crate) fn new(columns: Vec<Column>) -> TableBuilder {
        TableBuilder { table: Table { columns, text: String::new(), ends: Vec::new() }, before: (0, 0) }
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.table.columns
    }

    /// Where to write the text of the next cell, before [`end_cell`](TableBuilder::end_cell).
    pub(crate) fn text(&mut self) -> &mut String {
        &mut self.table.text
    }

    pub(crate) fn end_cell(&mut self) {
        // A text beyond 4 GiB is refused with its row.
        self.table.ends.push(u32::try_from(self.table.text.len()).unwrap_or(u32::MAX));
    }

    /// The cell that was ended last, and its column; `None` if there is no such column.
    pub(crate) fn last_cell(&self) -> Option<(&Column, &str)> {
        let at = self.table.ends.len().checked_sub(1)?;
        let column = self.table.columns.get(at.checked_sub(self.before.0)?)?;
        Some((column, self.table.cell(at)?))
    }

    /// How many cells the row in the making has.
    pub(crate) fn cells(&self) -> usize {
        self.table.ends.len() - self.before.0
    }

    /// Ends the row; one that is refused is forgotten.
    pub(crate) fn end_row(&mut self) -> Result<(), Refused> {
        let cells = self.cells();
        let too_many = self.table.ends.len() > MAX_CELLS
            || self.table.ends.len() / self.table.columns.len().max(1) > MAX_ROWS
            || self.table.text.len() >= u32::MAX as usize;
        if cells == self.table.columns.len() && !too_many {
            self.before = (self.table.ends.len(), self.table.text.len());
            return Ok(());
        }
        self.drop_row();
        Err(if too_many { Refused::TooMany } else { Refused::Ragged(cells) })
    }

    /// Forgets the row in the making.
    pub(crate) fn drop_row(&mut self) {
        self.table.ends.truncate(self.before.0);
        self.table.text.truncate(self.before.1);
    }

    /// The table; `None` without columns or rows.
    pub(crate) fn finish(mut self) -> Option<Table> {
        if self.table.columns.is_empty() || self.table.ends.is_empty() {
            return None;
        }
        self.table.text.shrink_to_fit();
        self.table.ends.shrink_to_fit();
        Some(self.table)
    }
}
