//! Entry points for input from outside, as bytes: each takes anything, and must come back soon without a panic.
//! `fuzz/` feeds them what a fuzzer invents; `tests/corpus.rs` what it has found worth keeping.

use metrics::Failure;
use plan::judge::Response;
use plan::model::{HttpVersion, Request, Step};
use plan::scope::{RunFacts, Scope};
use plan::slot::Slot;
use plan::{Bundle, Plan, Settings};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// One entry point.
pub type Target = fn(&[u8]);

/// All of them, by the name of their corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("plan", plan),
    ("data", data),
    ("response", response),
    ("http", http),
    ("websocket", websocket),
    ("wire", wire),
    ("histogram", histogram),
];

/// A plan file: compiled, or explained what is wrong with it.
pub fn plan(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes).into_owned();
    let bundle = bundle(source);
    if let Err(diagnostics) = bundle.compile() {
        assert!(!diagnostics.to_string().is_empty(), "a plan is refused with a reason");
        for diagnostic in &diagnostics {
            assert!(diagnostic.span.end <= bundle.source.len(), "{diagnostic:?} is in the plan");
        }
    }
}

/// A response: status (two bytes), the length of its header's value (one byte), that value, and the body.
pub fn response(bytes: &[u8]) {
    let Some((&[high, low, length], rest)) = bytes.split_first_chunk() else { return };
    let (value, body) = rest.split_at(usize::from(length).min(rest.len()));
    let headers = [("content-type".to_owned(), value.to_vec())];
    let status = 100 + u16::from_be_bytes([high, low]) % 500;
    let facts = Arc::new(RunFacts {
        run_id: "run".to_owned(),
        agent_name: "agent".to_owned(),
        env: std::collections::BTreeMap::new(),
        seed: 1,
    });
    for request in requests() {
        let mut scope = Scope::for_class(&facts, "U", Slot(0));
        let elapsed = Duration::from_millis(u64::from(low));
        if let Err(failure) =
            request.judge(&Response { status, headers: &headers, body, elapsed }, &mut scope)
        {
            bounded(&failure);
        }
    }
}

/// The files of data sources, all of them these bytes: read, or explained what is wrong with them.
pub fn data(bytes: &[u8]) {
    const PLAN: &str = r#"
version: 1
name: T
target: http://localhost
load: { users: 2, duration: 1s }
data:
  a: { csv: rows, types: { id: integer, n: number, on: boolean, more: json } }
  b: { csv: rows, delimiter: ";" }
  c: { jsonl: rows, pick: shuffle }
users:
  A: { data: a, tasks: { t: { get: / } } }
  B: { data: b, tasks: { t: { get: / } } }
  C: { data: c, tasks: { t: { get: / } } }
"#;
    let mut bundle = bundle(PLAN.to_owned());
    bundle.settings.files.insert("rows", Ok(bytes.to_vec()));
    if let Err(diagnostics) = bundle.compile() {
        let told = diagnostics.to_string();
        assert!(!told.is_empty() && told.chars().count() < 100_000, "a bounded reason: {}", told.len());
    }
}

/// What a target says on a connection over which one request goes; HTTP/2 if the first byte is odd.
pub fn http(bytes: &[u8]) {
    let Some((first, said)) = bytes.split_first() else { return };
    let version = if first % 2 == 1 { HttpVersion::Http2 } else { HttpVersion::Http1 };
    match agent::engine::hostile::http(said, version) {
        Ok(status) => assert!((100..=999).contains(&status), "{status}"),
        Err(failure) => bounded(&failure),
    }
}

/// What a server says instead of a WebSocket handshake, or after one.
pub fn websocket(bytes: &[u8]) {
    bounded(&agent::engine::hostile::handshake(bytes));
    let (messages, failure) = agent::engine::hostile::conversation(bytes);
    assert!(messages <= bytes.len() / 2, "{messages} messages of at least two bytes");
    bounded(&failure);
}

fn bounded(failure: &Failure) {
    let characters = failure.message.chars().count();
    assert!((1..2000).contains(&characters), "{:?}: {}", failure.kind, failure.message);
}

/// A message of an agent, and one of a coordinator.
pub fn wire(bytes: &[u8]) {
    let _ = proto::raw::from_agent(bytes);
    let _ = proto::raw::to_agent(bytes);
}

/// A histogram in the standard V2 encoding.
pub fn histogram(bytes: &[u8]) {
    let mut histogram = metrics::Histogram::new();
    let _ = histogram.merge_v2(bytes);
}

fn bundle(source: String) -> Bundle {
    let env = [("HOST".to_owned(), "localhost".to_owned())].into();
    Bundle { file: "plan.yaml".to_owned(), source, settings: Settings { env, ..Settings::default() } }
}

/// Requests that look at every part of a response.
fn requests() -> Vec<&'static Request> {
    const PLAN: &str = r#"
version: 1
name: T
target: http://localhost
load: { users: 1, duration: 1s }
users:
  U:
    tasks:
      checks:
        steps:
          - get: /
            expect:
              status: [ 2xx, 404 ]
              json: { "$..id": 1, "$.items[?@.n > 1].n": [ 2 ] }
              that: [ "json.a.b > 1 or body | length < 10", "headers['content-type'] != 'x'" ]
          - get: /
            save: { a: "$.items[*].id", b: { header: content-type }, c: { json: $.next, default: null } }
          - get: /
            expect: { status: 2xx, time: 100ms }
            save: { d: { regex: "(?i)token=([a-z0-9]+)" }, e: { css: "form > input[name=csrf]", attribute: value } }
          - get: /
            save: { f: { css: "p b" } }
"#;
    static COMPILED: LazyLock<Plan> =
        LazyLock::new(|| bundle(PLAN.to_owned()).compile().expect("the plan above is valid"));
    let steps = &COMPILED.classes[0].tasks[0].steps;
    steps
        .iter()
        .filter_map(|step| if let Step::Request(request) = step { Some(request) } else { None })
        .collect()
}
