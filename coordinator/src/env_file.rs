//! Files of environment variables: `.env`, or the one that `--env-file` names.

use std::path::{Path, PathBuf};

/// Read when no other is named, and only if it is there.
const DEFAULT: &str = ".env";

/// The variable that names another.
const VARIABLE: &str = "LOAD_TEST_ENV_FILE";

/// Puts the variables of the file into the environment of this process, which wins where it has them already. `typed` is what
/// `--env-file` says. To be called before there are threads.
///
/// # Errors
/// A file that was named and cannot be read, or one with a line that is not `NAME=VALUE`; without what stands in it, which may
/// be a secret.
pub fn load(typed: Option<&Path>) -> Result<(), String> {
    let variable = || std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let (source_name, path) = match (typed, variable()) {
        (Some(path), _) => (Some("--env-file"), path.to_owned()),
        (None, Some(path)) => (Some(VARIABLE), path),
        (None, None) => (None, DEFAULT.into()),
    };
    match dotenvy::from_path(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.not_found() && source_name.is_none() => Ok(()),
        Err(error) => {
            let place = source_name.map_or(String::new(), |name| format!("{name}: "));
            Err(format!("{place}{}: {}", path.display(), problem(&path, &error)))
        }
    }
}

fn problem(path: &Path, error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::LineParse(line, _) => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let number = text.lines().position(|known| known.trim() == line.trim());
            let place = number.map_or_else(|| "a line".to_owned(), |n| format!("line {}", n + 1));
            format!("{place} cannot be read; write one NAME=VALUE per line")
        }
        error if error.not_found() => "there is no such file; name one with a NAME=VALUE per line".to_owned(),
        dotenvy::Error::Io(error) => format!("{error}; name a file with a NAME=VALUE per line"),
        other => format!("{other}; write one NAME=VALUE per line"),
    }
}
