//! The files of a report, each written whole or not at all.

use super::model::Report;
use super::{hlog, html, junit, locust_csv, summary};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// `report.json`: everything, and what the others are made of.
    Json,
    /// `report.html`: a page for people.
    Html,
    /// `junit.xml`: a test case for each threshold.
    Junit,
    /// `summary.md`: a page for pull requests.
    Summary,
    /// `locust_stats.csv`, `locust_stats_history.csv`, `locust_failures.csv`.
    Csv,
    /// `latency.hlog`: histograms over time.
    Hlog,
}

impl Form {
    /// All of them; `report.json` comes first, as the others can be made again from it.
    pub const ALL: [Form; 6] = [Form::Json, Form::Html, Form::Junit, Form::Summary, Form::Csv, Form::Hlog];

    /// As `--format` has it.
    pub fn name(self) -> &'static str {
        match self {
            Form::Json => "json",
            Form::Html => "html",
            Form::Junit => "junit",
            Form::Summary => "summary",
            Form::Csv => "csv",
            Form::Hlog => "hlog",
        }
    }

    /// Its files with their content.
    fn render(self, report: &Report) -> Vec<(&'static str, Vec<u8>)> {
        let texts = match self {
            Form::Json => return vec![("report.json", json(report))],
            Form::Html => vec![("report.html", html::render(report))],
            Form::Junit => vec![("junit.xml", junit::render(report))],
            Form::Summary => vec![("summary.md", summary::render(report))],
            Form::Csv => vec![
                ("locust_stats.csv", locust_csv::stats(report)),
                ("locust_stats_history.csv", locust_csv::history(report)),
                ("locust_failures.csv", locust_csv::failures(report)),
            ],
            Form::Hlog => vec![("latency.hlog", hlog::render(report))],
        };
        texts.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
    }
}

/// `report.json` as it is written: for people too, so with line breaks.
fn json(report: &Report) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(report).expect("the model has no keys but text");
    text.push(b'\n');
    text
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// What became of the files.
#[derive(Debug, Default)]
pub struct Written {
    /// The files that are there now.
    pub files: Vec<PathBuf>,
    /// Those that are not.
    pub failed: Vec<WriteError>,
}

/// Writes `forms` of `report` into `folder`, which is made if it is missing. A file that cannot be written keeps no other
/// from being written. Readers see a whole file or none: each is written beside its place and moved there.
pub fn write_forms(folder: &Path, report: &Report, forms: &[Form]) -> Written {
    let mut written = Written::default();
    if let Err(source) = fs::create_dir_all(folder) {
        written.failed.push(WriteError { path: folder.to_owned(), source });
        return written;
    }
    for form in forms {
        for (name, content) in form.render(report) {
            let path = folder.join(name);
            match write_whole(folder, name, &content) {
                Ok(()) => written.files.push(path),
                Err(source) => written.failed.push(WriteError { path, source }),
            }
        }
    }
    written
}

/// Writes a file whole or not at all.
fn write_whole(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!(".{name}.draft"));
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, folder.join(name))
    };
    write().inspect_err(|_| {
        // Half a file takes room that the next one may need.
        let _ = fs::remove_file(&draft);
    })
}

#[cfg(test)]
mod tests;
