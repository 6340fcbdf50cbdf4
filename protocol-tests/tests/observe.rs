//! Probes of the target (`observe`), from the plan to the report.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::{Process, TestDir};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A server that does not answer as probes wish, and keeps the heads of all requests.
struct Odd {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Odd {
    fn start() -> Odd {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = heads.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                std::thread::spawn(move || answer(stream, &kept));
            }
        });
        Odd { url, heads }
    }

    /// Heads of requests for `path`.
    fn heads(&self, path: &str) -> Vec<String> {
        let heads = self.heads.lock().expect("no holder panics");
        heads.iter().filter(|head| head.starts_with(&format!("GET {path} "))).cloned().collect()
    }
}

fn answer(mut stream: TcpStream, kept: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    kept.lock().expect("no holder panics").push(head);
    let told = |status: &str, more: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n{body}")
    };
    let text = match path.as_str() {
        "/html" => told("200 OK", "", "<!DOCTYPE html><html><body>Sign in, s3cret-t0ken</body></html>"),
        "/error" => told("500 Internal Server Error", "", "{\"a\": 1}"),
        "/here" => told("302 Found", "location: /there\r\n", ""),
        "/there" => told("200 OK", "", "{\"a\": 3}"),
        "/away" => told("302 Found", "location: http://127.0.0.2:9/s3cret-t0ken\r\n", ""),
        "/large" => told("200 OK", "", &format!("{{\"a\": 1, \"b\": \"{}\"}}", "x".repeat(1 << 20))),
        "/other" => told("200 OK", "", "{\"b\": 1}"),
        // It never answers, and waits for the other side to give up.
        _ => {
            let _ = stream.read(&mut byte);
            return;
        }
    };
    let _ = stream.write_all(text.as_bytes());
}

fn plan(target: &str, load: &str, observe: &str) -> String {
    format!(
        "version: 1\nname: observed\ntarget: {target}\nload: {load}\n\
         users:\n  Visitor: {{ wait: 20ms, tasks: {{ look: {{ get: /api/v1/auth/health }} }} }}\nobserve:\n{observe}"
    )
}

fn rows<'a>(report: &'a Value, probe: &str) -> Vec<&'a Value> {
    let all = report["observed"].as_array().expect("a list");
    all.iter().filter(|row| row["probe"] == probe).collect()
}

fn threshold<'a>(report: &'a Value, probe: &str, expression: &str) -> &'a Value {
    let scope = format!("probe:{probe}");
    let all = report["thresholds"].as_array().expect("a list");
    let row = all.iter().find(|row| row["scope"] == scope.as_str() && row["expression"] == expression);
    row.unwrap_or_else(|| panic!("{expression} of {probe} in {all:#?}"))
}

#[test]
#[allow(clippy::too_many_lines, reason = "one run, and all that is told of it")]
fn figures_of_the_target_are_sampled_judged_and_told() {
    let target = demo::spawn(demo::Config::default()).expect("it starts");
    let odd = Odd::start();
    let url = &odd.url;
    let observe = format!(
        "  pool:\n    get: /api/admin/pool-status\n    every: 500ms\n    read: {{ overflow: $.overflow, size: $.size }}\n    \
         thresholds: [ \"overflow <= 0\", \"size <= 10 critical 15\", \"size <= 10 critical 30 over 2s\" ]\n  \
         counters:\n    get: /metrics\n    every: 500ms\n    read:\n      \
         answered: 'sum(http_requests_total{{code=~\"2..\"}})'\n      \
         pool: {{ metric: demo_pool_size }}\n    thresholds: [ \"answered >= 1\", \"pool == 20\" ]\n  \
         page: {{ get: {url}/html, every: 500ms, read: {{ a: $.a }}, thresholds: [ \"a <= 5\" ] }}\n  \
         hangs: {{ get: {url}/hang, every: 1s, timeout: 300ms, read: {{ a: $.a }} }}\n  \
         broken: {{ get: {url}/error, every: 1s, read: {{ a: $.a }} }}\n  \
         away: {{ get: {url}/away, every: 1s, read: {{ a: $.a }} }}\n  \
         here: {{ get: {url}/here, every: 1s, headers: {{ X-Token: \"${{secret.token}}\" }}, read: {{ a: $.a }} }}\n  \
         large: {{ get: {url}/large, every: 1s, read: {{ a: $.a }} }}\n  \
         other: {{ get: {url}/other, every: 1s, read: {{ a: $.a, b: $.b }} }}\n"
    );
    let dir = TestDir::new("observed");
    let path =
        dir.write("plan.yaml", &plan(&target.url(), "{ users: 2, duration: 4s, warmup: 1s }", &observe));
    let args = [path.to_str().expect("an ASCII path"), "--no-ui"];
    let secret = [("LOAD_TEST_SECRET_TOKEN", Some("s3cret-t0ken"))];
    let ended = Process::start_in("coordinator", dir.path(), args, &secret).wait();
    assert_eq!(ended.code, Some(99), "{}", ended.err);
    let report = report(&dir);

    let pool = rows(&report, "pool");
    assert_eq!((&pool[0]["name"], &pool[1]["name"]), (&"overflow".into(), &"size".into()));
    // 0 s, 0.5 s, ... 3.5 s; a busy machine may miss some.
    let samples = pool[1]["samples"].as_u64().expect("a number");
    assert!((4..=8).contains(&samples), "{pool:#?}");
    assert_eq!((&pool[1]["min"], &pool[1]["max"]), (&20.0.into(), &20.0.into()), "{pool:#?}");
    assert!(pool[1]["points"].as_array().is_some_and(|points| points.len() as u64 >= samples), "{pool:#?}");
    assert!(rows(&report, "counters")[0]["max"].as_f64().is_some_and(|answered| answered > 10.0));

    let met = threshold(&report, "pool", "overflow <= 0");
    assert_eq!(
        (&met["status"], &met["observed"], &met["metric"]),
        (&"pass".into(), &0.0.into(), &"overflow".into())
    );
    assert!(met["samples"].as_u64().is_some_and(|n| n < samples), "what was warm-up is not judged: {met}");
    let missed = threshold(&report, "pool", "size <= 10 critical 15");
    assert_eq!(
        (&missed["status"], &missed["level"], &missed["observed"]),
        (&"fail".into(), &"critical".into(), &20.0.into())
    );
    let mean = threshold(&report, "pool", "size <= 10 critical 30 over 2s");
    assert_eq!(mean["status"], "warn", "{mean}");
    assert!(mean["window"]["judged"].as_u64().is_some_and(|n| n >= 1), "{mean}");
    assert_eq!(threshold(&report, "counters", "answered >= 1")["status"], "pass");
    assert_eq!(threshold(&report, "counters", "pool == 20")["status"], "pass");
    let none = threshold(&report, "page", "a <= 5");
    assert_eq!(
        (&none["status"], &none["observed"], &none["samples"]),
        (&"no_data".into(), &Value::Null, &0.into())
    );

    for (probe, kind, text) in [
        ("page", "format", "the answer is HTML, not JSON"),
        ("hangs", "timeout", "no answer within 300ms"),
        ("broken", "status", "the answer is HTTP 500"),
        ("away", "redirect", "it redirects to another host, which is not asked"),
        ("large", "too_large", "the answer is larger than 1 MiB, the most that is read"),
        ("other", "missing", "the answer has nothing at `$.a`"),
    ] {
        let row = rows(&report, probe)[0];
        assert_eq!(row["samples"], 0, "{row}");
        let failures = row["failures"].as_u64().expect("a number");
        let reasons = row["reasons"].as_array().expect("a list");
        let told = |reason: &Value| {
            reason.as_str().is_some_and(|reason| reason.starts_with(kind) && reason.ends_with(text))
        };
        assert!(failures >= 2 && reasons.iter().any(told), "{row}");
        let note = format!("probe `{probe}` has no value at ");
        assert_eq!(ended.err.matches(&note).count(), reasons.len(), "told once per kind:\n{}", ended.err);
        let reason = format!("probe `{probe}` gave no value of a ");
        assert!(report["reasons"].to_string().contains(&reason), "{:#}", report["reasons"]);
    }
    assert_eq!(rows(&report, "other")[1]["min"], 1.0);
    assert_eq!(rows(&report, "here")[0]["max"], 3.0);
    let there = odd.heads("/there");
    assert!(there.iter().all(|head| head.contains("x-token: s3cret-t0ken")), "{there:?}");
    assert!(there.iter().all(|head| head.contains("user-agent: muster-observe/")), "{there:?}");

    assert!(ended.out.contains("OBSERVED") && ended.out.contains("probe:pool"), "{}", ended.out);
    let folder = dir.path().join("reports").join(report["run"]["id"].as_str().expect("an id"));
    let file = |name: &str| {
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let page = file("report.html");
    assert!(page.contains("chart-observed-1") && page.contains("pool: overflow"), "the figures have charts");
    let cases = file("junit.xml");
    assert!(cases.contains("classname=\"probe:pool\" name=\"size &lt;= 10 critical 15\""), "{cases}");
    assert!(file("summary.md").contains("Figures of the target"));
    for text in [&ended.out, &ended.err, &page, &cases, &file("report.json"), &file("summary.md")] {
        assert!(!text.contains("s3cret-t0ken"), "{text}");
    }
    // What was made again is the same, so the schema has all of it.
    let again = Process::start("coordinator", dir.path(), ["report", folder.to_str().expect("ASCII")]).wait();
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(file("report.html"), page);
}

#[test]
fn a_figure_that_is_lost_stops_the_run() {
    let target = demo::spawn(demo::Config::default()).expect("it starts");
    let dir = TestDir::new("observed-abort");
    let observe = "  pool:\n    get: /api/admin/pool-status\n    every: 200ms\n    read: { size: $.size }\n    \
                   thresholds: [ \"size < 20 abort after 1s\" ]\n";
    let path =
        dir.write("plan.yaml", &plan(&target.url(), "{ users: 2, duration: 2m, stop_timeout: 5s }", observe));
    let args = [path.to_str().expect("an ASCII path"), "--no-ui"];
    let ended = Process::start("coordinator", dir.path(), args).wait();
    assert_eq!(ended.code, Some(99), "{}", ended.err);
    let report = report(&dir);
    let row = threshold(&report, "pool", "size < 20 abort after 1s");
    let at = row["aborted_at_s"].as_f64().expect("a time");
    assert!((1.0..20.0).contains(&at), "two minutes were planned: {row}");
    let reason = report["reasons"][0].as_str().expect("text");
    assert!(
        reason.ends_with("because `size < 20 abort after 1s` of probe `pool` was missed for certain"),
        "{reason}"
    );
    assert!(
        ended.err.contains("the run stops: size of probe `pool` is 20, threshold size < 20"),
        "{}",
        ended.err
    );
}

#[test]
fn what_a_killed_coordinator_had_sampled_is_not_taken_for_good() {
    let target = demo::spawn(demo::Config::default()).expect("it starts");
    let dir = TestDir::new("observed-resumed");
    let observe = "  pool:\n    get: /api/admin/pool-status\n    every: 200ms\n    read: { size: $.size }\n    \
                   thresholds: [ \"size <= 20\" ]\n";
    let path = dir.write("plan.yaml", &plan(&target.url(), "{ users: 2, duration: 8s }", observe));
    let mut coordinator = Coordinator::start(dir.path(), 1, &[path.to_str().expect("an ASCII path")]);
    let agent = coordinator.agent(dir.path(), "a");
    coordinator.line_with("00:02 /");
    coordinator.signal("KILL");
    assert_eq!(coordinator.wait().code, None, "it was killed");
    let ended = Process::start("coordinator", dir.path(), ["--resume", "last"]).wait();
    drop(agent);
    let report = report(&dir);
    let row = threshold(&report, "pool", "size <= 20");
    assert_eq!(
        (ended.code, &row["status"], &row["undecided"]),
        (Some(98), &"pass".into(), &true.into()),
        "{row}"
    );
    let observed = rows(&report, "pool")[0];
    assert!(observed["samples"].as_u64().is_some_and(|n| n >= 1), "sampling goes on: {observed}");
    assert!(observed["failures"].as_u64().is_some_and(|n| n >= 10), "2 s of samples are gone: {observed}");
    assert!(
        report["reasons"].to_string().contains("the samples of a coordinator that was ended are lost"),
        "{:#}",
        report["reasons"]
    );
}
