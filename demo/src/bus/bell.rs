//! What wakes workers.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Rings when commands come, and for the last time when the server stops.
#[derive(Default)]
pub(super) struct Bell {
    state: Mutex<State>,
    rung: Condvar,
    closed: Condvar,
}

#[derive(Default)]
struct State {
    rings: u64,
    closed: bool,
}

impl Bell {
    /// How often it has rung; `None` once it is closed.
    pub(super) fn rings(&self) -> Option<u64> {
        let state = self.state();
        (!state.closed).then_some(state.rings)
    }

    pub(super) fn ring(&self) {
        self.state().rings += 1;
        self.rung.notify_all();
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.rung.notify_all();
        self.closed.notify_all();
    }

    /// Until it has rung more than `rings` times, or is closed; for `longest` at most, if there is such a time.
    pub(super) fn wait(&self, rings: u64, longest: Option<Duration>) {
        let quiet = |state: &mut State| state.rings == rings && !state.closed;
        match longest {
            // Whether it rang or not: the worker looks, and waits again if there is nothing to do.
            Some(longest) => drop(self.rung.wait_timeout_while(self.state(), longest, quiet)),
            None => drop(self.rung.wait_while(self.state(), quiet)),
        }
    }

    /// Lets so much time pass; false if it was closed meanwhile, and then at once.
    pub(super) fn sleep(&self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        let mut state = self.state();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                return !state.closed;
            }
            state = self.closed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
