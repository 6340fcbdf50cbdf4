//! Open files and sockets of this process, and how many it may have.

use std::path::Path;

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
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => limit(),
        Err(_) => None,
    }
}

/// How many there may be.
pub(super) fn limit() -> Option<u64> {
    rlimit::Resource::NOFILE.get_soft().ok().filter(|limit| *limit < rlimit::INFINITY)
}
