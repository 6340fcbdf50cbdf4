use super::*;
use crate::exit::ExitCode;
use crate::report::model::{ComparisonPart, ComparisonRow};
use crate::report::{Report, Style, render_text as report_text};
use std::sync::Arc;

fn compared(base: &Report, current: &Report) -> ComparisonPart {
    compare(base, current, Limits::default()).unwrap()
}

fn row<'a>(comparison: &'a ComparisonPart, scope: &str) -> &'a ComparisonRow {
    comparison
        .rows
        .iter()
        .find(|row| row.scope == scope)
        .unwrap_or_else(|| panic!("{scope}: {comparison:#?}"))
}

const LOGIN: &str = "request:AuthUser/on_start/POST /api/v1/auth/login";

#[test]
fn a_slower_request_is_found_and_told() {
    let comparison = compared(&run_like(1, 1.0, 0), &run_like(2, 1.2, 0));
    assert_eq!(comparison.outcome, "regression");
    let login = row(&comparison, LOGIN);
    assert_eq!((login.change, login.latency_change, login.failure_change), ("regression", "slower", "none"));
    assert_eq!(login.blocks, Some([30, 30]));
    let p95 = login.shift.p95.unwrap();
    assert!(p95.low.unwrap() < 0.2 && p95.high.unwrap() > 0.2 && p95.value > 0.1, "{p95:?}");
    assert!(login.shift.p50.is_some() && login.shift.p99.is_some());
    assert!(login.latency_p_value.unwrap() < 0.001 && login.superiority.unwrap() > 0.55);
    assert_eq!(row(&comparison, "group:auth").change, "regression");
    assert_eq!(row(&comparison, "group:generation").change, "none");
    assert_eq!(row(&comparison, "request:AuthUser/profile/GET /api/v1/me").change, "none");
    assert_eq!(exit_code(&comparison), ExitCode::Failed);
    let told = comparison.findings.join("\n");
    assert!(
        told.contains("request `AuthUser/on_start/POST /api/v1/auth/login` became slower: p50 "),
        "{told}"
    );
    assert!(told.contains("95 % interval +") && told.contains("p < 0.0001"), "{told}");
    let back = compared(&run_like(2, 1.2, 0), &run_like(1, 1.0, 0));
    assert_eq!((back.outcome, row(&back, LOGIN).change), ("no_regression", "improvement"));
    assert_eq!(exit_code(&back), ExitCode::Passed);
}

#[test]
fn equal_runs_raise_no_alarm() {
    for seed in 0..20 {
        let comparison = compared(&run_like(seed, 1.0, 5), &run_like(seed + 100, 1.0, 5));
        assert_eq!(comparison.outcome, "no_regression", "{:#?}", comparison.findings);
    }
}

#[test]
fn more_failures_are_a_regression() {
    let comparison = compared(&run_like(1, 1.0, 2), &run_like(2, 1.0, 40));
    let all = row(&comparison, "plan");
    assert_eq!((all.change, all.failure_change, all.latency_change), ("regression", "more", "none"));
    let difference = all.failure_difference.unwrap();
    assert!(difference.low.unwrap() > 0.0 && difference.value > 0.02, "{difference:?}");
    let told = comparison.findings.join("\n");
    assert!(told.contains("all requests fail more often: ") && told.contains(" points"), "{told}");
}

#[test]
fn what_makes_runs_differ_is_told_and_no_reason_to_refuse() {
    let (base, mut current) = (run_like(1, 1.0, 0), run_like(2, 1.0, 0));
    assert_eq!(compared(&base, &current).differences, Vec::<String>::new());
    current.run.plan_sha256 = "other".to_owned();
    current.run.duration_s = 150.0;
    current.run.profile = None;
    current.run.target = "http://other".to_owned();
    current.timeline[0].target_users = 20;
    current.generator.status = "degraded";
    current.accounting.status = "incomplete";
    current.accounting.lost_at_most = Some(7);
    current.requests[2].name = "renamed".to_owned();
    let comparison = compared(&base, &current);
    let told = comparison.differences.join("\n");
    for expected in [
        "the plan was changed between the runs",
        "the base ran with profile `light`, current with no profile",
        "different targets, http://127.0.0.1:8000 and http://other",
        "the base measured 300.0 s, current 150.0 s",
        "the base had 10 users at the peak, current 20",
        "the generator of the current run was degraded",
        "at most 7 requests of the current run are missing",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    assert_eq!(row(&comparison, "request:GenerationUser/create/renamed").change, "new");
    let gone = row(&comparison, "request:GenerationUser/create/submit");
    assert_eq!((gone.change, gone.current.is_none()), ("gone", true));
    let told = comparison.findings.join("\n");
    assert!(
        told.contains("only in the base run, and not compared: request `GenerationUser/create/submit`"),
        "{told}"
    );
    current.run.name = "Other".to_owned();
    let told = compared(&base, &current).differences.join("\n");
    assert!(told.contains("they are runs of different plans, `Platform API` and `Other`"), "{told}");
    current.intervals = None;
    let comparison = compared(&base, &current);
    assert_eq!(row(&comparison, LOGIN).blocks, None);
    let told = comparison.differences.join("\n");
    assert!(told.contains("taken as independent"), "{told}");
}

#[test]
fn nothing_in_common_is_refused_and_too_little_has_no_answer() {
    let (base, mut other) = (run_like(1, 1.0, 0), run_like(2, 1.0, 0));
    for row in &mut other.requests {
        row.task = "else".to_owned();
    }
    let error = compare(&base, &other, Limits::default()).unwrap_err().to_string();
    assert!(error.contains("have no request in common; name two runs of one plan"), "{error}");
    let mut empty = run_like(3, 1.0, 0);
    empty.requests.iter_mut().for_each(|row| row.totals.requests = 0);
    let error = compare(&base, &empty, Limits::default()).unwrap_err().to_string();
    assert!(error.contains("measured no request"), "{error}");
    let few = |seed| {
        let mut report = run_like(seed, 1.0, 0);
        report.intervals.as_mut().unwrap().rows.iter_mut().for_each(|row| row.series.clear());
        let totals = report.requests.iter_mut().map(|row| &mut row.totals);
        let groups = report.groups.iter_mut().map(|row| &mut row.totals);
        totals.chain(groups).chain([&mut report.totals]).for_each(|totals| totals.requests = 9);
        report
    };
    let comparison = compared(&few(4), &few(5));
    assert_eq!((comparison.outcome, exit_code(&comparison)), ("unknown", ExitCode::Inconclusive));
}

#[test]
fn a_baseline_turns_a_verdict() {
    let check = |slower: f64, on_regression, before: &'static str, verdict: &str, exit_code: u8| {
        let mut report = run_like(2, slower, 0);
        report.verdict = before;
        report.exit_code = if before == "inconclusive" { 98 } else { 0 };
        let base = Arc::new(run_like(1, 1.0, 0));
        let limits = Limits::default();
        Baseline { path: "a/report.json".into(), report: base, on_regression, limits }.judge(&mut report);
        assert_eq!((report.verdict, report.exit_code), (verdict, exit_code), "{:?}", report.reasons);
        report
    };
    let passed = check(1.0, OnRegression::Fail, "pass", "pass", 0);
    assert!(passed.reasons.last().unwrap().contains("none of 6 rows became worse"), "{:?}", passed.reasons);
    let failed = check(1.2, OnRegression::Fail, "pass", "fail", 99);
    assert!(
        failed.reasons[0].starts_with("compared with the baseline 20261121-080001-0000, "),
        "{:?}",
        failed.reasons
    );
    assert!(failed.reasons[1].starts_with("all requests: p50 +"), "{:?}", failed.reasons);
    let comparison = failed.baseline.as_ref().unwrap();
    assert_eq!(comparison.on_regression.as_deref(), Some("fail"));
    assert!(report_text(&failed, Style::Plain).contains("REGRESSION  "));
    let warned = check(1.2, OnRegression::Warn, "pass", "warn", 0);
    assert_eq!(warned.baseline.unwrap().on_regression.as_deref(), Some("warn"));
    // What made a run have no answer may have made it slower, too.
    check(1.2, OnRegression::Fail, "inconclusive", "inconclusive", 98);
    let mut nothing = run_like(2, 1.0, 0);
    nothing.requests.iter_mut().for_each(|row| row.task = "else".to_owned());
    let base = Arc::new(run_like(1, 1.0, 0));
    let on_regression = OnRegression::Fail;
    Baseline { path: "a".into(), report: base, on_regression, limits: Limits::default() }.judge(&mut nothing);
    assert_eq!((nothing.verdict, nothing.exit_code), ("inconclusive", 98), "no data is not a pass");
}

#[test]
fn every_form_tells_the_comparison() {
    let comparison = compared(&run_like(1, 1.0, 0), &run_like(2, 1.2, 0));
    let text = render_text(&comparison, Style::Plain);
    assert!(text.starts_with("REGRESSION  "), "{text}");
    for expected in
        ["POST /api/v1/auth/login", "  current", "  shift", "WORSE", "same", "20261121-080001-0000"]
    {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let page = render_markdown(&comparison);
    for expected in ["## ❌ REGRESSION", "| Request | Count |", "❌ **WORSE**", " → "] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["comparison_version"], 1);
    let back: ComparisonPart = serde_json::from_value(json).unwrap();
    assert_eq!(back, comparison);
}
