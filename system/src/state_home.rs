//! Where a user's programs keep what outlives them.

use std::ffi::OsString;
use std::path::PathBuf;

/// What to say where there is none.
pub const NONE: &str = if cfg!(windows) {
    "LOCALAPPDATA, XDG_STATE_HOME and HOME are not set"
} else {
    "HOME and XDG_STATE_HOME are not set"
};

/// `$XDG_STATE_HOME`, as the XDG base directory specification has it, else `~/.local/state`; on Windows `%LOCALAPPDATA%`
/// comes before the home directory. Paths that are relative do not count; `None` without any.
pub fn state_home(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let local = || path("LOCALAPPDATA").filter(|_| cfg!(windows));
    let home = || path("HOME").map(|home| home.join(".local/state"));
    path("XDG_STATE_HOME").or_else(local).or_else(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_absolute_path_counts() {
        let check = |variables: &[(&str, &str)], expected: Option<&str>| {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
            };
            assert_eq!(state_home(variable), expected.map(PathBuf::from), "{variables:?}");
        };
        check(&[], None);
        if cfg!(windows) {
            let (local, home) = (r"C:\Users\ada\AppData\Local", r"C:\Users\ada");
            check(&[("HOME", home), ("LOCALAPPDATA", local)], Some(local));
            check(&[("HOME", home)], Some(r"C:\Users\ada\.local/state"));
            check(&[("XDG_STATE_HOME", r"D:\state"), ("LOCALAPPDATA", local)], Some(r"D:\state"));
            check(&[("XDG_STATE_HOME", r"\state"), ("LOCALAPPDATA", local)], Some(local));
        } else {
            check(&[("HOME", "/home/ada"), ("LOCALAPPDATA", "/l")], Some("/home/ada/.local/state"));
            check(&[("HOME", "/h"), ("XDG_STATE_HOME", "/state")], Some("/state"));
            check(&[("HOME", "/h"), ("XDG_STATE_HOME", "relative")], Some("/h/.local/state"));
            check(&[("HOME", "relative")], None);
        }
    }
}
