//! What happens with a report at the end of a run, also when a disk is full.

use super::files::{Form, WriteError, Written, write_forms};
use super::github::GitHub;
use super::model::Report;
use std::io;
use std::path::{Path, PathBuf};

/// Why a report has no place.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}; free the path, or choose another directory with --report-dir", path.display())]
pub struct ReportError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// What is said of the files of a report.
#[derive(Debug, Default)]
pub struct Delivered {
    /// For standard output: where the report is.
    pub told: String,
    /// For standard error, a line each: what is missing, and how to get it.
    pub problems: Vec<String>,
    /// Whether every file was written.
    pub complete: bool,
    /// Whether `report.json` is where it belongs, so that the others can be made again and the journal of the run is not needed.
    pub in_place: bool,
}

/// Writes every file of `report` to `DIRECTORY/RUN-ID/`, and tells GitHub Actions. A disk without room for `report.json`
/// costs nothing that was measured: it is written to `spare` then, where every other file can be made of it.
pub fn deliver(directory: &Path, spare: &Path, report: &Report, github: &GitHub) -> Delivered {
    let folder = directory.join(&report.run.id);
    let written = write_forms(&folder, report, &Form::ALL);
    let json = folder.join("report.json");
    let mut delivered = Delivered { complete: written.failed.is_empty(), ..Delivered::default() };
    if written.files.contains(&json) {
        delivered.in_place = true;
        delivered.told = told(&json, &written);
        delivered.problems = errors(&written.failed);
        if !delivered.complete {
            delivered.problems.push(make_again(&json, None));
        }
    } else {
        delivered.problems = errors(&written.failed);
        let shelter = spare.join(format!("muster-{}", report.run.id));
        let saved = write_forms(&shelter, report, &[Form::Json]);
        if let Some(saved) = saved.files.first() {
            delivered.told = format!("report: {}\n", saved.display());
            delivered.problems.push(make_again(saved, Some(&folder)));
        } else {
            delivered.problems.extend(errors(&saved.failed));
            let id = &report.run.id;
            delivered.problems.push(format!(
                "what was measured is kept in the journal of the run; make room, and write the report again: \
                 coordinator --resume {id} --report-dir {}",
                quoted(directory)
            ));
        }
    }
    let (annotations, problems) = github.tell(report, &folder);
    delivered.told.push_str(&annotations);
    delivered.problems.extend(problems);
    delivered
}

fn errors(failed: &[WriteError]) -> Vec<String> {
    failed.iter().map(|error| format!("error: {error}")).collect()
}

/// Where the report is: `report.json` first, and its neighbours.
fn told(json: &Path, written: &Written) -> String {
    let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let others: Vec<String> = written.files.iter().filter(|path| *path != json).filter_map(name).collect();
    let beside =
        if others.is_empty() { String::new() } else { format!("beside it: {}\n", others.join(", ")) };
    format!("report: {}\n{beside}", json.display())
}

/// How to make files again that could not be written.
pub fn make_again(json: &Path, folder: Option<&Path>) -> String {
    let out = folder.map_or(String::new(), |folder| format!(" --out {}", quoted(folder)));
    format!(
        "what was measured is safe in {0}; make room, and write the rest again: coordinator report {1}{out}",
        json.display(),
        quoted(json)
    )
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
