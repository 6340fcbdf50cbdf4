//! What targets do wrong: one counted failure each, with a message that says what, and the user goes on.

use crate::rig::{Rig, http, plan};
use crate::server::{Answer, Seen, Server, Then};
use agent::engine::StopMode;
use std::io::Write as _;
use std::time::Duration;

fn answer(headers: &str, body: &[u8], then: Then) -> Answer {
    let mut bytes = format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Answer::raw(bytes, then)
}

fn script(seen: &Seen) -> Answer {
    let whole = |body: &[u8]| answer("", body, Then::KeepOpen);
    match seen.path() {
        "/html" => whole(b"<html>busy</html>"),
        "/latin1" => whole(b"{\"name\": \"Jos\xe9\"}"),
        "/binary" => whole(&[0, 159, 146, 150, 255, 0]),
        "/deep" => whole("[".repeat(100_000).as_bytes()),
        "/nothing" => whole(b""),
        "/loop" => {
            Answer::raw("HTTP/1.1 302 x\r\nlocation: /loop\r\ncontent-length: 0\r\n\r\n", Then::KeepOpen)
        }
        "/cut" => Answer::raw("HTTP/1.1 200 x\r\ncontent-length: 99\r\n\r\n{\"id\":", Then::Close),
        "/huge" => Answer::raw("HTTP/1.1 200 x\r\ncontent-length: 10737418240\r\n\r\n{", Then::Hang),
        "/endless" => {
            let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
            let head = "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n";
            Answer::raw(format!("{head}{chunk}{chunk}"), Then::Hang)
        }
        "/bomb" => {
            let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            bomb.write_all(&vec![b' '; 8 << 20]).expect("a Vec takes anything");
            answer(
                "content-encoding: gzip\r\n",
                &bomb.finish().expect("a Vec takes anything"),
                Then::KeepOpen,
            )
        }
        "/lie" => answer("content-encoding: br\r\n", b"not compressed at all", Then::KeepOpen),
        "/header" => {
            Answer::raw(b"HTTP/1.1 200 x\r\nx-id: \xff\xfe\r\ncontent-length: 2\r\n\r\n{}", Then::KeepOpen)
        }
        "/smuggle" => {
            Answer::raw("HTTP/1.1 200 x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", Then::KeepOpen)
        }
        _ => Answer::ok("{}"),
    }
}

/// The one failure of a user that makes `step`, and goes on.
async fn failure(step: &str) -> String {
    let server = Server::start(script);
    let text = format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 1, duration: 1h }}\nusers:\n  User:\n    \
         wait: 1ms\n    http: {{ body_limit: 100kB }}\n    tasks:\n      task:\n        steps: [ {{ if: user.iteration == 0, \
         then: [ {{ {step} }} ] }}, {{ get: /after }} ]\n"
    );
    let rig = Rig::running(&plan(&text, &http(&server)), 1).await;
    // The user goes on.
    server.until(|truth| truth.requests.iter().any(|seen| seen.path() == "/after")).await;
    let outcome = rig.stop(StopMode::Graceful { timeout: Duration::from_hours(1) }).await;
    assert_eq!(outcome.aborted, 0);
    let all: Vec<_> =
        outcome.failures.iter().map(|(kind, (n, text))| format!("{n} {kind:?}: {text}")).collect();
    assert_eq!(all.len(), 1, "{step}: {all:?}");
    all[0].clone()
}

#[tokio::test]
async fn every_wrong_answer_is_one_clear_failure() {
    let json = "expect: { that: \"json.id == 1\" }";
    let check = async |step: String, expected: &str| {
        let got = failure(&step).await;
        assert!(got.starts_with(&format!("1 {expected}")), "{step}: {got}");
    };
    for path in ["/html", "/latin1", "/binary", "/deep", "/nothing", "/header"] {
        let expected = if path == "/header" { "Assertion: " } else { "Assertion: the body is not JSON" };
        check(format!("get: {path}, {json}"), expected).await;
    }
    check("get: /binary, save: { id: $.id }".into(), "Assertion: ").await;
    check("get: /binary, expect: { that: \"'ok' in body\" }".into(), "Assertion: ").await;
    check(format!("get: /loop, {json}"), "Protocol: more than 10 redirects, in a loop").await;
    let cut = "Reset: connection closed before the response was complete";
    check(format!("get: /cut, {json}"), cut).await;
    check("get: /cut".into(), cut).await;
    let large = "TooLarge: the response body is larger than the limit of 100000 bytes";
    check(format!("get: /huge, {json}"), large).await;
    check(format!("get: /endless, {json}"), large).await;
    let huge = "TooLarge: the response body is larger than the limit of 1073741824 bytes";
    check("get: /huge".into(), huge).await;
    let bomb = "TooLarge: the decoded response body is larger than the limit of 100000 bytes";
    check(format!("get: /bomb, {json}"), bomb).await;
    check(format!("get: /lie, {json}"), "Protocol: the body is not valid br").await;
    check("get: /smuggle".into(), "Protocol: ").await;
}
