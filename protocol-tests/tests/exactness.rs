//! What a report says of latencies that are known beforehand.

use protocol_tests::process::{Process, TestDir};
use protocol_tests::recorder::{Recorder, SLOT};
use serde_json::Value;
use std::time::Duration;

/// The report of a run of this plan.
fn run(dir: &TestDir, plan: &str) -> Value {
    let path = dir.write("plan.yaml", plan);
    let args = [path.to_str().expect("an ASCII path"), "--no-ui", "--seed", "7"];
    let ended = Process::start("coordinator", dir.path(), args).wait();
    assert!(matches!(ended.code, Some(0 | 98)), "{}\n{}", ended.out, ended.err);
    protocol_tests::fleet::report(dir)
}

fn latency(totals: &Value, key: &str) -> f64 {
    totals["latency_ms"][key].as_f64().unwrap_or_else(|| panic!("{key} in {totals}"))
}

/// Four endpoints of the demo target answer after exactly 100 ms, 300 ms, 700 ms and 1.5 s; they are asked so often that p50, p90,
/// p99 and p99.9 of all requests together are these four. What the machine itself takes is measured in the same run, at an
/// endpoint that answers at once.
#[test]
fn a_known_law_comes_out_within_the_error_of_the_histogram() {
    let law = |text: &str| text.parse().expect("a law");
    let endpoints = [
        ("auth/health", "constant 100ms"),
        ("generation/list", "constant 300ms"),
        ("payments/list", "constant 700ms"),
        ("generation/{id}", "constant 1500ms"),
        ("seed/{tenant}", "constant 0ms"),
    ];
    let config = endpoints.iter().fold(demo::Config::default(), |config, (name, text)| {
        config.latency(name, law(text)).expect("an endpoint")
    });
    let target = demo::spawn(config).expect("the demo target starts");
    let dir = TestDir::new("law");
    // 70 %, 27 %, 2.5 % and 0.5 %: all ranks are far from the steps.
    let plan = format!(
        "version: 1\nname: law\ntarget: {}\nload: {{ users: 50, duration: 12s }}\n\
         groups: {{ law: {{}}, machine: {{}} }}\n\
         users:\n  Visitor:\n    weight: 12\n    group: law\n    tasks:\n\
         \x20     a: {{ weight: 140, get: /api/v1/auth/health }}\n\
         \x20     b: {{ weight: 54, get: /api/v1/generation/list }}\n\
         \x20     c: {{ weight: 5, get: /api/v1/payments/list }}\n\
         \x20     d: {{ weight: 1, get: /api/v1/generation/unknown }}\n\
         \x20 Prober: {{ weight: 1, group: machine, wait: 10ms, tasks: {{ probe: {{ delete: /api/v1/seed/unknown }} }} }}\n",
        target.url()
    );
    let report = run(&dir, &plan);
    let (law, machine) = (&report["groups"][0], &report["groups"][1]);
    let requests = law["requests"].as_u64().expect("a count");
    assert!(requests > 1_500, "{law}");
    // A database transaction is part of what the machine takes.
    let machine = latency(machine, "p99") + 2.0;
    for (key, exact) in [("p50", 100.0), ("p90", 300.0), ("p99", 700.0), ("p99_9", 1_500.0)] {
        let observed = latency(law, key);
        let most = exact * 1.001 + machine;
        assert!(observed >= exact, "{key} is {observed} ms, the target answers after {exact} ms");
        assert!(
            observed <= most,
            "{key} is {observed} ms, {exact} ms and what the machine takes are at most {most} ms"
        );
        // And the interval holds it, as far as it has ends.
        let interval = &law["latency_ci_ms"][key];
        assert!(interval[0].as_f64().is_none_or(|low| low <= most), "{key}: {interval}");
        assert!(interval[1].as_f64().is_none_or(|high| high >= exact), "{key}: {interval}");
    }
    assert!(latency(law, "min") >= 99.9, "{law}");
}

/// When the target stands still: from 4 s to 7 s after the first request.
const STALL: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(7));

/// Answers at once, but for what arrives in the stall: that at its end.
fn stalling() -> Recorder {
    let (from, to) = STALL;
    Recorder::pausing(move |at| if from <= at { to.saturating_sub(at) } else { Duration::ZERO })
}

fn plan(target: &Recorder, load: &str, wait: &str) -> String {
    format!(
        "version: 1\nname: stall\ntarget: {}\nload: {load}\n\
         users:\n  Visitor: {{ {wait} tasks: {{ look: {{ get: /, headers: {{ {SLOT}: \"${{user.slot}}\" }} }} }} }}\n",
        target.url()
    )
}

/// What loaded machines may take more than the model says, in milliseconds.
const SLACK: f64 = 150.0;

fn check(report: &Value, expected: &[(&str, f64)]) {
    let totals = &report["totals"];
    for (key, model) in expected {
        let observed = latency(totals, key);
        assert!(
            (model - SLACK / 3.0..=model + SLACK).contains(&observed),
            "{key} is {observed} ms, the model says {model} ms: {}",
            totals["latency_ms"]
        );
    }
}

/// 100 arrivals per second for 10 s. Those in the stall of 3 s, 300 of 1000, wait from their arrival to its end: evenly from 3 s
/// down to nothing. So a share `1 - p` of all waits longer than `3 s - 10 s · (1 - p)`.
#[test]
fn a_stall_shows_in_an_open_load_as_the_model_says() {
    let target = stalling();
    let dir = TestDir::new("stall-open");
    let report = run(&dir, &plan(&target, "{ arrivals: 100/s, max_users: 400, duration: 10s }", ""));
    assert_eq!(report["totals"]["requests"], 1000, "{}", report["reasons"]);
    assert_eq!(report["arrivals"]["dropped"], 0);
    let model = |p: f64| 3_000.0 - 10_000.0 * (1.0 - p);
    check(
        &report,
        &[
            ("p50", 0.0),
            ("p75", model(0.75)),
            ("p90", model(0.9)),
            ("p95", model(0.95)),
            ("p99", model(0.99)),
            ("p99_9", model(0.999)),
            ("max", 3_000.0),
            // 300 wait for 1.5 s on average.
            ("mean", 450.0),
        ],
    );
}

/// 10 users that come every 100 ms. In a stall each of them waits once, from its own moment within 100 ms of its beginning. The
/// iteration after that should have begun 100 ms after that moment: counted from there it is slow, too, though its request
/// is answered at once. The rest is as fast as ever, and nobody catches up.
#[test]
fn a_stall_shows_twice_in_a_paced_load() {
    let target = stalling();
    let dir = TestDir::new("stall-paced");
    let report = run(&dir, &plan(&target, "{ users: 10, duration: 12s }", "wait: pacing 100ms,"));
    let requests = report["totals"]["requests"].as_u64().expect("a count");
    // 100 a second for 9 s, and one each that waited; a machine that is late makes a few less.
    assert!((700..=920).contains(&requests), "{requests} requests");
    // 20 of them, 2.2 %, are slow: 10 by 2.9 s to 3 s and 10 by 2.8 s to 2.9 s.
    check(&report, &[("p50", 0.0), ("p95", 0.0), ("max", 3_000.0)]);
    let p99 = latency(&report["totals"], "p99");
    assert!((2_800.0 - SLACK..=3_000.0 + SLACK).contains(&p99), "{p99} ms");
    let mean = latency(&report["totals"], "mean");
    let model = 20.0 * 2_900.0 / requests as f64;
    assert!((model * 0.9..=model * 1.1 + 5.0).contains(&mean), "mean {mean} ms, the model says {model} ms");
    // Counted from when they were sent, 10 of them were answered at once.
    let service = |key: &str| report["totals"]["service_ms"][key].as_f64().expect("a service time");
    let model = 10.0 * 2_950.0 / requests as f64;
    let mean = service("mean");
    assert!((model * 0.9..=model * 1.1 + 5.0).contains(&mean), "mean {mean} ms, the model says {model} ms");
    assert!(
        (2_900.0 - SLACK / 3.0..=3_000.0 + SLACK).contains(&service("max")),
        "{}",
        report["totals"]["service_ms"]
    );
}
