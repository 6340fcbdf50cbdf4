//! The page in a real browser, where there is one.

use super::*;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HARNESS: &str = include_str!("../harness.js");

/// What the browser found on the page, and what it asked the network for.
struct Visit {
    found: Value,
    requests: Vec<String>,
    console: Vec<String>,
}

/// A headless Chromium, if there is one.
fn chromium() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success()))
}

/// Answers every request, also those for other hosts: the browser takes it for its proxy.
fn serve(mut stream: TcpStream, page: &str, width: u32, seen: &Mutex<Vec<String>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend(&buffer[..count]),
            _ => return,
        }
    }
    let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let harness = format!(
        "<!DOCTYPE html><link rel=icon href=data:,><iframe style='width:{width}px;height:900px'></iframe>\
         <pre id=found></pre><script>{HARNESS}</script>"
    );
    let body = match target.strip_prefix("http://report.invalid") {
        Some("/report.html") => page,
        Some("/") => &harness,
        _ => "",
    };
    seen.lock().unwrap().push(line);
    let status = if body.is_empty() { "404 Not Found" } else { "200 OK" };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// Opens `report` in a frame of that width; `None` without a browser, which is said.
fn visit(name: &str, report: &Report, width: u32) -> Option<Visit> {
    let Some(browser) = chromium() else {
        eprintln!(
            "SKIPPED: no Chromium here, so the page was not opened in a browser: apt-get install chromium"
        );
        return None;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (page, log) = (render(report), seen.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(stream, &page, width, &log);
        }
    });
    let profile = std::env::temp_dir().join(format!("muster-browser-{name}-{}", std::process::id()));
    let output = Command::new("timeout")
        .args([
            "--kill-after=5",
            "90",
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-extensions",
        ])
        .args([
            "--enable-logging=stderr",
            "--dump-dom",
            "--virtual-time-budget=5000",
            "--window-size=1280,900",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--proxy-server=http://{address}"))
        .arg("--proxy-bypass-list=<-loopback>")
        .arg("http://report.invalid/")
        .output()
        .unwrap();
    let _ = fs::remove_dir_all(&profile);
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let found = dom
        .split("<pre id=\"found\">")
        .nth(1)
        .and_then(|rest| rest.split("</pre>").next())
        .unwrap_or_default();
    let found =
        found.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    let found = serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}\n{dom}\n{log}"));
    let console = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    // What the browser asks for itself goes to its maker.
    let own = |line: &&String| ["google", "gvt1", "gstatic"].iter().any(|host| line.contains(host));
    let requests = seen.lock().unwrap().iter().filter(|line| !own(line)).cloned().collect();
    Some(Visit { found, requests, console })
}

/// What holds of every page.
fn check(visit: &Visit) {
    let found = &visit.found;
    assert_eq!(visit.console, Vec::<String>::new(), "the console is silent");
    let expected = ["GET http://report.invalid/ HTTP/1.1", "GET http://report.invalid/report.html HTTP/1.1"];
    assert_eq!(visit.requests, expected, "nothing but the page is asked for");
    assert_eq!(found["errors"], serde_json::json!([]));
    assert_eq!(found["strangers"], 0, "{found}");
    assert_eq!((&found["scripts"], &found["styles"]), (&1.into(), &1.into()));
    assert_eq!(found["outside"], serde_json::json!([]));
    assert_eq!(found["unlabelled"], 0);
    assert_eq!(found["wide"], true, "the page is not wider than the screen");
    assert_eq!(found["themed"], true);
    assert_eq!(found["aria"], serde_json::json!(["descending"]));
    let charts = found["charts"].as_array().unwrap();
    assert!(charts.len() >= 5 && charts.iter().all(|drawn| drawn.as_u64() > Some(0)), "{charts:?}");
}

#[test]
fn a_browser_shows_the_figures_of_report_json() {
    let report = sample();
    for width in [1280, 320] {
        let Some(visit) = visit(&format!("figures-{width}"), &report, width) else { return };
        check(&visit);
        let found = &visit.found;
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(found["verdict"], json["verdict"]);
        assert_eq!(found["title"], "FAIL: Platform API");
        for (key, pointer) in [
            ("requests", "/totals/requests"),
            ("rps", "/totals/rps"),
            ("success_rate", "/totals/success_rate"),
            ("failures", "/totals/failures"),
            ("p50", "/totals/latency_ms/p50"),
            ("p95", "/totals/latency_ms/p95"),
            ("p99", "/totals/latency_ms/p99"),
        ] {
            assert_eq!(found["cards"][key].as_f64(), json.pointer(pointer).unwrap().as_f64(), "{key}");
        }
        let figures = |row: &Value| {
            let ms = &row["latency_ms"];
            [
                &row["requests"],
                &row["failures"],
                &row["success_rate"],
                &row["rps"],
                &ms["p50"],
                &ms["p90"],
                &ms["p95"],
                &ms["p99"],
                &ms["max"],
                &ms["min"],
                &ms["mean"],
                &ms["stddev"],
            ]
            .map(Value::as_f64)
        };
        let rows =
            ["groups", "user_classes", "requests"].into_iter().flat_map(|key| json[key].as_array().unwrap());
        let rows = std::iter::once(&json["totals"]).chain(rows);
        let expected: Vec<_> = rows.map(figures).collect();
        let shown = found["requests"].as_array().unwrap();
        let shown: Vec<Vec<_>> = shown
            .iter()
            .map(|row| row.as_array().unwrap()[1..].iter().map(Value::as_f64).collect())
            .collect();
        assert_eq!(shown, expected);
        let statuses: Vec<_> =
            found["thresholds"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap()).collect();
        assert_eq!(statuses, ["fail", "no_data", "pass", "pass"], "what was missed comes first");
        assert_eq!(found["thresholds"][0][3], json["thresholds"][1]["observed"]);
        assert_eq!(found["failures"], serde_json::json!([[10, "status", "status 500, expected 200"]]));
        assert_eq!(
            found["sorted"],
            serde_json::json!([1000, 1000, 1000, 900, 100, 0, 0, 0, 0]),
            "the sum stays on top"
        );
        assert_eq!(found["named"][0], "all requests");
        assert_eq!(found["filtered"].as_array().unwrap().len(), 1, "{found}");
        assert_eq!(found["status"], "1 of 9");
        assert_eq!(found["readout"], "0:09  p50 8 ms · p95 100 ms · p99 100 ms");
        assert_eq!(found["quiet"], true);
    }
}

#[test]
fn a_browser_takes_names_for_nothing_but_text() {
    for width in [1280, 320] {
        let Some(visit) = visit(&format!("hostile-{width}"), &attacked(), width) else { return };
        check(&visit);
        let heading = visit.found["heading"].as_str().unwrap();
        let text =
            "{{7*7}}${7*7}<!--\\0\\u{1b}[2J\\u{202e}\\r\\n]]>&lt;\"'></title></style></script><script>fetch(";
        assert!(heading.starts_with(text), "{heading}");
    }
}
