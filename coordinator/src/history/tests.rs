use super::index::Index;
use super::*;
use crate::compare::{Limits, compare, run_like};
use crate::report::model::ComparisonPart;
use crate::report::{Form, Report, Style, write_forms};
use std::fs;
use std::path::{Path, PathBuf};

/// A directory of its own for a test, that goes with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("muster-history-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    /// A run that was written there, and put down if `recorded`.
    fn run(&self, minute: u64, name: &str, verdict: &'static str, recorded: bool) -> Report {
        let report = self.run_after(minute, name, verdict, None);
        if recorded {
            record(&self.0, &report).unwrap();
        }
        report
    }

    /// A run that was compared with a baseline.
    fn run_after(
        &self,
        minute: u64,
        name: &str,
        verdict: &'static str,
        baseline: Option<&ComparisonPart>,
    ) -> Report {
        let mut report = run_like(minute, 1.0, 0);
        report.baseline = baseline.cloned();
        report.run.name = name.to_owned();
        report.run.started_at = format!("2026-11-21T08:{minute:02}:00Z");
        (report.verdict, report.exit_code) = (verdict, if verdict == "fail" { 99 } else { 0 });
        let written = write_forms(&self.0.join(&report.run.id), &report, &[Form::Json]);
        assert!(written.failed.is_empty(), "{written:?}");
        report
    }

    fn ids(&self) -> Vec<String> {
        scan(&self.0).unwrap().runs.into_iter().map(|entry| entry.id).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A run that is `slower` than its baseline, as far as its report says.
fn compared(slower: f64) -> ComparisonPart {
    compare(&run_like(1, 1.0, 0), &run_like(2, slower, 0), Limits::default()).unwrap()
}

fn id(minute: u64) -> String {
    format!("20261121-08{minute:04}-0000")
}

#[test]
fn runs_are_listed_the_newest_first_with_or_without_an_index() {
    let place = Place::new("order");
    assert!(scan(&place.0).unwrap().runs.is_empty());
    assert!(!place.0.join(INDEX).exists(), "nothing is written where there are no runs");
    for (minute, recorded) in [(2, true), (3, false), (1, true)] {
        place.run(minute, "api", "pass", recorded);
    }
    assert_eq!(place.ids(), [id(3), id(2), id(1)]);
    assert!(Index::open(&place.0).unwrap().has(&id(3)), "what was read is put down");
    fs::remove_file(place.0.join(INDEX)).unwrap();
    assert_eq!(place.ids(), [id(3), id(2), id(1)]);
    fs::write(place.0.join(INDEX), "this is no database, and was none for a thousand bytes".repeat(40))
        .unwrap();
    let history = scan(&place.0).unwrap();
    assert_eq!((history.runs.len(), history.index_problem), (3, None));
    let entry = &history.runs[1];
    assert_eq!((entry.users, entry.requests, entry.verdict.as_str()), (10, 5_400, "pass"));
    assert!(entry.report.as_ref().unwrap().ends_with(&format!("{}/report.json", id(2))));
}

#[test]
fn what_is_gone_stays_known_and_what_is_damaged_is_named() {
    let place = Place::new("damage");
    // Known because they were listed, and because there was an index when they ended.
    for minute in [1, 2, 3] {
        place.run(minute, "api", "pass", true);
        assert_eq!(place.ids().len(), minute as usize);
    }
    place.run(4, "api", "pass", true);
    fs::remove_dir_all(place.0.join(id(4))).unwrap();
    assert_eq!(place.ids().len(), 4);
    Index::open(&place.0).unwrap().forget(&id(4));
    fs::remove_dir_all(place.0.join(id(1))).unwrap();
    let path = place.0.join(id(2)).join("report.json");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let history = scan(&place.0).unwrap();
    let known: Vec<(&str, bool)> =
        history.runs.iter().map(|entry| (entry.id.as_str(), entry.report.is_some())).collect();
    assert_eq!(known, [(id(3).as_str(), true), (id(1).as_str(), false)]);
    let [damaged] = history.damaged.as_slice() else { panic!("{history:?}") };
    assert_eq!(damaged.id, id(2));
    assert!(
        damaged.problem.contains("report.json:") && damaged.problem.contains("cut off"),
        "{}",
        damaged.problem
    );
    // A report that changes is read again.
    fs::write(&path, &text).unwrap();
    assert_eq!(place.ids(), [id(3), id(2), id(1)]);
    let shown = render_text(&scan(&place.0).unwrap(), &place.0, 1, Style::Plain);
    assert!(shown.contains(&id(3)) && !shown.contains(&id(2)), "{shown}");
    assert!(shown.contains("... and 2 older runs; --limit shows more"), "{shown}");
    let all = render_text(&scan(&place.0).unwrap(), &place.0, 9, Style::Plain);
    assert!(all.contains(&format!("{}*", id(1))) && all.contains("its folder is gone"), "{all}");
    let json: serde_json::Value = serde_json::from_str(&render_json(&history, 1)).unwrap();
    assert_eq!((&json["runs"][0]["id"], &json["older"]), (&id(3).into(), &1.into()));
    assert_eq!(json["damaged"][0]["id"], id(2));
}

#[test]
fn coordinators_may_write_at_once() {
    let place = Place::new("at-once");
    let reports: Vec<Report> = (1..9).map(|minute| place.run(minute, "api", "pass", true)).collect();
    assert!(!place.0.join(INDEX).exists(), "a run makes no index");
    drop(Index::open(&place.0).unwrap());
    std::thread::scope(|scope| {
        for report in &reports {
            scope.spawn(|| record(&place.0, report).unwrap());
        }
    });
    let index = Index::open(&place.0).unwrap();
    assert!((1..9).all(|minute| index.has(&id(minute))));
}

#[test]
fn runs_are_found_by_their_names() {
    let place = Place::new("names");
    let elsewhere = Place::new("elsewhere");
    for (minute, name, verdict) in
        [(1, "api", "pass"), (2, "api", "warn"), (3, "api", "fail"), (4, "other", "pass")]
    {
        place.run(minute, name, verdict, true);
    }
    elsewhere.run(7, "api", "pass", false);
    let report = |dir: &Path, minute| dir.join(id(minute)).join("report.json");
    let check = |name: &str, expected: PathBuf| {
        let found = find_run(&RunName::parse(name).unwrap(), &place.0);
        assert_eq!(found, Ok(expected), "{name}");
    };
    check("last", report(&place.0, 4));
    check("last~1", report(&place.0, 3));
    check(&id(2), report(&place.0, 2));
    let (folder, file) = (elsewhere.0.join(id(7)), report(&elsewhere.0, 7));
    check(folder.to_str().unwrap(), file.clone());
    check(file.to_str().unwrap(), file.clone());
    let baseline = |name: &str, plan: &str| find_baseline(&RunName::parse(name).unwrap(), &place.0, plan);
    assert_eq!(baseline("last", "api"), Ok(report(&place.0, 2)), "the newest that passed or warned");
    assert_eq!(baseline("last~1", "api"), Ok(report(&place.0, 1)));
    place.run_after(5, "api", "warn", Some(&compared(1.3)));
    place.run_after(6, "other", "pass", Some(&compared(1.0)));
    assert_eq!(baseline("last", "api"), Ok(report(&place.0, 2)), "what regressed is no measure");
    assert_eq!(baseline("last", "other"), Ok(report(&place.0, 6)));
    for minute in [5, 6] {
        fs::remove_dir_all(place.0.join(id(minute))).unwrap();
        Index::open(&place.0).unwrap().forget(&id(minute));
    }
    let refused = |name: &str, expected: &str| {
        let error = find_run(&RunName::parse(name).unwrap(), &place.0).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused("last~4", "has only 4 runs; the oldest is `last~3`");
    refused("nothing", "there is no file, directory or run `nothing`; the newest runs in ");
    fs::remove_dir_all(place.0.join(id(1))).unwrap();
    refused(&id(1), "is known, but its folder is gone");
    let error = baseline("last", "new").unwrap_err().to_string();
    assert!(
        error.contains("has no run of the plan `new` with the verdict pass or warn and without a regression"),
        "{error}"
    );
    assert!(
        RunName::parse("last~").is_err() && RunName::parse("last~x").is_err() && RunName::parse("").is_err()
    );
    assert_eq!(RunName::parse("lastly"), Ok(RunName::Named("lastly".into())));
}
