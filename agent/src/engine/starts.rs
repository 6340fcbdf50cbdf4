//! How many users, iterations and arrivals began, and how late.

use super::limits::LATE_START;
use std::time::Duration;

/// Users, iterations and arrivals that began in some stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Starts {
    /// How many.
    pub begun: u64,
    /// Those that began more than 20 ms later than they should have.
    pub late: u64,
    /// How late the latest was.
    pub late_max: Duration,
}

impl Starts {
    /// Counts one that began `late` after its time.
    pub(super) fn count(&mut self, late: Duration) {
        self.begun += 1;
        self.late += u64::from(late > LATE_START);
        self.late_max = self.late_max.max(late);
    }

    /// Adds those of another thread, or of another stretch.
    pub(super) fn add(&mut self, other: Starts) {
        self.begun += other.begun;
        self.late += other.late;
        self.late_max = self.late_max.max(other.late_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_later_than_the_limit() {
        let mut starts = Starts::default();
        for late in [Duration::ZERO, LATE_START, LATE_START + Duration::from_micros(1)] {
            starts.count(late);
        }
        starts.add(Starts { begun: 2, late: 1, late_max: Duration::from_millis(900) });
        assert_eq!(starts, Starts { begun: 5, late: 2, late_max: Duration::from_millis(900) });
    }
}
