//! The workers, and what is known of them.

use super::ENDPOINTS;
use super::recent::Recent;
use super::table::{self, MessagesTruth, Row};
use crate::behaviour::Behaviour;
use crate::config::Config;
use crate::store::Store;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// How many workers there are.
const WORKERS: usize = 4;
/// Most messages that a worker takes at a time.
const BATCH: usize = 100;

/// A message on its way.
pub(super) struct Arrival {
    pub(super) id: i64,
    pub(super) user_id: u32,
    pub(super) channel_id: u32,
    pub(super) content: String,
    pub(super) received: Instant,
}

/// Where messages are counted and committed.
pub(crate) struct Desk {
    store: Arc<Store>,
    commit: Behaviour,
    lost: Behaviour,
    duplicate: Behaviour,
    /// The last message that was there when the server started.
    before: i64,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// The number that was given last.
    given: i64,
    acknowledged: u64,
    /// Not yet with a worker.
    queued: u64,
    /// Not yet committed, the queued ones included.
    pending: u64,
    worker_times: Recent,
    end_to_end: Recent,
    workers: [Worker; WORKERS],
}

#[derive(Clone, Copy, Default)]
struct Worker {
    batches: u64,
    messages: u64,
}

impl Desk {
    pub(super) fn new(config: &Config, store: Arc<Store>) -> anyhow::Result<Desk> {
        let [.., commit, lost, duplicate] = &ENDPOINTS;
        let before = store.wait(table::last)?;
        let books = Mutex::new(Books { given: before, ..Books::default() });
        Ok(Desk {
            store,
            commit: Behaviour::new(commit, config),
            lost: Behaviour::new(lost, config),
            duplicate: Behaviour::new(duplicate, config),
            before,
            books,
        })
    }

    /// Starts the workers. They end when nobody can send any more and the queue is empty.
    pub(super) fn open(desk: &Arc<Desk>, arrivals: Receiver<Arrival>) -> std::io::Result<()> {
        let arrivals = Arc::new(Mutex::new(arrivals));
        for number in 0..WORKERS {
            let (desk, arrivals) = (Arc::clone(desk), Arc::clone(&arrivals));
            thread::Builder::new().name(format!("ingest-{number}")).spawn(move || {
                while let Some(batch) = take(&arrivals) {
                    desk.commit(number, &batch);
                }
            })?;
        }
        Ok(())
    }

    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The number of a message that is about to be queued. It counts as acknowledged from now on, so that a worker that
    /// is quick never commits what has not been counted.
    pub(super) fn accept(&self) -> i64 {
        let mut books = self.books();
        books.acknowledged += 1;
        books.queued += 1;
        books.pending += 1;
        books.given += 1;
        books.given
    }

    /// Takes that back: there was no room.
    pub(super) fn refuse(&self) {
        let mut books = self.books();
        books.acknowledged -= 1;
        books.queued -= 1;
        books.pending -= 1;
    }

    /// Whether some message since the server started has this number.
    pub(super) fn has_given(&self, id: i64) -> bool {
        self.before < id && id <= self.books().given
    }

    fn commit(&self, number: usize, batch: &[Arrival]) {
        let began = Instant::now();
        let count = batch.len() as u64;
        self.books().queued -= count;
        thread::sleep(self.commit.draw().delay);
        // What the database refuses is lost, and counted so: it was acknowledged, and is in no table.
        let _ = self.store_all(batch);
        let mut books = self.books();
        books.pending -= count;
        books.worker_times.add(began.elapsed());
        for arrival in batch {
            books.end_to_end.add(arrival.received.elapsed());
        }
        let worker = &mut books.workers[number];
        worker.batches += 1;
        worker.messages += count;
    }

    fn store_all(&self, batch: &[Arrival]) -> anyhow::Result<()> {
        let kept = batch.iter().filter(|_| !self.lost.draw().fails);
        let copies = kept.flat_map(|arrival| {
            std::iter::repeat_n(arrival, if self.duplicate.draw().fails { 2 } else { 1 })
        });
        let rows = copies.map(|arrival| Row {
            message: arrival.id,
            user: arrival.user_id,
            channel: arrival.channel_id,
            content: &arrival.content,
        });
        let rows = serde_json::to_string(&rows.collect::<Vec<_>>())?;
        self.store.wait(move |connection| table::insert(connection, &rows))?;
        Ok(())
    }

    /// What became of all messages. Waits for the database, so not for asynchronous code.
    pub(crate) fn truth(self: &Arc<Desk>) -> anyhow::Result<MessagesTruth> {
        let desk = Arc::clone(self);
        Ok(self.store.wait(move |connection| desk.truth_in(connection))?)
    }

    /// The same, on the database's thread.
    pub(super) fn truth_in(&self, connection: &Connection) -> rusqlite::Result<MessagesTruth> {
        // Read first: what is committed and still counts as pending is not lost. On this thread nothing is committed
        // meanwhile.
        let (acknowledged, pending) = {
            let books = self.books();
            (books.acknowledged, books.pending)
        };
        let (rows, stored) = table::count(connection, self.before)?;
        let lost = acknowledged.saturating_sub(pending + stored);
        Ok(MessagesTruth { acknowledged, stored, pending, lost, duplicated: rows - stored })
    }

    /// What probes are told.
    pub(super) fn status(&self, truth: MessagesTruth) -> Value {
        let books = self.books();
        let sum = |of: fn(&Worker) -> u64| books.workers.iter().map(of).sum::<u64>();
        let (batches, messages) = (sum(|worker| worker.batches), sum(|worker| worker.messages));
        let workers = books.workers.map(|w| json!({ "batches": w.batches, "messages": w.messages }));
        json!({
            "acknowledged": truth.acknowledged,
            "stored": truth.stored,
            "pending": truth.pending,
            "lost": truth.lost,
            "duplicated": truth.duplicated,
            "queue_depth": books.queued,
            "batches": batches,
            "messages_per_batch": messages as f64 / batches.max(1) as f64,
            "worker_ms": books.worker_times.percentiles(),
            "end_to_end_ms": books.end_to_end.percentiles(),
            "workers": workers,
        })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits, up to a batch; `None` when nothing will come any more.
fn take(arrivals: &Mutex<Receiver<Arrival>>) -> Option<Vec<Arrival>> {
    let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let first = arrivals.recv().ok()?;
    Some(std::iter::once(first).chain(arrivals.try_iter()).take(BATCH).collect())
}
