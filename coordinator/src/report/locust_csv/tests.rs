use super::*;
use crate::report::tests::{hostile, sample};

/// Lines as cells; a small reader of quoted cells.
fn cells(text: &str) -> Vec<Vec<String>> {
    let line = |line: &str| {
        let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(std::mem::take(&mut cell)),
                _ => cell.push(c),
            }
        }
        cells.push(cell);
        cells
    };
    text.lines().map(line).collect()
}

#[test]
fn headers_are_those_of_locust() {
    let report = sample();
    for (text, header, columns) in [
        (
            stats(&report),
            "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%",
            22,
        ),
        (
            history(&report),
            "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size",
            24,
        ),
        (failures(&report), "Method,Name,Error,Occurrences,First Seen,Last Seen", 6),
    ] {
        assert_eq!(text.lines().next(), Some(header));
        assert!(cells(&text).iter().all(|row| row.len() == columns), "{text}");
        assert!(text.lines().count() > 1);
    }
}

#[test]
fn rows_are_sorted_and_the_last_one_is_their_sum() {
    let rows = cells(&stats(&sample()));
    let named: Vec<(&str, &str, &str)> = rows[1..].iter().map(|row| (&*row[0], &*row[1], &*row[2])).collect();
    let expected = [
        ("GET", "GET /api/v1/me", "900"),
        ("GET", "GET /health", "0"),
        ("POST", "POST /api/v1/auth/login", "100"),
        ("POST", "submit", "0"),
        ("", "Aggregated", "1000"),
    ];
    assert_eq!(named, expected);
    assert_eq!(rows[2][11..], ["N/A"; 11]);
    let all: Vec<&str> = rows[5][3..].iter().map(String::as_str).collect();
    let expected = [
        "10", "8.003", "17.202", "8", "100.031", "100", "100", "1", "8.003", "8.003", "8.003", "8.003",
        "8.003", "100.031", "100.031", "100.031", "100.031", "100.031", "100.031",
    ];
    assert_eq!(all, expected);
}

#[test]
fn history_ends_in_the_totals() {
    let rows = cells(&history(&sample()));
    assert_eq!(rows.len(), 11);
    let (first, last) = (&rows[1], &rows[10]);
    assert_eq!(first[..6], ["1795248001", "10", "", "Aggregated", "100.000000", "1.000000"]);
    assert_eq!((&*first[17], &*last[17], &*last[18]), ("100", "1000", "10"));
    assert_eq!(last[6..17], cells(&stats(&sample()))[5][11..]);
}

#[test]
fn errors_have_their_request_and_cells_are_no_formulas() {
    let mut report = sample();
    let rows = cells(&failures(&report));
    let expected = [
        "POST",
        "POST /api/v1/auth/login",
        "status: status 500, expected 200",
        "10",
        "2026-11-21T08:00:00Z",
        "2026-11-21T08:00:09Z",
    ];
    assert_eq!(rows[1], expected);
    report.requests[0].name = "=cmd|' /C calc'!A0\r\n".to_owned();
    report.requests[1].name = "@SUM(1,2)".to_owned();
    let text = stats(&report);
    assert!(text.contains("\nPOST,\"'=cmd|' /C calc'!A0\\r\\n\",100,"), "{text}");
    assert!(text.contains("\nGET,\"'@SUM(1,2)\",900,"), "{text}");
    let text = format!("{}{}{}", stats(&hostile()), history(&hostile()), failures(&hostile()));
    assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text}");
}
