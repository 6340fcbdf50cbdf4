//! The thread that writes a journal, so that nothing else waits for a disk.

use super::{Batch, Store, StoreError};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc as events;

/// How far apart commits begin at least, so that what happens at about the same time shares one.
const PACE: Duration = Duration::from_millis(10);

/// What came of what was to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every record up to this number is durable.
    Kept(u64),
    /// Nothing can be written any more, for a person.
    Failed(String),
    /// Another coordinator has taken over the run, for a person.
    Fenced(String),
}

/// A journal that is written by a thread of its own. Dropping it waits until that has ended.
#[derive(Debug)]
pub struct Writer {
    batches: Option<Sender<Batch>>,
    forgets: Option<events::UnboundedSender<Progress>>,
    progress: events::UnboundedReceiver<Progress>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Writes to `store`.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn start(store: Store) -> std::io::Result<Writer> {
        let (batches, incoming) = channel();
        let (told, progress) = events::unbounded_channel();
        let work = move || work(store, &incoming, &told);
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(work)?;
        Ok(Writer { batches: Some(batches), forgets: None, progress, thread: Some(thread) })
    }

    /// Keeps nothing, and says that it is kept: for simulated machines, whose disks are not there.
    pub fn forgetful() -> Writer {
        let (told, progress) = events::unbounded_channel();
        Writer { batches: None, forgets: Some(told), progress, thread: None }
    }

    /// Has records written, some time soon.
    pub fn write(&self, batch: Batch) {
        if let Some(told) = &self.forgets {
            let _ = told.send(Progress::Kept(batch.first + batch.records.len() as u64 - 1));
        }
        if let Some(batches) = &self.batches {
            // A thread that has failed has said so.
            let _ = batches.send(batch);
        }
    }

    /// Waits for its thread no more: a disk that does not answer may never do.
    pub fn abandon(&mut self) {
        (self.batches, self.thread) = (None, None);
    }

    /// What came of it; never ends.
    pub async fn progress(&mut self) -> Progress {
        match self.progress.recv().await {
            Some(progress) => progress,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(mut store: Store, incoming: &Receiver<Batch>, told: &events::UnboundedSender<Progress>) {
    while let Ok(first) = incoming.recv() {
        let begun = Instant::now();
        let mut batches = vec![first];
        batches.extend(incoming.try_iter());
        let progress = match store.append(&batches) {
            Ok(newest) => Progress::Kept(newest),
            Err(error @ StoreError::Fenced { .. }) => Progress::Fenced(error.to_string()),
            Err(error) => Progress::Failed(error.to_string()),
        };
        let goes_on = matches!(progress, Progress::Kept(_));
        if told.send(progress).is_err() || !goes_on {
            return;
        }
        std::thread::sleep(PACE.saturating_sub(begun.elapsed()));
    }
}
