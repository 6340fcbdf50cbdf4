//! Open files and sockets of this process.

use std::path::Path;
use system::{descriptors, exhaustion};

/// How many are open. Linux since 6.2 says it without a descriptor of its own, which matters when none is left; before
/// that the directory is counted, and if that cannot be opened for want of one, all that there may be are taken.
pub(super) fn open(root: &Path) -> Option<u64> {
    let directory = root.join("proc/self/fd");
    let said = std::fs::metadata(&directory).ok()?.len();
    if said > 0 {
        return Some(said);
    }
    match std::fs::read_dir(&directory) {
        // One of them reads the directory.
        Ok(entries) => Some((entries.count() as u64).saturating_sub(1)),
        Err(error) if exhaustion::of_descriptors(&error) => descriptors::limit(),
        Err(_) => None,
    }
}
