//! The state directory: what a coordinator knows beyond one run.

use super::Joins;
use proto::Fingerprint;
use proto::tls::{Identity, certificates, fingerprint};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use system::{durable, private, state_home};

/// The coordinator's private key, PKCS#8 in PEM.
const KEY: &str = "coordinator.key";

/// The directory with a file for each join string.
const JOINS: &str = "joins";

/// Who else may do what to the key: nobody but its owner may write it, nobody but its group may read it (volumes
/// in containers come like that). Where files have no modes, that is its directory's affair.
const TOO_OPEN: u32 = 0o026;

/// Name in the certificates that this key signs.
const NAME: &str = "muster coordinator";

/// Longest file of an operator's, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A directory that only its owner can read.
#[derive(Clone, Debug)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// The directory at `path`; made when something is kept in it.
    pub fn new(path: PathBuf) -> StateDir {
        StateDir(path)
    }

    /// The directory at `path`, or what to do when there is none.
    ///
    /// # Errors
    /// When there is none.
    pub fn required(path: Option<&PathBuf>) -> Result<StateDir, String> {
        path.cloned().map(StateDir).ok_or_else(|| {
            format!(
                "there is no place for the coordinator's key: {}; name a directory with --state-dir or \
                 LOAD_TEST_STATE_DIR",
                state_home::NONE
            )
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The coordinator's key; the first time it is needed, it is made.
    ///
    /// # Errors
    /// What cannot be read or written, with the remedy.
    pub fn key(&self) -> Result<Identity, String> {
        let path = self.0.join(KEY);
        let wrong = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
        if !path.try_exists().map_err(|error| wrong(&error))? {
            make_directory(&self.0)?;
            write_first(&path, &Identity::generate_key()?)?;
        }
        let metadata = path.metadata().map_err(|error| wrong(&error))?;
        if let Some(mode) = private::mode(&metadata).filter(|mode| mode & TOO_OPEN != 0) {
            let problem = format!("others may read or write it (mode {mode:o}); chmod 600 it");
            return Err(wrong(&problem));
        }
        let pem = read("the coordinator's key", &path)?;
        Identity::from_key(NAME, &String::from_utf8_lossy(&pem)).map_err(|problem| wrong(&problem))
    }

    /// The join strings that are kept here.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn joins(&self) -> Result<Joins, String> {
        let dir = self.0.join(JOINS);
        make_directory(&dir)?;
        Ok(Joins::Directory(dir))
    }
}

/// The fingerprint of the key that the first certificate in the PEM file at `path` is about.
pub(super) fn pin_of(path: &Path) -> Result<Fingerprint, String> {
    let wrong = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
    let chain = certificates(&read("the certificate", path)?).map_err(|problem| wrong(&problem))?;
    fingerprint(&chain[0]).map_err(|error| wrong(&error))
}

/// The content of a small file; `what` it is stands in messages.
pub(super) fn read(what: &str, path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let shown = path.display();
    let mut content = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut content));
    read.map_err(|error| format!("{what}: {shown}: {error}"))?;
    if content.len() as u64 > MAX_FILE {
        return Err(format!("{what}: {shown} has more than {MAX_FILE} bytes; it is another file"));
    }
    Ok(content)
}

fn make_directory(path: &Path) -> Result<(), String> {
    let made = private::make_directory(path);
    made.map_err(|error| {
        format!("{}: {error}; name another directory with --state-dir or LOAD_TEST_STATE_DIR", path.display())
    })
}

/// Writes `text` to `path`, durably and at once.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<(), String> {
    let new = written_beside(path, text)?;
    std::fs::rename(&new, path).map_err(|error| format!("{}: {error}", path.display()))?;
    sync_directory(path)
}

/// Writes `text` to `path` unless somebody else does so first.
fn write_first(path: &Path, text: &str) -> Result<(), String> {
    let new = written_beside(path, text)?;
    let linked = std::fs::hard_link(&new, path);
    let _ = std::fs::remove_file(&new);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(format!("{}: {error}", path.display())),
        _ => sync_directory(path),
    }
}

fn written_beside(path: &Path, text: &str) -> Result<PathBuf, String> {
    let new = path.with_extension(format!("new-{:016x}", rand::random::<u64>()));
    let write = || {
        let mut file = private::options().write(true).create_new(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| {
        let _ = std::fs::remove_file(&new);
        format!("{}: {error}; name another directory with --state-dir or LOAD_TEST_STATE_DIR", new.display())
    })?;
    Ok(new)
}

fn sync_directory(path: &Path) -> Result<(), String> {
    let dir = path.parent().unwrap_or(Path::new("."));
    durable::sync_directory(dir).map_err(|error| format!("{}: {error}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::super::{Join, Standing};
    use super::*;

    fn temporary(test: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("muster-state-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn has_mode(path: &Path, expected: u32) -> bool {
        private::mode(&path.metadata().unwrap()).is_none_or(|mode| mode == expected)
    }

    #[test]
    fn the_key_is_made_once_and_is_nobody_elses_to_read() {
        let path = temporary("key");
        let state = StateDir::new(path.join("a/b"));
        let makers: Vec<_> =
            (0..4).map(|_| state.clone()).map(|s| std::thread::spawn(move || s.key())).collect();
        let pins: Vec<Fingerprint> =
            makers.into_iter().map(|m| m.join().unwrap().unwrap().fingerprint()).collect();
        assert!(pins.iter().all(|pin| *pin == pins[0]), "one key, whoever comes first: {pins:?}");
        let key = path.join("a/b/coordinator.key");
        assert!(has_mode(&key, 0o600) && has_mode(key.parent().unwrap(), 0o700));
        assert_eq!(std::fs::read_dir(path.join("a/b")).unwrap().count(), 1, "nothing is left lying about");
        #[cfg(unix)]
        for (mode, good) in
            [(0o400, true), (0o440, true), (0o644, false), (0o602, false), (0o620, false), (0o600, true)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
            match state.key() {
                Ok(_) => assert!(good, "{mode:o}"),
                Err(problem) => assert!(!good && problem.contains("chmod 600"), "{mode:o}: {problem}"),
            }
        }
        std::fs::write(&key, "garbage").unwrap();
        assert!(state.key().unwrap_err().contains("coordinator.key: it holds no private key"));
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn uses_are_counted_once_per_key_over_processes() {
        let path = temporary("joins");
        let (secret, other) = (Fingerprint::of(b"secret"), Fingerprint::of(b"other"));
        let key = |n: u8| Fingerprint::of(&[n]);
        StateDir::new(path.clone()).joins().unwrap().add(secret, Join::new(100, 2)).unwrap();
        let ask = |secret, n: u8| {
            // As a process of its own would.
            let joins = StateDir::new(path.clone()).joins().unwrap();
            joins.decide(secret, |join| {
                let standing = join.map(|join| join.standing(50, &key(n)));
                (standing, (standing == Some(Standing::Welcome)).then(|| key(n)))
            })
        };
        assert_eq!(ask(other, 1), Ok(None));
        assert_eq!(ask(secret, 1), Ok(Some(Standing::Welcome)));
        assert_eq!(ask(secret, 1), Ok(Some(Standing::Admitted)));
        // What a crash in the middle of a line leaves.
        let file = path.join(format!("joins/{secret}.join"));
        assert!(has_mode(&file, 0o600));
        let torn = format!("{}AbC", std::fs::read_to_string(&file).unwrap());
        std::fs::write(&file, torn).unwrap();
        assert_eq!(ask(secret, 2), Ok(Some(Standing::Welcome)));
        assert_eq!(ask(secret, 3), Ok(Some(Standing::UsedUp(2))));
        assert_eq!(ask(secret, 2), Ok(Some(Standing::Admitted)));
        std::fs::write(&file, "garbage").unwrap();
        assert!(ask(secret, 2).unwrap_err().contains("it is no file of a join string"));
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_names_the_remedy() {
        let file = temporary("file");
        std::fs::write(&file, "").unwrap();
        let path = file.join("state");
        let problem = StateDir::new(path.clone()).key().unwrap_err();
        assert!(problem.contains(&path.display().to_string()), "{problem}");
        std::fs::remove_file(&file).unwrap();
        assert!(StateDir::required(None).unwrap_err().contains("LOAD_TEST_STATE_DIR"));
    }
}
