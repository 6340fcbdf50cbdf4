use super::*;
use crate::fleet::{ChoreEnd, ChoreStatus};
use crate::report::model::CostPart;
use crate::results::fixture::{Requests, Scripted, encoded, facts, plan, record};
use crate::results::{AgentId, Cost, Lost, Results};
use metrics::unit::parse_price;
use metrics::{ErrorCount, ErrorKind, SeriesId};
use plan::chore::{Chore, ChoreKind, ChoreSeries};
use plan::model::{ConnectionSettings, GroupId, Method, SeriesKind, ThresholdScope};
use proto::message::{ChoreReport, RunId};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const THRESHOLDS: &[(ThresholdScope, &str)] = &[
    (ThresholdScope::Plan, "success_rate >= 99%"),
    (ThresholdScope::Group(GroupId(0)), "p95 <= 50ms critical 90ms"),
    (ThresholdScope::Group(GroupId(1)), "p95 <= 1s"),
    (ThresholdScope::Request(SeriesId(1)), "rate >= 5/s"),
];

const REQUESTS: &[Requests] = &[(0, 9, 1, 100), (1, 90, 0, 8)];

/// A run that failed.
pub(crate) fn sample() -> Report {
    Report::new(&record(THRESHOLDS, REQUESTS, |_, _| {}))
}

/// A run with everything that a report may have: chores, tags, losses, arrivals, iterations, messages, figures of the
/// target.
pub(super) fn full() -> Report {
    let setup = chore_end(ChoreKind::Setup, ChoreStatus::Failed("no".to_owned()), 2);
    let chores = with_chores(setup, chore_end(ChoreKind::Teardown, ChoreStatus::Done, 0), None);
    let mut report = serde_json::to_value(hostile()).unwrap();
    report["setup"] = serde_json::to_value(chores.setup).unwrap();
    report["teardown"] = serde_json::to_value(chores.teardown).unwrap();
    report["run"]["tags"] = serde_json::json!({ "include": ["smoke"], "exclude": [], "tasks": 1, "tasks_in_plan": 3,
        "not_judged": [{ "scope": "plan", "expression": "p95 <= 1s" }], "told": "1 of 3 tasks" });
    report["arrivals"] = serde_json::json!({ "scheduled": 10, "started": 8, "dropped": 1,
        "start_error_ms": { "p50": 0.1, "p90": 0.2, "p99": 0.3, "max": null } });
    report["users"]["iterations"] = serde_json::json!({ "target": 10, "done": 8, "given_up": 1 });
    report["observed"] = serde_json::json!([{ "probe": "pool", "name": "overflow", "samples": 2, "failures": 1,
        "reasons": ["timeout (once): no answer within 2s"], "min": 0.5, "mean": 1.25, "max": 2.0, "last": 0.5,
        "points": [{ "t_s": 0.5, "value": 1.25, "min": 0.5, "max": 2.0 }, { "t_s": 2.5, "value": null }] }]);
    let (base, current) = (crate::compare::run_like(1, 1.0, 0), crate::compare::run_like(2, 1.2, 0));
    let comparison = crate::compare::compare(&base, &current, crate::compare::Limits::default()).unwrap();
    report["baseline"] = serde_json::to_value(comparison).unwrap();
    let cost = Cost {
        price: parse_price("0.12 USD").unwrap(),
        agents: 2,
        time: Duration::from_millis(12_345),
        requests: report["totals"]["requests"].as_u64().unwrap(),
    };
    report["cost"] = serde_json::to_value(CostPart::new(&cost)).unwrap();
    report["totals"]["messages_sent"] = 3.into();
    report["requests"][0]["messages_received"] = 4.into();
    serde_json::from_value(report).unwrap()
}

fn json() -> Value {
    serde_json::to_value(sample()).unwrap()
}

/// Every key of `value` with its path; `[]` stands for the elements of a list.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                keys(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

#[test]
fn the_keys_of_report_json_are_a_contract() {
    const TOTALS: &str = "requests failures success_rate rps bytes_in bytes_out latency_ms latency_ms.min latency_ms.mean \
        latency_ms.stddev latency_ms.p50 latency_ms.p75 latency_ms.p90 latency_ms.p95 latency_ms.p99 \
        latency_ms.p99_9 latency_ms.max service_ms service_ms.min service_ms.mean service_ms.stddev service_ms.p50 \
        service_ms.p75 service_ms.p90 service_ms.p95 service_ms.p99 service_ms.p99_9 service_ms.max latency_ci_ms latency_ci_ms.p50 latency_ci_ms.p75 latency_ci_ms.p90 \
        latency_ci_ms.p95 latency_ci_ms.p99 latency_ci_ms.p99_9 latency_hdr";
    let contract = [
        (
            "",
            "schema_version run verdict exit_code reasons thresholds totals groups user_classes requests errors accounting \
              generator users arrivals timeline setup teardown observed cost baseline intervals late_requests",
        ),
        (
            "run.",
            "id name profile seed plan_sha256 target started_at ended_at duration_s warmup_s \
              warmup_requests",
        ),
        (
            "thresholds[].",
            "scope metric expression observed unit level status samples ci_low ci_high straddles window aborted_at_s undecided observed_text",
        ),
        ("intervals.", "length_s rows"),
        ("intervals.rows[].", "t_s failures bytes_in series series[].request series[].latency_hdr"),
        ("totals.", TOTALS),
        ("groups[].", "name"),
        ("groups[].", TOTALS),
        ("user_classes[].", "name"),
        ("user_classes[].", TOTALS),
        (
            "requests[].",
            "name group user_class task method phases_ms phases_ms.connect phases_ms.tls \
              phases_ms.first_byte phases_ms.body",
        ),
        ("requests[].", TOTALS),
        ("errors[].", "request kind message count first_at last_at"),
        ("accounting.", "status started merged aborted lost_at_most coalesced_windows per_agent"),
        ("accounting.per_agent[].", "name users started merged aborted windows status joined_at_s"),
        ("generator.", "status agents"),
        (
            "generator.agents[].",
            "name build cores cpu cpu_max lag_ms_p99 reconnects memory_bytes connections memory_growth_per_connection \
              cpu_limit steal steal_max throttled_ms starts late_starts late_start_ms_max descriptors descriptors_limit \
              memory_used memory_limit exhausted held_back status reasons",
        ),
        (
            "users.",
            "target_user_seconds actual_user_seconds missing_user_seconds start_skew_ms losses iterations",
        ),
        (
            "timeline[].",
            "t_s users target_users rps failures dropped p50_ms p95_ms p99_ms agents_cpu_max agents_lag_ms",
        ),
    ];
    let expected: BTreeSet<String> = contract
        .iter()
        .flat_map(|(path, keys)| keys.split_whitespace().map(move |key| format!("{path}{key}")))
        .collect();
    let mut found = BTreeSet::new();
    keys(&json(), "", &mut found);
    assert_eq!(found, expected);
}

#[test]
fn the_values_of_report_json() {
    let json = json();
    let check = |pointer: &str, expected: Value| {
        assert_eq!(json.pointer(pointer), Some(&expected), "{pointer}");
    };
    check("/schema_version", 1.into());
    check("/run/target", "http://127.0.0.1:8000".into());
    check("/run/started_at", "2026-11-21T08:00:00Z".into());
    check("/run/duration_s", 10.0.into());
    check("/verdict", "fail".into());
    check("/exit_code", 99.into());
    check("/reasons/0", "p95 of group `auth` is 100 ms, threshold p95 <= 50ms critical 90ms".into());
    check("/thresholds/0/scope", "plan".into());
    check("/thresholds/0/observed", 99.0.into());
    check("/thresholds/0/unit", "%".into());
    check("/thresholds/0/level", "target".into());
    check("/thresholds/0/samples", 1000.into());
    check("/thresholds/1/scope", "group:auth".into());
    check("/thresholds/1/level", "critical".into());
    check("/thresholds/1/status", "fail".into());
    check("/thresholds/2/observed", Value::Null);
    check("/thresholds/2/status", "no_data".into());
    check("/thresholds/3/scope", "request:AuthUser/profile/GET /api/v1/me".into());
    check("/totals/requests", 1000.into());
    check("/totals/success_rate", 0.99.into());
    check("/totals/rps", 100.0.into());
    check("/totals/bytes_in", 100_000.into());
    check("/groups/1/name", "generation".into());
    check("/groups/1/success_rate", Value::Null);
    check("/groups/1/latency_ms/p95", Value::Null);
    check("/groups/1/rps", 0.0.into());
    check("/requests/1/method", "GET".into());
    check("/requests/1/phases_ms/first_byte", 7.2.into());
    check("/requests/1/phases_ms/connect", Value::Null);
    check("/requests/3/name", "GET /health".into());
    check("/requests/3/group", Value::Null);
    check("/requests/3/requests", 0.into());
    check("/errors/0/request", "AuthUser/on_start/POST /api/v1/auth/login".into());
    check("/errors/0/kind", "status".into());
    check("/errors/0/count", 10.into());
    check("/errors/0/last_at", "2026-11-21T08:00:09Z".into());
    check("/accounting/status", "exact".into());
    check("/accounting/lost_at_most", 0.into());
    check("/generator/agents/0/cpu", 0.2.into());
    check("/users/target_user_seconds", 100.0.into());
    check("/users/missing_user_seconds", 0.0.into());
    check("/users/start_skew_ms", 1.5.into());
    check("/timeline/9/t_s", 9.into());
    check("/timeline/0/rps", 100.0.into());
}

/// The plan has both chores; `facts` get their ends.
fn with_chores(setup: ChoreEnd, teardown: ChoreEnd, not_started: Option<&str>) -> Report {
    let mut plan = plan(&[]);
    let chore = || {
        let name = "POST /seed".to_owned();
        let series = vec![ChoreSeries { name, kind: SeriesKind::Request(Method::Post) }];
        Some(Chore {
            steps: Vec::new(),
            timeout: Duration::from_secs(60),
            connection: ConnectionSettings::default(),
            series,
        })
    };
    (plan.setup, plan.teardown) = (chore(), chore());
    let mut facts = facts(&[]);
    (facts.setup, facts.teardown) = (Some(setup), Some(teardown));
    facts.not_started = not_started.map(str::to_owned);
    Report::new(&Results::new(Arc::new(plan)).finish(&facts))
}

fn chore_end(kind: ChoreKind, status: ChoreStatus, failures: u64) -> ChoreEnd {
    let error = |n: u64| ErrorCount {
        series: SeriesId(0),
        kind: ErrorKind::Status,
        message: format!("50{n}\u{1b}[2J"),
        count: 1,
        first: Duration::ZERO,
        last: Duration::ZERO,
    };
    let report = ChoreReport {
        run: RunId("r".to_owned()),
        chore: kind,
        values: bytes::Bytes::new(),
        failed: None,
        took: Duration::from_micros(230_017),
        requests: 3,
        failures,
        aborted: 0,
        errors: (0..failures).map(error).collect(),
    };
    ChoreEnd { status, agent: Some("a".to_owned()), report: Some(Box::new(report)) }
}

#[test]
fn setup_and_teardown_are_told_apart_from_what_is_measured() {
    let ok = || chore_end(ChoreKind::Setup, ChoreStatus::Done, 0);
    let failed = |why: &str| chore_end(ChoreKind::Setup, ChoreStatus::Failed(why.to_owned()), 1);
    let report = with_chores(ok(), failed("step 1 (POST /seed) failed: 500\u{1b}[2J"), None);
    let text = render_text(&report, Style::Plain);
    assert!(text.contains("\nsetup: 3 requests in 0.2 s\nwarning: teardown: failed on agent a, 3 requests, 1 failed, in 0.2 s\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let mut found = BTreeSet::new();
    keys(&serde_json::to_value(&report).unwrap()["teardown"], "", &mut found);
    let expected = "status reason agent duration_s requests failures errors errors[].request errors[].kind \
        errors[].message errors[].count";
    assert_eq!(found, expected.split_whitespace().map(str::to_owned).collect());
    assert_eq!(report.totals.requests, 0);

    let not_run =
        ChoreEnd { status: ChoreStatus::NotRun("no agent was left".to_owned()), agent: None, report: None };
    let report =
        with_chores(failed("step 1 failed"), not_run.clone(), Some("setup on agent a failed: step 1 failed"));
    assert_eq!((report.verdict, report.exit_code), ("inconclusive", 98));
    assert_eq!(report.reasons, ["the run did not start: setup on agent a failed: step 1 failed"]);
    let text = render_text(&report, Style::Plain);
    assert!(text.contains("warning: teardown: not run, 0 requests\n  - no agent was left\n"), "{text}");
    let lost =
        ChoreEnd { status: ChoreStatus::Lost("reset".to_owned()), agent: Some("a".to_owned()), report: None };
    let report = with_chores(lost, not_run, Some("agent a was lost"));
    assert_eq!((report.verdict, report.exit_code), ("inconclusive", 4));
}

#[test]
fn six_slow_requests_of_102_are_its_p95() {
    let mut results = Results::new(Arc::new(plan(&[(ThresholdScope::Group(GroupId(0)), "p95 <= 1.5s")])));
    let (mut fast, mut slow) = (Scripted::new(0, "fast"), Scripted::new(1, "slow"));
    for id in 0..2 {
        results.agent_joined(AgentId(id));
    }
    for second in 0..3 {
        results.apply(AgentId(0), &fast.window(second, 10, &[(0, 32, 0, 7)])).unwrap();
        results.apply(AgentId(1), &slow.window(second, 10, &[(0, 2, 0, 1_502)])).unwrap();
    }
    let report = Report::new(&results.finish(&facts(&[&fast, &slow])));
    for totals in [&report.totals, &report.groups[0].totals, &report.requests[0].totals] {
        let latency = &totals.latency_ms;
        assert_eq!((totals.requests, latency.p95.map(f64::round)), (102, Some(1_502.0)));
        assert_eq!((latency.p90.map(f64::round), latency.p50.map(f64::round)), (Some(7.0), Some(7.0)));
    }
    assert_eq!(
        (report.thresholds[0].status, report.thresholds[0].observed.map(f64::round)),
        ("fail", Some(1_502.0))
    );
    assert_eq!(report.thresholds[0].observed_text.as_deref(), Some("1.502 s"));
}

/// Messages that differ in a number are one after some.
fn letter(i: u32) -> char {
    char::from(b'a' + i as u8)
}

/// Compares with a file beside this one; with `UPDATE_GOLDEN` set, writes it.
pub(super) fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/tests").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn the_text_of_a_failed_run() {
    let text = render_text(&Report::new(&record(THRESHOLDS, REQUESTS, |_, _| {})), Style::Plain);
    golden("failed.txt", &text);
}

#[test]
fn a_report_says_what_the_warm_up_left_out() {
    let mut plan = plan(&[]);
    plan.warmup = Duration::from_secs(4);
    plan.agent_hour = Some(parse_price("0.36 USD").unwrap());
    let mut results = Results::new(Arc::new(plan));
    let mut agent = Scripted::new(0, "a");
    for second in 0..9 {
        results.apply(AgentId(0), &agent.window(second, 10, REQUESTS)).unwrap();
    }
    results.apply(AgentId(0), &agent.last(9, 0, REQUESTS)).unwrap();
    let report = Report::new(&results.finish(&facts(&[&agent])));
    let json = serde_json::to_value(&report).unwrap();
    for (pointer, expected) in [
        ("/run/duration_s", Value::from(10.0)),
        ("/run/warmup_s", 4.0.into()),
        ("/run/warmup_requests", 400.into()),
        ("/totals/requests", 600.into()),
        ("/totals/rps", 100.0.into()),
        ("/accounting/merged", 1000.into()),
        ("/cost/agent_seconds", 10.5.into()),
        ("/cost/requests", 1000.into()),
        ("/cost/total", 0.001_05.into()),
        ("/cost/per_million_requests", 1.05.into()),
    ] {
        assert_eq!(json.pointer(pointer), Some(&expected), "{pointer}");
    }
    let text = render_text(&report, Style::Plain);
    for expected in [
        ", measured 6.0 s after 4 s of warm-up, seed 42\n",
        "accounting: exact (1,000 started = 1,000 merged + 0 aborted)\n",
        "\nwarm-up: 400 requests of the first 4 s are in the accounting alone\n",
        "\ncost: 0.001050 USD (1 agent, 10.5 agent-seconds at 0.36 USD per hour), 1.05 USD per million requests\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

/// A run whose names and messages try to be something else wherever they are shown.
pub(super) fn hostile() -> Report {
    let mut plan = plan(&[(ThresholdScope::Group(GroupId(0)), "p95 <= 200ms")]);
    plan.name = "\u{1b}]0;owned\u{7}".repeat(20);
    plan.groups[0].name = "a\u{202e}b".to_owned();
    plan.series[0].name = format!("GET /\u{1b}[2J{}", "日本".repeat(60));
    plan.series[1].name = "two\nlines".to_owned();
    let mut results = Results::new(Arc::new(plan));
    results.agent_joined(AgentId(0));
    results.agent_joined(AgentId(1));
    let mut agents = [Scripted::new(0, "a"), Scripted::new(1, "b")];
    for (agent, id) in agents.iter_mut().zip(0..) {
        let mut window = agent.window(0, 10, &[(0, 1_234_567, 3, 1520), (1, 5, 0, 8)]);
        for i in 0..12 {
            let mut error = window.errors[0].clone();
            (error.kind, error.message) =
                (ErrorKind::Assertion, format!("{}\r\u{1b}[31m{}", letter(i), "x".repeat(150)));
            window.errors.push(error);
        }
        results.apply(AgentId(id), &window).unwrap();
    }
    let mut facts = facts(&[&agents[0], &agents[1]]);
    facts.agents[0].finished = true;
    facts.agents[1].lost = Some(Lost {
        reason: "\u{1b}[5m gone".to_owned(),
        at: Duration::from_secs(1),
        quiet_at: Duration::from_secs(5),
    });
    Report::new(&results.finish(&facts))
}

#[test]
fn the_text_of_a_hostile_run() {
    let report = hostile();
    let text = render_text(&report, Style::Plain);
    golden("hostile.txt", &text);
    for line in text.lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.chars().map(|c| if c < '\u{2e80}' { 1 } else { 2 }).sum::<usize>() <= 100, "{line}");
    }
    let coloured = render_text(&report, Style::Colour);
    assert!(coloured.starts_with("\u{1b}[1;31mFAIL\u{1b}[0m"), "{coloured}");
}

#[test]
fn service_times_are_told_where_requests_were_late() {
    let mut results = Results::new(Arc::new(plan(&[])));
    let mut agent = Scripted::new(0, "a");
    let mut window = agent.last(0, 10, &[(0, 100, 0, 200), (1, 100, 0, 8)]);
    window.series[0].service = encoded(&[(Duration::from_millis(50), 100)]).into();
    results.apply(AgentId(0), &window).unwrap();
    let late = Report::new(&results.finish(&facts(&[&agent])));
    let json = serde_json::to_value(&late).unwrap();
    let ms = |pointer: &str| json.pointer(pointer).and_then(Value::as_f64).unwrap().round();
    assert_eq!((ms("/totals/latency_ms/max"), ms("/totals/service_ms/max")), (200.0, 50.0));
    assert_eq!((ms("/requests/0/latency_ms/p50"), ms("/requests/0/service_ms/p50")), (200.0, 50.0));
    assert_eq!(json["requests"][1]["latency_ms"], json["requests"][1]["service_ms"]);
    assert_eq!(json["groups"][0]["service_ms"], json["user_classes"][0]["service_ms"]);
    let check = |report: &Report, told: bool| {
        let text = render_text(report, Style::Plain);
        let line = "\nservice time: p50 8 ms, p95 50 ms, p99 50 ms (latencies are from the intended start)\n";
        assert_eq!(text.contains(line), told, "{text}");
        assert_eq!(html::render(report).contains("Service p95"), told);
        assert_eq!(summary::render(report).contains("**service time**: p50 8 ms"), told);
    };
    check(&late, true);
    check(&sample(), false);
}
