use super::super::tests::sample;
use super::*;

/// The sample with so many thresholds, requests without a group and groups. Every seventh of them is bad.
fn large(thresholds: usize, requests: usize, groups: usize) -> Report {
    let mut report = serde_json::to_value(sample()).unwrap();
    let many = |one: &serde_json::Value, n: usize, change: &dyn Fn(&mut serde_json::Value, usize)| {
        let each = (0..n).map(|nth| {
            let mut one = one.clone();
            change(&mut one, nth);
            one
        });
        serde_json::Value::Array(each.collect())
    };
    let is_bad = |nth: usize| nth % 7 == 6;
    let totals = |row: &mut serde_json::Value, nth: usize| {
        row["failures"] = usize::from(is_bad(nth)).into();
        row["latency_ms"]["p95"] = nth.into();
    };
    report["thresholds"] = many(&report["thresholds"][0], thresholds, &|row, nth| {
        row["expression"] = format!("t{nth}").into();
        row["status"] = if is_bad(nth) { "fail" } else { "pass" }.into();
    });
    report["groups"] = many(&report["groups"][0], groups, &|row, nth| {
        row["name"] = format!("g{nth}.").into();
        totals(row, nth);
    });
    report["requests"] = many(&report["requests"][0], requests, &|row, nth| {
        row["name"] = format!("GET /r{nth}.").into();
        row["group"] = serde_json::Value::Null;
        totals(row, nth);
    });
    serde_json::from_value(report).unwrap()
}

#[test]
fn a_large_report_fits_a_screen_and_shows_what_is_bad_first() {
    let text = render_text(&large(40, 200, 30), Style::Plain);
    assert!(text.lines().count() < 75, "{text}");
    assert!(text.contains("... and 28 more thresholds, all met, in report.json"), "{text}");
    let threshold = |nth: usize| text.find(&format!("\nt{nth} "));
    assert!(threshold(6) < threshold(0) && threshold(34) < threshold(0), "{text}");
    let left = "... and 184 more requests and 14 groups, which failed less or were faster, in report.json";
    assert!(text.contains(left), "{text}");
    for nth in [195, 188, 97] {
        assert!(text.contains(&format!("GET /r{nth}. ")), "{nth} failed\n{text}");
    }
    assert!(!text.contains("GET /r198. ") && !text.contains("g0. ") && text.contains("g29. "), "{text}");
}

#[test]
fn a_report_of_some_is_shown_whole() {
    let text = render_text(&large(12, 16, 16), Style::Plain);
    assert!(!text.contains("... and"), "{text}");
    let text = render_text(&large(13, 17, 0), Style::Plain);
    assert!(text.contains("... and 1 more thresholds, all met, in report.json"), "{text}");
    assert!(text.contains("... and 1 more requests, which failed less"), "{text}");
    let left = |missed: &str| text.lines().any(|line| line.contains(missed));
    assert!(!left("GET /r0. ") && left("GET /r1. "), "{text}");
    let all_bad = |mut report: Report| {
        report.thresholds.iter_mut().for_each(|row| row.status = "fail");
        render_text(&report, Style::Plain)
    };
    assert!(all_bad(large(14, 1, 0)).contains("... and 2 more thresholds, 0 of them met, in report.json"));
}
