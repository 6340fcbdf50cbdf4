//! Metrics of the coordinator itself (`--metrics-listen`, `--otlp-endpoint`).

#![allow(clippy::float_cmp, reason = "what is compared are counts, which floats hold exactly")]

use coordinator::telemetry::SCHEMA;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::{Metric, MetricFamily};
use prost::Message as _;
use protocol_tests::fleet::report;
use protocol_tests::process::{Process, TestDir};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,*/*;q=0.1";

/// An open load with everything that there are metrics of: conversations apart.
fn plan(target: &str) -> String {
    format!(
        "version: 1\nname: exposed\ntarget: {target}\ngroups: {{ api: {{ thresholds: [ \"p95 <= 5s\" ] }} }}\nload: {{ arrivals: 30/s, max_users: 10, duration: 6s, warmup: 1s }}\n\
         users:\n  Visitor:\n    group: api\n    tasks:\n      look: {{ get: /api/v1/auth/health }}\n      \
         odd: {{ get: /api/v1/auth/health, name: 'a \"name\"', expect: {{ status: 201 }} }}\n      \
         both:\n        steps:\n          - group: pair\n            steps:\n              \
         - get: /api/v1/auth/health\n              - get: /api/v1/auth/health\n\
         observe:\n  pool: {{ get: /api/admin/pool-status, every: 500ms, read: {{ size: $.size, none: $.none }} }}\n"
    )
}

/// The status, the head and the body of the answer to a GET request for `path`.
fn get(address: &str, path: &str, accept: &str) -> std::io::Result<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    Ok((status, head, answer[end + 4..].to_vec()))
}

/// Each series of a text, with its labels as they are written, and its value.
fn series(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

fn scrape(address: &str) -> BTreeMap<String, f64> {
    let (status, head, body) = get(address, "/metrics", "*/*").expect("an answer");
    assert!(status == 200 && head.contains("application/openmetrics-text"), "{head}");
    let text = String::from_utf8(body).expect("text");
    assert!(text.ends_with("# EOF\n"), "{text}");
    series(&text)
}

/// The sum of the series of `name` that have all of `labels`.
fn sum(series: &BTreeMap<String, f64>, name: &str, labels: &[&str]) -> f64 {
    let of_name = |known: &&str| known.split('{').next() == Some(name);
    let wanted = series.iter().filter(|(known, _)| of_name(&known.as_str()));
    wanted.filter(|(known, _)| labels.iter().all(|label| known.contains(label))).map(|(_, value)| value).sum()
}

/// The names of metrics in the queries of a dashboard.
fn queried(dashboard: &Value, names: &mut BTreeSet<String>) {
    match dashboard {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().filter(|_| ["expr", "query", "definition"].contains(&key.as_str())) {
                    Some(query) => {
                        let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
                        let words = query.split(word).filter(|word| word.starts_with("muster_"));
                        names.extend(words.map(str::to_owned));
                    }
                    None => queried(value, names),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| queried(value, names)),
        _ => {}
    }
}

fn native(metric: &Metric) -> Vec<(i32, u64)> {
    let histogram = metric.histogram.as_ref().expect("a histogram");
    assert_eq!(histogram.schema, SCHEMA);
    let (mut at, mut held, mut deltas, mut buckets) = (0, 0, histogram.positive_delta.iter(), Vec::new());
    for span in &histogram.positive_span {
        at += span.offset;
        for _ in 0..span.length {
            held += deltas.next().expect("a count for each bucket");
            buckets.push((at, u64::try_from(held).expect("no count is below zero")));
            at += 1;
        }
    }
    assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), histogram.sample_count);
    buckets
}

#[test]
#[allow(clippy::too_many_lines, reason = "one run, and all that is told of it")]
fn what_is_scraped_is_what_the_report_says() {
    let target = demo::spawn(demo::Config::default()).expect("it starts");
    let dir = TestDir::new("telemetry");
    let path = dir.write("plan.yaml", &plan(&target.url()));
    let args = [
        path.to_str().expect("ASCII"),
        "--no-ui",
        "--metrics-listen",
        "127.0.0.1:0",
        "--metrics-linger",
        "10m",
    ];
    let mut coordinator = Process::start("coordinator", dir.path(), args);
    let line = coordinator.line_with("metrics for Prometheus: http://");
    let address = line.split("http://").nth(1).and_then(|rest| rest.strip_suffix("/metrics")).expect("a URL");

    let first = scrape(address);
    assert_eq!(sum(&first, "muster_run_info", &["plan=\"exposed\""]), 1.0, "{first:?}");
    // Those who connect and say nothing hold nobody up for long.
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    let (mut before, mut looks, mut exposed) = (first, 0, BTreeSet::new());
    loop {
        let now = scrape(address);
        for name in ["muster_requests_total", "muster_request_duration_seconds_count"] {
            assert!(sum(&before, name, &[]) <= sum(&now, name, &[]), "{name} goes back");
        }
        looks += u32::from(sum(&now, "muster_run_phase", &["phase=\"load\""]) == 1.0);
        exposed.extend(now.keys().filter_map(|series| series.split('{').next()).map(str::to_owned));
        let over = sum(&now, "muster_run_phase", &["phase=\"over\""]) == 1.0;
        before = now;
        if over {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(silent);
    assert!(looks >= 1, "it was scraped while it lasted");

    let report = report(&dir);
    let told = |place: &Value| place.as_f64().unwrap_or_else(|| panic!("no number: {place}"));
    let totals = &report["totals"];
    assert_eq!(sum(&before, "muster_requests_total", &[]), told(&totals["requests"]));
    assert_eq!(sum(&before, "muster_requests_total", &["result=\"failed\""]), told(&totals["failures"]));
    assert_eq!(
        sum(&before, "muster_request_failures_total", &["kind=\"status\""]),
        told(&totals["failures"])
    );
    assert_eq!(sum(&before, "muster_request_received_bytes_total", &[]), told(&totals["bytes_in"]));
    assert_eq!(sum(&before, "muster_request_sent_bytes_total", &[]), told(&totals["bytes_out"]));
    assert_eq!(sum(&before, "muster_warmup_requests_total", &[]), told(&report["run"]["warmup_requests"]));
    assert_eq!(sum(&before, "muster_arrivals_total", &["started"]), told(&report["arrivals"]["started"]));
    assert_eq!(sum(&before, "muster_run_elapsed_seconds", &[]), 6.0);
    assert_eq!(sum(&before, "muster_observed_value", &["figure=\"size\""]), 20.0);
    assert_eq!(
        sum(&before, "muster_observed_samples_total", &["figure=\"none\"", "result=\"failed\""]),
        told(&report["observed"][1]["failures"])
    );
    let verdict = format!("verdict=\"{}\"", report["verdict"].as_str().expect("a word"));
    assert_eq!(sum(&before, "muster_run_verdict", &[&verdict]), 1.0);

    let (_, head, body) = get(address, "/metrics", PROTOBUF).expect("an answer");
    assert!(head.contains("application/vnd.google.protobuf"), "{head}");
    let (mut rest, mut families) = (&body[..], BTreeMap::new());
    while !rest.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut rest).expect("a family");
        families.insert(family.name.clone(), family);
    }
    for request in report["requests"].as_array().expect("a list") {
        let [name, task, method] = ["name", "task", "method"].map(|key| request[key].as_str().expect("text"));
        let escaped = name.replace('"', "\\\"");
        let labels =
            [format!("request=\"{escaped}\""), format!("task=\"{task}\""), format!("method=\"{method}\"")];
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let kind = if method == "GROUP" { "operation" } else { "request" };
        let count = sum(&before, &format!("muster_{kind}s_total"), &labels);
        assert_eq!(count, told(&request["requests"]), "{labels:?}");
        let latency = &families[&format!("muster_{kind}_duration_seconds")];
        let has = |metric: &&Metric, label: &str, value: &str| {
            metric.label.iter().any(|pair| pair.name == label && pair.value == value)
        };
        let metric = latency.metric.iter().find(|metric| {
            has(metric, "request", name) && has(metric, "task", task) && has(metric, "group", "api")
        });
        let buckets = native(metric.unwrap_or_else(|| panic!("{labels:?} in {latency:?}")));
        // The bucket in which 95 % of them end holds the p95 of the report.
        let (rank, mut below) = ((count * 0.95).ceil() as u64, 0);
        let p95 = buckets.iter().find(|(_, held)| {
            below += held;
            below >= rank
        });
        let (p95, _) = p95.expect("there are so many");
        let end = 2_f64.powf(f64::from(*p95) / 8.0) * 1e3;
        let exact = told(&request["latency_ms"]["p95"]);
        assert!(exact <= end * 1.001 && exact >= end / 1.0906 * 0.999, "{exact} ms, bucket up to {end} ms");
    }

    let dashboard =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/grafana/muster.json"));
    let dashboard: Value = serde_json::from_str(&dashboard.expect("it is there")).expect("JSON");
    let mut names = BTreeSet::new();
    queried(&dashboard, &mut names);
    assert!(names.len() >= 10, "{names:?}");
    exposed.extend(families.into_keys());
    for name in &names {
        assert!(exposed.contains(name), "the dashboard asks for {name}; there are {exposed:?}");
    }

    assert_eq!(get(address, "/", "*/*").expect("an answer").0, 404);
    coordinator.signal("TERM");
    let ended = coordinator.wait();
    assert_eq!(ended.code, report["exit_code"].as_i64().map(|code| code as i32), "{}", ended.err);
    assert!(ended.err.contains("metrics stay for 10m (--metrics-linger)"), "{}", ended.err);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_port_that_is_taken_is_told_before_the_run() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let dir = TestDir::new("telemetry-taken");
    let path = dir.write("plan.yaml", &plan("http://127.0.0.1:9"));
    let args = [path.to_str().expect("ASCII"), "--no-ui", "--metrics-listen", &address];
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let told = format!("error: --metrics-listen: cannot listen on {address}: ");
    assert!(ended.code == Some(2) && ended.err.contains(&told), "{}", ended.err);
}

/// A collector that refuses the first export, and gives the head and the content of each.
fn collector() -> (String, Receiver<(String, ExportMetricsServiceRequest)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/otlp", listener.local_addr().expect("an address"));
    let (sender, exports) = channel();
    std::thread::spawn(move || {
        for (mut stream, number) in listener.incoming().flatten().zip(0..) {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.extend(byte);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.and_then(|length| length.trim().parse().ok()).expect("a length");
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("all of it");
            let status = if number == 0 { "503 Busy" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
            let export = ExportMetricsServiceRequest::decode(&body[..]).expect("an export");
            if sender.send((head, export)).is_err() {
                return;
            }
        }
    });
    (url, exports)
}

#[test]
fn a_collector_gets_what_the_report_says() {
    let target = demo::spawn(demo::Config::default()).expect("it starts");
    let (url, exports) = collector();
    let dir = TestDir::new("telemetry-otlp");
    let path = dir.write("plan.yaml", &plan(&target.url()));
    let args = [path.to_str().expect("ASCII"), "--no-ui", "--otlp-endpoint", &url];
    let env = [
        ("LOAD_TEST_OTLP_HEADERS", Some("authorization=Bearer s3cret-t0ken")),
        ("LOAD_TEST_OTLP_HISTOGRAMS", Some("exponential")),
        ("NO_PROXY", Some("127.0.0.1")),
    ];
    let ended = Process::start_in("coordinator", dir.path(), args, &env).wait();
    let report = report(&dir);
    assert_eq!(ended.code, report["exit_code"].as_i64().map(|code| code as i32), "{}", ended.err);
    let told = format!(
        "warning: metrics do not arrive at {url}/v1/metrics (--otlp-endpoint): the answer is HTTP 503"
    );
    assert!(ended.err.contains(&told), "{}", ended.err);
    assert!(!ended.err.contains("s3cret-t0ken"), "{}", ended.err);

    let all: Vec<_> = exports.try_iter().collect();
    assert!(all.len() >= 2, "while it lasted and at the end: {}", all.len());
    let (head, last) = all.last().expect("just counted");
    assert!(head.starts_with("POST /otlp/v1/metrics HTTP/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    assert!(head.contains("authorization: Bearer s3cret-t0ken"), "{head}");
    let metrics = &last.resource_metrics[0].scope_metrics[0].metrics;
    let find = |name: &str| {
        metrics.iter().find(|metric| metric.name == name).and_then(|metric| metric.data.as_ref())
    };
    let Some(Data::Sum(sum)) = find("muster_requests") else { panic!("{metrics:?}") };
    let counts = sum.data_points.iter().map(|point| match point.value {
        Some(Number::AsInt(count)) => count as u64,
        ref other => panic!("{other:?}"),
    });
    assert_eq!(Some(counts.sum::<u64>()), report["totals"]["requests"].as_u64());
    let Some(Data::ExponentialHistogram(latency)) = find("muster_request_duration") else {
        panic!("{metrics:?}")
    };
    let held: u64 = latency
        .data_points
        .iter()
        .filter_map(|point| point.positive.as_ref())
        .flat_map(|buckets| &buckets.bucket_counts)
        .sum();
    assert_eq!(Some(held), report["totals"]["requests"].as_u64());
    let Some(Data::Gauge(verdict)) = find("muster_run_verdict") else { panic!("{metrics:?}") };
    assert_eq!(verdict.data_points.len(), 1);
}
