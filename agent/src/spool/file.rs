//! One run's spool file: written as the run goes, read back by another process.

use super::record::{self, End, Owner, Record};
use crate::session::{Entry, Part, Recovered};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use system::{identity, private};

/// Largest file in bytes. It is written anew, with what is left to deliver, long before; if that alone is more, nothing more
/// is kept.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// Smallest file in bytes that is worth writing anew.
const WORTH_REWRITING: u64 = 4 << 20;

/// An open spool file. Its process holds its lock; others leave it alone.
#[derive(Debug)]
pub(crate) struct SpoolFile<W = File> {
    path: PathBuf,
    out: W,
    owner: Owner,
    bytes: u64,
    /// When it is to be written anew.
    rewrite_at: u64,
}

/// What was found in a file.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) owner: Owner,
    pub(super) recovered: Recovered,
    /// Why not all of the file was good, if so.
    pub(super) cut: Option<String>,
}

impl SpoolFile {
    /// A new file at `path` for `part`; an older one is replaced.
    pub(super) fn create(path: PathBuf, owner: Owner, part: &Part) -> io::Result<SpoolFile> {
        let out = written_anew(&path, &[record::head(&owner, part)])?;
        let bytes = out.metadata()?.len();
        Ok(SpoolFile { path, out, owner, bytes, rewrite_at: WORTH_REWRITING })
    }

    /// Opens the file at `path` and reads it; `None` if a process has it, or it is for another coordinator. What is not good
    /// is cut off.
    ///
    /// # Errors
    /// When it cannot be read, or has no good beginning: then it says nothing, and is of no use.
    pub(super) fn open(path: PathBuf, coordinator: &str) -> io::Result<Option<(SpoolFile, Content)>> {
        let Some(mut out) = locked(&path)? else { return Ok(None) };
        let Some((content, bytes)) = read_back(&mut BufReader::new(&mut out), coordinator)? else {
            return Ok(None);
        };
        if content.cut.is_some() {
            out.set_len(bytes)?;
        }
        out.seek(SeekFrom::End(0))?;
        let owner = content.owner.clone();
        let rewrite_at = WORTH_REWRITING.max(bytes.saturating_mul(2)).min(MAX_BYTES);
        Ok(Some((SpoolFile { path, out, owner, bytes, rewrite_at }, content)))
    }

    /// Writes the file anew with these entries, the first of which says which run it is. It is replaced at once.
    pub(super) fn rewrite(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        let mut entries = entries.into_iter();
        let Some(Entry::Began(part)) = entries.next() else { return Ok(()) };
        let records: Vec<Vec<u8>> = std::iter::once(record::head(&self.owner, &part))
            .chain(entries.filter_map(record::entry))
            .collect();
        self.out = written_anew(&self.path, &records)?;
        self.bytes = self.out.metadata()?.len();
        self.rewrite_at = WORTH_REWRITING.max(self.bytes.saturating_mul(2)).min(MAX_BYTES);
        Ok(())
    }

    /// Removes the file: nothing in it is to be delivered any more.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

impl<W: Write> SpoolFile<W> {
    /// Appends what says `entry`, with one write: a process that is killed leaves it whole or not at all, or with a cut that
    /// is noticed.
    pub(super) fn append(&mut self, entry: Entry) -> io::Result<()> {
        let Some(bytes) = record::entry(entry) else { return Ok(()) };
        if self.bytes + bytes.len() as u64 > MAX_BYTES {
            let text = format!("it would have more than {} MiB", MAX_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        self.out.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Whether it is time to write it anew.
    pub(super) fn wants_rewrite(&self) -> bool {
        self.bytes >= self.rewrite_at
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The file at `path`, locked; `None` if a process has it.
pub(super) fn locked(path: &Path) -> io::Result<Option<File>> {
    let file = private::options().read(true).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Its owner may have replaced or removed it between the two.
    Ok(identity::is_at(&file, path).then_some(file))
}

/// A file at `path` with these records, locked; what was there before is there until it is complete.
fn written_anew(path: &Path, records: &[Vec<u8>]) -> io::Result<File> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = private::options().read(true).write(true).create(true).truncate(false).open(&new)?;
        file.lock()?;
        file.set_len(0)?;
        for record in records {
            file.write_all(record)?;
        }
        fs::rename(&new, path)?;
        Ok(file)
    };
    write().inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Reads records as far as they are good and fit each other, and how many bytes that is; `None` if they are for another
/// coordinator.
pub(super) fn read_back(from: &mut impl io::Read, coordinator: &str) -> io::Result<Option<(Content, u64)>> {
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let (owner, part, mut bytes) = match record::read(from)? {
        Ok((Record::Head(owner, _), _)) if owner.coordinator != coordinator => return Ok(None),
        Ok((Record::Head(owner, part), length)) => (owner, part, length),
        Ok(_) => return Err(bad("it does not begin as a spool file does".to_owned())),
        Err(End::Whole) => return Err(bad("it is empty".to_owned())),
        Err(End::Cut(why)) => return Err(bad(why)),
    };
    let mut content = Content { owner, recovered: Recovered::new(part), cut: None };
    while content.cut.is_none() {
        match record::read(from)? {
            Ok((record, length)) => {
                let fits = match record {
                    Record::Head(..) => false,
                    Record::Entry(entry) => content.recovered.take(entry),
                };
                if fits {
                    bytes += length;
                } else {
                    content.cut = Some("a record that does not fit those before it".to_owned());
                }
            }
            Err(End::Whole) => break,
            Err(End::Cut(why)) => content.cut = Some(why),
        }
    }
    Ok(Some((content, bytes)))
}

#[cfg(test)]
pub(super) mod tests;
