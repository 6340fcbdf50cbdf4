//! Answers that are kept, so that the database is not asked again.

use super::task::Status;
use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most answers that are kept.
const ROOM: usize = 4096;
/// How long a list or a count is good enough; nothing tells the cache that it has changed.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// Of what an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Task(i64),
    Latest(u32),
    OfStatus(Status, u32),
    Statistics,
}

impl Key {
    /// Whether changes are written through, so that what is kept never is out of date.
    fn is_written_through(self) -> bool {
        matches!(self, Key::Task(_))
    }
}

/// Counts of all look-ups since the server started.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Statistics {
    entries: usize,
    hits: u64,
    misses: u64,
    /// Percentage of look-ups that found something, to two decimals; 100 before the first one.
    hit_rate: f64,
}

#[derive(Default)]
pub(super) struct Cache {
    kept: Mutex<Kept>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Default)]
struct Kept {
    values: HashMap<Key, Entry>,
    /// The oldest first. What was forgotten, or kept again, is passed over by its number.
    order: VecDeque<(Key, u64)>,
    number: u64,
}

struct Entry {
    value: Arc<Value>,
    since: Instant,
    number: u64,
}

impl Cache {
    /// The answer that is kept; counts a hit or a miss.
    pub(super) fn find(&self, key: Key) -> Option<Arc<Value>> {
        let found = self.kept().find(key, Instant::now());
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    pub(super) fn keep(&self, key: Key, value: Arc<Value>) {
        self.kept().keep(key, value, Instant::now());
    }

    pub(super) fn forget(&self, key: Key) {
        self.kept().values.remove(&key);
    }

    pub(super) fn statistics(&self) -> Statistics {
        let entries = self.kept().values.len();
        let (hits, misses) = (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed));
        let hit_rate = match hits + misses {
            0 => 100.0,
            all => (hits as f64 * 10_000.0 / all as f64).round() / 100.0,
        };
        Statistics { entries, hits, misses, hit_rate }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn find(&self, key: Key, now: Instant) -> Option<Arc<Value>> {
        let entry = self.values.get(&key)?;
        let good = key.is_written_through() || now.duration_since(entry.since) < GOOD_FOR;
        good.then(|| Arc::clone(&entry.value))
    }

    fn keep(&mut self, key: Key, value: Arc<Value>, now: Instant) {
        self.number += 1;
        let number = self.number;
        self.values.insert(key, Entry { value, since: now, number });
        self.order.push_back((key, number));
        // Entries that are out of order take room too, so that the queue cannot grow without end.
        while self.values.len() > ROOM || self.order.len() > 2 * ROOM {
            let Some((oldest, number)) = self.order.pop_front() else { return };
            if self.values.get(&oldest).is_some_and(|entry| entry.number == number) {
                self.values.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_grow_old_and_tasks_do_not() {
        let (mut kept, start) = (Kept::default(), Instant::now());
        for key in [Key::Task(1), Key::Latest(20), Key::Statistics] {
            kept.keep(key, Arc::new(json!(1)), start);
        }
        let found = |kept: &Kept, key, after| kept.find(key, start + after).is_some();
        let almost = GOOD_FOR.saturating_sub(Duration::from_nanos(1));
        assert!(found(&kept, Key::Latest(20), almost) && found(&kept, Key::Statistics, almost));
        assert!(!found(&kept, Key::Latest(20), GOOD_FOR) && !found(&kept, Key::Statistics, GOOD_FOR));
        assert!(found(&kept, Key::Task(1), GOOD_FOR * 100));
        assert!(!found(&kept, Key::Latest(10), Duration::ZERO), "another list");
        kept.keep(Key::Task(1), Arc::new(json!(2)), start);
        assert_eq!(kept.find(Key::Task(1), start).as_deref(), Some(&json!(2)), "the newer value");
    }

    #[test]
    fn the_oldest_makes_room_and_the_queue_has_an_end() {
        let (mut kept, now, value) = (Kept::default(), Instant::now(), Arc::new(Value::Null));
        for id in 0..=4096 {
            kept.keep(Key::Task(id), Arc::clone(&value), now);
        }
        assert_eq!(kept.values.len(), ROOM);
        assert!(kept.find(Key::Task(0), now).is_none() && kept.find(Key::Task(1), now).is_some());
        for _ in 0..100_000 {
            kept.keep(Key::Task(4096), Arc::clone(&value), now);
        }
        assert!(kept.order.len() <= 2 * ROOM, "{}", kept.order.len());
        assert!(kept.find(Key::Task(4096), now).is_some());
    }

    #[test]
    fn hits_and_misses_are_counted() {
        let cache = Cache::default();
        assert_eq!(cache.statistics(), Statistics { entries: 0, hits: 0, misses: 0, hit_rate: 100.0 });
        assert!(cache.find(Key::Task(1)).is_none());
        cache.keep(Key::Task(1), Arc::new(json!(1)));
        for _ in 0..3 {
            assert!(cache.find(Key::Task(1)).is_some());
        }
        assert_eq!(cache.statistics(), Statistics { entries: 1, hits: 3, misses: 1, hit_rate: 75.0 });
        cache.forget(Key::Task(1));
        assert!(cache.find(Key::Task(1)).is_none());
    }
}
