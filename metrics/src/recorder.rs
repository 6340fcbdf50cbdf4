//! A thread's own cells: no lock, no channel, no allocation per sample.

use crate::{Sample, SeriesId, SeriesStats, Traffic, Window};
use std::time::Duration;

/// Records the samples of one thread and cuts them into [`Window`]s by the second in which they end.
///
/// Windows come out in rising order, each index at most once: a window may be sent as soon as it is taken, and is
/// immutable then. An event that is dated before the open window (threads read clocks at slightly different times),
/// or in a second that was already taken, is counted in the open window. So nothing is ever lost, and the sums over
/// all windows are exact.
///
/// Recording allocates only for a series' first sample in a window (its histogram) and for an error message that
/// the window has not seen yet.
#[derive(Debug)]
pub struct Recorder {
    /// One cell for each series, empty if nothing of it ended or crossed in the open window.
    cells: Vec<SeriesStats>,
    /// The rest of the open window; its `series` stay empty until it is closed.
    open: Window,
    closed: Vec<Window>,
}

impl Recorder {
    /// A recorder for series `0..series_count`.
    pub fn new(series_count: u32) -> Recorder {
        Recorder {
            cells: vec![SeriesStats::default(); series_count as usize],
            open: Window::new(0),
            closed: Vec::new(),
        }
    }

    /// Counts a request as started at `at` since T0.
    pub fn start(&mut self, at: Duration) {
        self.open_for(at);
        self.open.started += 1;
    }

    /// Counts an arrival of an open load at `at` since T0 that was served.
    pub fn arrive(&mut self, at: Duration) {
        self.open_for(at);
        self.open.arrivals.started += 1;
    }

    /// Counts an arrival of an open load at `at` since T0 that was not.
    pub fn drop_arrival(&mut self, at: Duration) {
        self.open_for(at);
        self.open.arrivals.dropped += 1;
    }

    /// Counts a started request as given up at `at` since T0.
    pub fn abort(&mut self, at: Duration) {
        self.open_for(at);
        self.open.aborted += 1;
    }

    /// Records a finished request; a sample that ends in a later second closes the windows before it.
    ///
    /// # Panics
    /// If the series is not below the recorder's `series_count`: series are numbered by the plan.
    pub fn record(&mut self, sample: &Sample) {
        self.open_for(sample.ended);
        self.cells[sample.series.0 as usize].record(sample);
        if let Err(failure) = &sample.outcome {
            let (kind, message) = (failure.kind, failure.message.as_ref());
            self.open.errors.add(sample.series, kind, message, 1, sample.ended, sample.ended);
        }
    }

    /// Counts what crossed a connection outside of requests, at `at` since T0.
    ///
    /// # Panics
    /// If the series is not below the recorder's `series_count`.
    pub fn carry(&mut self, series: SeriesId, at: Duration, traffic: &Traffic) {
        self.open_for(at);
        self.cells[series.0 as usize].carry(traffic);
    }

    /// Takes every window that is over at `now`, oldest first, seconds without samples left out.
    ///
    /// What is recorded afterwards is counted in the second of `now` or later, whatever its date.
    pub fn take_closed(&mut self, now: Duration) -> Vec<Window> {
        self.open_for(now);
        std::mem::take(&mut self.closed)
    }

    /// Takes everything, the open window included: the end of the run.
    pub fn take_all(&mut self) -> Vec<Window> {
        self.advance_to(self.open.index.saturating_add(1));
        std::mem::take(&mut self.closed)
    }

    /// Closes the windows before the second of `at`.
    fn open_for(&mut self, at: Duration) {
        let index = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
        if index > self.open.index {
            self.advance_to(index);
        }
    }

    fn advance_to(&mut self, index: u32) {
        let mut over = std::mem::replace(&mut self.open, Window::new(index));
        for (number, cell) in (0..).zip(&mut self.cells) {
            if !cell.is_empty() {
                over.series.insert(SeriesId(number), std::mem::take(cell));
            }
        }
        if !over.is_empty() {
            self.closed.push(over);
        }
    }
}

#[cfg(test)]
mod tests;
