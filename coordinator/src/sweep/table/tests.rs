use super::*;

fn figures(name: &str, status: Option<&'static str>, requests: u64, p95: f64) -> GroupFigures {
    GroupFigures {
        name: name.to_owned(),
        status,
        requests,
        failures: requests / 100,
        success_rate: Some(0.99),
        rps: Some(requests as f64 / 20.0),
        p50_ms: Some(p95 / 2.0),
        p95_ms: Some(p95),
        p99_ms: Some(p95 * 1.5),
        max_ms: Some(p95 * 2.0),
    }
}

fn row(users: u32, verdict: &'static str, exit_code: u8, reasons: &[&str]) -> SizeRow {
    let p95 = f64::from(users) * 1.25;
    let requests = u64::from(users) * 20;
    let status = if verdict == "fail" { "fail" } else { "pass" };
    SizeRow {
        users,
        run: Some(format!("run-{users}")),
        verdict,
        exit_code: Some(exit_code),
        report: Some(format!("reports/run-{users}/report.json")),
        reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
        totals: Some(figures("all requests", None, requests, p95)),
        groups: vec![
            figures("auth", Some("pass"), requests / 4, p95 / 2.0),
            figures("generation|<b>", Some(status), requests / 4 * 3, p95),
        ],
    }
}

fn sweep() -> Sweep {
    let missed = "p95 <= 500ms of group:generation was 625 ms";
    Sweep {
        schema_version: 1,
        name: "Platform API".to_owned(),
        profile: Some("demo".to_owned()),
        target: "http://127.0.0.1:8000/".to_owned(),
        seed: 7,
        exit_code: 0,
        passed_users: None,
        sizes: vec![
            row(100, "pass", 0, &[]),
            row(250, "warn", 0, &["p95 <= 200ms of group:auth was 210 ms"]),
            row(1000, "fail", 99, &[missed; 6]),
            SizeRow::not_run(2000),
        ],
    }
}

#[test]
fn a_terminal_gets_one_table() {
    let text = render_text(&sweep(), Style::Plain);
    let expected = "\
SWEEP  Platform API (demo): http://127.0.0.1:8000/
";
    assert!(text.starts_with(expected), "{text}");
    for line in [
        "  - passed with 100 users\n",
        "  - passed with a warning with 250 users\n",
        "  - failed with 1,000 users\n",
        "  - not run with 2,000 users\n",
        "  - 250 users: p95 <= 200ms of group:auth was 210 ms\n",
        "  - 1,000 users: and 2 more reasons in its report\n",
        "\n1,000 users: run run-1000\n",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
    let table: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("USERS"))
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        table[0],
        ["USERS", "REQUESTS", "COUNT", "SUCCESS", "RPS", "P50", "P95", "P99", "MAX", "STATUS"]
    );
    assert_eq!(table[1].first().zip(table[1].last()), Some((&"100", &"pass")));
    assert_eq!(table[2].first().zip(table[2].last()), Some((&"auth", &"pass")));
    assert_eq!(table[9].first().zip(table[9].last()), Some((&"generation|<b>", &"fail")));
    assert_eq!(table[10], ["2,000", "not", "run"]);
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
}

#[test]
fn a_page_gets_the_same_and_escapes_what_comes_from_outside() {
    let page = render_markdown(&sweep());
    assert!(page.starts_with("## Sweep of Platform API (demo)"), "{page}");
    assert_eq!(page.lines().filter(|line| line.starts_with('|')).count(), 2 + 4 + 6, "{page}");
    assert!(!page.contains("<b>"), "{page}");
}

#[test]
fn programs_get_every_size_and_which_passed() {
    let check = |sizes: Vec<SizeRow>, expected: Option<u32>| {
        let mut sweep = Sweep { sizes, ..sweep() };
        sweep.end(ExitCode::Failed);
        let json: serde_json::Value = serde_json::from_str(&render_json(&sweep)).unwrap();
        assert_eq!(json["passed_users"], serde_json::json!(expected));
        assert_eq!(json["exit_code"], 99);
        assert_eq!(json["sizes"].as_array().unwrap().len(), sweep.sizes.len());
        assert_eq!(
            json["sizes"][0]["totals"]["p95_ms"],
            sweep.sizes[0].totals.as_ref().unwrap().p95_ms.unwrap()
        );
    };
    check(sweep().sizes, Some(250));
    let (small, large) = (row(100, "fail", 99, &[]), row(250, "pass", 0, &[]));
    check(vec![large.clone(), small.clone()], None);
    check(vec![large, row(100, "pass", 0, &[])], Some(250));
    check(vec![small, SizeRow::not_run(1)], None);
}

#[test]
fn the_worst_threshold_of_a_group_says_how_it_came_out() {
    let worst = |statuses: &[&'static str]| statuses.iter().copied().max_by_key(|status| severity(status));
    assert_eq!(worst(&["pass", "warn", "pass"]), Some("warn"));
    assert_eq!(worst(&["no_data", "fail", "warn"]), Some("fail"));
    assert_eq!(worst(&["warn", "no_data"]), Some("no_data"));
}
