use super::*;
use crate::report::tests::sample;
use std::fs;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("muster-deliver-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

#[test]
fn a_report_is_told_with_its_files() {
    let directory = folder("whole");
    let delivered = deliver(&directory, &directory, &sample(), &GitHub::default());
    let json = directory.join("20261121-080000-abcd/report.json");
    assert!(delivered.complete && delivered.in_place && delivered.problems.is_empty());
    assert!(
        delivered.told.starts_with(&format!("report: {}\nbeside it: ", json.display())),
        "{}",
        delivered.told
    );
    assert!(delivered.told.contains("junit.xml, summary.md, locust_stats.csv"), "{}", delivered.told);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_is_missing_can_be_made_again() {
    let directory = folder("part");
    fs::create_dir_all(directory.join("20261121-080000-abcd/summary.md/x")).unwrap();
    let delivered = deliver(&directory, &directory, &sample(), &GitHub::default());
    assert!(!delivered.complete && delivered.in_place);
    let json = directory.join("20261121-080000-abcd/report.json");
    assert!(json.exists() && delivered.told.starts_with("report: "), "{delivered:?}");
    let last = delivered.problems.last().unwrap();
    assert!(
        last.ends_with(&format!("write the rest again: coordinator report {}", json.display())),
        "{last}"
    );
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_directory_without_room_costs_no_report() {
    let (directory, spare) = (folder("full"), folder("spare"));
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("20261121-080000-abcd"), "a file where the directory belongs").unwrap();
    let delivered = deliver(&directory, &spare, &sample(), &GitHub::default());
    let saved = spare.join("muster-20261121-080000-abcd/report.json");
    assert!(!delivered.complete && !delivered.in_place && saved.exists(), "{delivered:?}");
    assert_eq!(delivered.told, format!("report: {}\n", saved.display()));
    let last = delivered.problems.last().unwrap();
    let command = format!(
        "coordinator report {} --out {}",
        saved.display(),
        directory.join("20261121-080000-abcd").display()
    );
    assert!(last.ends_with(&command), "{last}");
    fs::remove_dir_all(&spare).unwrap();
    fs::write(&spare, "no directory either").unwrap();
    let lost = deliver(&directory, &spare, &sample(), &GitHub::default());
    assert!(!lost.in_place && lost.told.is_empty(), "{lost:?}");
    assert!(lost.problems.last().unwrap().contains("--resume 20261121-080000-abcd --report-dir"), "{lost:?}");
    fs::remove_file(spare).unwrap();
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn paths_are_quoted_for_a_shell() {
    assert_eq!(quoted(Path::new("reports/a-1.json")), "reports/a-1.json");
    assert_eq!(quoted(Path::new("my reports/it's")), r"'my reports/it'\''s'");
}
