//! Where the control groups of this process are: its own and those above it, of both versions.
//!
//! Pure: text of `/proc/self/cgroup` and `/proc/self/mountinfo` in, directories out.

use std::path::{Component, Path, PathBuf};

/// Deepest nesting of groups that is looked at.
const MAX_DEPTH: usize = 32;

/// Of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// One hierarchy for each controller, or for some.
    One,
    /// One hierarchy for all.
    Two,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) version: Version,
    pub(super) directory: PathBuf,
}

/// The groups of this process that `controller` may limit, its own first, then those above it as far as they can be
/// seen from here: `membership` is `/proc/self/cgroup`, `mounts` is `/proc/self/mountinfo`. Where both versions are
/// there, the groups of both.
pub(super) fn groups(membership: &str, mounts: &str, controller: &str) -> Vec<Group> {
    let mounts: Vec<Mount<'_>> = mounts.lines().filter_map(Mount::parse).collect();
    let mut found = Vec::new();
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let version = match (number, controllers) {
            ("0", "") => Version::Two,
            _ if controllers.split(',').any(|name| name == controller) => Version::One,
            _ => continue,
        };
        let of_it = |mount: &&Mount<'_>| match version {
            Version::Two => mount.kind == "cgroup2",
            Version::One => {
                mount.kind == "cgroup" && mount.options.split(',').any(|option| option == controller)
            }
        };
        if let Some(mount) = mounts.iter().find(of_it) {
            let directories = mount.upwards(Path::new(path));
            found.extend(directories.into_iter().map(|directory| Group { version, directory }));
        }
    }
    found
}

struct Mount<'a> {
    /// The group that shows at `point`.
    root: PathBuf,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl Mount<'_> {
    /// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - KIND SOURCE SUPER_OPTIONS`
    fn parse(line: &str) -> Option<Mount<'_>> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (unescaped(mount.next()?), unescaped(mount.next()?));
        let mut system = system.split(' ');
        let (kind, _source, options) = (system.next()?, system.next()?, system.next().unwrap_or_default());
        Some(Mount { root, point, kind, options })
    }

    /// The directories of the group `path` and of those above it. A group that does not show here (that of a container,
    /// seen from within) is what the mount point shows.
    fn upwards(&self, path: &Path) -> Vec<PathBuf> {
        let below = path.strip_prefix(&self.root).unwrap_or(Path::new(""));
        let hidden = below.components().any(|part| !matches!(part, Component::Normal(_)));
        // Joining nothing would end in a slash.
        let here = hidden || below.as_os_str().is_empty();
        let directory = if here { self.point.clone() } else { self.point.join(below) };
        let inside = |directory: &&Path| directory.starts_with(&self.point);
        directory.ancestors().take_while(inside).take(MAX_DEPTH).map(Path::to_owned).collect()
    }
}

/// Space, tab, newline and backslash stand as `\` and three octal digits.
fn unescaped(text: &str) -> PathBuf {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(code) = code.filter(u8::is_ascii) {
            plain.push(char::from(code));
            rest = &after[3..];
        } else {
            plain.push('\\');
            rest = after;
        }
    }
    plain.push_str(rest);
    PathBuf::from(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V2: &str = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "\
        32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

    /// `groups` as `VERSION:DIRECTORY`.
    fn check(membership: &str, mounts: &str, controller: &str, expected: &[&str]) {
        let shown = |group: Group| {
            let version = if group.version == Version::One { 1 } else { 2 };
            format!("{version}:{}", group.directory.display())
        };
        let got: Vec<String> = groups(membership, mounts, controller).into_iter().map(shown).collect();
        assert_eq!(got, expected, "{membership}");
    }

    #[test]
    fn own_group_first_then_those_above_it() {
        let nested = ["2:/sys/fs/cgroup/a/b.slice", "2:/sys/fs/cgroup/a", "2:/sys/fs/cgroup"];
        check("0::/a/b.slice\n", V2, "cpu", &nested);
        check("0::/\n", V2, "cpu", &["2:/sys/fs/cgroup"]);
        let v1 = "4:memory:/m\n1:cpu,cpuacct:/c\n";
        check(v1, V1, "cpu", &["1:/sys/fs/cgroup/cpu/c", "1:/sys/fs/cgroup/cpu"]);
        check(v1, V1, "memory", &["1:/sys/fs/cgroup/memory/m", "1:/sys/fs/cgroup/memory"]);
        check(v1, V1, "cpuset", &[]);
        // A part of a name is not the name.
        check("1:cpuacct:/c\n", V1, "cpu", &[]);
    }

    #[test]
    fn both_versions_side_by_side() {
        let mounts = format!("{V1}40 31 0:9 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
        let expected = ["1:/sys/fs/cgroup/cpu/c", "1:/sys/fs/cgroup/cpu", "2:/sys/fs/cgroup/unified"];
        check("1:cpu:/c\n0::/\n", &mounts, "cpu", &expected);
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_mount_point() {
        let mounts = "32 31 0:29 /docker/1f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        check("1:cpu:/docker/1f\n", mounts, "cpu", &["1:/sys/fs/cgroup/cpu"]);
        check("1:cpu:/docker/1f/x\n", mounts, "cpu", &["1:/sys/fs/cgroup/cpu/x", "1:/sys/fs/cgroup/cpu"]);
        check("1:cpu:/elsewhere\n", mounts, "cpu", &["1:/sys/fs/cgroup/cpu"]);
        check("0::/../outside\n", V2, "cpu", &["2:/sys/fs/cgroup"]);
    }

    #[test]
    fn escapes_are_undone_and_nonsense_gives_nothing() {
        let mounts = "31 23 0:28 / /my\\040groups rw - cgroup2 cgroup2 rw\n";
        check("0::/a b\n", mounts, "cpu", &["2:/my groups/a b", "2:/my groups"]);
        assert_eq!(unescaped("a\\9\\é\\777b\\"), Path::new("a\\9\\é\\777b\\"));
        for (membership, mounts) in
            [("", ""), ("0::/", ""), ("", V2), ("0", V2), ("::::", V2), ("0::/", " - ")]
        {
            check(membership, mounts, "cpu", &[]);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_fine(membership: String, path: String, mounts: String, point: String) {
            groups(&membership, &mounts, "cpu");
            let mounts = format!("1 2 3:4 {path} {point} rw - cgroup2 x y\n");
            let found = groups(&format!("0::{path}\n"), &mounts, "cpu");
            prop_assert!(found.len() <= MAX_DEPTH);
        }
    }
}
