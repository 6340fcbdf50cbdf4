//! The spool: what an agent has measured and not delivered, on disk, so that it outlives the process.
//!
//! One file per run and agent in the spool directory, private (mode 0600), locked (`flock`) by the process that writes it. Each window
//! is appended when it is closed, with one `write` and before it is sent; its number and its acknowledgement follow. There
//! is no `fsync`: the file survives a process that is killed, not a machine that loses power. It is removed once all is
//! delivered or nobody wants it any more. A process that is started later takes the files of its coordinator that no
//! process has, and delivers them first.
//!
//! The disk never holds anybody up: a thread of its own writes, windows wait for it (not users, not the lease), and a disk that
//! fails or does not answer costs the spool, not the run.
//!
//! A file holds windows, the coordinator's address, the agent's name, and its private key where it made one by itself. There is
//! nothing of the plan in it, and so none of its secrets.

mod crc32c;
mod file;
mod record;
mod writer;

pub use record::Owner;
pub(crate) use writer::{Done, Writer};

use crate::session::{Part, Recovered};
use file::{Content, SpoolFile};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use system::private;
use system::state_home::state_home;

/// What has not been delivered for so long is not wanted any more.
const LONGEST_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Most files that are looked at in the directory.
const MOST_FILES: usize = 10_000;

/// The spool directory.
#[derive(Clone, Debug)]
pub struct Spools(PathBuf);

/// What an earlier process left, claimed for this one.
#[derive(Debug)]
pub struct Left {
    pub(crate) file: SpoolFile,
    /// Whose it is.
    pub owner: Owner,
    pub(crate) recovered: Recovered,
}

impl Spools {
    /// The directory at `path`; made when something is kept in it.
    pub fn new(path: PathBuf) -> Spools {
        Spools(path)
    }

    /// Where it is unless somebody says otherwise; `None` without a home.
    pub fn default_path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        state_home(variable).map(|state| state.join("muster").join("agent"))
    }

    /// Takes what agents of this host left undelivered to `coordinator` and no process has, that of `name` first, then by
    /// age. The second part is what a person should know.
    pub fn claim(&self, coordinator: &str, name: &str) -> (Vec<Left>, Vec<String>) {
        let (mut left, mut notes) = (Vec::new(), Vec::new());
        for path in self.files() {
            let shown = path.display();
            if is_old(&path) && matches!(file::locked(&path), Ok(Some(_))) {
                let days = LONGEST_KEPT.as_secs() / 86_400;
                notes.push(format!("{shown}: nobody took it for {days} days; it is removed"));
                drop(std::fs::remove_file(&path));
                continue;
            }
            let (file, Content { owner, recovered, cut }) = match SpoolFile::open(path.clone(), coordinator) {
                Ok(Some(claimed)) => claimed,
                Ok(None) => continue,
                Err(error) => {
                    notes.push(format!("{shown}: what was kept there cannot be delivered: {error}"));
                    continue;
                }
            };
            let (windows, requests) = recovered.left();
            let damage = cut.map_or(String::new(), |why| {
                format!("; its end is damaged ({why}), what follows is left out")
            });
            notes.push(format!(
                "{shown}: agent {} left {windows} windows with {requests} requests of run {} undelivered{damage}",
                owner.name,
                recovered.run()
            ));
            left.push(Left { file, owner, recovered });
        }
        left.sort_by_key(|left: &Left| left.owner.name != name);
        (left, notes)
    }

    /// A new file for `part` of an agent's process.
    pub(crate) fn create(&self, owner: &Owner, incarnation: u64, part: &Part) -> io::Result<SpoolFile> {
        let name = format!("{}.{}.{incarnation:016x}.spool", part.run, owner.name);
        private::make_directory(&self.0)?;
        SpoolFile::create(self.0.join(name), owner.clone(), part)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The files in it, the oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(directory) = std::fs::read_dir(&self.0) else { return Vec::new() };
        let paths = directory.take(MOST_FILES).filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let mut files: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|e| e == "spool")).collect();
        files.sort_by_key(|path| (modified(path), path.clone()));
        files
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

fn is_old(path: &Path) -> bool {
    let age = modified(path).and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_some_and(|age| age > LONGEST_KEPT)
}

#[cfg(test)]
pub(crate) use record::tests::window as a_window;
#[cfg(test)]
mod tests;
