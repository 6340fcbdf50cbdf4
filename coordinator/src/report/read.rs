//! Reading `report.json` back.
//!
//! Whatever is wrong with a file (cut off, edited by hand, of another tool, of a newer version) is told with its place:
//! line and column, the key, the value and what to do. What passes here, every form of the report can be made from:
//! counts fit together, histograms decode, references lead somewhere.

mod check;
mod place;
#[cfg(test)]
mod tests;

use super::model::{Report, SCHEMA_VERSION};
use place::Place;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Largest file that is read. A run of a week with a thousand requests stays below a quarter of it.
const MAX_BYTES: u64 = 128 << 20;

/// Longest excerpt of a value in a message.
const SHOWN: usize = 200;

/// Why a file is not a report that can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system does not give it.
    #[error("{}: cannot be read: {source}; name a `report.json`, or the directory of a run", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is larger than any report.
    #[error("{}: is larger than {} MiB, the most that a report has; name the `report.json` of a run", path.display(), MAX_BYTES >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Something in it is wrong.
    #[error("{}:{mistake}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What, and where.
        mistake: Mistake,
    },
}

/// Something wrong in a report: `LINE:COLUMN: KEY: what; remedy`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {}{problem}; {remedy}", key.as_ref().map_or(String::new(), |key| format!("`{key}`: ")))]
pub struct Mistake {
    /// Where.
    pub(super) place: Place,
    /// The key, as in `requests[3].failures`; none where the text itself is broken.
    pub(super) key: Option<String>,
    /// What is wrong, with the value.
    pub(super) problem: String,
    /// What to do.
    pub(super) remedy: &'static str,
}

const CUT_OFF: &str = "the file is cut off: copy it again, or take the `report.json` of the run's directory";
const EDITED: &str = "the file was changed since it was written: undo the change, or take the `report.json` of the run's directory";
const FOREIGN: &str = "name the `report.json` that a run of coordinator wrote";
const NEWER: &str = "use the version of coordinator that wrote it, or a newer one";

/// Reads the report at `path`; of a directory, the `report.json` in it.
///
/// # Errors
/// As [`ReadError`] has them.
pub fn read_report(path: &Path) -> Result<Report, ReadError> {
    let path = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
    let unreadable = |source| ReadError::Unreadable { path: path.clone(), source };
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::TooLarge { path });
    }
    parse(&bytes).map_err(|mistake| ReadError::Wrong { path, mistake })
}

/// What says whether the rest can be read.
#[derive(Deserialize)]
struct Version {
    schema_version: Option<u64>,
}

/// Reads a report's text.
pub(super) fn parse(bytes: &[u8]) -> Result<Report, Mistake> {
    let text = std::str::from_utf8(bytes).map_err(|error| Mistake {
        place: Place::of_offset(bytes, error.valid_up_to()),
        key: None,
        problem: "the text is not UTF-8".to_owned(),
        remedy: FOREIGN,
    })?;
    let foreign = |problem: String| Mistake {
        place: Place::START,
        key: Some("schema_version".to_owned()),
        problem,
        remedy: FOREIGN,
    };
    if text.trim().is_empty() {
        let problem = "the file is empty".to_owned();
        return Err(Mistake { place: Place::START, key: None, problem, remedy: CUT_OFF });
    }
    let Version { schema_version } = read(text, FOREIGN)?;
    match schema_version {
        Some(version) if version == u64::from(SCHEMA_VERSION) => {}
        Some(version) if version > u64::from(SCHEMA_VERSION) => {
            return Err(Mistake {
                place: place::locate(text, &["schema_version"]),
                key: Some("schema_version".to_owned()),
                problem: format!(
                    "{version} is newer than {SCHEMA_VERSION}, the newest that this program reads"
                ),
                remedy: NEWER,
            });
        }
        Some(version) => {
            let place = place::locate(text, &["schema_version"]);
            return Err(Mistake { place, ..foreign(format!("there is no version {version}")) });
        }
        None => return Err(foreign("the key is missing: this is no report of Muster".to_owned())),
    }
    let report: Report = read(text, EDITED)?;
    check::check(&report).map_err(|contradiction| {
        let keys: Vec<&str> =
            contradiction.key.split(['.', '[', ']']).filter(|key| !key.is_empty()).collect();
        Mistake {
            place: place::locate(text, &keys),
            problem: contradiction.problem,
            key: Some(contradiction.key),
            remedy: EDITED,
        }
    })?;
    Ok(report)
}

/// Reads all of `text` as one value.
fn read<'de, T: Deserialize<'de>>(text: &'de str, remedy: &'static str) -> Result<T, Mistake> {
    let mut source = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut source).map_err(|error| {
        let key = Some(error.path().to_string()).filter(|path| path != ".");
        mistake(error.inner(), key, remedy)
    })?;
    source.end().map_err(|error| mistake(&error, None, remedy))?;
    Ok(value)
}

fn mistake(error: &serde_json::Error, key: Option<String>, remedy: &'static str) -> Mistake {
    let text = error.to_string();
    // The place stands at the end of serde_json's messages, too.
    let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    let mut shown: String = problem.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    if problem.chars().count() > SHOWN {
        shown.push('…');
    }
    Mistake {
        place: Place { line: error.line().max(1), column: error.column().max(1) },
        key,
        problem: shown,
        remedy: if error.is_eof() { CUT_OFF } else { remedy },
    }
}
