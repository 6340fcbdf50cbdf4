//! Which runs there are in a report directory.

use super::folder::REPORT;
use super::{FILE, Lock};
use proto::limits::MAX_RUN_ID_CHARS;
use std::path::{Path, PathBuf};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its report is there.
    Over,
    /// A coordinator is at it.
    GoingOn,
    /// Its coordinator was ended before the run was.
    Unfinished,
}

/// A run of a report directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// How far it is.
    pub standing: Standing,
}

/// The runs in `report_dir`, the newest first: their names begin with their time.
pub fn list(report_dir: &Path) -> Vec<Run> {
    let entries = std::fs::read_dir(report_dir).into_iter().flatten().flatten();
    let mut runs: Vec<Run> = entries.filter_map(|entry| look(&entry.path())).collect();
    runs.sort_by(|one, other| other.id.cmp(&one.id));
    runs
}

/// The run in the folder at `path`, if there is one.
pub fn look(path: &Path) -> Option<Run> {
    let id = path.file_name()?.to_str().filter(|name| is_name(name))?.to_owned();
    let standing = if path.join(REPORT).is_file() {
        Standing::Over
    } else if !path.join(FILE).is_file() {
        return None;
    } else if Lock::is_held(path) {
        Standing::GoingOn
    } else {
        Standing::Unfinished
    };
    Some(Run { id, folder: path.to_owned(), standing })
}

/// Whether a run can be called so.
pub fn is_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && name.len() <= MAX_RUN_ID_CHARS && name.chars().all(known) && !name.starts_with('.')
}

/// What to know of runs in `report_dir` that nobody ended, if there are any.
pub fn hint(report_dir: &Path) -> Option<String> {
    let unfinished: Vec<Run> =
        list(report_dir).into_iter().filter(|run| run.standing == Standing::Unfinished).collect();
    let id = &unfinished.first()?.id;
    let others = match unfinished.len() - 1 {
        0 => String::new(),
        1 => " (and one more)".to_owned(),
        n => format!(" (and {n} more)"),
    };
    let dir = match report_dir.to_str() {
        Some(crate::settings::DEFAULT_REPORT_DIR) => String::new(),
        _ => format!(" --report-dir {}", report_dir.display()),
    };
    Some(format!(
        "run {id}{others} was not finished; `coordinator --resume {id}{dir}` goes on with it, or reports what it measured"
    ))
}
