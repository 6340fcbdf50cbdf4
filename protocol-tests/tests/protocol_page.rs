//! docs/PROTOCOL.md says what the code says: its tables are printed from it. `UPDATE_GOLDEN=1` writes them anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The tables in the documentation of the module in `file`.
fn tables_of(file: &str) -> String {
    let text = read(file);
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("//! |")).collect();
    assert!(rows.len() > 3, "{file} has a table");
    let lines: Vec<String> = rows.iter().map(|row| format!("|{row}")).collect();
    lines.join("\n") + "\n"
}

/// `| name | value | reason |` for each constant of the limits.
fn limits() -> String {
    let mut table = "| limit | value | what it bounds, and why |\n|---|---|---|\n".to_owned();
    let mut reason = Vec::new();
    let text = read("proto/src/limits.rs");
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(comment) = line.strip_prefix("/// ") {
            reason.push(comment.replace("[`", "`").replace("`]", "`"));
        } else if let Some(constant) = line.strip_prefix("pub const ") {
            let mut whole = constant.to_owned();
            while !whole.ends_with(';') {
                whole.push_str(lines.next().expect("a constant ends").trim());
            }
            let (name, rest) = whole.split_once(':').expect("a type");
            let (_, value) = rest.split_once('=').expect("a value");
            let value = value.trim().trim_end_matches(';').replace('|', "\\|");
            let _ = writeln!(table, "| `{name}` | `{value}` | {} |", reason.join(" "));
            reason.clear();
        }
    }
    table
}

/// `| message | what it says |` for each message that stands for itself.
fn messages() -> String {
    let text = read("proto/proto/muster/v1/fleet.proto");
    let (_, text) = text.split_once("message AgentMessage").expect("the messages of agents");
    let mut table = "| message | what it says |\n|---|---|\n".to_owned();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(more) = line.strip_prefix("// ") {
            comment.push(more);
        } else if let Some(name) = line.strip_prefix("message ").and_then(|rest| rest.strip_suffix(" {")) {
            if !comment.is_empty() {
                let _ = writeln!(table, "| `{name}` | {} |", comment.join(" ").replace('|', "\\|"));
            }
            comment.clear();
        } else if !line.starts_with(' ') {
            comment.clear();
        }
    }
    table
}

/// `| defect | what is wrong | found by |` for each defect that can be put in on purpose.
fn defects() -> String {
    let mut table = "| defect | what is wrong | found by |\n|---|---|---|\n".to_owned();
    for line in read("protocol-tests/tests/data/defects.txt").lines().filter(|line| !line.starts_with('#')) {
        let [name, what, tests] =
            line.split('|').map(str::trim).collect::<Vec<_>>().try_into().expect("three cells");
        let _ = writeln!(
            table,
            "| `{name}` | {what} | `cargo test {}` |",
            tests.split(',').next().unwrap_or(tests)
        );
    }
    table
}

#[test]
fn the_page_says_what_the_code_says() {
    let sections = [
        ("messages", messages()),
        ("agent states", tables_of("agent/src/session/mod.rs")),
        ("coordinator states", tables_of("coordinator/src/fleet/mod.rs")),
        ("chores", tables_of("coordinator/src/fleet/chore.rs")),
        ("limits", limits()),
        ("defects", defects()),
    ];
    let page = read("docs/PROTOCOL.md");
    let mut expected = page.clone();
    for (name, printed) in sections {
        let begin = format!("<!-- begin {name}: printed from the code -->\n");
        let start =
            expected.find(&begin).unwrap_or_else(|| panic!("docs/PROTOCOL.md has `{begin}`")) + begin.len();
        let end = start + expected[start..].find("<!-- end -->").expect("a section ends");
        expected.replace_range(start..end, &printed);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path("docs/PROTOCOL.md"), &expected).expect("the page can be written");
    } else {
        assert_eq!(page, expected, "UPDATE_GOLDEN=1 cargo test -p protocol-tests --test protocol_page");
    }
}
