//! How a run is told: one model of numbers, and the forms it is written in.
//!
//! **Invariant:** a report decides nothing. Everything that is judged is judged in [`results`](crate::results);
//! here numbers get their units, and text from outside is made harmless where it is shown. Every form is made of
//! [`Report`] alone, which is what `report.json` holds: so a form that is made again from the file is the same to the
//! byte.

mod build;
mod chores;
mod conversations;
mod deliver;
pub(crate) mod escape;
mod files;
mod github;
pub(crate) mod grid;
mod hlog;
mod html;
mod junit;
mod locust_csv;
pub(crate) mod model;
mod observed;
mod read;
mod remark;
mod schema;
pub(crate) mod summary;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod text;
mod words;

pub(crate) use build::kind_name;
pub use deliver::{Delivered, ReportError, deliver, make_again};
pub use escape::escape;
pub use files::{Form, WriteError, Written, write_forms};
pub use github::GitHub;
pub use model::Report;
pub(crate) use observed::figure_text;
pub use read::{Mistake, ReadError, read_report};
pub use schema::schema_text;
pub use text::{Style, Styles, render_text};
