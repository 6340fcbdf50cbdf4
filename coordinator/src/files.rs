//! Reads the files that a plan names.

use plan::{Bundle, Files, Secrets};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The files that `bundle` names, relative to the folder of the plan at `plan_path`. What cannot be read is told
/// when the plan is compiled, at the place that names it.
pub fn read(bundle: &Bundle, plan_path: &Path) -> Files {
    let folder = plan_path.parent().unwrap_or(Path::new(""));
    let mut files = Files::default();
    for name in bundle.file_names() {
        let room = Files::MAX_BYTES.saturating_sub(files.total_bytes());
        let content = read_file(&folder.join(&name), room);
        files.insert(name, content);
    }
    files
}

/// The secret in the file at `path`, without the line break at its end.
pub fn read_secret(path: &Path) -> Result<String, String> {
    let content = read_file(path, Secrets::MAX_BYTES)?;
    let text = String::from_utf8(content).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(value.to_owned())
}

fn read_file(path: &Path, room: usize) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?;
    // Opening a pipe or a device could wait for ever, or read without end.
    if !metadata.is_file() {
        return Err(format!("{shown} is not a file"));
    }
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(room as u64 + 1).read_to_end(&mut content));
    read.map_err(|error| format!("{shown}: {error}"))?;
    if content.len() > room {
        let size = metadata.len().max(content.len() as u64);
        return Err(format!(
            "{shown} has {size} bytes, and there is room for {room} (all data files of a plan share {})",
            Files::MAX_BYTES
        ));
    }
    Ok(content)
}
