//! Who is there: sessions that are open, batches of them, and the memory of the process that has them.

use super::table::{self, SessionsTruth};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts sessions and their tasks.
pub(crate) struct Hall {
    /// The last task that was there when the server started.
    before: i64,
    /// Resident memory of the process in bytes.
    resident: fn() -> Option<u64>,
    books: Mutex<Books>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Books {
    sessions: u64,
    open: u64,
    acknowledged: u64,
    completed: u64,
    watch: Watch,
}

/// What is seen since the last restart.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// The most sessions that were open at once.
    most: u64,
    batches: u64,
    /// Memory before the first session.
    empty: Option<u64>,
    /// The most sessions at once of which the memory is known, and that.
    full: Option<(u64, u64)>,
    /// Memory after the first batch, and after the last one.
    ends: Option<(u64, u64)>,
}

/// A session that is open until this is dropped.
pub(super) struct Guest {
    hall: Arc<Hall>,
}

impl Hall {
    pub(super) fn new(before: i64) -> Hall {
        Hall::with_memory(before, resident)
    }

    fn with_memory(before: i64, resident: fn() -> Option<u64>) -> Hall {
        Hall { before, resident, books: Mutex::default() }
    }

    /// A session begins.
    pub(super) fn enter(self: &Arc<Hall>) -> Guest {
        let mut books = self.books();
        if books.watch.empty.is_none() {
            books.watch.empty = (self.resident)();
        }
        books.sessions += 1;
        books.open += 1;
        books.watch.most = books.watch.most.max(books.open);
        Guest { hall: Arc::clone(self) }
    }

    fn leave(&self) {
        let mut books = self.books();
        self.measure(&mut books);
        books.open -= 1;
        if books.open == 0 {
            books.watch.batches += 1;
            let now = (self.resident)();
            books.watch.ends = now.map(|now| (books.watch.ends.map_or(now, |(first, _)| first), now));
        }
    }

    /// Looks at the memory if more sessions are open than when it was looked at last.
    fn measure(&self, books: &mut Books) {
        if books.open > books.watch.full.map_or(0, |(sessions, _)| sessions) {
            books.watch.full = (self.resident)().map(|memory| (books.open, memory));
        }
    }

    /// A task was accepted.
    pub(super) fn begun(&self) {
        self.books().acknowledged += 1;
    }

    /// All output of a task was sent.
    pub(super) fn completed(&self) {
        self.books().completed += 1;
    }

    /// Begins the watch again.
    pub(super) fn restart(&self) {
        let mut books = self.books();
        books.watch = Watch { most: books.open, ..Watch::default() };
    }

    /// What became of the tasks, on the database's thread.
    pub(super) fn truth_in(&self, connection: &Connection) -> rusqlite::Result<SessionsTruth> {
        // Read first: what is counted is in the database already.
        let books = *self.books();
        let (stored, stored_completed) = table::count(connection, self.before)?;
        Ok(SessionsTruth {
            sessions: books.sessions,
            open: books.open,
            acknowledged: books.acknowledged,
            stored,
            completed: books.completed,
            stored_completed,
            lost: books.acknowledged.saturating_sub(stored),
        })
    }

    /// What probes are told.
    pub(super) fn status(&self) -> Value {
        let mut books = self.books();
        self.measure(&mut books);
        let (Books { sessions, open, .. }, watch) = (*books, books.watch);
        drop(books);
        let now = (self.resident)();
        let none = || now.is_some().then_some(0.0);
        let each = match (watch.empty, watch.full) {
            (Some(empty), Some((most, full))) => {
                Some(full.saturating_sub(empty) as f64 / most as f64 / 1024.0)
            }
            _ => none(),
        };
        let growth = match watch.ends {
            Some((first, last)) => Some((last as f64 / first.max(1) as f64 - 1.0) * 100.0),
            None => none(),
        };
        json!({
            "open_sessions": open,
            "most_sessions": watch.most,
            "sessions": sessions,
            "batches": watch.batches,
            "resident_mib": now.map(|bytes| rounded(bytes as f64 / 1_048_576.0)),
            "memory_per_session_kib": each.map(rounded),
            "batch_growth_percent": growth.map(rounded),
        })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.hall.leave();
    }
}

/// To three decimals.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Resident memory of this process in bytes; `None` where the system does not tell.
fn resident() -> Option<u64> {
    vm_rss(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// `VmRSS` of Linux's `/proc/PID/status`, in bytes.
fn vm_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        assert_eq!(vm_rss("VmSize:\t  20 kB\nVmRSS:\t    12 kB\nRssAnon:\t 1 kB\n"), Some(12 * 1024));
        for other in ["", "VmRSS:", "VmRSS:\t12 MB", "VmRSS:\t-1 kB", "VmRSS: 18446744073709551615 kB"] {
            assert_eq!(vm_rss(other), None, "{other}");
        }
    }

    /// Memory that the test sets.
    static MEMORY: AtomicU64 = AtomicU64::new(0);

    #[test]
    fn memory_is_told_by_session_and_by_batch() {
        let hall = Arc::new(Hall::with_memory(0, || Some(MEMORY.load(Ordering::Relaxed) * 1024)));
        let kib = |memory| MEMORY.store(memory, Ordering::Relaxed);
        // All of them are whole numbers.
        let told = |name: &str| hall.status()[name].as_f64().expect("a number").round() as i64;
        let batch = |full, after| {
            let mut guests: Vec<Guest> = (0..10).map(|_| hall.enter()).collect();
            kib(full);
            while guests.len() > 1 {
                guests.pop();
            }
            kib(after);
        };
        kib(1000);
        assert_eq!((told("memory_per_session_kib"), told("batch_growth_percent")), (0, 0));
        batch(1200, 1100);
        assert_eq!((told("open_sessions"), told("most_sessions"), told("batches")), (0, 10, 1));
        assert_eq!((told("memory_per_session_kib"), told("batch_growth_percent")), (20, 0));
        batch(1300, 1155);
        assert_eq!((told("batches"), told("memory_per_session_kib")), (2, 20), "no more were there");
        assert_eq!(told("batch_growth_percent"), 5);
        batch(1300, 1089);
        assert_eq!(told("batch_growth_percent"), -1);
        hall.restart();
        assert_eq!((told("most_sessions"), told("batches"), told("batch_growth_percent")), (0, 0, 0));
        assert_eq!(told("sessions"), 30);
    }

    #[test]
    fn where_the_system_does_not_tell_nothing_is_told() {
        let hall = Arc::new(Hall::with_memory(0, || None));
        drop(hall.enter());
        let status = hall.status();
        for name in ["resident_mib", "memory_per_session_kib", "batch_growth_percent"] {
            assert!(status[name].is_null(), "{status}");
        }
        assert_eq!((&status["batches"], &status["open_sessions"]), (&1.into(), &0.into()));
    }
}
