//! Tasks in the database, and whether all that were acknowledged are there.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// A task is there from before its session is told so.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS ws_tasks (
        id INTEGER PRIMARY KEY, session TEXT NOT NULL, content TEXT NOT NULL, lines INTEGER NOT NULL,
        status TEXT NOT NULL
    );
";

/// What became of the tasks of all sessions since the server started. When no session is open,
/// `stored == acknowledged` and `stored_completed == completed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionsTruth {
    /// Sessions that were opened.
    pub sessions: u64,
    /// Those of them that are open.
    pub open: u64,
    /// Tasks that were accepted: `started` was told, unless the session broke just then.
    pub acknowledged: u64,
    /// Those that the database has.
    pub stored: u64,
    /// Tasks whose whole output was sent: `complete` was told, unless the session broke just then.
    pub completed: u64,
    /// Those that the database has as completed.
    pub stored_completed: u64,
    /// Tasks that were acknowledged and are not in the database.
    pub lost: u64,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All its output was sent.
    Completed,
    /// An error was told in place of it.
    Failed,
    /// Its session broke.
    Abandoned,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Failed => "failed",
            Outcome::Abandoned => "abandoned",
        }
    }
}

/// Keeps a task that begins; gives its number.
pub(super) fn begin(
    connection: &Connection,
    session: &str,
    content: &str,
    lines: u32,
) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO ws_tasks (session, content, lines, status) VALUES (?1, ?2, ?3, 'running')",
    )?;
    statement.insert((session, content, lines))
}

/// Keeps how task `id` ended, unless it has ended already: a session may break when it is told so.
pub(super) fn end(connection: &Connection, id: i64, outcome: Outcome) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("UPDATE ws_tasks SET status = ?2 WHERE id = ?1 AND status = 'running'")?;
    statement.execute((id, outcome.name())).map(drop)
}

/// The highest number that a task has; 0 without any.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(id), 0) FROM ws_tasks", [], |row| row.get(0))
}

/// How many tasks there are after task `last`, and how many of them are completed.
pub(super) fn count(connection: &Connection, last: i64) -> rusqlite::Result<(u64, u64)> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), count(CASE status WHEN 'completed' THEN 1 END) FROM ws_tasks WHERE id > ?1",
    )?;
    let (tasks, completed): (i64, i64) = statement.query_row([last], |row| row.try_into())?;
    Ok((tasks.unsigned_abs(), completed.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_ends_once() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let first = begin(&connection, "s", "c", 1).unwrap();
        end(&connection, first, Outcome::Completed).unwrap();
        end(&connection, first, Outcome::Abandoned).unwrap();
        let second = begin(&connection, "s", "c", 1).unwrap();
        end(&connection, second, Outcome::Abandoned).unwrap();
        assert_eq!((last(&connection).unwrap(), count(&connection, 0).unwrap()), (2, (2, 1)));
        assert_eq!(count(&connection, first).unwrap(), (1, 0));
    }
}
