//! Conversations with a scripted server: what is said, checked and counted.

use crate::raw::{Peer, Raw, frame};
use crate::rig::{Outcome, Rig, plan};
use agent::engine::StopMode;
use metrics::SeriesStats;
use plan::Plan;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

const PATIENT: StopMode = StopMode::Graceful { timeout: Duration::from_hours(1) };

/// One user that has one conversation with these keys.
pub(crate) fn text(keys: &str) -> String {
    format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 1, duration: 1h }}\n\
         users:\n  User:\n    wait: 1h\n    tasks:\n      talk: {{ websocket: /ws, name: ws, {keys} }}\n"
    )
}

/// What became of each series that has anything: `name: ok+failed`, its messages, and its failures.
pub(crate) fn told(plan: &Plan, outcome: &Outcome) -> String {
    let mut told = String::new();
    for series in &plan.series {
        let mut total = SeriesStats::default();
        let windows = outcome.windows.iter().map(|window| &window.window);
        windows.clone().filter_map(|w| w.series.get(&series.id)).for_each(|stats| total.merge(stats));
        if total.is_empty() {
            continue;
        }
        write!(told, "{} {}: {}+{}", series.method(), series.name, total.ok, total.failed).unwrap();
        if total.messages_sent + total.messages_received > 0 {
            write!(told, " ({} out, {} in)", total.messages_sent, total.messages_received).unwrap();
        }
        told.push('\n');
        for row in windows.flat_map(|w| w.errors.rows()).filter(|row| row.series == series.id) {
            writeln!(told, "  {:?}: {}", row.kind, row.message).unwrap();
        }
    }
    told
}

pub(crate) async fn run(
    keys: &str,
    script: impl Fn(&mut Peer) + Send + Sync + 'static,
) -> (Arc<Plan>, Outcome) {
    let mut server = Raw::start(script);
    let plan = plan(&text(keys), &format!("http://{}", server.address));
    let rig = Rig::running(&plan, 1).await;
    server.served().await;
    let outcome = rig.stop(PATIENT).await;
    assert_eq!(outcome.aborted, 0);
    (plan, outcome)
}

pub(crate) async fn check(keys: &str, script: impl Fn(&mut Peer) + Send + Sync + 'static, expected: &str) {
    let (plan, outcome) = run(keys, script).await;
    let expected: Vec<&str> = expected.trim_start_matches('\n').lines().map(|line| &line[8..]).collect();
    assert_eq!(told(&plan, &outcome).trim_end(), expected.join("\n"), "{keys}");
}

#[tokio::test]
async fn a_conversation_is_measured_and_correlated() {
    let script = |peer: &mut Peer| {
        assert!(peer.head.starts_with("GET /ws?v=1 HTTP/1.1\r\n"), "{}", peer.head);
        assert_eq!(peer.header("x-slot"), Some("0"));
        assert_eq!(peer.header("sec-websocket-protocol"), Some("a.v1, b.v1"));
        let acceptance = peer.acceptance("sec-websocket-protocol: b.v1\r\n");
        // The first message comes with the answer.
        peer.write(&[acceptance.as_bytes(), &frame(0x81, b"\"hello\"")].concat());
        assert_eq!(peer.read_text().as_deref(), Some("{\"id\":7,\"slot\":0}"));
        peer.text("no JSON");
        peer.text("{\"id\":6}");
        peer.text("{\"id\":7,\"token\":\"t\"}");
        assert_eq!(peer.read_text().as_deref(), Some("got t"));
        assert_eq!(peer.read(), Some((0x82, vec![0, 1, 2])));
        peer.write(&frame(0x89, b"are you there"));
        assert_eq!(peer.read(), Some((0x8a, b"are you there".to_vec())));
        let ping = peer.read().expect("a ping");
        assert_eq!(ping.0, 0x89);
        peer.write(&frame(0x8a, &ping.1));
        peer.write(&frame(0x02, b"\xff"));
        peer.write(&frame(0x80, b"\xfe"));
        assert_eq!(peer.read(), Some((0x88, b"\x0f\xa0bye 0".to_vec())));
        peer.close(4000, "bye 0");
    };
    check(
        "query: { v: 1 }, headers: { x-slot: \"${user.slot}\" }, subprotocols: [ a.v1, b.v1 ], messages: [ \
         { receive: { name: hello, expect: { that: \"message == 'hello'\" } } }, \
         { send: { id: 7, slot: \"${user.slot}\" } }, \
         { receive: { until: message.id == sent.id, save: { token: $.token }, expect: { json: { $.id: 7 } } } }, \
         { send: \"got ${token}\" }, { send_binary: AAEC }, { think: 10ms }, { ping: {} }, \
         { receive: { until: message | length == 2 } }, \
         { close: { code: 4000, reason: \"bye ${user.slot}\" } } ]",
        script,
        "
        WS ws: 1+0 (3 out, 5 in)
        SESSION ws / session: 1+0
        RECV ws / hello: 1+0
        RECV ws / receive 2: 1+0
        PING ws / ping: 1+0
        RECV ws / receive 3: 1+0",
    )
    .await;
}

#[tokio::test]
async fn answers_in_another_order_are_measured_each_from_its_own_message() {
    const APART: Duration = Duration::from_millis(300);
    let script = |peer: &mut Peer| {
        peer.accept();
        assert_eq!(peer.read_text().as_deref(), Some("{\"id\":1}"));
        assert_eq!(peer.read_text().as_deref(), Some("{\"id\":2}"));
        peer.text("{\"id\":2,\"part\":1}");
        peer.text("{\"id\":2,\"part\":2}");
        std::thread::sleep(APART);
        peer.text("{\"id\":1,\"part\":2}");
        peer.text("{\"id\":9}");
        peer.until_closed();
        peer.until_gone();
    };
    let until = "until: message.id == sent.id and message.part == 2";
    let keys = format!(
        "messages: [ {{ send: {{ id: 1 }}, as: one }}, {{ think: 300ms }}, {{ send: {{ id: 2 }}, as: two }}, \
         {{ receive: {{ name: one, answers: one, {until} }} }}, \
         {{ receive: {{ name: two, answers: two, {until} }} }}, \
         {{ receive: {{ name: rest, expect: {{ that: message.id == 9 }} }} }} ]"
    );
    let (plan, outcome) = run(&keys, script).await;
    let expected = "WS ws: 1+0 (2 out, 4 in)\nSESSION ws / session: 1+0\nRECV ws / one: 1+0\nRECV ws / two: 1+0\n\
                    RECV ws / rest: 1+0\n";
    assert_eq!(told(&plan, &outcome), expected);
    let least = |name: &str| {
        let series = plan.series.iter().find(|series| series.name == name).expect("the series");
        let of_series = outcome.windows.iter().filter_map(|window| window.window.series.get(&series.id));
        of_series.filter_map(|stats| stats.latency.min()).min().expect("a sample")
    };
    // The second message went after the first, and its answer came before: it had waited when it was asked for.
    let (one, two) = (least("ws / one"), least("ws / two"));
    assert!(one >= 2 * APART && one >= two + APART, "{one:?} {two:?}");
}

#[tokio::test]
async fn an_answer_to_what_was_never_sent_is_one_failure() {
    check(
        "messages: [ { if: user.slot > 9, then: [ { send: x, as: one } ] }, { receive: { answers: one } } ]",
        |peer| {
            peer.accept();
            peer.until_gone();
        },
        "
        WS ws: 1+0
        SESSION ws / session: 0+1
          Template: answers: no message has been sent as `one`
        RECV ws / receive 1: 0+1
          Template: answers: no message has been sent as `one`",
    )
    .await;
}

#[tokio::test]
async fn loops_branches_and_requests_run_beside_it() {
    let script = |peer: &mut Peer| {
        if peer.head.starts_with("GET /other") {
            peer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}");
            return;
        }
        peer.accept();
        for n in 0..3 {
            assert_eq!(peer.read_text(), Some(format!("{n}")));
            peer.text(&format!("{n}"));
        }
        assert_eq!(peer.read(), Some((0x88, b"\x03\xe8".to_vec())));
        peer.close(1000, "");
        peer.until_gone();
    };
    check(
        "messages: [ { set: { n: 0 } }, { repeat: 3, steps: [ { send: \"${n}\" }, \
         { receive: { until: message == n } }, { get: /other }, { set: { n: \"${n + 1}\" } } ] }, \
         { if: n == 3, then: [ { close: {} } ] }, { send: never } ]",
        script,
        "
        WS ws: 1+0 (3 out, 3 in)
        SESSION ws / session: 1+0
        RECV ws / receive 1: 3+0
        GET GET /other: 3+0",
    )
    .await;
}

#[tokio::test]
async fn checks_of_messages() {
    let says = |texts: &'static [&'static str]| {
        move |peer: &mut Peer| {
            peer.accept();
            for text in texts {
                peer.text(text);
            }
            peer.until_closed();
            peer.until_gone();
        }
    };
    let failed = |inside: &str, expected: &str, messages: usize| {
        format!(
            "
        WS ws: 1+0 (0 out, {messages} in)
        SESSION ws / session: 0+1
          {expected}
        RECV ws / {inside}: 0+1
          {expected}"
        )
    };
    check(
        "messages: [ { receive: { until: message.type == 'done', fail_if: message.type == 'error' } } ]",
        says(&["{\"type\":\"progress\"}", "{\"type\":\"error\"}"]),
        &failed("receive 1", "Assertion: `message.type == 'error'` is true (message.type = \"error\")", 2),
    )
    .await;
    check(
        "messages: [ { receive: { expect: { that: message.n > 3 } } } ]",
        says(&["{\"n\":2}"]),
        &failed("receive 1", "Assertion: `message.n > 3` is not true (message.n = 2)", 1),
    )
    .await;
    check(
        "messages: [ { receive: { expect: { json: { $.n: 3 } } } } ]",
        says(&["n"]),
        &failed(
            "receive 1",
            "Assertion: the message is not JSON: EOF while parsing a value at line 1 column 1 (n)",
            1,
        ),
    )
    .await;
    check(
        "messages: [ { receive: { name: it, save: { x: $.x } } } ]",
        says(&["{\"n\":2}"]),
        &failed("it", "Assertion: save `x`: `$.x` found nothing in the message (its keys: n)", 1),
    )
    .await;
    check(
        "messages: [ { receive: { for: 1m, expect: { that: message.n == 2 } } } ]",
        says(&["{\"n\":2}", "{\"n\":3}"]),
        &failed("receive 1", "Assertion: `message.n == 2` is not true (message.n = 3)", 2),
    )
    .await;
    check(
        "messages: [ { receive: { until: message.kind == 2, timeout: 300ms } } ]",
        says(&["{\"n\":2}"]),
        &failed(
            "receive 1",
            "Timeout: a message with `message.kind == 2` did not come within 300 ms \
             (the last message: `message.kind == 2`: there is no `message.kind`)",
            1,
        ),
    )
    .await;
}

#[tokio::test]
async fn a_foreign_marker_fails_the_session_wherever_it_arrives() {
    let keys = |messages: &str| {
        format!(
            "messages: [ {messages} ], isolation: {{ pattern: \"MARK_[0-9]+\", only: \"MARK_${{user.slot}}\" }}"
        )
    };
    let script = |peer: &mut Peer| {
        peer.accept();
        peer.text("MARK_0 and MARK_0");
        peer.text("MARK_0, MARK_17");
        peer.until_gone();
    };
    let breach = "Assertion: isolation: a message carries `MARK_17`, which is not this user's";
    check(
        &keys("{ receive: { until: \"'x' in message\" } }"),
        script,
        &format!(
            "
        WS ws: 1+0 (0 out, 2 in)
        SESSION ws / session: 0+1
          {breach}
        RECV ws / receive 1: 0+1
          {breach}"
        ),
    )
    .await;
    let only_session = format!(
        "
        WS ws: 1+0 (0 out, 2 in)
        SESSION ws / session: 0+1
          {breach}"
    );
    check(&keys("{ think: 1h }"), script, &only_session).await;
    let while_closing = |peer: &mut Peer| {
        peer.accept();
        assert_eq!(peer.read_text().as_deref(), Some("x"));
        assert_eq!(peer.read_text(), None);
        peer.text("MARK_17");
        peer.close(1000, "");
    };
    let only_session = only_session.replace("0 out, 2 in", "1 out, 1 in");
    check(&keys("{ send: x }"), while_closing, &only_session).await;
}

#[tokio::test]
async fn isolation_that_is_judged_counts_foreign_markers_and_nothing_else() {
    let keys = "messages: [ { receive: { until: message == 'end', fail_if: message == 'bad' } } ], isolation: { pattern: \
                \"MARK_[0-9]+\", only: \"MARK_${user.slot}\", thresholds: [ \"success_rate >= 100%\" ] }";
    let says = |text: &'static str| {
        move |peer: &mut Peer| {
            peer.accept();
            peer.text("MARK_0");
            peer.text(text);
            peer.until_gone();
        }
    };
    let ends = |text, breach: &str, of_isolation: &str| {
        format!(
            "
        WS ws: 1+0 (0 out, 2 in)
        SESSION ws / session: 0+1
          {breach}
        ISOLATION ws / isolation: {of_isolation}
        RECV ws / receive 1: 0+1
          {text}"
        )
    };
    let foreign = "Assertion: isolation: a message carries `MARK_17`, which is not this user's";
    let told = ends(foreign, foreign, &format!("0+1\n          {foreign}"));
    check(keys, says("MARK_17"), &told).await;
    let bad = "Assertion: `message == 'bad'` is true (message = \"bad\")";
    check(keys, says("bad"), &ends(bad, bad, "1+0")).await;
    let refuses = |peer: &mut Peer| peer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    let refused = "Status: 403 Forbidden, expected 101 Switching Protocols";
    let told = format!(
        "
        WS ws: 0+1
          {refused}
        SESSION ws / session: 0+1
          {refused}"
    );
    check(keys, refuses, &told).await;
}

#[tokio::test]
async fn a_close_that_is_expected_and_one_that_is_not() {
    let closes = |code: u16| {
        move |peer: &mut Peer| {
            peer.accept();
            peer.text("bye");
            peer.close(code, "enough");
            peer.until_gone();
        }
    };
    check(
        "messages: [ { receive: { close: 4001 } } ]",
        closes(4001),
        "
        WS ws: 1+0 (0 out, 1 in)
        SESSION ws / session: 1+0
        RECV ws / receive 1: 1+0",
    )
    .await;
    check(
        "messages: [ { receive: { close: 1000 } } ]",
        closes(1001),
        "
        WS ws: 1+0 (0 out, 1 in)
        SESSION ws / session: 0+1
          Closed: closed by the server with 1001: enough, expected 1000
        RECV ws / receive 1: 0+1
          Closed: closed by the server with 1001: enough, expected 1000",
    )
    .await;
    check(
        "messages: [ { think: 1h } ]",
        closes(1000),
        "
        WS ws: 1+0 (0 out, 1 in)
        SESSION ws / session: 0+1
          Closed: closed by the server with 1000: enough",
    )
    .await;
    let vanishes = |peer: &mut Peer| {
        peer.accept();
        assert_eq!(peer.read_text().as_deref(), Some("x"));
        assert_eq!(peer.read().map(|frame| frame.0), Some(0x89));
    };
    check(
        "messages: [ { send: x }, { ping: {} } ]",
        vanishes,
        "
        WS ws: 1+0 (1 out, 0 in)
        SESSION ws / session: 0+1
          Reset: connection closed without a close frame
        PING ws / ping: 0+1
          Reset: connection closed without a close frame",
    )
    .await;
}

#[tokio::test]
async fn a_template_that_fails_is_one_failure_and_ends_the_session() {
    let script = |peer: &mut Peer| {
        peer.accept();
        peer.text("{}");
        peer.until_closed();
        peer.until_gone();
    };
    check(
        "messages: [ { receive: { save: { m: $ } } }, { send: { n: \"${m.nothing}\" } } ]",
        script,
        "
        WS ws: 1+0 (0 out, 1 in)
        SESSION ws / session: 0+1
          Template: `m.nothing`: `m.nothing` has no value; a step before this one must save it
        RECV ws / receive 1: 1+0
        EVAL steps: 0+1
          Template: `m.nothing`: `m.nothing` has no value; a step before this one must save it",
    )
    .await;
}

#[tokio::test]
async fn a_user_that_is_told_to_stop_says_goodbye() {
    let mut server = Raw::start(|peer| {
        peer.accept();
        peer.text("1");
        assert_eq!(peer.read_text(), None, "the client closes");
        peer.close(1000, "");
    });
    let plan =
        plan(&text("messages: [ { receive: {} }, { think: 1h } ]"), &format!("http://{}", server.address));
    let mut rig = Rig::running(&plan, 1).await;
    while rig.window().await.window.series.is_empty() {}
    let outcome = rig.stop(PATIENT).await;
    server.served().await;
    assert_eq!(told(&plan, &outcome), "WS ws: 1+0 (0 out, 1 in)\nRECV ws / receive 1: 1+0\n");
    assert_eq!((outcome.started, outcome.aborted), (2, 0));
}

#[tokio::test]
async fn what_waits_when_the_run_is_aborted_is_counted_as_aborted() {
    let server = Raw::start(|peer| {
        peer.accept();
        peer.until_gone();
    });
    let plan = plan(&text("messages: [ { receive: {} } ]"), &format!("http://{}", server.address));
    let mut rig = Rig::running(&plan, 1).await;
    while rig.window().await.health.connections == 0 {}
    let outcome = rig.stop(StopMode::Now).await;
    assert_eq!((outcome.started, outcome.aborted), (2, 1));
    assert_eq!(told(&plan, &outcome), "WS ws: 1+0\n");
}
