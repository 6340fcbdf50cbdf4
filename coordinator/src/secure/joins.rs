//! Where join strings are kept: a file each, named after the fingerprint of the secret, or memory.

use super::Join;
use super::state::write_whole;
use proto::Fingerprint;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use system::private;

/// How long after its end a join string is remembered, in seconds: agents that it let in may still be running.
const REMEMBERED: u64 = 30 * 24 * 3600;

/// Largest file of a join string in bytes: one that let in as many agents as it can has half of it.
const MAX_FILE: u64 = 1 << 20;

/// The join strings of one coordinator, or of several that share a state directory.
#[derive(Debug)]
pub enum Joins {
    /// In this directory; several processes may use it.
    Directory(PathBuf),
    /// In this process.
    Memory(Mutex<BTreeMap<Fingerprint, Join>>),
}

impl Joins {
    /// Join strings that this process forgets at its end.
    pub fn in_memory() -> Joins {
        Joins::Memory(Mutex::default())
    }

    /// Remembers a new join string, durably, and forgets those that ended long ago.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn add(&self, secret: Fingerprint, join: Join) -> Result<(), String> {
        match self {
            Joins::Memory(joins) => {
                joins.lock().expect("no holder panics").insert(secret, join);
                Ok(())
            }
            Joins::Directory(dir) => {
                forget_old(dir, super::unix_now());
                write_whole(&path(dir, &secret), &join.to_text())
            }
        }
    }

    /// What is known of the join string with this secret, while nobody else decides about it; a key that `decide`
    /// gives back is let in and remembered.
    ///
    /// # Errors
    /// What cannot be read or written; nobody was let in then.
    pub fn decide<T>(
        &self,
        secret: Fingerprint,
        decide: impl FnOnce(Option<&Join>) -> (T, Option<Fingerprint>),
    ) -> Result<T, String> {
        let dir = match self {
            Joins::Directory(dir) => dir,
            Joins::Memory(joins) => {
                let mut joins = joins.lock().expect("no holder panics");
                let (decision, key) = decide(joins.get(&secret));
                if let (Some(join), Some(key)) = (joins.get_mut(&secret), key) {
                    join.admitted.insert(key);
                }
                return Ok(decision);
            }
        };
        let path = path(dir, &secret);
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut file = match private::options().read(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(decide(None).0),
            Err(error) => return Err(wrong(&error)),
        };
        file.lock().map_err(|error| wrong(&error))?;
        let text = text(&file).map_err(|error| wrong(&error))?;
        let join = Join::parse(&text).ok_or_else(|| wrong(&"it is no file of a join string; remove it"))?;
        let (decision, key) = decide(Some(&join));
        if let Some(key) = key {
            let torn = if text.ends_with('\n') { "" } else { "\n" };
            let line = format!("{torn}{}", Join::line(&key));
            file.write_all(line.as_bytes()).map_err(|error| wrong(&error))?;
        }
        Ok(decision)
    }
}

fn path(dir: &Path, secret: &Fingerprint) -> PathBuf {
    dir.join(format!("{secret}.join"))
}

fn text(file: &File) -> std::io::Result<String> {
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

/// Best effort: what cannot be removed is refused by its date anyway.
fn forget_old(dir: &Path, unix_now: u64) {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "join")) {
        let join = File::open(&path).and_then(|file| text(&file)).ok().and_then(|text| Join::parse(&text));
        if join.is_some_and(|join| join.expires_at.saturating_add(REMEMBERED) < unix_now) {
            let _ = std::fs::remove_file(&path);
        }
    }
}
