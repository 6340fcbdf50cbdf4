//! The thread that writes the spool.

use super::file::SpoolFile;
use super::{Owner, Spools};
use crate::session::Entry;
use std::io;
use std::sync::mpsc as jobs;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long the disk may take for what it is given before it is given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the disk may take for the rest when the process ends.
const FAREWELL: Duration = Duration::from_secs(2);

enum Job {
    Keep(Entry),
    Rewrite(Vec<Entry>),
}

/// What the thread says.
#[derive(Debug)]
pub(crate) enum Done {
    /// The first so many entries are written.
    Written(u64),
    /// The file has grown: what is left to deliver should be written anew.
    Full,
    /// Nothing can be kept any more: why, for a person.
    Failed(String),
}

/// A spool that is written as a run goes.
#[derive(Debug)]
pub(crate) struct Writer {
    jobs: Option<jobs::Sender<Job>>,
    done: mpsc::UnboundedReceiver<Done>,
    /// Entries that were given to the thread, and those that it has written.
    given: u64,
    written: u64,
    /// When the thread last got on, if it has something to do.
    since: Instant,
}

/// Where runs are kept: in a file for each.
struct Keeper {
    spools: Option<(Spools, Owner, u64)>,
    file: Option<SpoolFile>,
}

impl Writer {
    /// Keeps the runs of a process of `owner`.
    pub(crate) fn new(spools: Spools, owner: Owner, incarnation: u64) -> io::Result<Writer> {
        Writer::start(Keeper { spools: Some((spools, owner, incarnation)), file: None })
    }

    /// Goes on with what an earlier process kept in `file`.
    pub(crate) fn resume(file: SpoolFile) -> io::Result<Writer> {
        Writer::start(Keeper { spools: None, file: Some(file) })
    }

    fn start(mut keeper: Keeper) -> io::Result<Writer> {
        let (jobs, received) = jobs::channel();
        let (told, done) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("spool".to_owned()).spawn(move || {
            let (mut written, mut asked) = (0, false);
            for job in received {
                let result = match job {
                    Job::Keep(entry) => {
                        written += 1;
                        keeper.keep(entry)
                    }
                    Job::Rewrite(entries) => {
                        asked = false;
                        keeper.rewrite(entries)
                    }
                };
                if let Err(problem) = result {
                    let _ = told.send(Done::Failed(problem));
                    return;
                }
                let full = !asked && keeper.file.as_ref().is_some_and(SpoolFile::wants_rewrite);
                asked |= full;
                let news = [Some(Done::Written(written)), full.then_some(Done::Full)];
                if news.into_iter().flatten().any(|done| told.send(done).is_err()) {
                    return;
                }
            }
        })?;
        Ok(Writer { jobs: Some(jobs), done, given: 0, written: 0, since: Instant::now() })
    }

    /// Has `entry` written.
    pub(crate) fn keep(&mut self, entry: Entry) {
        if self.given == self.written {
            self.since = Instant::now();
        }
        self.given += 1;
        // A thread that is gone has said why.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(Job::Keep(entry)));
    }

    /// Has the file written anew.
    pub(crate) fn rewrite(&mut self, entries: Vec<Entry>) {
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(Job::Rewrite(entries)));
    }

    /// How many entries were given to it.
    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    /// How many are written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// What it says next. May be dropped and asked again.
    pub(crate) async fn next(&mut self) -> Done {
        let stuck = self.since + PATIENCE;
        let done = tokio::select! {
            biased;
            done = self.done.recv() => done,
            () = tokio::time::sleep_until(stuck), if self.given > self.written => {
                Some(Done::Failed(format!("the disk does not answer for {} s", PATIENCE.as_secs())))
            }
        };
        let done = done.unwrap_or_else(|| Done::Failed("its thread has ended".to_owned()));
        if let Done::Written(count) = &done {
            (self.written, self.since) = (*count, Instant::now());
        }
        done
    }

    /// Waits, a little, until all is written.
    pub(crate) async fn finish(mut self) {
        self.jobs = None;
        let ended = async { while self.done.recv().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, ended).await;
    }
}

impl Keeper {
    fn keep(&mut self, entry: Entry) -> Result<(), String> {
        match (entry, self.file.as_mut()) {
            (Entry::Began(part), _) => {
                let Some((spools, owner, incarnation)) = &self.spools else { return Ok(()) };
                let created = spools.create(owner, *incarnation, &part);
                let wrong = |error| format!("{}: {error}", spools.path().display());
                self.file = Some(created.map_err(wrong)?);
                Ok(())
            }
            (_, None) => Ok(()),
            (Entry::Over, Some(_)) => {
                let Some(file) = self.file.take() else { return Ok(()) };
                let path = file.path().to_owned();
                file.remove().map_err(|error| format!("{}: {error}", path.display()))
            }
            (entry, Some(file)) => {
                let written = file.append(entry);
                written.map_err(|error| format!("{}: {error}", file.path().display()))
            }
        }
    }

    fn rewrite(&mut self, entries: Vec<Entry>) -> Result<(), String> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let rewritten = file.rewrite(entries);
        rewritten.map_err(|error| format!("{}: {error}", file.path().display()))
    }
}
