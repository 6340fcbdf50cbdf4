//! The database of the example systems: SQLite on a thread of its own.

use rusqlite::Connection;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use tokio::sync::oneshot;

/// Runs work on the one connection, in the order in which it was asked for. All that has piled up while the
/// last transaction ran goes into the next one; nobody has an answer before it is committed.
pub(crate) struct Store {
    jobs: Sender<Job>,
}

type Job = Box<dyn FnOnce(&Connection) -> Reply + Send>;
/// Hands the result over; run after the commit, dropped if there is none.
type Reply = Box<dyn FnOnce() + Send>;

/// Work that the database could not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database refused: {0}")]
    Refused(#[from] rusqlite::Error),
    #[error("the database could not commit")]
    Lost,
}

/// Most jobs in one transaction: so many that the commit costs each of them little, and so few that none
/// waits long for the others.
const BATCH: usize = 128;

impl Store {
    /// Opens `database`, or an anonymous temporary one, and brings the `schema` (idempotent SQL) in.
    pub(crate) fn open(database: Option<&Path>, schema: &str) -> anyhow::Result<Store> {
        let connection = Store::connect(database, schema).map_err(|error| {
            let path = database.map_or("a temporary file".into(), Path::to_string_lossy);
            anyhow::anyhow!("cannot open the database in {path}: {error}; choose another with --database")
        })?;
        let (jobs, queue) = channel();
        thread::Builder::new().name("store".to_owned()).spawn(move || work(&connection, &queue))?;
        Ok(Store { jobs })
    }

    fn connect(database: Option<&Path>, schema: &str) -> rusqlite::Result<Connection> {
        // An empty path is a temporary database, held in memory until it grows beyond the page cache.
        let connection = Connection::open(database.unwrap_or(Path::new("")))?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(schema)?;
        Ok(connection)
    }

    /// Runs `work` in a transaction that may hold the work of others too. So it makes at most one change;
    /// if that fails, there is nothing to take back.
    pub(crate) async fn run<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        // Nobody waits for it any more when the client has gone.
        self.order(work, move |result| drop(sender.send(result)))?;
        receiver.await.map_err(|_| StoreError::Lost)?.map_err(StoreError::Refused)
    }

    /// As [`run`](Store::run), for threads that may block.
    pub(crate) fn wait<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (sender, receiver) = channel();
        self.order(work, move |result| drop(sender.send(result)))?;
        receiver.recv().map_err(|_| StoreError::Lost)?.map_err(StoreError::Refused)
    }

    /// Lets the thread do `work`, and `tell` its result once that is committed.
    fn order<T, W, R>(&self, work: W, tell: R) -> Result<(), StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        R: FnOnce(rusqlite::Result<T>) + Send + 'static,
    {
        let job: Job = Box::new(move |connection| {
            let result = work(connection);
            Box::new(move || tell(result))
        });
        self.jobs.send(job).map_err(|_| StoreError::Lost)
    }
}

/// The thread; ends when the store is dropped.
fn work(connection: &Connection, queue: &Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let Ok(transaction) = connection.unchecked_transaction() else { continue };
        let jobs = std::iter::once(first).chain(queue.try_iter()).take(BATCH);
        let replies: Vec<Reply> = jobs.map(|job| job(&transaction)).collect();
        if transaction.commit().is_ok() {
            for reply in replies {
                reply();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE)";

    #[tokio::test]
    async fn work_is_done_in_order_and_errors_stay_with_their_cause() {
        let store = Store::open(None, SCHEMA).unwrap();
        let note = |text: &'static str| {
            store.run(move |db| {
                db.execute("INSERT INTO notes (text) VALUES (?1)", [text]).map(|_| db.last_insert_rowid())
            })
        };
        let (one, again, two) = tokio::join!(note("one"), note("one"), note("two"));
        assert_eq!(one.unwrap(), 1);
        assert!(matches!(again, Err(StoreError::Refused(_))));
        assert_eq!(two.unwrap(), 2);
    }

    #[test]
    fn an_impossible_path_is_named() {
        let path = Path::new("/nowhere/at/all.db");
        let error = Store::open(Some(path), SCHEMA).err().unwrap().to_string();
        assert!(error.contains("/nowhere/at/all.db") && error.contains("--database"), "{error}");
    }
}
