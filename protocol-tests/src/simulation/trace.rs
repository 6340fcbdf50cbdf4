//! What happened, a line for each event, and a hash of all of it.

use std::collections::VecDeque;
use std::fmt::{Arguments, Write as _};
use std::time::Duration;

/// Lines that a failure shows.
const TAIL: usize = 60;

/// Whether the trace is shown while it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Only its last lines, when an invariant breaks.
    Tail,
    /// Every line, on standard output.
    All,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Trace {
    show: Show,
    hash: u64,
    line: String,
    tail: VecDeque<String>,
}

impl Trace {
    pub(super) fn new(show: Show) -> Trace {
        Trace { show, hash: 0xcbf2_9ce4_8422_2325, line: String::new(), tail: VecDeque::new() }
    }

    /// Puts down what happens at `now`.
    pub(super) fn line(&mut self, now: Duration, what: Arguments<'_>) {
        self.line.clear();
        let _ = write!(self.line, "{:>10}.{:03} {what}", now.as_micros() / 1000, now.as_micros() % 1000);
        // FNV-1a, which is stable and needs no crate.
        for byte in self.line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.show == Show::All {
            println!("{}", self.line);
        }
        let spare = if self.tail.len() == TAIL { self.tail.pop_front() } else { None };
        let mut kept = spare.unwrap_or_default();
        std::mem::swap(&mut kept, &mut self.line);
        self.tail.push_back(kept);
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn tail(&self) -> String {
        self.tail.iter().fold(String::new(), |text, line| text + line + "\n")
    }
}
