//! Runs by the names that people give them: a file, a directory, a run's name, `last`, `last~2`.

use super::{Entry, scan};
use crate::journal::runs::is_name;
use std::path::{Path, PathBuf};

/// How many runs a message names.
const SHOWN: usize = 5;

/// A run as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunName {
    /// `last`, or the run so many before it.
    Last(u32),
    /// A file, a directory, or the name of a run.
    Named(PathBuf),
}

impl RunName {
    /// Reads a name. A file of the name `last` is `./last`.
    ///
    /// # Errors
    /// What begins as `last~` and is not followed by a number, in words.
    pub fn parse(text: &str) -> Result<RunName, String> {
        match text.strip_prefix("last") {
            Some("") => Ok(RunName::Last(0)),
            Some(rest) if rest.starts_with('~') => match rest[1..].parse() {
                Ok(n) if n <= 1_000_000 => Ok(RunName::Last(n)),
                _ => Err(format!("`{}` is no run", crate::report::escape(text))),
            },
            _ if text.is_empty() => Err("the name is empty".to_owned()),
            _ => Ok(RunName::Named(text.into())),
        }
    }
}

/// Why a run is not found; for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FindError(String);

/// The report of the run that `name` names; runs are those of `report_dir`. The file may be unreadable still.
///
/// # Errors
/// When there is no such run.
pub fn find_run(name: &RunName, report_dir: &Path) -> Result<PathBuf, FindError> {
    match name {
        RunName::Last(back) => nth(report_dir, *back, |_| true, ""),
        RunName::Named(path) => named(path, report_dir),
    }
}

/// As [`find_run`], of a baseline for a run of the plan called `plan`: `last` is the newest run of that plan that
/// passed or warned, and was no worse than its own baseline: otherwise a regression would be the measure of what follows.
///
/// # Errors
/// When there is no such run.
pub fn find_baseline(name: &RunName, report_dir: &Path, plan: &str) -> Result<PathBuf, FindError> {
    match name {
        RunName::Last(back) => {
            let fits = |entry: &Entry| {
                entry.name == plan && matches!(entry.verdict.as_str(), "pass" | "warn") && !entry.regression
            };
            let what = format!(
                " of the plan `{}` with the verdict pass or warn and without a regression",
                crate::report::escape(plan)
            );
            nth(report_dir, *back, fits, &what)
        }
        RunName::Named(path) => named(path, report_dir),
    }
}

fn nth(
    report_dir: &Path,
    back: u32,
    fits: impl Fn(&Entry) -> bool,
    what: &str,
) -> Result<PathBuf, FindError> {
    let history = scan(report_dir).map_err(FindError)?;
    let runs: Vec<PathBuf> = history
        .runs
        .iter()
        .filter(|entry| fits(entry))
        .filter_map(|entry| entry.report.as_ref().map(PathBuf::from))
        .collect();
    runs.get(back as usize).cloned().ok_or_else(|| {
        let dir = report_dir.display();
        let damaged = match history.damaged.first() {
            Some(damaged) => format!(" (run {} is damaged: {})", damaged.id, damaged.problem),
            None => String::new(),
        };
        FindError(match runs.len() {
            0 => format!(
                "{dir} has no run{what}{damaged}; name a `report.json`, run once without it, or see `coordinator history --report-dir {dir}`"
            ),
            n => format!(
                "{dir} has only {n} runs{what}{damaged}; the oldest is `last~{}`",
                n - 1
            ),
        })
    })
}

fn named(path: &Path, report_dir: &Path) -> Result<PathBuf, FindError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let id = path.to_str().filter(|name| is_name(name));
    let own = id.map(|id| report_dir.join(id));
    for folder in [Some(path.to_owned()), own.clone()].into_iter().flatten() {
        if folder.join("report.json").is_file() {
            return Ok(folder.join("report.json"));
        }
    }
    let shown = crate::report::escape(&path.display().to_string());
    let dir = report_dir.display();
    if let Some(folder) = [Some(path.to_owned()), own].into_iter().flatten().find(|folder| folder.is_dir()) {
        return Err(FindError(format!(
            "{} has no report.json: the run was not finished; name another run, or end this one with --resume",
            folder.display()
        )));
    }
    let known = scan(report_dir).map(|history| history.runs).unwrap_or_default();
    if let Some(gone) = known.iter().find(|entry| Some(entry.id.as_str()) == id) {
        let began = &gone.started_at;
        return Err(FindError(format!(
            "run {shown} of {began} is known, but its folder is gone from {dir}; name another run, or put `report.json` back"
        )));
    }
    let ids: Vec<&str> =
        known.iter().filter(|entry| entry.report.is_some()).map(|entry| entry.id.as_str()).collect();
    let newest = match ids.as_slice() {
        [] => format!("{dir} has no runs"),
        ids => format!("the newest runs in {dir} are {}", ids[..ids.len().min(SHOWN)].join(", ")),
    };
    Err(FindError(format!(
        "there is no file, directory or run `{shown}`; {newest}; name one of them, a `report.json`, or `last`"
    )))
}
