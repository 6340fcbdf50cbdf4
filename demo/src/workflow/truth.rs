//! Whether what was acknowledged is in the database.

use super::Workflow;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// What was acknowledged, and what the database holds of it, since the server started. Both are equal whenever no
/// request is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TasksTruth {
    /// What requests were told.
    pub acknowledged: TaskCounts,
    /// What a look into the tables finds.
    pub stored: TaskCounts,
}

/// Tasks, and changes of their status. Tasks that are made for a test (`POST /api/v1/tasks/seed`) do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// Tasks that were made.
    pub created: u64,
    /// Times that a status was set.
    pub changed: u64,
}

#[derive(Default)]
pub(super) struct Acknowledged {
    created: AtomicU64,
    changed: AtomicU64,
}

impl Acknowledged {
    pub(super) fn created(&self) {
        self.created.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn changed(&self) {
        self.changed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Workflow {
    /// Compares. Waits for the database.
    pub(crate) fn truth(&self) -> anyhow::Result<TasksTruth> {
        let all = self.store.wait(stored)?;
        let stored = TaskCounts {
            created: all.created.saturating_sub(self.before.created),
            changed: all.changed.saturating_sub(self.before.changed),
        };
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Acknowledged { created, changed } = &self.acknowledged;
        let acknowledged = TaskCounts { created: load(created), changed: load(changed) };
        Ok(TasksTruth { acknowledged, stored })
    }
}

/// What the tables hold.
pub(super) fn stored(connection: &Connection) -> rusqlite::Result<TaskCounts> {
    let count = |query| {
        let count: i64 = connection.query_row(query, [], |row| row.get(0))?;
        Ok::<u64, rusqlite::Error>(count.unsigned_abs())
    };
    Ok(TaskCounts {
        created: count("SELECT count(*) FROM tasks WHERE batch IS NULL")?,
        changed: count("SELECT count(*) FROM task_changes")?,
    })
}
