//! One second of an agent's statistics.

use crate::{ErrorTable, SeriesId, SeriesStats};
use std::collections::BTreeMap;

/// What ended during second `index` of the run: `[index s, index + 1 s)` since T0. Windows of the threads of
/// one agent merge into the agent's window.
#[derive(Clone, Debug)]
pub struct Window {
    /// Which second since T0.
    pub index: u32,
    /// Requests started during this second (not necessarily ended).
    pub started: u64,
    /// Requests given up without a result during this second because the run was stopped.
    pub aborted: u64,
    /// Statistics of the series that had at least one request end in this second.
    pub series: BTreeMap<SeriesId, SeriesStats>,
    /// Distinct errors.
    pub errors: ErrorTable,
}

impl Window {
    /// Distinct error rows per window; see [`ErrorTable`].
    pub const MAX_ERRORS: usize = 64;

    /// An empty window.
    pub fn new(index: u32) -> Window {
        let _ = index;
        todo!()
    }
    /// Adds a window of the same index from another thread.
    pub fn merge(&mut self, other: &Window) {
        let _ = other;
        todo!()
    }
    /// Whether nothing happened in it.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}
