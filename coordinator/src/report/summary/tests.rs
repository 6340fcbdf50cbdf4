use super::*;
use crate::report::tests::{golden, hostile, sample};

#[test]
fn the_page_of_a_failed_run() {
    golden("failed.md", &render(&sample()));
}

#[test]
fn text_from_outside_does_nothing_on_the_page() {
    let mut report = hostile();
    report.errors[0].message = "| z | [x](javascript:1) <script> @octocat `c` **b** https://e.com".to_owned();
    let page = render(&report);
    for active in ["<script", "](", "@octocat", "https://e", "| z |", "\u{1b}", "\u{202e}"] {
        assert!(!page.contains(active), "`{active}` is in {page}");
    }
    assert!(page.contains("&#60;script&#62; @<!-- -->octocat"), "{page}");
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let columns = line.matches('|').count() - 1;
        assert!((4..=10).contains(&columns), "{line}");
    }
}

#[test]
fn the_largest_page_stays_below_a_mebibyte() {
    let mut report = hostile();
    let long = "\u{1b}|<日本>".repeat(60);
    for row in &mut report.requests {
        row.name.clone_from(&long);
    }
    let (request, error, threshold) =
        (report.requests[0].clone(), report.errors[0].clone(), report.thresholds[0].clone());
    report.requests = vec![request; 2_500];
    report.errors = vec![crate::report::model::ErrorRow { message: long.clone(), ..error }; 2_500];
    report.thresholds = vec![crate::report::model::ThresholdRow { scope: long.clone(), ..threshold }; 2_500];
    report.reasons = vec![long; 2_500];
    let page = render(&report);
    assert!(page.len() < 1 << 20, "{}", page.len());
    assert!(page.starts_with("## ❌ FAIL") || page.starts_with("## ❔ INCONCLUSIVE"), "{}", &page[..200]);
    assert!(page.contains("more rows in `report.json`") && page.contains("more in `report.json`"));
}
