//! What some seconds add up to, in so little memory that there can be one for each threshold.

use crate::{DecodeError, SparseHistogram};

/// Requests of some seconds: their outcomes and latencies. What leaves a sliding window is taken out again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that succeeded.
    pub ok: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Latencies of all of them.
    pub latency: SparseHistogram,
}

impl Tally {
    /// `ok + failed`.
    pub fn requests(&self) -> u64 {
        self.ok.saturating_add(self.failed)
    }

    /// Adds requests and their latencies, encoded.
    ///
    /// # Errors
    /// Anything but the uncompressed V2 encoding of a histogram; then nothing was added.
    pub fn add(&mut self, ok: u64, failed: u64, latencies: &[u8]) -> Result<(), DecodeError> {
        if !latencies.is_empty() {
            self.latency.merge_v2(latencies)?;
        }
        self.ok = self.ok.saturating_add(ok);
        self.failed = self.failed.saturating_add(failed);
        Ok(())
    }

    /// Takes out what was added before.
    ///
    /// # Errors
    /// Anything but the uncompressed V2 encoding of a histogram; then nothing was taken out.
    pub fn remove(&mut self, ok: u64, failed: u64, latencies: &[u8]) -> Result<(), DecodeError> {
        if !latencies.is_empty() {
            self.latency.remove_v2(latencies)?;
        }
        self.ok = self.ok.saturating_sub(ok);
        self.failed = self.failed.saturating_sub(failed);
        Ok(())
    }
}
