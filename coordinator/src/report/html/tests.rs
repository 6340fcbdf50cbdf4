use super::*;
use crate::report::model::{ErrorRow, ObservedRow, RequestRow, TimelineRow};
use crate::report::tests::{hostile, sample};
use serde_json::Value;

mod browser;

/// What a page must not come by, whatever stands in a name.
const ATTACK: &str = "{{7*7}}${7*7}<!--\u{0}\u{1b}[2J\u{202e}\r\n]]>&lt;\"'></title></style></script>\
    <script>fetch('http://canary.invalid/s')</script><img src=http://canary.invalid/i onerror=alert(1)><svg onload=alert(1)>";

/// A report whose every text is an attack.
fn attacked() -> Report {
    let mut value = serde_json::to_value(hostile()).unwrap();
    let closed = [
        "verdict",
        "status",
        "unit",
        "level",
        "method",
        "kind",
        "started_at",
        "ended_at",
        "first_at",
        "last_at",
        "latency_hdr",
    ];
    spoil(&mut value, &closed);
    serde_json::from_value(value).unwrap()
}

fn spoil(value: &mut Value, closed: &[&str]) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if !closed.contains(&key.as_str()) {
                    spoil(value, closed);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, closed)),
        Value::String(text) => *text = format!("{ATTACK}{text}"),
        _ => {}
    }
}

#[test]
fn verdict_and_reasons_come_first() {
    let page = render(&sample());
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("`{text}` is not in the page"));
    let order = [
        "data-value=\"fail\"",
        "p95 of group <code>auth</code> is 100 ms",
        "id=\"threshold-table\"",
        "id=\"chart-users\"",
        "id=\"chart-rate\"",
        "id=\"chart-latency\"",
        "id=\"chart-distribution\"",
        "id=\"chart-agents\"",
        "id=\"request-table\"",
        "id=\"error-table\"",
        "id=\"agent-table\"",
        "SHA-256 of the plan",
    ];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])));
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"));
}

#[test]
fn the_page_asks_nothing_of_anyone() {
    for report in [sample(), hostile(), attacked()] {
        let page = render(&report);
        for reach in [" src=", "@import", "url(", "<link rel=\"stylesheet\"", "xmlns"] {
            // As an attribute or rule of ours; as text it is escaped, and does nothing.
            let found = page.replace("img src=http", "").matches(reach).count();
            assert_eq!(found, 0, "{reach}");
        }
        assert!(!page.contains("<img") && !page.contains("<script>fetch") && !page.contains("<svg onload"));
        let policy = format!("style-src '{}'; script-src '{}'", content_hash(STYLE), content_hash(SCRIPT));
        assert!(page.replace("&#39;", "'").contains(&policy), "{}", &page[..600]);
        assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}') && !page.contains('\0'));
    }
    // sha256("abc") is the example of FIPS 180.
    assert_eq!(content_hash("abc"), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

/// 200 requests, an hour, and every table as long as it can be.
fn large() -> Report {
    let mut report = sample();
    let (request, error, agent) =
        (report.requests[1].clone(), report.errors[0].clone(), report.generator.agents[0].clone());
    let name = |n: usize| format!("GET /api/v2/some/rather/long/path/of/a/resource-{n}/{{id}}/with/more");
    report.requests = (0..200).map(|n| RequestRow { name: name(n), ..request.clone() }).collect();
    report.errors = (0..1_000)
        .map(|n| ErrorRow { message: ATTACK.repeat(3) + &n.to_string(), ..error.clone() })
        .collect();
    report.generator.agents = vec![agent; 40];
    let second = report.timeline[0].clone();
    let row = |t_s: u32| {
        let wave = f64::from(t_s % 97) * 3.7;
        let (p50_ms, p95_ms, p99_ms) = (Some(wave), Some(wave * 2.0), Some(wave * 3.0));
        TimelineRow { t_s, users: t_s % 1_000, rps: wave, p50_ms, p95_ms, p99_ms, ..second.clone() }
    };
    report.timeline = (0..3_600).map(row).collect();
    report.run.duration_s = 3_600.0;
    report
}

#[test]
fn two_hundred_requests_and_an_hour_stay_below_two_megabytes() {
    let page = render(&large());
    assert!(page.len() < 2_000_000, "{}", page.len());
    assert!(page.contains("resource-199"), "every request is there");
    assert!(page.contains("… and 850 more in"), "errors that are left out are counted");
    assert!(page.contains("Each point is 8 seconds"));
    // However long the run and its names.
    let mut worst = attacked();
    worst.requests = vec![worst.requests[0].clone(); 5_000];
    worst.thresholds = vec![worst.thresholds[0].clone(); 5_000];
    worst.errors = vec![worst.errors[0].clone(); 5_000];
    worst.reasons = vec![ATTACK.repeat(20); 5_000];
    assert!(render(&worst).len() < 4_000_000, "{}", render(&worst).len());
}

#[test]
fn figures_of_the_target_have_charts_and_a_table() {
    let mut report = sample();
    let points = [(0.0, Some(1.0)), (2.0, None), (4.0, Some(3.0)), (6.0, Some(2.0))];
    let value = serde_json::json!({ "probe": "pool", "name": "overflow",
        "points": points.iter().map(|(t_s, value)| serde_json::json!({ "t_s": t_s, "value": value })).collect::<Vec<_>>() });
    let mut row = serde_json::from_value::<ObservedRow>(value).unwrap();
    (row.samples, row.max, row.last) = (3, Some(3.0), Some(2.0));
    report.observed = vec![row; 13];
    let page = render(&report);
    assert!(page.contains("id=\"chart-observed-1\"") && page.contains("pool: overflow"));
    // Those that have no chart are in the table.
    let table = page.split("id=\"observed-table\"").nth(1).unwrap();
    let table = table.split("</table>").next().unwrap();
    let cell = "data-label=\"Last\" data-value=\"2\"";
    assert_eq!((table.matches("overflow").count(), table.matches(cell).count()), (13, 13), "{table}");
}

#[test]
fn values_that_no_run_has_still_make_a_page() {
    let mut report = sample();
    for row in &mut report.timeline {
        (row.rps, row.p99_ms) = (f64::MAX, Some(1e308));
    }
    report.timeline[9].t_s = u32::MAX;
    report.generator.agents[0].cpu = Some(-1e300);
    assert!(render(&report).ends_with("</html>"));
    report.timeline.clear();
    report.groups.clear();
    report.requests.clear();
    report.totals.latency_hdr = None;
    report.generator.agents.clear();
    assert!(render(&report).contains("The run has no second to draw."));
}
