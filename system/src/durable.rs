//! Names in directories that survive a loss of power.

use std::io;
use std::path::Path;

/// Makes what was made, renamed or removed in `directory` durable.
///
/// On Windows there is nothing to ask for: NTFS keeps a journal of names by itself, and writes it out within seconds. A loss
/// of power can take back the newest names there, never half of one.
///
/// # Errors
/// When the directory cannot be opened or written.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    side::sync_directory(directory)
}

#[cfg(unix)]
mod side {
    use std::io;
    use std::path::Path;

    pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
        std::fs::File::open(directory)?.sync_all()
    }
}

#[cfg(windows)]
mod side {
    use std::io;
    use std::path::Path;

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
    pub(super) fn sync_directory(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
