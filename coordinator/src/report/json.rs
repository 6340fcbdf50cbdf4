//! `report.json`, written whole or not at all.

use super::model::Report;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}; free the path, or choose another directory with --report-dir", path.display())]
pub struct ReportError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Writes `DIRECTORY/RUN-ID/report.json` and returns its path. Readers see the whole file or none: it is
/// written beside its place and moved there.
pub fn write_json(directory: &Path, report: &Report) -> Result<PathBuf, ReportError> {
    let folder = directory.join(&report.run.id);
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| ReportError { path, source }
    };
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let (path, draft) = (folder.join("report.json"), folder.join(".report.json.draft"));
    write(&draft, report).map_err(failed(&draft))?;
    fs::rename(&draft, &path).map_err(failed(&path))?;
    Ok(path)
}

fn write(path: &Path, report: &Report) -> io::Result<()> {
    let mut file = io::BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut file, report)?;
    file.write_all(b"\n")?;
    file.into_inner()?.sync_all()
}
