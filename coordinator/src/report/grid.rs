//! Tables of a bounded width.

use super::escape;
use super::text::Style;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

/// Columns of a terminal that every report fits.
pub(crate) const WIDTH: usize = 100;

/// Columns between columns.
const GAP: usize = 2;

/// Narrowest that the one column that gives way becomes.
const NARROWEST: usize = 12;

/// A table whose cells hold text from outside: it is escaped, and cut where it does not fit.
pub(crate) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

/// One column.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) fill: Fill,
}

/// How a column takes its room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// A number, on the right.
    Number,
    /// Text of at most so many columns.
    Text(usize),
    /// Text in the room that the others leave; one per table.
    Rest,
}

/// One row: its cells and how it stands out.
pub(crate) struct Row {
    pub(crate) cells: Vec<String>,
    pub(crate) tone: Tone,
}

/// How a row stands out where there is colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Heading,
    Good,
    Doubtful,
    Bad,
}

impl Tone {
    fn colour(self) -> Option<Color> {
        match self {
            Tone::Plain => None,
            Tone::Heading => Some(Color::Cyan),
            Tone::Good => Some(Color::Green),
            Tone::Doubtful => Some(Color::Yellow),
            Tone::Bad => Some(Color::Red),
        }
    }
}

impl Grid {
    pub(crate) fn new(columns: &[(&'static str, Fill)]) -> Grid {
        let columns = columns.iter().map(|&(title, fill)| Column { title, fill }).collect();
        Grid { columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, tone: Tone, cells: Vec<String>) {
        self.rows.push(Row { cells, tone });
    }

    /// The table as lines, each ended.
    pub(crate) fn render(&self, style: Style) -> String {
        self.render_within(WIDTH, style)
    }

    /// The same in so many columns, unless numbers alone take more.
    pub(crate) fn render_within(&self, width: usize, style: Style) -> String {
        let limits = self.limits(width);
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        match style {
            Style::Plain => table.force_no_tty(),
            Style::Colour => table.enforce_styling(),
        };
        table.set_header(self.columns.iter().map(|column| Cell::new(column.title)));
        for row in &self.rows {
            table.add_row(row.cells.iter().zip(&limits).map(|(text, &limit)| {
                let cell = Cell::new(escape::fit(text, limit));
                row.tone.colour().map_or(cell.clone(), |colour| cell.fg(colour))
            }));
        }
        for (column, at) in self.columns.iter().zip(0..) {
            let Some(shown) = table.column_mut(at) else { continue };
            shown.set_padding((0, GAP as u16));
            if column.fill == Fill::Number {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = String::new();
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// How wide each column may be.
    fn limits(&self, width: usize) -> Vec<usize> {
        let widest = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(at));
            cells.map(|text| escape::columns(&escape::escape(text))).max().unwrap_or(0)
        };
        let fixed = |(at, column): (usize, &Column)| match column.fill {
            Fill::Rest => 0,
            Fill::Number => widest(at).max(column.title.len()),
            Fill::Text(limit) => widest(at).min(limit).max(column.title.len()),
        };
        let mut limits: Vec<usize> = self.columns.iter().enumerate().map(fixed).collect();
        let taken = limits.iter().sum::<usize>() + GAP * self.columns.len().saturating_sub(1);
        for (limit, column) in limits.iter_mut().zip(&self.columns) {
            if column.fill == Fill::Rest {
                *limit = width.saturating_sub(taken).max(NARROWEST);
            }
        }
        limits
    }
}
