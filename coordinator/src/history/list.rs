//! Reading which runs there are.

use super::Entry;
use super::index::{INDEX, Index, Known, Mark};
use crate::journal::runs::{self, Standing};
use crate::report::{Report, read_report};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The runs of a report directory.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Those with a report, or of which it is known what it said; the newest first.
    pub runs: Vec<Entry>,
    /// Reports that cannot be read.
    pub damaged: Vec<Damaged>,
    /// Runs that nobody ended, by name.
    pub unfinished: Vec<String>,
    /// Runs that a coordinator is at.
    pub going_on: Vec<String>,
    /// Why the index could not be used; everything was read without it.
    pub index_problem: Option<String>,
}

/// A report that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The run's folder.
    pub id: String,
    /// The file, the place in it, what is wrong and what to do.
    pub problem: String,
}

/// The runs in `report_dir`; without that directory there are none.
///
/// # Errors
/// When the directory cannot be read, in words.
pub fn scan(report_dir: &Path) -> Result<History, String> {
    match std::fs::read_dir(report_dir) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(History::default()),
        Err(error) => {
            return Err(format!(
                "{}: {error}; name another directory with --report-dir",
                report_dir.display()
            ));
        }
    }
    let mut history = History::default();
    let folders = runs::list(report_dir);
    // A directory without runs gets no index.
    if folders.is_empty() && !report_dir.join(INDEX).exists() {
        return Ok(history);
    }
    let opened = Index::open(report_dir).and_then(|index| index.all().map(|known| (index, known)));
    let (index, mut known) = match opened {
        Ok((index, known)) => (Some(index), known),
        Err(problem) => {
            history.index_problem = Some(problem);
            (None, BTreeMap::new())
        }
    };
    let mut news = Vec::new();
    for run in folders {
        match run.standing {
            Standing::Over => {}
            Standing::GoingOn => {
                history.going_on.push(run.id);
                continue;
            }
            Standing::Unfinished => {
                history.unfinished.push(run.id);
                continue;
            }
        }
        let path = run.folder.join("report.json");
        let (mark, earlier) = (Mark::of(&path), known.remove(&run.id));
        let same = earlier.filter(|earlier| Some(earlier.mark) == mark);
        let read = match same {
            Some(same) => Ok(same.entry),
            None => read_report(&path).map(|report| Entry::new(&run.id, &report)),
        };
        match read {
            Ok(entry) => {
                news.extend(mark.map(|mark| Known { mark, entry: entry.clone() }));
                history.runs.push(Entry { report: Some(path.display().to_string()), ..entry });
            }
            Err(error) => history.damaged.push(Damaged { id: run.id, problem: error.to_string() }),
        }
    }
    // What is left are folders that are gone.
    history.runs.extend(known.into_values().map(|known| Entry { report: None, ..known.entry }));
    history.runs.sort_by(|one, other| (other.began(), &other.id).cmp(&(one.began(), &one.id)));
    if let Some(Err(problem)) = index.map(|mut index| index.put(&news)) {
        history.index_problem = Some(problem);
    }
    Ok(history)
}

/// Puts a run down in the index, if there is one: a run that has just written its report to `report_dir`. The index is made when
/// runs are listed first.
///
/// # Errors
/// Why it cannot be; the run is found all the same when the directory is listed.
pub fn record(report_dir: &Path, report: &Report) -> Result<(), String> {
    let id = &report.run.id;
    if !report_dir.join(INDEX).exists() {
        return Ok(());
    }
    let path: PathBuf = report_dir.join(id).join("report.json");
    let Some(mark) = Mark::of(&path) else { return Ok(()) };
    let row = Known { mark, entry: Entry::new(id, report) };
    Index::open(report_dir)?.put(&[row])
}
