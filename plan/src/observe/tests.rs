use super::*;
use crate::{Bundle, Settings};

/// The plan's only probe, with this `read`.
fn plan(read: &str) -> Plan {
    let source = format!(
        "version: 1\nname: T\ntarget: http://localhost:8000/base/\nload: {{ users: 1, duration: 10s }}\n\
         users: {{ U: {{ tasks: {{ t: {{ get: / }} }} }} }}\n\
         observe: {{ p: {{ get: '/x?k=${{secret.key}}', headers: {{ X-Key: 'k ${{secret.key}}' }}, read: {read} }} }}\n"
    );
    let mut settings = Settings::default();
    settings.secrets.insert("key", "s3cret");
    let bundle = Bundle { file: "plan.yaml".into(), source, settings };
    bundle.compile().unwrap_or_else(|wrong| panic!("{read}: {wrong}"))
}

/// What the first figure of `read` is in `body`: a number, or the kind of failure and its text.
fn check(read: &str, body: &str, expected: Result<f64, (FlawKind, &str)>) {
    let plan = plan(read);
    let found = plan.probes[0].read(body.as_bytes());
    assert_eq!(found.len(), plan.probes[0].figures.len());
    let found = found[0].as_ref().copied().map_err(|flaw| (flaw.kind, flaw.text.as_str()));
    assert_eq!(found, expected, "{read} of {body}");
}

#[test]
fn figures_stand_in_json() {
    let read = "{ overflow: $.pool.overflow }";
    check(read, r#"{"pool": {"overflow": 3}}"#, Ok(3.0));
    check(read, r#"{"pool": {"overflow": -2.5e3}}"#, Ok(-2_500.0));
    check(read, r#"{"pool": {"overflow": true}}"#, Ok(1.0));
    check("{ ready: { json: $.ready } }", r#"{"ready": false}"#, Ok(0.0));
    let wrong = |text| Err((FlawKind::NotANumber, text));
    check(read, r#"{"pool": {"overflow": "3"}}"#, wrong("`$.pool.overflow` is a text, not a number"));
    check(read, r#"{"pool": {"overflow": null}}"#, wrong("`$.pool.overflow` is null, not a number"));
    check(read, r#"{"pool": {"overflow": [1]}}"#, wrong("`$.pool.overflow` is a list, not a number"));
    let missing = |text| Err((FlawKind::Missing, text));
    check(read, "{}", missing("the answer has nothing at `$.pool.overflow`"));
    let several = "the answer has 2 values at `$.pools[*].free`, and one is wanted";
    check("{ free: '$.pools[*].free' }", r#"{"pools": [{"free": 1}, {"free": 2}]}"#, missing(several));
    let format = |text| Err((FlawKind::Format, text));
    check(read, "<!DOCTYPE html><title>Sign in", format("the answer is HTML, not JSON"));
    check(read, "", format("the answer is empty, not JSON"));
    check(read, "{\"pool\": ", format("the answer is broken JSON, not JSON"));
    check(read, "busy", format("the answer is text, not JSON"));
}

const EXPOSITION: &str = "\
# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{method=\"get\",code=\"200\"} 1027 1395066363000
http_requests_total{method=\"post\",code=\"500\",} 3
http_requests_total{ method = \"get\" , code=\"503\" } 4.5e0 # {trace_id=\"a b\"} 1 2

queue_depth 12
queue:depth:max{name=\"a \\\"b\\\" \\\\ } c\"} -1
heat NaN
room +Inf
latency_bucket{le=\"0.5\"} 9
latency_bucket{le=\"+Inf\"} 10
";

#[test]
fn figures_are_series_of_prometheus() {
    for (read, expected) in [
        ("queue_depth", 12.0),
        ("'http_requests_total{code=\"500\"}'", 3.0),
        ("'http_requests_total{ code = ''500'' , method != \"get\", }'", 3.0),
        ("'http_requests_total{code=~\"20.\"}'", 1_027.0),
        ("'http_requests_total{code!~\"5..|2\",method=\"get\"}'", 1_027.0),
        ("'sum(http_requests_total{code=~\"5..\"})'", 7.5),
        ("'avg ( http_requests_total{code=~\"5..\"} )'", 3.75),
        ("min(http_requests_total)", 3.0),
        ("max(http_requests_total)", 1_027.0),
        ("'queue:depth:max{name=\"a \\\"b\\\" \\\\ } c\"}'", -1.0),
        ("'queue_depth{instance=\"\"}'", 12.0),
        ("{ metric: http_requests_total, labels: { code: 500, method: post } }", 3.0),
        ("{ metric: 'latency_bucket{le=\"+Inf\"}' }", 10.0),
    ] {
        check(&format!("{{ x: {read} }}"), EXPOSITION, Ok(expected));
    }
    let missing = |text| Err((FlawKind::Missing, text));
    check("{ x: nope }", EXPOSITION, missing("the answer has no `nope`: there is no metric `nope`"));
    check(
        "{ x: 'http_requests_total{code=\"404\"}' }",
        EXPOSITION,
        missing(
            "the answer has no `http_requests_total{code=\"404\"}`: none of its 3 series has these labels",
        ),
    );
    check(
        "{ x: http_requests_total }",
        EXPOSITION,
        missing("`http_requests_total` is 3 series: name more labels, or write `sum(…)` around it"),
    );
    check("{ x: heat }", EXPOSITION, Err((FlawKind::NotANumber, "`heat` is `NaN`, not a finite number")));
    check(
        "{ x: max(room) }",
        EXPOSITION,
        Err((FlawKind::NotANumber, "`max(room)` is `inf`, not a finite number")),
    );
    let format = |text| Err((FlawKind::Format, text));
    check(
        "{ x: up }",
        "<html><body>Sign in</body></html>",
        format("the answer is HTML, not Prometheus text"),
    );
    check("{ x: up }", "", format("the answer is empty, not Prometheus text"));
    let third = "the answer is no Prometheus text: line 3 is none of it";
    check("{ x: up }", "up 1\n\nup{a=b} 1\n", format(third));
    check("{ x: up }", "up 1\n\nup one\n", format(third));
    check("{ x: up }", "up 1\n\nup 1 2 3\n", format(third));
    check("{ x: up }", "# nothing yet\n", missing("the answer has no `up`: there is no metric `up`"));
}

#[test]
fn one_flaw_costs_its_figure_alone() {
    let plan = plan("{ a: $.a, b: $.b }");
    let found = plan.probes[0].read(br#"{"a": "x", "b": 7}"#);
    assert!(found[0].is_err() && found[1] == Ok(7.0), "{found:?}");
}

#[test]
fn requests_are_filled_in_once_and_secrets_stay_hidden() {
    let plan = plan("{ a: $.a }");
    let facts = Arc::new(RunFacts {
        run_id: String::new(),
        agent_name: String::new(),
        env: std::collections::BTreeMap::new(),
        seed: 1,
    });
    let probe = &plan.probes[0];
    let asked = probe.asked(&plan, &facts).unwrap();
    assert_eq!(asked.url.as_str(), "http://localhost:8000/base/x?k=s3cret");
    assert_eq!(asked.headers, [("x-key".to_owned(), "k s3cret".to_owned())]);
    assert_eq!((probe.every, probe.timeout), (DEFAULT_EVERY, DEFAULT_TIMEOUT));
    assert!(!format!("{plan:?}").contains("s3cret"));
}

proptest::proptest! {
    #[test]
    fn any_answer_is_read(body in "(a|sum)?[a-z_]{0,3}[{}\"=, \\\\\n#0-9.eNa]{0,40}|.*", bytes: Vec<u8>) {
        for read in ["{ x: a }", "{ x: 'sum(a{b=~\"c\"})' }", "{ x: $.a }"] {
            let plan = plan(read);
            for body in [body.as_bytes(), &bytes] {
                for found in plan.probes[0].read(body) {
                    proptest::prop_assert!(found.map_or_else(|flaw| !flaw.text.is_empty(), f64::is_finite));
                }
            }
        }
    }
}
