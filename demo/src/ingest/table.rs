//! Messages in the database, and whether all that were acknowledged are there.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// A message may be there twice: whether it is has to be found out, not prevented.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY, message INTEGER NOT NULL, user INTEGER NOT NULL, channel INTEGER NOT NULL,
        content TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS messages_by_number ON messages (message);
";

/// What became of the messages since the server started. When nothing is pending,
/// `acknowledged == stored + lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesTruth {
    /// Messages that were answered 202.
    pub acknowledged: u64,
    /// Those of them that a look into the database finds, each counted once.
    pub stored: u64,
    /// Those that are in the queue, or with a worker.
    pub pending: u64,
    /// Those that are neither.
    pub lost: u64,
    /// Rows beyond the first one of their message.
    pub duplicated: u64,
}

/// One row of a batch.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    pub(super) message: i64,
    pub(super) user: u32,
    pub(super) channel: u32,
    pub(super) content: &'a str,
}

/// Stores a batch, a JSON array of [`Row`]s: in one statement, so that it is done as a whole or not at all.
pub(super) fn insert(connection: &Connection, batch: &str) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO messages (message, user, channel, content)
         SELECT value ->> 'message', value ->> 'user', value ->> 'channel', value ->> 'content' FROM json_each(?1)",
    )?;
    statement.execute([batch])
}

/// Whether message `id` is there.
pub(super) fn is_stored(connection: &Connection, id: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM messages WHERE message = ?1")?.exists([id])
}

/// The highest number that a message has; 0 without any.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(message), 0) FROM messages", [], |row| row.get(0))
}

/// How many rows there are after message `last`, and of how many messages.
pub(super) fn count(connection: &Connection, last: i64) -> rusqlite::Result<(u64, u64)> {
    let mut statement = connection
        .prepare_cached("SELECT count(*), count(DISTINCT message) FROM messages WHERE message > ?1")?;
    let (rows, messages): (i64, i64) = statement.query_row([last], |row| row.try_into())?;
    Ok((rows.unsigned_abs(), messages.unsigned_abs()))
}
