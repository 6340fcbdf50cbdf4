//! The folder of a run that is not over: its journal, and the right to write it.

use super::lock::LockError;
use super::{FILE, Lock};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a finished run leaves in its folder.
pub(super) const REPORT: &str = "report.json";

/// The folder of a run that is this process's.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: Lock,
}

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error(
        "another coordinator{} is at it; let that go on, or end it first{}",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        pid.map(|pid| format!(" (kill {pid})")).unwrap_or_default()
    )]
    Held {
        /// Which one, where that is known.
        pid: Option<u32>,
    },
    /// It cannot be made or locked.
    #[error("{}: {source}; choose another directory with --report-dir", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Folder {
    /// Makes the folder of a new run in `report_dir`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(report_dir: &Path, run: &str) -> Result<Folder, FolderError> {
        let path = report_dir.join(run);
        std::fs::create_dir_all(&path).map_err(|source| FolderError::Io { path: path.clone(), source })?;
        Folder::open(path)
    }

    /// Takes over the folder at `path`.
    ///
    /// # Errors
    /// When another process has it.
    pub fn open(path: PathBuf) -> Result<Folder, FolderError> {
        match Lock::take(&path) {
            Ok(lock) => Ok(Folder { path, lock }),
            Err(LockError::Held(pid)) => Err(FolderError::Held { pid }),
            Err(LockError::Io(path, source)) => Err(FolderError::Io { path, source }),
        }
    }

    /// Where the journal is.
    pub fn journal(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// The run is over, and all there is to say of it said: its journal goes, and with it a folder in which nothing else is.
    pub fn seal(self) {
        // The file itself first: without it, the rest is nothing.
        for suffix in ["", "-wal", "-shm"] {
            let path = self.path.join(format!("{FILE}{suffix}"));
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    crate::terminal::say(&format!("warning: cannot remove {}: {error}", path.display()));
                }
                _ => {}
            }
        }
        self.lock.remove();
        // Where there is a report, it stays.
        let _ = std::fs::remove_dir(&self.path);
    }
}
