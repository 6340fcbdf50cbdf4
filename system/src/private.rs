//! Files and directories that nobody else may read.
//!
//! On Unix their modes say so, from the moment they are made. On Windows they get the access that their directory hands down:
//! in a user's profile, where they are unless somebody names another place, that is the user, the administrators and the system.

use std::fs::{Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Options to open a file that is made private if it is made.
pub fn options() -> OpenOptions {
    side::options()
}

/// Makes the directory at `path`, and those above it, private where they are new.
///
/// # Errors
/// When it cannot be made; that it is there already is none.
pub fn make_directory(path: &Path) -> io::Result<()> {
    side::make_directory(path)
}

/// Who may do what, as Unix has it (0o600 for instance); `None` where files have no modes.
pub fn mode(metadata: &Metadata) -> Option<u32> {
    side::mode(metadata)
}

#[cfg(unix)]
mod side {
    use std::fs::{DirBuilder, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
    use std::path::Path;

    pub(super) fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.mode(0o600);
        options
    }

    pub(super) fn make_directory(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    #[expect(clippy::unnecessary_wraps, reason = "others have none")]
    pub(super) fn mode(metadata: &Metadata) -> Option<u32> {
        Some(metadata.mode() & 0o777)
    }
}

#[cfg(windows)]
mod side {
    use std::fs::{Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    pub(super) fn options() -> OpenOptions {
        OpenOptions::new()
    }

    pub(super) fn make_directory(path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    pub(super) fn mode(_: &Metadata) -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_nobody_elses() {
        let root = std::env::temp_dir().join(format!("muster-private-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let directory = root.join("a/b");
        make_directory(&directory).unwrap();
        make_directory(&directory).unwrap();
        let file = directory.join("file");
        options().write(true).create_new(true).open(&file).unwrap();
        let mode = |path: &Path| mode(&path.metadata().unwrap());
        let expected = if cfg!(unix) { [Some(0o600), Some(0o700), Some(0o700)] } else { [None; 3] };
        assert_eq!([mode(&file), mode(&directory), mode(&root)], expected);
        std::fs::remove_dir_all(&root).unwrap();
    }
}
