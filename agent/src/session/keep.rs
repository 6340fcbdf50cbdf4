//! What a session has kept where a crash of its process does not reach it, and how it goes on from there.
//!
//! Each change of the outbox is an [`Entry`], told before what it is about is sent. Entries are taken in again one by one by
//! another process, which ends up with the windows that the first one had not delivered: numbered as they were sent, so
//! that none counts twice.

use super::outbox::Outbox;
use proto::message::{RunId, WindowReport};

/// An agent's part in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The run.
    pub run: RunId,
    /// `Welcome.session` of the stream over which the agent was given it.
    pub session: u64,
    /// Seconds of the plan's warm-up.
    pub warmup: u32,
}

/// A change in what is left to deliver.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A run begins.
    Began(Part),
    /// The engine closed this window. It has no number yet.
    Closed(Box<WindowReport>),
    /// The first window without a number has this one from now on.
    Numbered(u64),
    /// This window has its number from now on; the windows without a number that it covers were merged into it.
    Merged(Box<WindowReport>),
    /// The window of this number and every one before it have arrived.
    Acknowledged(u64),
    /// Nothing of the run is to be delivered any more.
    Over,
}

/// What an earlier process left to deliver.
#[derive(Debug)]
pub struct Recovered {
    pub(super) part: Part,
    pub(super) outbox: Outbox,
}

impl Recovered {
    /// Nothing yet of `part`.
    pub fn new(part: Part) -> Recovered {
        let mut outbox = Outbox::default();
        outbox.keep_apart(part.warmup);
        Recovered { part, outbox }
    }

    /// Takes in the next entry after the beginning; `false` if it does not fit those before it, and changes nothing then.
    pub fn take(&mut self, entry: Entry) -> bool {
        match entry {
            Entry::Began(_) | Entry::Over => false,
            Entry::Closed(window) => {
                let fits = window.run == self.part.run;
                if fits {
                    self.outbox.restore(window);
                }
                fits
            }
            Entry::Numbered(seq) => self.outbox.restore_number(seq),
            Entry::Merged(window) => window.run == self.part.run && self.outbox.restore_merged(window),
            Entry::Acknowledged(seq) => {
                self.outbox.restore_acknowledged(seq);
                true
            }
        }
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.part.run
    }

    /// How many windows are left to deliver, and the requests with a result in them.
    pub fn left(&self) -> (usize, u64) {
        (self.outbox.windows(), self.outbox.undelivered())
    }
}

#[cfg(test)]
mod tests;
