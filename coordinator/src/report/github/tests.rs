use super::*;
use crate::report::tests::{hostile, sample};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("muster-github-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn variables_that_are_empty_are_not_set() {
    let none = GitHub::new(|_| Some(String::new()));
    assert_eq!(none, GitHub::default());
    let all = GitHub::new(|name| Some(if name == "GITHUB_ACTIONS" { "true" } else { name }.to_owned()));
    assert!(all.annotate);
    assert_eq!(all.summary, Some("GITHUB_STEP_SUMMARY".into()));
    assert_eq!(all.output, Some("GITHUB_OUTPUT".into()));
}

#[test]
fn summary_and_outputs_are_appended() {
    let folder = folder("append");
    let (summary, output) = (folder.join("summary"), folder.join("output"));
    std::fs::write(&summary, "before\n").unwrap();
    let github = GitHub { annotate: false, summary: Some(summary.clone()), output: Some(output.clone()) };
    let (annotations, problems) = github.tell(&sample(), Path::new("reports/a b"));
    assert_eq!((annotations.as_str(), problems.len()), ("", 0));
    let page = std::fs::read_to_string(summary).unwrap();
    assert!(page.starts_with("before\n## ❌ FAIL: Platform API (light)\n"), "{page}");
    let values = std::fs::read_to_string(output).unwrap();
    for line in [
        "verdict=fail",
        "exit_code=99",
        "run_id=20261121-080000-abcd",
        "report_dir=reports/a b",
        "report_json=reports/a b/report.json",
        "requests=1000",
        "failures=10",
        "success_rate=0.99",
        "error_rate=0.01",
        "p95_ms=100.031",
        "baseline=",
    ] {
        assert!(values.lines().any(|value| value == line), "`{line}` is not in {values}");
    }
    let odd = outputs(&sample(), Path::new("a\nverdict=pass\nEND"));
    assert!(odd.contains("report_dir<<END_\na\nverdict=pass\nEND\nEND_\n"), "{odd}");
    let missing = GitHub { summary: Some(folder.join("no/such/file")), ..GitHub::default() };
    let (_, problems) = missing.tell(&sample(), Path::new("reports"));
    assert!(problems[0].starts_with("warning: GITHUB_STEP_SUMMARY: cannot append to "), "{problems:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn annotations_are_escaped_and_few() {
    let text = annotations(&sample());
    let expected = "::error title=Threshold missed::p95 of group:auth is 100 ms, threshold p95 <= 50ms critical 90ms\n\
        ::error title=Threshold without data::p95 of group:generation is no data, threshold p95 <= 1s\n";
    assert_eq!(text, expected);
    let mut report = hostile();
    report.thresholds = vec![crate::report::model::ThresholdRow {
        scope: "a%\r\n::set-output name=x::y".to_owned(),
        status: "fail",
        ..report.thresholds[0].clone()
    }];
    report.thresholds.resize(25, report.thresholds[0].clone());
    let text = annotations(&report);
    assert_eq!(text.matches("::error ").count(), 10, "{text}");
    assert!(text.contains("of a%25\\r\\n::set-output"), "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")),
        "{text}"
    );
    assert!(text.contains("::error title=Load test::and 16 more; see the step summary\n"), "{text}");
    assert_eq!(property("a:b,c%"), "a%3Ab%2Cc%25");
}
