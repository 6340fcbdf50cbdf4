//! One second of an agent's statistics.

use crate::{ErrorTable, SeriesId, SeriesStats};
use std::collections::BTreeMap;

/// What ended during second `index` of the run: `[index s, index + 1 s)` since T0. Windows of the threads of
/// one agent merge into the agent's window.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Which second since T0.
    pub index: u32,
    /// Requests started during this second (not necessarily ended).
    pub started: u64,
    /// Requests given up without a result during this second because the run was stopped.
    pub aborted: u64,
    /// What came in an open load.
    pub arrivals: ArrivalCounts,
    /// Statistics of the series that had a request end or messages cross in this second.
    pub series: BTreeMap<SeriesId, SeriesStats>,
    /// Distinct errors.
    pub errors: ErrorTable,
}

/// What became of the arrivals of an open load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrivalCounts {
    /// Those that found an idle user.
    pub started: u64,
    /// Those that did not: their iterations never were.
    pub dropped: u64,
}

impl ArrivalCounts {
    /// Adds others.
    pub fn add(&mut self, other: ArrivalCounts) {
        self.started = self.started.saturating_add(other.started);
        self.dropped = self.dropped.saturating_add(other.dropped);
    }
}

impl Window {
    /// Distinct error rows per window; see [`ErrorTable`].
    pub const MAX_ERRORS: usize = 64;

    /// An empty window.
    pub fn new(index: u32) -> Window {
        Window {
            index,
            started: 0,
            aborted: 0,
            arrivals: ArrivalCounts::default(),
            series: BTreeMap::new(),
            errors: ErrorTable::new(Window::MAX_ERRORS),
        }
    }

    /// Adds a window of the same index from another thread.
    pub fn merge(&mut self, other: &Window) {
        debug_assert_eq!(self.index, other.index, "windows of different seconds must not be merged");
        self.started = self.started.saturating_add(other.started);
        self.aborted = self.aborted.saturating_add(other.aborted);
        self.arrivals.add(other.arrivals);
        for (series, stats) in &other.series {
            self.series.entry(*series).or_default().merge(stats);
        }
        self.errors.merge(&other.errors);
    }

    /// Whether nothing happened in it.
    pub fn is_empty(&self) -> bool {
        let nothing = self.arrivals == ArrivalCounts::default() && self.started == 0 && self.aborted == 0;
        nothing && self.series.is_empty() && self.errors.is_empty()
    }

    /// Requests that ended in it.
    pub fn requests(&self) -> u64 {
        self.series.values().fold(0, |sum, stats| sum.saturating_add(stats.requests()))
    }

    /// Requests that ended in it and failed; equals [`ErrorTable::total`] of its errors.
    pub fn failed(&self) -> u64 {
        self.series.values().fold(0, |sum, stats| sum.saturating_add(stats.failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Failure, Phases, Sample};
    use std::time::Duration;

    fn window(samples: &[(u32, bool)]) -> Window {
        let mut window = Window::new(7);
        for (series, ok) in samples {
            let failure = Failure::new(ErrorKind::Timeout, "no answer");
            let ended = Duration::from_secs(7);
            let outcome = if *ok { Ok(()) } else { Err(failure.clone()) };
            let latency = Duration::from_millis(u64::from(*series) + 1);
            let series = SeriesId(*series);
            let phases = Phases::default();
            let sample = Sample {
                series,
                ended,
                latency,
                late: Duration::ZERO,
                phases,
                bytes_out: 1,
                bytes_in: 2,
                outcome,
            };
            window.started += 1;
            window.series.entry(series).or_default().record(&sample);
            if !ok {
                window.errors.add(series, failure.kind, &failure.message, 1, ended, ended);
            }
        }
        window
    }

    #[test]
    fn windows_of_threads_add_up() {
        let all = [(0, true), (0, false), (3, false), (2, true), (3, true)];
        let whole = window(&all);
        for cut in 0..=all.len() {
            let (left, right) = (window(&all[..cut]), window(&all[cut..]));
            for (mut merged, other) in [(left.clone(), &right), (right.clone(), &left)] {
                merged.merge(other);
                assert_eq!(merged, whole, "cut at {cut}");
            }
        }
        assert_eq!((whole.started, whole.requests(), whole.failed()), (5, 5, 2));
        assert_eq!(whole.errors.total(), whole.failed());
        assert_eq!(whole.series.keys().map(|series| series.0).collect::<Vec<_>>(), [0, 2, 3]);
    }

    #[test]
    fn anything_at_all_makes_a_window_worth_sending() {
        assert!(Window::new(3).is_empty());
        assert!(!Window { started: 1, ..Window::new(3) }.is_empty());
        assert!(!Window { aborted: 1, ..Window::new(3) }.is_empty());
        let arrivals = ArrivalCounts { dropped: 1, ..ArrivalCounts::default() };
        assert!(!Window { arrivals, ..Window::new(3) }.is_empty());
        assert!(!window(&[(0, true)]).is_empty());
    }
}
