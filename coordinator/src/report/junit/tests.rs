use super::*;
use crate::report::Report;
use crate::report::tests::{hostile, sample};

/// What every case says: scope, name, tag, type.
fn cases(report: &Report) -> Vec<(String, String, String, String)> {
    let text = render(report);
    let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let suite = document.root_element().first_element_child().expect("one suite");
    let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
    for (tag, attribute) in [("failure", "failures"), ("error", "errors")] {
        let count = suite.descendants().filter(|node| node.has_tag_name(tag)).count().to_string();
        assert_eq!(suite.attribute(attribute), Some(count.as_str()), "{text}");
        assert_eq!(document.root_element().attribute(attribute), Some(count.as_str()), "{text}");
    }
    assert_eq!(suite.attribute("tests"), Some(cases.len().to_string().as_str()));
    let case = |node: roxmltree::Node<'_, '_>| {
        let inner = node.first_element_child();
        let text = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
        let kind = inner.and_then(|inner| inner.attribute("type")).unwrap_or_default().to_owned();
        let tag = inner.map_or(String::new(), |inner| inner.tag_name().name().to_owned());
        (text("classname"), text("name"), tag, kind)
    };
    cases.into_iter().map(case).collect()
}

fn shown(report: &Report) -> Vec<String> {
    cases(report)
        .into_iter()
        .map(|(scope, name, tag, kind)| format!("{scope} | {name} | {tag} {kind}"))
        .collect()
}

#[test]
fn every_threshold_is_a_case() {
    let mut report = sample();
    report.thresholds[0].status = "warn";
    let expected = [
        "plan | success_rate >= 99% | system-out ",
        "group:auth | p95 <= 50ms critical 90ms | failure threshold",
        "group:generation | p95 <= 1s | error no_data",
        "request:AuthUser/profile/GET /api/v1/me | rate >= 5/s |  ",
    ];
    assert_eq!(shown(&report), expected);
    let text = render(&report);
    assert!(
        text.contains("message=\"p95 of group:auth is 100 ms, threshold p95 &lt;= 50ms critical 90ms\""),
        "{text}"
    );
    report.thresholds[3].undecided = true;
    report.accounting.lost_at_most = Some(70);
    assert_eq!(
        shown(&report)[3],
        "request:AuthUser/profile/GET /api/v1/me | rate >= 5/s | error lost_statistics"
    );
    assert!(render(&report).contains("at most 70 requests are missing"));
}

#[test]
fn a_run_without_an_answer_is_no_green_suite() {
    let mut report = sample();
    report.thresholds.truncate(1);
    report.verdict = "inconclusive";
    let expected = ["plan | success_rate >= 99% |  ", "run | verdict | error inconclusive"];
    assert_eq!(shown(&report), expected);
    report.thresholds.clear();
    report.verdict = "pass";
    assert_eq!(shown(&report), ["run | verdict |  "]);
}

#[test]
fn whatever_stands_in_names_the_file_is_well_formed() {
    let mut report = hostile();
    let worst = "]]><!--\u{0}\u{1}\u{b}\u{fffe}\u{ffff}\u{7f}\u{85}&amp;\"'</testcase>\u{202e}\r\n";
    report.run.name = worst.to_owned();
    report.run.target = worst.to_owned();
    report.thresholds[0].scope = worst.to_owned();
    report.thresholds[0].expression = worst.to_owned();
    report.thresholds[0].observed_text = Some(worst.to_owned());
    report.reasons = vec![worst.to_owned()];
    let scope = &cases(&report)[0].0;
    assert!(scope.starts_with("]]><!--\\0\\u{1}\\u{b}"), "{scope}");
}
