//! Whether a name still means a file that is open.

use std::fs::File;
use std::path::Path;

/// Whether `file` is the one at `path`: it may have been replaced or removed since it was opened. No if that cannot be told.
pub fn is_at(file: &File, path: &Path) -> bool {
    side::is_at(file, path)
}

#[cfg(unix)]
mod side {
    use std::fs::File;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    pub(super) fn is_at(file: &File, path: &Path) -> bool {
        path.metadata().is_ok_and(|now| file.metadata().is_ok_and(|ours| ours.ino() == now.ino()))
    }
}

#[cfg(windows)]
mod side {
    use std::fs::File;
    use std::path::Path;
    use winapi_util::file::information;
    use winapi_util::{Handle, HandleRef};

    pub(super) fn is_at(file: &File, path: &Path) -> bool {
        let there = Handle::from_path(path).and_then(information);
        let ours = information(HandleRef::from_file(file));
        there.is_ok_and(|there| {
            ours.is_ok_and(|ours| {
                (there.volume_serial_number(), there.file_index())
                    == (ours.volume_serial_number(), ours.file_index())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_is_another_one() {
        let path = std::env::temp_dir().join(format!("muster-identity-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        assert!(is_at(&file, &path));
        let new = path.with_extension("new");
        File::create(&new).unwrap();
        std::fs::rename(&new, &path).unwrap();
        assert!(!is_at(&file, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path));
    }
}
