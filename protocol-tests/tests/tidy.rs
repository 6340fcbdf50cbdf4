//! The house is kept as docs/ARCHITECTURE.md describes it.

use std::path::{Path, PathBuf};

/// Longest source file in lines.
const MAX_LINES: usize = 500;

/// Crates of this workspace that each may depend on; the arrows of the architecture.
const ARROWS: [(&str, &[&str]); 8] = [
    ("metrics", &[]),
    ("plan", &["metrics"]),
    ("proto", &["metrics", "plan"]),
    ("system", &[]),
    ("agent", &["metrics", "plan", "proto", "system"]),
    ("demo", &["metrics", "system"]),
    ("coordinator", &["agent", "demo", "metrics", "plan", "proto", "system"]),
    ("protocol-tests", &["agent", "coordinator", "demo", "metrics", "plan", "proto"]),
];

/// Where logic is pure, and what must not stand there.
const PURE: [&str; 7] = [
    "plan/src",
    "metrics/src",
    "agent/src/session",
    "agent/src/policy",
    "coordinator/src/fleet",
    "coordinator/src/results",
    "coordinator/src/report/model.rs",
];
const IMPURE: [&str; 9] = [
    "tokio::",
    "tonic::",
    "std::net",
    "std::fs",
    "std::env",
    "Instant::now",
    "SystemTime",
    "rand::rng()",
    "std::thread",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace is there")
}

fn sources(below: &Path) -> Vec<PathBuf> {
    if below.is_file() {
        return vec![below.to_owned()];
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).expect("a readable directory") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Whether `path` is a module that its parent declares for tests only, or stands below one.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
    let folder = path.parent().expect("a folder");
    let declares = |parent: PathBuf| {
        let text = std::fs::read_to_string(parent).unwrap_or_default();
        text.split("#[cfg(test)]").skip(1).any(|rest| {
            let line = rest.trim_start().lines().next().unwrap_or_default();
            line.trim_start_matches("pub(crate) ").trim_start_matches("mod ") == format!("{name};")
        })
    };
    declares(folder.join("mod.rs"))
        || declares(folder.join("lib.rs"))
        || declares(folder.with_extension("rs"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn files_are_short() {
    let long: Vec<String> = ARROWS
        .iter()
        .flat_map(|(room, _)| sources(&root().join(room)))
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "more than {MAX_LINES} lines; find the second noun in it: {long:#?}");
}

#[test]
fn dependencies_follow_the_arrows() {
    for (room, allowed) in ARROWS {
        let manifest = read(&root().join(room).join("Cargo.toml"));
        for (other, _) in ARROWS {
            let depends = manifest.lines().any(|line| {
                line.starts_with(&format!("{other}.workspace")) || line.starts_with(&format!("{other} ="))
            });
            assert!(!depends || allowed.contains(&other), "{room} must not depend on {other}");
        }
    }
}

#[test]
fn pure_rooms_know_no_runtime_clock_or_io() {
    let mut found = Vec::new();
    for room in PURE {
        for path in sources(&root().join(room)) {
            let in_tests = is_test(&path);
            let text = read(&path);
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate().filter(|_| !in_tests) {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(word) = IMPURE.iter().find(|word| code.contains(**word)) {
                    found.push(format!("{}:{}: {word}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "time, entropy and I/O are arguments here: {found:#?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = root();
    let documents = ["README.md", "CHANGELOG.md", "deploy/README.md"].map(|name| root.join(name)).into_iter();
    let in_docs =
        std::fs::read_dir(root.join("docs")).expect("docs/ is there").map(|e| e.expect("readable").path());
    let mut dead = Vec::new();
    for path in documents.chain(in_docs).filter(|path| path.extension().is_some_and(|e| e == "md")) {
        for link in read(&path).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty()
                && !file.contains("://")
                && !path.parent().expect("a directory").join(file).exists()
            {
                dead.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
