//! How far every user has come, over all agents.

use plan::slot::Slot;
use proto::message::Progress;

/// The iteration with which each user goes on. Applied with the windows, so an iteration counts as done exactly when
/// its requests are in the statistics.
#[derive(Debug)]
pub(super) struct Iterations {
    next: Vec<u64>,
}

impl Iterations {
    /// Of users `0..users`, none of which has done anything.
    pub(super) fn new(users: u32) -> Iterations {
        Iterations { next: vec![0; users as usize] }
    }

    /// The iteration with which `slot` goes on.
    pub(super) fn next(&self, slot: Slot) -> u64 {
        self.next.get(slot.0 as usize).copied().unwrap_or(0)
    }

    /// Whether `progress` can be; what it says if not.
    pub(super) fn judge(&self, progress: &Progress) -> Result<(), String> {
        let known = self.next(progress.slot);
        if progress.iteration > known {
            return Ok(());
        }
        let (slot, iteration) = (progress.slot.0, progress.iteration);
        Err(format!("that user {slot} goes on with iteration {iteration}, which it had already with {known}"))
    }

    /// Takes note of progress that was judged.
    pub(super) fn apply(&mut self, progress: &[Progress]) {
        for ended in progress {
            if let Some(next) = self.next.get_mut(ended.slot.0 as usize) {
                *next = ended.iteration;
            }
        }
    }
}
