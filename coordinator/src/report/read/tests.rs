use super::*;
use crate::report::tests::{full, hostile, sample};
use serde_json::Value;

fn text(report: &Report) -> String {
    serde_json::to_string_pretty(report).unwrap()
}

/// What is said of a report in which `change` was made.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::to_value(sample()).unwrap();
    change(&mut value);
    parse(serde_json::to_string_pretty(&value).unwrap().as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_was_written_is_read() {
    for report in [sample(), hostile(), full()] {
        let read = parse(text(&report).as_bytes()).unwrap();
        assert_eq!(text(&read), text(&report));
    }
}

#[test]
fn keys_that_came_later_may_be_missing() {
    let mut value = serde_json::to_value(sample()).unwrap();
    let object = value.as_object_mut().unwrap();
    for key in ["intervals", "late_requests", "user_classes", "cost", "baseline"] {
        object.remove(key).unwrap();
    }
    object.insert("of_the_future".to_owned(), 1.into());
    object["totals"].as_object_mut().unwrap().remove("latency_hdr").unwrap();
    parse(value.to_string().as_bytes()).unwrap();
}

#[test]
fn a_changed_value_is_named_with_its_place() {
    let check = |pointer: &str, value: Value, expected: &[&str]| {
        let said = refused(|report| *report.pointer_mut(pointer).unwrap() = value);
        for expected in expected {
            assert!(said.contains(expected), "`{expected}` is not in: {said}");
        }
        let mut place = said.splitn(3, ':');
        let line: usize = place.next().unwrap().parse().unwrap();
        let column: usize = place.next().unwrap().parse().unwrap();
        assert!(line > 1 && column >= 1, "{said}");
    };
    check("/verdict", "passed".into(), &["`verdict`: `passed` is none of `pass`, `warn`", "undo the change"]);
    check(
        "/totals/requests",
        "many".into(),
        &["`totals.requests`: invalid type: string \"many\", expected u64"],
    );
    check("/requests/1/failures", (-1).into(), &["`requests[1].failures`: invalid value: integer `-1`"]);
    check(
        "/requests/0/failures",
        101.into(),
        &["`requests[0].failures`: 101 are more than the 100 of `requests`"],
    );
    check(
        "/groups/0/success_rate",
        99.0.into(),
        &["`groups[0].success_rate`: 99 is no fraction from 0 to 1"],
    );
    check("/totals/latency_hdr", "AAA=".into(), &["`totals.latency_hdr`: the histogram has 2 bytes"]);
    check("/totals/latency_hdr", "%".into(), &["`totals.latency_hdr`: the histogram is not base64"]);
    check("/totals/failures", 11.into(), &["`totals.failures`: 11 is not the sum of all `requests`, 10"]);
    check("/exit_code", 0.into(), &["`exit_code`: no run with the verdict `fail` ends with the exit code 0"]);
    check("/run/started_at", "yesterday\u{1b}".into(), &["`run.started_at`: `yesterday\\u{1b}` is no time"]);
    check("/run/warmup_s", 99.0.into(), &["`run.warmup_s`: 99 s are not within the run's 10 s"]);
    check("/timeline/3/t_s", 1.into(), &["`timeline[3].t_s`: second 1 stands after 2"]);
    check("/requests/0/group", "gone".into(), &["`requests[0].group`: no row of `groups` has that name"]);
    check("/intervals/length_s", 0.into(), &["`intervals.length_s`"]);
    check("/intervals/rows/2/t_s", 0.into(), &["`intervals.rows[2].t_s`"]);
    check("/intervals/rows/0/series/1/request", 77.into(), &["there is no row 77 of `requests`"]);
    check(
        "/intervals/rows/0/series",
        Value::Array(Vec::new()),
        &["`requests[0].requests`: 100 is not the sum"],
    );
    check(
        "/schema_version",
        2.into(),
        &["`schema_version`: 2 is newer than 1, the newest", "or a newer one"],
    );
    check("/schema_version", 0.into(), &["`schema_version`: there is no version 0"]);
    check(
        "/user_classes",
        Value::Array(vec![serde_json::to_value(sample()).unwrap()["user_classes"][1].clone()]),
        &["`user_classes`: they add up to 0 requests, not to the 1000 of `totals`"],
    );
    check("/run", Value::Array(Vec::new()), &["`run`: "]);
}

#[test]
fn a_cost_that_was_changed_is_refused() {
    let check = |key: &str, value: Value, expected: &str| {
        let mut report = serde_json::to_value(full()).unwrap();
        report["cost"][key] = value;
        let said = parse(serde_json::to_string_pretty(&report).unwrap().as_bytes()).unwrap_err().to_string();
        assert!(said.contains(expected), "`{expected}` is not in: {said}");
    };
    check("total", 0.5.into(), "`cost.total`: it is not what the figures that it is made of give");
    check("per_million_requests", Value::Null, "`cost.per_million_requests`: it is not");
    check("requests", 1.into(), "`cost.requests`: it is not");
    check("agent_hour", 0.into(), "`cost.agent_hour`: no cost is made of this currency, price and time");
    check("currency", "dollars".into(), "`cost.agent_hour`: no cost is made");
    check("total", (-1).into(), "`cost.total`: -1 is no amount of money");
}

#[test]
fn places_are_exact() {
    let report = text(&sample()).replace("\"requests\": 900", "\"requests\": 901");
    let said = parse(report.as_bytes()).unwrap_err().to_string();
    let line = report.lines().position(|line| line.contains("\"requests\": 901")).unwrap();
    let place =
        format!("{}:19: `requests[1].requests`: 901 is not how many `latency_hdr` holds, 900", line + 1);
    assert!(said.starts_with(&place), "{said}, not {place}");
    let report = text(&sample()).replacen("\"exit_code\": 99", "\"exit_code\": 98", 1);
    let line = report.lines().position(|line| line.contains("\"exit_code\"")).unwrap() + 1;
    let said = parse(report.as_bytes()).unwrap_err().to_string();
    assert!(said.starts_with(&format!("{line}:16: `exit_code`: ")), "{said}");
}

#[test]
fn what_is_no_report_is_said_to_be_none() {
    let check = |bytes: &[u8], expected: &[&str]| {
        let said = parse(bytes).unwrap_err().to_string();
        for expected in expected {
            assert!(said.contains(expected), "`{expected}` is not in: {said}");
        }
    };
    check(b"", &["1:1: the file is empty", "cut off"]);
    check(b" \n", &["the file is empty"]);
    check(
        b"{}",
        &["`schema_version`: the key is missing: this is no report of Muster", "name the `report.json`"],
    );
    check(br#"{"metrics": {"http_reqs": 1}}"#, &["this is no report of Muster"]);
    check(b"[1, 2]", &["1:", "name the `report.json`"]);
    check(b"version: 1\nname: x\n", &["1:1: ", "expected value"]);
    check(b"{\"schema_version\": 1,\n \"run\": \xff}", &["2:9: the text is not UTF-8"]);
    let whole = text(&sample());
    for cut in [whole.len() - 2, whole.len() / 2, 30] {
        // Not behind the end of a line, where it is arguable which line that is.
        let cut = whole[..cut].trim_end().len();
        let lines = whole[..cut].lines().count();
        let said = parse(&whole.as_bytes()[..cut]).unwrap_err().to_string();
        assert!(
            said.starts_with(&format!("{lines}:")) && said.contains("EOF while parsing"),
            "{cut}: {said}"
        );
        assert!(said.contains("the file is cut off: copy it again"), "{said}");
    }
    check(format!("{whole}x").as_bytes(), &["trailing characters"]);
    check(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes(), &["EOF while parsing a list"]);
    let twice = whole.replacen("\"verdict\"", "\"verdict\": \"pass\", \"verdict\"", 1);
    check(twice.as_bytes(), &["duplicate field `verdict`"]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = read_report(Path::new("no/such/report.json")).unwrap_err().to_string();
    assert!(missing.starts_with("no/such/report.json: cannot be read: "), "{missing}");
    assert!(missing.ends_with("name a `report.json`, or the directory of a run"), "{missing}");
    let folder = std::env::temp_dir().join(format!("muster-read-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = File::create(folder.join("report.json")).unwrap();
    file.set_len(MAX_BYTES + 1).unwrap();
    let large = read_report(&folder).unwrap_err().to_string();
    assert!(large.contains("report.json: is larger than 128 MiB"), "{large}");
    std::fs::remove_dir_all(&folder).unwrap();
}
