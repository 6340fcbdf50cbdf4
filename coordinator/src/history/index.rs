//! `.runs.db`: what is known of each run, by its folder and the state of its report.

use super::Entry;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The index in a report directory. It is hidden, so that whatever walks through that finds directories of runs alone.
pub const INDEX: &str = ".runs.db";

/// Version of its tables; one of another version is made again.
const VERSION: i64 = 1;

/// How long another coordinator may be writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// By what a report is known to be the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Bytes.
    pub(super) size: u64,
    /// Nanoseconds since 1970 at which it was changed last.
    pub(super) changed: i64,
}

impl Mark {
    /// Of the file at `path`, if there is one.
    pub(super) fn of(path: &Path) -> Option<Mark> {
        let data = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let changed = data.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(Mark { size: data.len(), changed: i64::try_from(changed.as_nanos()).ok()? })
    }
}

/// What the index knows of a folder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) mark: Mark,
    pub(super) entry: Entry,
}

/// The index, open.
pub(super) struct Index {
    connection: Connection,
}

impl Index {
    /// Opens the index of `report_dir`. What is no index, or one of another version, is thrown away: reports have it all.
    ///
    /// # Errors
    /// When there can be none: a directory that cannot be written, a disk that is full.
    pub(super) fn open(report_dir: &Path) -> Result<Index, String> {
        let path = report_dir.join(INDEX);
        match Index::try_open(&path) {
            Ok(index) => Ok(index),
            Err(error) if is_damage(&error) => {
                for suffix in ["", "-wal", "-shm", "-journal"] {
                    let _ = std::fs::remove_file(report_dir.join(format!("{INDEX}{suffix}")));
                }
                Index::try_open(&path).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn try_open(path: &Path) -> rusqlite::Result<Index> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != VERSION {
            transaction.execute_batch(&format!(
                "DROP TABLE IF EXISTS runs;
                 CREATE TABLE runs (
                     id TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL, entry TEXT NOT NULL
                 ) STRICT;
                 PRAGMA user_version = {VERSION};"
            ))?;
        }
        transaction.commit()?;
        Ok(Index { connection })
    }

    /// All that it knows, by folder. A row that cannot be read is passed over: its report will be read again.
    pub(super) fn all(&self) -> Result<BTreeMap<String, Known>, String> {
        let read = || -> rusqlite::Result<BTreeMap<String, Known>> {
            let mut query = self.connection.prepare("SELECT id, size, changed, entry FROM runs")?;
            let rows = query.query_map([], |row| {
                let mark = Mark { size: row.get::<_, i64>(1)?.unsigned_abs(), changed: row.get(2)? };
                Ok((row.get::<_, String>(0)?, mark, row.get::<_, String>(3)?))
            })?;
            let mut known = BTreeMap::new();
            for row in rows {
                let (id, mark, entry) = row?;
                if let Ok(entry) = serde_json::from_str(&entry) {
                    known.insert(id, Known { mark, entry });
                }
            }
            Ok(known)
        };
        read().map_err(|error| error.to_string())
    }

    /// Puts down what was read, all or nothing.
    pub(super) fn put(&mut self, rows: &[Known]) -> Result<(), String> {
        let mut write = || -> rusqlite::Result<()> {
            let behavior = rusqlite::TransactionBehavior::Immediate;
            let transaction = self.connection.transaction_with_behavior(behavior)?;
            for Known { mark, entry } in rows {
                let text = serde_json::to_string(entry).expect("an entry is plain text and numbers");
                let size = i64::try_from(mark.size).unwrap_or(i64::MAX);
                transaction.execute(
                    "INSERT OR REPLACE INTO runs (id, size, changed, entry) VALUES (?1, ?2, ?3, ?4)",
                    params![entry.id, size, mark.changed, text],
                )?;
            }
            transaction.commit()
        };
        write().map_err(|error| error.to_string())
    }

    /// Takes a run out of it.
    #[cfg(test)]
    pub(super) fn forget(&self, id: &str) {
        self.connection.execute("DELETE FROM runs WHERE id = ?1", [id]).unwrap();
    }

    /// Whether it knows the run of that name.
    #[cfg(test)]
    pub(super) fn has(&self, id: &str) -> bool {
        let query = "SELECT 1 FROM runs WHERE id = ?1";
        self.connection.query_row(query, [id], |_| Ok(())).is_ok()
    }
}

/// Whether the file is not, or no longer, a database.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
        || matches!(error, rusqlite::Error::SqliteFailure(_, Some(text)) if text.contains("malformed"))
}
