//! The latest durations, and their percentiles.

use serde::Serialize;
use std::time::Duration;

/// How many are remembered.
const ROOM: usize = 1024;

/// The latest 1024 durations, in microseconds.
#[derive(Default)]
pub(super) struct Recent {
    micros: Vec<u64>,
    next: usize,
}

/// In milliseconds; 0 before the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl Recent {
    pub(super) fn add(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if self.micros.len() < ROOM {
            self.micros.push(micros);
        } else {
            self.micros[self.next] = micros;
        }
        self.next = (self.next + 1) % ROOM;
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        Percentiles::of(self.micros.clone())
    }
}

impl Percentiles {
    /// Of durations in microseconds.
    pub(crate) fn of(mut micros: Vec<u64>) -> Percentiles {
        micros.sort_unstable();
        let sorted = micros;
        let Some(last) = sorted.len().checked_sub(1) else { return Percentiles::default() };
        // The smallest one that is not below so many percent of them (nearest rank).
        let at = |percent: usize| sorted[((last + 1) * percent).div_ceil(100) - 1] as f64 / 1000.0;
        Percentiles { p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_latest() {
        let mut recent = Recent::default();
        assert_eq!(recent.percentiles(), Percentiles::default());
        recent.add(Duration::from_millis(7));
        assert_eq!(recent.percentiles(), Percentiles { p50: 7.0, p95: 7.0, p99: 7.0, max: 7.0 });
        // The first 513 make room for two of each from 1 to 512.
        for millis in (1..=512).cycle().take(3 * 512) {
            recent.add(Duration::from_millis(millis));
        }
        assert_eq!(recent.micros.len(), ROOM);
        assert_eq!(recent.percentiles(), Percentiles { p50: 256.0, p95: 487.0, p99: 507.0, max: 512.0 });
    }
}
