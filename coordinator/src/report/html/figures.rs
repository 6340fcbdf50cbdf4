//! Figures of the target itself, a row each; the first of them have charts, too.

use super::shown;
use super::table::{self, Cell, Row, Use, number, text};
use crate::report::model::{ObservedRow, Report};
use crate::results::quantity;
use maud::{Markup, html};

/// Most rows; of the rest it is said how many there are.
const MOST_FIGURES: usize = 600;

pub(super) fn render(report: &Report) -> Markup {
    let count = |n: u64| Cell::number(Some(quantity::count(n)), Some(n as f64));
    let row = |row: &ObservedRow| {
        let values = [row.min, row.mean, row.max, row.last];
        let mut cells = vec![Cell::text(&shown(&row.name, 120)), Cell::text(&shown(&row.probe, 40))];
        cells.extend([row.samples, row.failures].map(count));
        cells.extend(
            row.range_texts().into_iter().zip(values).map(|(text, value)| Cell::number(Some(text), value)),
        );
        Row { class: "", cells }
    };
    let rows: Vec<Row> = report.observed.iter().take(MOST_FIGURES).map(row).collect();
    let columns = [
        text("Figure"),
        text("Probe"),
        number("Samples"),
        number("Failed"),
        number("Min"),
        number("Mean"),
        number("Max"),
        number("Last"),
    ];
    html! {
        (table::render("observed-table", "What the target said of itself", Use::Explore, &columns, &rows))
        (table::more(report.observed.len(), rows.len()))
    }
}
