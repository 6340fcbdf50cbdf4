//! Who may write a journal: one process at a time.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use system::private;

/// The file in a run's directory whose lock is the right to write its journal.
const FILE: &str = "journal.lock";

/// The right to write the journal of a run. It ends with the process, however that ends, and not while the process is
/// merely stopped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum LockError {
    /// This process has it, if it is known which.
    Held(Option<u32>),
    /// What cannot be done with the file.
    Io(PathBuf, std::io::Error),
}

impl Lock {
    /// Takes the lock of the run in `directory`.
    ///
    /// # Errors
    /// When somebody else has it, or the file cannot be made.
    pub(super) fn take(directory: &Path) -> Result<Lock, LockError> {
        let path = directory.join(FILE);
        let wrong = |error| LockError::Io(path.clone(), error);
        let mut options = private::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = (&file).take(32).read_to_string(&mut text);
                return Err(LockError::Held(text.trim().parse().ok()));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(wrong(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(wrong)?;
        Ok(Lock { path, _file: file })
    }

    /// Whether a process has the lock of the run in `directory`.
    pub(super) fn is_held(directory: &Path) -> bool {
        let file = OpenOptions::new().read(true).write(true).open(directory.join(FILE));
        file.is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
    }

    /// Gives it up for good.
    pub(super) fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
