//! The journal's file: SQLite, in which each record has a number without holes and a checksum over all before it.
//!
//! SQLite makes a commit durable or leaves no trace of it (write-ahead log, synchronised at each commit), so whatever moment
//! the process ends at, the file ends with a whole commit. It does not see bytes that rot in the middle: the checksums do,
//! and a journal that holds anything else than what was written is refused.

use super::record::{self, MAX_RECORD, Record};
use super::{Batch, Head};
use bytes::Bytes;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::time::Duration;
use system::durable::sync_directory;
use system::private;

/// `MUST`: what this file is, for programs that look.
const APPLICATION: i32 = 0x4d55_5354;

/// Raised when what is kept changes.
const FORMAT: i32 = 1;

/// Longest of what a run was started with, in bytes.
const MAX_HEAD: usize = 8 << 20;

/// How long another process may be at the file.
const BUSY: Duration = Duration::from_secs(5);

/// Longest error of SQLite's that is shown, in characters.
const MAX_SHOWN: usize = 200;

const TABLES: &str = "
    CREATE TABLE head (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) STRICT;
    CREATE TABLE record (number INTEGER PRIMARY KEY, sum INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
";

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another coordinator has taken over the run.
    #[error("another coordinator has taken over the run (start {theirs} of it, this was start {ours})")]
    Fenced {
        /// Which start this one was.
        ours: u64,
        /// Which start the newest one was.
        theirs: u64,
    },
    /// The file cannot be read or written.
    #[error("{}: {problem}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It is not what was written.
    #[error("{}: {problem}; the file was damaged or changed: restore it from a copy, or start the run anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// An open journal.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    /// Which start of the run this is.
    epoch: u64,
    /// Number and checksum of the newest record.
    newest: (u64, u32),
}

impl Store {
    /// Makes the journal at `path` for a run that was started as `head` says.
    ///
    /// # Errors
    /// When it is there already, or cannot be written.
    pub fn create(path: &Path, head: &Head) -> Result<Store, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::failed(path, error);
        let json = head.to_json().map_err(|problem| failed(&problem))?;
        // SQLite gives its other files the mode of this one.
        let file = private::options().write(true).create_new(true).open(path);
        file.and_then(|file| file.sync_all()).map_err(|error| failed(&error))?;
        let mut store = Store { path: path.to_owned(), connection: connect(path)?, epoch: 1, newest: (0, 0) };
        let written = (|| {
            let transaction = store.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.execute_batch(TABLES)?;
            let mut insert = transaction.prepare("INSERT INTO head VALUES (?1, ?2)")?;
            let epoch = store.epoch.to_le_bytes();
            for (name, value) in [("run", &json[..]), ("bundle", &head.bundle), ("epoch", &epoch)] {
                insert.execute(params![name, summed(value)])?;
            }
            drop(insert);
            transaction.commit()
        })();
        written.map_err(|error: rusqlite::Error| failed(&error))?;
        // Its name, too.
        path.parent().map_or(Ok(()), sync_directory).map_err(|error| failed(&error))?;
        Ok(store)
    }

    /// Opens the journal at `path` to go on with its run: from now on, whoever wrote it before cannot any more.
    ///
    /// # Errors
    /// When it cannot be read or written, or is damaged.
    pub fn open(path: &Path) -> Result<(Store, Head), StoreError> {
        let damaged = |problem: String| StoreError::Damaged { path: path.to_owned(), problem };
        let connection = connect(path)?;
        let mut store = Store { path: path.to_owned(), connection, epoch: 0, newest: (0, 0) };
        let number = |name: &str| -> rusqlite::Result<i32> {
            store.connection.pragma_query_value(None, name, |row| row.get(0))
        };
        let application = number("application_id").map_err(|error| store.wrong(&error))?;
        if application == 0 {
            return Err(damaged(
                "nothing is in it: its coordinator was ended before the run began".to_owned(),
            ));
        }
        if application != APPLICATION {
            return Err(damaged("it is no journal of a run".to_owned()));
        }
        let format = number("user_version").map_err(|error| store.wrong(&error))?;
        if format != FORMAT {
            let problem = format!("it has format {format}, this version of Muster reads format {FORMAT}");
            return Err(StoreError::failed(path, &problem));
        }
        let check: String = store
            .connection
            .pragma_query_value(None, "quick_check", |row| row.get(0))
            .map_err(|error| store.wrong(&error))?;
        if check != "ok" {
            return Err(damaged(shown(&check)));
        }
        let head = Head::from_json(&store.head("run")?, store.head("bundle")?).map_err(damaged)?;
        store.epoch = store.next_epoch()?;
        Ok((store, head))
    }

    /// Counts one start more, durably.
    fn next_epoch(&mut self) -> Result<u64, StoreError> {
        let failed = |error: rusqlite::Error| StoreError::failed(&self.path, &error);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let before = stored_epoch(&transaction)
            .map_err(|problem| StoreError::Damaged { path: self.path.clone(), problem })?;
        let epoch = before.saturating_add(1);
        transaction
            .execute("UPDATE head SET value = ?1 WHERE name = 'epoch'", [summed(&epoch.to_le_bytes())])
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(epoch)
    }

    /// Which start of the run this is, from 1.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads every record in its order; new ones come after them. `heed` ends it by an error.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged, and those of `heed`.
    pub fn read(&mut self, mut heed: impl FnMut(Record) -> Result<(), String>) -> Result<(), StoreError> {
        let damaged = |problem: String| StoreError::Damaged { path: self.path.clone(), problem };
        let mut newest = (0, 0);
        let mut statement = self
            .connection
            .prepare("SELECT number, sum, body FROM record ORDER BY number")
            .map_err(|error| self.wrong(&error))?;
        let mut rows = statement.query([]).map_err(|error| self.wrong(&error))?;
        while let Some(row) = rows.next().map_err(|error| self.wrong(&error))? {
            let number: i64 = row.get(0).map_err(|error| self.wrong(&error))?;
            let sum: i64 = row.get(1).map_err(|error| self.wrong(&error))?;
            let body = row.get_ref(2).map_err(|error| self.wrong(&error))?;
            let expected = newest.0 + 1;
            if number.cast_unsigned() != expected {
                return Err(damaged(format!("record {expected} is missing")));
            }
            let body = body.as_blob().map_err(|error| damaged(format!("record {number}: {error}")))?;
            let actual = sum_of(newest.1, expected, body);
            if sum != i64::from(actual) {
                return Err(damaged(format!("the checksum of record {number} is wrong")));
            }
            newest = (expected, actual);
            record::decode(Bytes::copy_from_slice(body))
                .and_then(&mut heed)
                .map_err(|problem| damaged(format!("record {number}: {problem}")))?;
        }
        drop(rows);
        drop(statement);
        self.newest = newest;
        Ok(())
    }

    /// Adds records; they are durable when this returns. All of them or none.
    ///
    /// # Errors
    /// When they cannot be written, and when another coordinator has taken over the run since.
    pub fn append(&mut self, batches: &[Batch]) -> Result<u64, StoreError> {
        let (epoch, path) = (self.epoch, self.path.clone());
        let failed = |error: rusqlite::Error| StoreError::failed(&path, &error);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let theirs = stored_epoch(&transaction).map_err(|problem| StoreError::failed(&path, &problem))?;
        if theirs != epoch {
            return Err(StoreError::Fenced { ours: epoch, theirs });
        }
        let mut newest = self.newest;
        let mut insert = transaction
            .prepare_cached("INSERT INTO record (number, sum, body) VALUES (?1, ?2, ?3)")
            .map_err(failed)?;
        for batch in batches {
            if batch.first != newest.0 + 1 {
                let problem = format!("record {} comes after record {}", batch.first, newest.0);
                return Err(StoreError::failed(&path, &problem));
            }
            for body in &batch.records {
                let number = newest.0 + 1;
                newest = (number, sum_of(newest.1, number, body));
                let row = params![number.cast_signed(), i64::from(newest.1), body];
                insert.execute(row).map_err(failed)?;
            }
        }
        drop(insert);
        transaction.commit().map_err(failed)?;
        self.newest = newest;
        Ok(newest.0)
    }

    fn head(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        read_head(&self.connection, name)
            .map_err(|problem| StoreError::Damaged { path: self.path.clone(), problem })
    }

    /// What SQLite says of a file that it cannot read.
    fn wrong(&self, error: &rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, TooBig, TypeMismatch, Unknown};
        let path = self.path.clone();
        match error.sqlite_error_code() {
            // Unknown: a table that is not there; none: a column of another type.
            Some(DatabaseCorrupt | NotADatabase | TooBig | TypeMismatch | Unknown) | None => {
                StoreError::Damaged { path, problem: shown(&error.to_string()) }
            }
            Some(_) => StoreError::failed(&path, error),
        }
    }
}

impl StoreError {
    fn failed(path: &Path, problem: &dyn std::fmt::Display) -> StoreError {
        StoreError::Failed { path: path.to_owned(), problem: shown(&problem.to_string()) }
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags);
    let connect = || {
        let connection = connection?;
        let longest = i32::try_from(MAX_RECORD.max(MAX_HEAD) + 1024).expect("it is a few megabytes");
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(connection)
    };
    connect().map_err(|error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            StoreError::Damaged { path: path.to_owned(), problem: shown(&error.to_string()) }
        }
        _ => StoreError::failed(path, &error),
    })
}

fn stored_epoch(connection: &Connection) -> Result<u64, String> {
    let bytes = read_head(connection, "epoch")?;
    let bytes = bytes.try_into().map_err(|_| "the number of starts has another length".to_owned())?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_head(connection: &Connection, name: &str) -> Result<Vec<u8>, String> {
    let read = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0);
    let mut value = connection
        .prepare_cached("SELECT value FROM head WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([name], read))
        .map_err(|error| format!("`{name}`: {}", shown(&error.to_string())))?;
    let sum = value.get(..4).map(<[u8]>::to_vec);
    let rest = value.split_off(value.len().min(4));
    if sum.as_deref() != Some(&crc32fast::hash(&rest).to_le_bytes()) {
        return Err(format!("the checksum of `{name}` is wrong"));
    }
    Ok(rest)
}

/// `value` behind its checksum.
fn summed(value: &[u8]) -> Vec<u8> {
    [&crc32fast::hash(value).to_le_bytes()[..], value].concat()
}

/// The checksum of a record: over all before it, too.
fn sum_of(before: u32, number: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&before.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests;
