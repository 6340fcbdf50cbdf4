//! The test of the tests: every defect that can be put into this build (`proto::defect`) turns the suite red, and nothing
//! else does. `cargo test -p protocol-tests --features defects --test defects`; the table is in data/defects.txt.
//! `MUSTER_DEFECTS=m4,m5` tries only these.

use std::collections::BTreeMap;
use std::process::Command;

/// Which tests find which defect.
const TABLE: &str = include_str!("data/defects.txt");

/// Every defect there is.
const ALL: std::ops::RangeInclusive<u32> = 1..=15;

/// A line of the table.
struct Row<'a> {
    name: &'a str,
    what: &'a str,
    /// Of `cargo test`.
    arguments: Vec<&'a str>,
    /// Which worlds the simulation plays.
    worlds: Option<&'a str>,
}

fn rows() -> Vec<Row<'static>> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let row = |line: &'static str| {
        let [name, what, tests] =
            line.split('|').map(str::trim).collect::<Vec<_>>().try_into().expect("name | what | tests");
        let (arguments, worlds) = match tests.split_once(", worlds ") {
            Some((arguments, worlds)) => (arguments, Some(worlds)),
            None => (tests, None),
        };
        Row { name, what, arguments: arguments.split_whitespace().collect(), worlds }
    };
    lines.map(row).collect()
}

/// What `cargo test` makes of the row's tests, with its defect or without any.
fn run(row: &Row<'_>, defect: &str) -> (bool, String) {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--features", "defects"]).args(&row.arguments).env("MUSTER_DEFECT", defect);
    match row.worlds {
        Some(worlds) => cargo.env("MUSTER_SEEDS", worlds),
        None => cargo.env_remove("MUSTER_SEEDS"),
    };
    let output = cargo.output().expect("cargo runs");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("test result: "), "{}: no test was run: {text}", row.name);
    (output.status.success(), text)
}

/// The number of tests that a run of `cargo test` says have passed.
fn passed(text: &str) -> u32 {
    let counts = text
        .lines()
        .filter_map(|line| line.split_once("test result: ok. ")?.1.split(' ').next()?.parse::<u32>().ok());
    counts.sum()
}

#[test]
fn every_defect_turns_the_suite_red() {
    let rows = rows();
    let names: Vec<String> = ALL.map(|n| format!("m{n}")).collect();
    assert_eq!(rows.iter().map(|row| row.name).collect::<Vec<_>>(), names, "a row for each defect");
    let mut green: BTreeMap<(Vec<&str>, Option<&str>), bool> = BTreeMap::new();
    let mut survivors = Vec::new();
    let only = std::env::var("MUSTER_DEFECTS").ok();
    let chosen =
        |row: &&Row<'_>| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == row.name));
    for row in rows.iter().filter(chosen) {
        let without = green.entry((row.arguments.clone(), row.worlds)).or_insert_with(|| {
            let (good, text) = run(row, "");
            assert!(
                good && passed(&text) > 0,
                "without a defect the tests of {} are green: {text}",
                row.name
            );
            good
        });
        assert!(*without);
        let (good, text) = run(row, row.name);
        let found = text.lines().find(|line| line.contains("worlds are broken") || line.starts_with("seed "));
        println!("{}: {}: {}", row.name, row.what, found.unwrap_or(if good { "NOT FOUND" } else { "found" }));
        if good {
            survivors.push(row.name);
        }
    }
    assert!(survivors.is_empty(), "nothing finds {survivors:?}");
}
