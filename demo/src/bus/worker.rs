//! The workers.

use super::Bus;
use super::table::{self, Claim, Outcome, Taken};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many workers there are; they are numbered from 1.
pub(super) const WORKERS: usize = 4;
/// How long a worker waits when the database refuses.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest time from a failure to the next attempt in microseconds.
const LONGEST_BACKOFF: i64 = 600_000_000;

/// The workers of a bus. Dropping it ends them at once: what they were at is not done, and taken again after its lease,
/// by the next server if this one has ended.
pub(crate) struct Crew {
    pub(super) bus: Arc<Bus>,
    workers: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Lets the workers begin.
    pub(super) fn start(bus: &Arc<Bus>) -> std::io::Result<Crew> {
        let mut crew = Crew { bus: Arc::clone(bus), workers: Vec::new() };
        for number in (1..).take(WORKERS) {
            let bus = Arc::clone(bus);
            let worker = thread::Builder::new().name(format!("bus-{number}"));
            crew.workers.push(worker.spawn(move || bus.work(number))?);
        }
        Ok(crew)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.bus.bell.close();
        for worker in self.workers.drain(..) {
            // A panic there has been printed already, and its command is taken again.
            let _ = worker.join();
        }
    }
}

impl Bus {
    fn work(self: &Arc<Bus>, number: i64) {
        // Asked before the look into the queue: what comes after that look rings once more.
        while let Some(rings) = self.bell.rings() {
            match self.claim(number) {
                Ok(Claim::Taken(command)) => self.process(command),
                Ok(Claim::Buried) => {}
                Ok(Claim::Nothing { due_at }) => self.bell.wait(rings, due_at.map(|at| self.until(at))),
                Err(_) => self.bell.wait(rings, Some(PAUSE)),
            }
        }
    }

    fn until(&self, at: i64) -> Duration {
        Duration::from_micros(at.saturating_sub(self.clock.micros()).max(0).unsigned_abs())
    }

    fn claim(self: &Arc<Bus>, number: i64) -> anyhow::Result<Claim> {
        let bus = Arc::clone(self);
        Ok(self.store.wait(move |connection| table::claim(connection, number, bus.clock.micros()))?)
    }

    /// One attempt. What it comes to is written down with one change, and only if the command is still this worker's.
    fn process(self: &Arc<Bus>, command: Taken) {
        let (began, fate) = (Instant::now(), self.process.draw());
        // A worker that dies writes nothing down: the lease of its command runs out.
        if !self.bell.sleep(command.delay + fate.delay) || self.crash.draw().fails {
            return;
        }
        let (lost, again) = (self.lost.draw().fails, self.repeat.draw().fails);
        let failure = if fate.fails {
            Some("this attempt fails because --fail says so")
        } else {
            command.behaviour.failure(command.failures)
        };
        let outcome = match failure {
            None => Outcome::Completed,
            Some(error) if command.attempt >= command.max_attempts => Outcome::DeadLetter { error },
            Some(error) => Outcome::Retry { error, after: backoff(command.backoff, command.failures) },
        };
        let took = i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX);
        let bus = Arc::clone(self);
        // Refused, it is as if the worker had died: the command is taken again.
        let _ = self.store.wait(move |connection| match (lost, again, &outcome) {
            (true, ..) => table::lose(connection, command.id),
            (_, true, Outcome::Completed) if command.attempt < command.max_attempts => {
                table::finish(connection, &command, &outcome, took, bus.clock.micros())?;
                table::forget(connection, command.id, bus.clock.micros())
            }
            _ => table::finish(connection, &command, &outcome, took, bus.clock.micros()),
        });
    }
}

/// From a failure that came after so many others to the next attempt, in microseconds.
fn backoff(first: i64, failures: i64) -> i64 {
    let doubled = u32::try_from(failures).ok().and_then(|times| 2_i64.checked_pow(times));
    doubled.and_then(|factor| first.checked_mul(factor)).unwrap_or(LONGEST_BACKOFF).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_and_is_bounded() {
        for (failures, expected) in
            [(0, 100_000), (1, 200_000), (4, 1_600_000), (13, LONGEST_BACKOFF), (99, LONGEST_BACKOFF)]
        {
            assert_eq!(backoff(100_000, failures), expected, "after {failures}");
        }
        assert_eq!(backoff(0, 19), 0);
    }
}
