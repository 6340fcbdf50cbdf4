//! What the agent's operator does not allow does not happen, whatever the plan says: no packet reaches the canary.

use crate::connect::failures;
use crate::rig::{Outcome, Rig, http, plan};
use crate::server::{Answer, Server, Then};
use agent::engine::{EngineEvent, StopMode};
use agent::policy::{Policy, Targets};
use plan::chore::ChoreKind;
use plan::slot::Slot;
use std::num::NonZero;
use std::time::Duration;

/// A policy with these rules of `--allow-target`.
fn allowing(rules: &str) -> Policy {
    let rules = rules.split(',').map(|rule| rule.parse().unwrap_or_else(|e| panic!("{e}")));
    Policy { targets: Targets::new(rules.collect()), ..Policy::open(100) }
}

/// A plan of a class with the keys `http` and one task of `steps`.
fn text(http_keys: &str, steps: &str) -> String {
    format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 1, duration: 1h }}\nusers:\n  User:\n    \
         wait: 1h\n    http: {{ {http_keys} }}\n    tasks:\n      task: {{ steps: [ {steps} ] }}\n"
    )
}

async fn played(policy: Policy, target: &str, http_keys: &str, steps: &str) -> Outcome {
    Rig::allowing(policy, Vec::new()).once(&plan(&text(http_keys, steps), target), 1).await
}

/// A server whose answer to `/away` leads to the canary, and the canary.
fn servers() -> (Server, Server) {
    let canary = Server::start(|_| Answer::ok(""));
    let away = format!("HTTP/1.1 302 Found\r\nlocation: {}/x\r\ncontent-length: 0\r\n\r\n", http(&canary));
    let server = Server::start(move |seen| match seen.path() {
        "/away" => Answer::raw(away.clone(), Then::KeepOpen),
        _ => Answer::ok(""),
    });
    (server, canary)
}

#[tokio::test]
async fn no_way_of_a_plan_leads_where_the_agent_may_not_connect() {
    // What a name is, and where an URL leads, is known only when the step runs.
    let check = async |http_keys: &str, steps: &str, expected: &str| {
        let (server, canary) = servers();
        let fill = |text: &str| {
            let text = text.replace("CANARY_PORT", &canary.address.port().to_string());
            text.replace("CANARY", &canary.address.to_string())
        };
        let rules = format!("{},name.test", server.address);
        let (http_keys, steps) = (fill(http_keys), fill(steps));
        let outcome = played(allowing(&rules), &http(&server), &http_keys, &steps).await;
        let expected = fill(expected).replace("RULES", &rules);
        assert_eq!(failures(&outcome), [expected], "{steps}");
        assert_eq!(canary.truth().connections, 0, "{steps}");
    };
    let refused = "1 Forbidden: CANARY is not in --allow-target RULES; start the agent with \
                   --allow-target RULES,CANARY";
    check("", "{ get: / }, { get: /away }", refused).await;
    check("", "{ get: \"http://${'127.0.0.1'}:CANARY_PORT/\" }", refused).await;
    check("version: 2", "{ get: \"http://${'127.0.0.1'}:CANARY_PORT/\" }", refused).await;
    check("source: 127.0.0.2", "{ get: \"http://${'127.0.0.1'}:CANARY_PORT/\" }", refused).await;
    check("", "{ get: \"http://${'0x7f.1'}:CANARY_PORT/\" }", refused).await;
    let socket = "{ websocket: \"ws://${'127.0.0.1'}:CANARY_PORT/\", messages: [ { send: x } ] }";
    // The session fails with its handshake.
    check("", socket, &refused.replacen('1', "2", 1)).await;
    let named = "1 Forbidden: CANARY (`name.test` by the plan's `resolve`) is not in \
                 --allow-target RULES; start the agent with --allow-target RULES,CANARY";
    check("resolve: { name.test: \"CANARY\" }", "{ get: \"http://${'name'}.test/\" }", named).await;
    check(
        "proxy: \"http://CANARY\", no_proxy: [ 127.0.0.1 ]",
        "{ get: \"http://${'name'}.test/\" }",
        refused,
    )
    .await;
    let never = "1 Forbidden: no agent ever connects to 169.254.169.254:80: link-local addresses, where clouds hand \
                 out credentials; no --allow-target changes that";
    check("", "{ get: \"http://${'169.254'}.169.254/\" }", never).await;
    check("", "{ get: \"http://${'2852039166'}/\" }", never).await;
}

#[tokio::test]
async fn a_proxy_is_not_asked_to_go_where_the_agent_may_not() {
    let check = async |rules: &str, steps: &str, expected: &str, seen: usize| {
        let proxy = Server::start(|_| Answer::ok(""));
        let (port, fill) =
            (proxy.address.port(), |text: &str| text.replace("PROXY", &proxy.address.to_string()));
        let rules = fill(rules);
        let keys = fill("proxy: \"http://PROXY\"");
        let outcome =
            played(allowing(&rules), "http://api.test", &keys, &format!("{{ get: / }}, {steps}")).await;
        let expected = fill(expected).replace("RULES", &rules).replace("PORT", &port.to_string());
        assert_eq!(failures(&outcome), [expected], "{steps}");
        assert_eq!(proxy.truth().requests.len(), seen, "{steps}");
    };
    let address = "1 Forbidden: 8.8.8.8:80 is not in --allow-target RULES; start the agent with \
                   --allow-target RULES,8.8.8.8:80";
    check("PROXY,api.test", "{ get: \"http://${'8.8.8.8'}/\" }", address, 1).await;
    let name = "1 Forbidden: `b.test:80` (resolved by the proxy PROXY) is not in --allow-target RULES; \
                start the agent with --allow-target RULES,b.test:80";
    check("PROXY,api.test", "{ get: \"http://${'b'}.test/\" }", name, 1).await;
    // The proxy goes by the host that the request gives.
    let host = "{ get: /x, headers: { host: 169.254.169.254 } }";
    let never = "1 Forbidden: no agent ever connects to 169.254.169.254:80: link-local addresses, where clouds hand \
                 out credentials; no --allow-target changes that";
    check("any", host, never, 1).await;
    check(
        "any",
        "{ get: /x, headers: { host: \"b.test:99\" } }, { get: \"http://${'169.254'}.169.254/\" }",
        never,
        2,
    )
    .await;
}

#[tokio::test]
async fn a_plan_that_is_forbidden_as_it_is_written_is_not_prepared() {
    let check = async |rules: &str, target: &str, http_keys: &str, steps: &str, expected: &str| {
        let mut rig = Rig::allowing(allowing(rules), Vec::new());
        let why = rig.prepare(&plan(&text(http_keys, steps), target)).await.expect_err("it is forbidden");
        assert_eq!(why, expected);
    };
    let get = "{ get: / }";
    check(
        "loopback,private",
        "http://203.0.113.7",
        "",
        get,
        "target `http://203.0.113.7/`: 203.0.113.7:80 is not in --allow-target loopback,private; start the \
         agent with --allow-target loopback,private,203.0.113.7:80",
    )
    .await;
    check(
        "any",
        "http://[::ffff:a9fe:a9fe]",
        "",
        get,
        "target `http://[::ffff:a9fe:a9fe]/`: no agent ever connects to [::ffff:169.254.169.254]:80: link-local \
         addresses, where clouds hand out credentials; no --allow-target changes that",
    )
    .await;
    check(
        "127.0.0.1:8000",
        "http://127.0.0.1:8000",
        "",
        "{ group: g, steps: [ { if: \"1 == 1\", then: [ { get: \"https://127.0.0.2/a/${user.slot}\" } ] } ] }",
        "URL `https://127.0.0.2/a/{user.slot}`: 127.0.0.2:443 is not in --allow-target 127.0.0.1:8000; \
         start the agent with --allow-target 127.0.0.1:8000,127.0.0.2:443",
    )
    .await;
    check(
        "api.test",
        "http://api.test",
        "resolve: { api.test: 10.0.0.1 }",
        get,
        "target `http://api.test/`: 10.0.0.1:80 (`api.test` by the plan's `resolve`) is not in \
         --allow-target api.test; start the agent with --allow-target api.test,10.0.0.1:80",
    )
    .await;
    check(
        "any",
        "http://api.test",
        "unix: /run/api.sock",
        get,
        "target `http://api.test/`: the Unix socket /run/api.sock is not in --allow-target any; start the \
         agent with --allow-target any,unix:/run/api.sock",
    )
    .await;
    check(
        "api.test",
        "http://api.test",
        "proxy: \"http://10.0.0.9:3128\"",
        get,
        "target `http://api.test/`: 10.0.0.9:3128 is not in --allow-target api.test; start the agent with \
         --allow-target api.test,10.0.0.9:3128",
    )
    .await;
}

#[tokio::test]
async fn chores_go_no_further_than_users() {
    let (server, canary) = servers();
    let text = "version: 1\nname: test\ntarget: TARGET\nload: { users: 1, duration: 1h }\nsetup: [ { get: /away } ]\n\
                users:\n  User:\n    tasks:\n      task: { get: / }\n";
    let mut rig = Rig::allowing(allowing(&server.address.to_string()), Vec::new());
    rig.prepare(&plan(text, &http(&server))).await.expect("nobody knows before");
    rig.engine.chore(ChoreKind::Setup);
    let EngineEvent::ChoreDone(outcome) = rig.event().await else { panic!("the end of setup") };
    let failed = outcome.failed.expect("it may not go there");
    assert!(failed.contains(&format!("{} is not in --allow-target", canary.address)), "{failed}");
    assert_eq!(canary.truth().connections, 0);
}

fn held_back(outcome: &Outcome) -> u64 {
    outcome.windows.iter().map(|second| second.health.held_back).sum()
}

fn loaded(load: &str, wait: &str, steps: &str) -> String {
    format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ {load} }}\nusers:\n  User:\n    wait: {wait}\n    tasks:\n      \
         task: {{ steps: [ {steps} ] }}\n"
    )
}

/// A run of all its users with at most so many requests per second.
async fn capped(rps: u32, text: &str, users: u32) -> (Outcome, usize) {
    let away = "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n";
    let server = Server::start(move |seen| match seen.path() {
        "/away" => Answer::raw(away, Then::KeepOpen),
        _ => Answer::ok(""),
    });
    let policy = Policy { max_rps: NonZero::new(rps), ..Policy::open(100) };
    let mut rig = Rig::allowing(policy, Vec::new());
    rig.begin(&plan(text, &http(&server)), (0..users).map(Slot).collect()).await;
    let outcome = rig.finish().await;
    let seen = server.truth().requests.len();
    (outcome, seen)
}

#[tokio::test]
async fn all_users_together_make_no_more_requests_than_the_cap() {
    let load = "users: 8, duration: 2s";
    for steps in ["{ get: / }", "{ get: /away }"] {
        let (outcome, seen) = capped(20, &loaded(load, "none", steps), 8).await;
        // Two seconds, and what waited when they were over.
        assert!((5..=2 * 20 + 1 + 2 * 8).contains(&seen), "{steps}: {seen}");
        assert_eq!((seen as u64, outcome.total.failed), (outcome.total.ok, 0), "{steps}");
        assert!(held_back(&outcome) > 0, "{steps}");
        let seconds = &outcome.windows[..2];
        let started: u64 = seconds.iter().map(|second| second.window.started).sum();
        assert!(started <= 2 * 20 + 1, "{steps}: {started}");
        let first = outcome.total.latency.percentile(metrics::Percentile::P50);
        assert!(
            first.is_some_and(|p50| p50 < Duration::from_millis(400)),
            "waiting for the cap is no latency"
        );
    }
    let (outcome, _) = capped(1_000_000, &loaded(load, "500ms", "{ get: / }"), 8).await;
    assert_eq!(held_back(&outcome), 0, "it is far away");
}

#[tokio::test]
async fn arrivals_that_the_cap_holds_back_are_late_or_dropped() {
    let text = loaded("arrivals: 100/s, max_users: 4, duration: 2s", "none", "{ get: / }");
    let (outcome, seen) = capped(10, &text, 4).await;
    assert!(seen <= 2 * 10 + 1 + 4, "{seen}");
    let dropped: u64 = outcome.windows.iter().map(|second| second.window.arrivals.dropped).sum();
    assert!(dropped > 100, "{dropped} of 200 were dropped");
    let longest = outcome.total.latency.max().expect("requests");
    assert!(longest > Duration::from_millis(200), "four wait for a tenth of a second each: {longest:?}");
}

#[tokio::test]
async fn a_run_that_is_too_long_is_not_prepared() {
    let policy = || Policy { max_run_time: Some(Duration::from_mins(30)), ..Policy::open(1) };
    let mut rig = Rig::allowing(policy(), Vec::new());
    let long = loaded("users: 1, duration: 30m, stop_timeout: 10s", "1s", "{ get: / }");
    let why = rig.prepare(&plan(&long, "http://127.0.0.1:1")).await.expect_err("it is too long");
    assert_eq!(
        why,
        "the run may take 30m10s (its load 30m, and `stop_timeout` 10s), and --max-run-time is 30m; make the run \
         shorter, or start the agent with --max-run-time 30m10s"
    );
    let short = loaded("users: 1, duration: 29m50s, stop_timeout: 10s", "1s", "{ get: / }");
    rig.prepare(&plan(&short, "http://127.0.0.1:1")).await.expect("it fits");
}

#[tokio::test]
async fn a_run_that_lasts_too_long_all_the_same_is_stopped() {
    let server = Server::start(|_| Answer { held: true, ..Answer::ok("") });
    let policy = Policy { max_run_time: Some(Duration::from_secs(2)), ..Policy::open(1) };
    let mut rig = Rig::allowing(policy, Vec::new());
    let text = loaded("users: 1, duration: 1s, stop_timeout: 1s", "1s", "{ get: /, timeout: 1h }");
    rig.begin(&plan(&text, &http(&server)), vec![Slot(0)]).await;
    rig.window().await;
    // Whoever stops a run can leave its users time.
    let outcome = rig.stop(StopMode::Graceful { timeout: Duration::from_hours(24) }).await;
    assert_eq!((outcome.started, outcome.aborted), (1, 1));
}
