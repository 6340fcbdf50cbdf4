//! Reads the files that a plan names.

use plan::{Bundle, Files};
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
            "it has {size} bytes; all files of a plan together may have {}, of which {room} are left",
            Files::MAX_BYTES
        ));
    }
    Ok(content)
}
