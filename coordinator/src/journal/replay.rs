//! A run from its records. Pure.

use super::record::Record;
use crate::fleet::{Fleet, FleetConfig, Input, Output};
use std::time::Duration;

/// A run as far as it was kept.
#[derive(Debug)]
pub struct Replayed {
    /// The fleet core, as it was.
    pub fleet: Fleet,
    /// How many records there were.
    pub records: u64,
    /// When the last one was made, on the fleet's clock.
    pub at: Duration,
    /// Number of the newest stream.
    pub newest_session: u64,
}

/// A run of `config`, of which nothing has happened yet.
pub fn replay(config: FleetConfig) -> Replayed {
    let fleet = Fleet::new(config, Duration::ZERO);
    Replayed { fleet, records: 0, at: Duration::ZERO, newest_session: 0 }
}

impl Replayed {
    /// Tells it what comes next; `heed` gets what the fleet decided, and when: all of it was decided before, so nothing of it
    /// is to be said again.
    ///
    /// # Errors
    /// When the record is older than the one before it.
    pub fn tell(&mut self, record: Record, mut heed: impl FnMut(Duration, Output)) -> Result<(), String> {
        let Record { at, input } = record;
        if at < self.at {
            return Err("it is older than the one before it".to_owned());
        }
        (self.at, self.records) = (at, self.records + 1);
        if let Some(Input::Attached { session, .. }) = &input {
            self.newest_session = self.newest_session.max(session.0);
        }
        match input {
            Some(input) => self.fleet.handle_input(at, input),
            None => self.fleet.handle_timeout(at),
        }
        while let Some(output) = self.fleet.poll_output() {
            heed(at, output);
        }
        Ok(())
    }
}
