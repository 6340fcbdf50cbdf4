//! Tables that sort, filter, and fold into cards on a phone.

use maud::{Markup, html};

/// A column: its title, and whether it holds numbers.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) number: bool,
}

pub(super) const fn text(title: &'static str) -> Column {
    Column { title, number: false }
}

pub(super) const fn number(title: &'static str) -> Column {
    Column { title, number: true }
}

/// A cell: what is shown, and what it sorts by if that is a number.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) shown: Markup,
    pub(super) value: Option<f64>,
}

impl Cell {
    pub(super) fn text(text: &str) -> Cell {
        Cell { shown: html! { (text) }, value: None }
    }

    pub(super) fn markup(shown: Markup) -> Cell {
        Cell { shown, value: None }
    }

    /// A number as a person reads it, and as it is.
    pub(super) fn number(shown: Option<String>, value: Option<f64>) -> Cell {
        Cell { shown: html! { (shown.unwrap_or_else(|| "–".to_owned())) }, value }
    }
}

/// A row: a class that says how it stands out, and its cells.
pub(super) struct Row {
    pub(super) class: &'static str,
    pub(super) cells: Vec<Cell>,
}

/// What a table does beside showing its rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing.
    Show,
    /// Sort by a column, and show the rows that have a word.
    Explore,
}

/// The table of `id`, which a reader is told is of `about`.
pub(super) fn render(id: &str, about: &str, kind: Use, columns: &[Column], rows: &[Row]) -> Markup {
    let class = |column: &Column| if column.number { "number" } else { "text" };
    let body = html! {
        tbody {
            @for row in rows {
                tr class=(row.class) {
                    @for (cell, column) in row.cells.iter().zip(columns) {
                        td class=(class(column)) data-label=(column.title) data-value=[cell.value] { span { (cell.shown) } }
                    }
                }
            }
        }
    };
    html! {
        @if kind == Use::Explore {
            div.tools hidden data-for=(id) {
                label { "Filter " input type="search" placeholder="any word" autocomplete="off" spellcheck="false"; }
                label.sorter { "Sort by " select { option value="" { "as in the plan" } @for (column, at) in columns.iter().zip(0..) { option value=(at) { (column.title) } } } }
                span.quiet role="status" {}
            }
        }
        div.scroll tabindex="0" role="region" aria-label=(about) {
            table id=(id) {
                caption { (about) }
                thead { tr { @for column in columns { th scope="col" class=(class(column)) { (column.title) } } } }
                (body)
            }
        }
    }
}

/// What is said below a table that was cut.
pub(super) fn more(total: usize, shown: usize) -> Markup {
    html! { @if total > shown { p.quiet { "… and " (total - shown) " more in " code { "report.json" } "." } } }
}
