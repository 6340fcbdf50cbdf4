//! Real programs of the workspace, watched line by line.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Longest wait for a line or an end. Never reached when all is well; a test that hangs must not hang CI.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<(Source, String)>,
    seen: Vec<(Source, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Out,
    Err,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Process {
    /// Starts program `name` of this workspace in `dir`, with none of the `LOAD_TEST_` variables of the
    /// environment, so that a developer's settings do not change a test.
    pub fn start<A: AsRef<OsStr>>(name: &str, dir: &Path, args: impl IntoIterator<Item = A>) -> Process {
        Process::start_in(name, dir, args, &[])
    }

    /// The same, with variables of `env` set, or absent where they have no value.
    pub fn start_in<A: AsRef<OsStr>>(
        name: &str,
        dir: &Path,
        args: impl IntoIterator<Item = A>,
        env: &[(&str, Option<&str>)],
    ) -> Process {
        let mut command = Command::new(program(name));
        command.args(args);
        Process::spawn(name, command, dir, env)
    }

    /// Starts `command`, which runs program `name`, in `dir`, with the variables as in [`start_in`](Process::start_in).
    pub fn spawn(name: &str, mut command: Command, dir: &Path, env: &[(&str, Option<&str>)]) -> Process {
        command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("LOAD_TEST_") {
                command.env_remove(variable);
            }
        }
        // Agents that are killed leave something behind; not in a developer's home.
        command.env("LOAD_TEST_SPOOL_DIR", dir.join("spool"));
        for (variable, value) in env {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let (sender, lines) = channel();
        let out: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("piped"));
        let err: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("piped"));
        for (source, pipe) in [(Source::Out, out), (Source::Err, err)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(pipe);
                let mut line = Vec::new();
                while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                    let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                    line.clear();
                    if sender.send((source, text)).is_err() {
                        break;
                    }
                }
            });
        }
        Process { name: name.to_owned(), child, lines, seen: Vec::new() }
    }

    /// Waits for the first line, on either stream, that holds `text`, and gives it back.
    pub fn line_with(&mut self, text: &str) -> String {
        if let Some((_, line)) = self.seen.iter().find(|(_, line)| line.contains(text)) {
            return line.clone();
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((source, line)) => {
                    self.seen.push((source, line.clone()));
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} never said `{text}`: {:#?}", self.name, self.seen)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{} ended without saying `{text}`: {:#?}", self.name, self.seen)
                }
            }
        }
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end: {:#?}", self.name, self.seen),
            }
        }
        let status = self.child.wait().expect("the child is ours");
        let text = |wanted| {
            let lines: Vec<&str> = self
                .seen
                .iter()
                .filter(|(source, _)| *source == wanted)
                .map(|(_, line)| line.as_str())
                .collect();
            lines.join("\n")
        };
        Ended { code: status.code(), out: text(Source::Out), err: text(Source::Err) }
    }

    /// The most memory that it has had so far, in bytes; `None` where the system does not tell.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
    }

    /// The number by which the system knows it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends signal `name` (`INT`, `TERM`, `KILL`, ...).
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot send {name} to {}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Path of program `name`, built if it is not there or older than the sources.
///
/// `cargo test --workspace` builds the programs; a test of this crate alone does not, so they are built here.
pub fn program(name: &str) -> PathBuf {
    static BUILDING: OnceLock<Mutex<()>> = OnceLock::new();
    let test = std::env::current_exe().expect("a test has a path");
    let profile_dir = test.ancestors().nth(2).expect("tests stand in PROFILE/deps");
    let path = profile_dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let _one_at_a_time = BUILDING.get_or_init(Mutex::default).lock().expect("building does not panic");
    if is_stale(&path) {
        eprintln!("note: {} is missing or older than the sources; building it", path.display());
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--bins", "--package", if name == "demo-target" { "demo" } else { name }]);
        if cfg!(feature = "defects") && name != "demo-target" {
            cargo.args(["--features", "defects"]);
        }
        if profile_dir.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().is_ok_and(|status| status.success()), "cannot build {name}");
    }
    path
}

/// Whether a source of the workspace is newer than the program at `path`.
fn is_stale(path: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let Some(built) = modified(path) else { return true };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut open: Vec<PathBuf> = ["agent", "coordinator", "demo", "examples", "metrics", "plan", "proto"]
        .iter()
        .map(|room| if *room == "examples" { root.join(room) } else { root.join(room).join("src") })
        .collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a readable directory");
            open.extend(entries.map(|entry| entry.expect("readable").path()));
        } else if path.file_name().is_some_and(|name| name != "tests.rs")
            && modified(&path).is_some_and(|t| t > built)
        {
            return true;
        }
    }
    false
}

/// A directory for one test, removed when it is dropped.
#[derive(Debug)]
pub struct TestDir(PathBuf);

impl TestDir {
    /// An empty directory whose name holds `test`.
    pub fn new(test: &str) -> TestDir {
        let path = std::env::temp_dir().join(format!("muster-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a temporary directory can be made");
        TestDir(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes `text` to `name` in it and gives back the path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
