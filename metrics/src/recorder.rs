//! A thread's own cells: no lock, no channel, no allocation per sample.

use crate::{Sample, Window};
use std::time::Duration;

/// Records the samples of one thread and cuts them into [`Window`]s by the second in which they end.
#[derive(Debug)]
pub struct Recorder {}

impl Recorder {
    /// A recorder for series `0..series_count`.
    pub fn new(series_count: u32) -> Recorder {
        let _ = series_count;
        todo!()
    }
    /// Counts a request as started at `at` since T0.
    pub fn start(&mut self, at: Duration) {
        let _ = at;
        todo!()
    }
    /// Counts a started request as given up at `at` since T0.
    pub fn abort(&mut self, at: Duration) {
        let _ = at;
        todo!()
    }
    /// Records a finished request; a sample that ends in a later second closes the windows before it.
    pub fn record(&mut self, sample: &Sample) {
        let _ = sample;
        todo!()
    }
    /// Takes every window that is over at `now`, oldest first, seconds without samples left out.
    pub fn take_closed(&mut self, now: Duration) -> Vec<Window> {
        let _ = now;
        todo!()
    }
    /// Takes everything, the open window included: the end of the run.
    pub fn take_all(&mut self) -> Vec<Window> {
        todo!()
    }
}
