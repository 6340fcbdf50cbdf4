//! Which runs a report directory has, and how they ended.
//!
//! Every run is kept: `report.json` is the truth, and `.runs.db` beside the runs' folders is an index of it (`index`), so that a
//! directory of a thousand runs is listed without reading a thousand reports. A folder whose report is not what the index
//! knows (another size or time of change) is read again; one that is gone stays listed by what was known of it. An index that
//! is missing, damaged or of another version is made again from the reports, and without a place to write it everything is
//! read: nothing depends on it. Several coordinators may use it at once.

mod entry;
mod find;
mod index;
mod list;
mod render;
#[cfg(test)]
mod tests;

pub use entry::Entry;
pub use find::{FindError, RunName, find_baseline, find_run};
pub use index::INDEX;
pub use list::{Damaged, History, record, scan};
pub use render::{render_json, render_text};
