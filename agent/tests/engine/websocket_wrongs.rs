//! Servers that break the protocol: each wrong is one counted failure with a clear message.

use crate::raw::{Peer, close, frame};
use crate::websocket::{check, run, told};
use agent::engine::MAX_MESSAGE_BYTES;
use std::time::Duration;

/// A handshake that fails with `expected`, and so does the session.
async fn refused(keys: &str, answer: impl Fn(&Peer) -> Vec<u8> + Send + Sync + 'static, expected: &str) {
    let keys = format!("{keys} messages: [ {{ receive: {{}} }} ]");
    let script = move |peer: &mut Peer| {
        let answer = answer(peer);
        peer.write(&answer);
    };
    let (plan, outcome) = run(&keys, script).await;
    let expected = format!("WS ws: 0+1\n  {expected}\nSESSION ws / session: 0+1\n  {expected}\n");
    assert_eq!(told(&plan, &outcome), expected, "{keys}");
}

/// A receive that fails with `expected` after the server has said `bytes`, and so does the session.
async fn spoilt(bytes: Vec<u8>, counts: &str, expected: &str) {
    let script = move |peer: &mut Peer| {
        peer.accept();
        peer.write(&bytes);
        peer.until_gone();
    };
    let (plan, outcome) =
        run("messages: [ { receive: { timeout: 20s, until: message == 1 } } ]", script).await;
    let expected = format!(
        "WS ws: 1+0{counts}\nSESSION ws / session: 0+1\n  {expected}\nRECV ws / receive 1: 0+1\n  {expected}\n"
    );
    assert_eq!(told(&plan, &outcome), expected);
}

#[tokio::test]
async fn wrong_answers_to_the_handshake() {
    refused("", |_| b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), "Status: 200 OK, expected 101 Switching Protocols")
        .await;
    refused(
        "",
        |_| b"HTTP/1.1 403 No\r\n\r\n".to_vec(),
        "Status: 403 Forbidden, expected 101 Switching Protocols",
    )
    .await;
    refused("", |_| b"SSH-2.0-x\r\n".to_vec(), "Protocol: the answer to the handshake is not HTTP").await;
    refused("", |_| b"HTTP/1.1 101 ".to_vec(), "Reset: connection closed during the handshake").await;
    refused(
        "",
        |_| b"HTTP/1.1 1x1 x\r\n\r\n".to_vec(),
        "Protocol: the answer to the handshake: invalid response status",
    )
    .await;
    refused(
        "",
        |_| b"HTTP/1.1 101 x\r\nconnection: upgrade\r\n\r\n".to_vec(),
        "Protocol: 101 without `upgrade: websocket` and `connection: upgrade`",
    )
    .await;
    refused(
        "",
        |peer| peer.acceptance("").replace("accept: ", "accept: x").into_bytes(),
        "Protocol: the server's sec-websocket-accept does not fit the key",
    )
    .await;
    refused(
        "",
        |peer| peer.acceptance("sec-websocket-extensions: permessage-deflate\r\n").into_bytes(),
        "Protocol: the server uses an extension; none was offered",
    )
    .await;
    refused(
        "subprotocols: [ a, b ],",
        |peer| peer.acceptance("").into_bytes(),
        "Protocol: the server chose none of the subprotocols a, b",
    )
    .await;
    refused(
        "subprotocols: [ a, b ],",
        |peer| peer.acceptance("sec-websocket-protocol: c\r\n").into_bytes(),
        "Protocol: the server chose the subprotocol `c`; offered were a, b",
    )
    .await;
    refused(
        "",
        |peer| peer.acceptance("sec-websocket-protocol: c\r\n").into_bytes(),
        "Protocol: the server chose the subprotocol `c`; none was offered",
    )
    .await;
    refused(
        "",
        |peer| peer.acceptance(&format!("x: {}\r\n", "y".repeat(100_000))).into_bytes(),
        "TooLarge: the answer to the handshake is larger than 32768 bytes",
    )
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_the_handshake() {
    check(
        "timeout: 200ms, messages: [ { receive: {} } ]",
        Peer::until_gone,
        "
        WS ws: 0+1
          Timeout: timed out after 200 ms waiting for the first byte of the response
        SESSION ws / session: 0+1
          Timeout: timed out after 200 ms waiting for the first byte of the response",
    )
    .await;
}

#[tokio::test]
async fn garbage_frames() {
    spoilt(b"\xf1\x00".to_vec(), "", "Protocol: WebSocket: Reserved bits are non-zero").await;
    spoilt(b"\x83\x00".to_vec(), "", "Protocol: WebSocket: Encountered invalid opcode: 3").await;
    spoilt(b"\x80\x01x".to_vec(), "", "Protocol: WebSocket: Continue frame but nothing to continue").await;
    spoilt(
        b"\x89\x7e\x00\x80".to_vec().into_iter().chain([0; 128]).collect(),
        "",
        "Protocol: WebSocket: Control frame too big (payload must be 125 bytes or less)",
    )
    .await;
    spoilt(
        b"\x81\x81\x01\x02\x03\x04\x30".to_vec(),
        "",
        "Protocol: WebSocket: Received a masked frame from server",
    )
    .await;
    spoilt(frame(0x81, b"\xff\xfe"), "", "Protocol: text that is not UTF-8").await;
    let split = [frame(0x01, b"\xe2\x82"), frame(0x80, b"x")].concat();
    spoilt(split, "", "Protocol: text that is not UTF-8").await;
    let cut = [frame(0x01, b"\xe2\x82"), frame(0x80, b"")].concat();
    spoilt(cut, "", "Protocol: text that is not UTF-8").await;
    let between = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    spoilt(between, "", "Protocol: WebSocket: While waiting for more fragments received: TEXT").await;
    spoilt(frame(0x09, b""), "", "Protocol: WebSocket: Fragmented control frame").await;
    spoilt(frame(0x88, b"\x03"), "", "Protocol: WebSocket: Invalid close sequence").await;
    // The library puts this in the place of a code that must not be sent.
    spoilt(close(1005, ""), "", "Closed: closed by the server with 1002: Protocol violation").await;
    spoilt(frame(0x88, b"\x03\xe8\xff"), "", "Protocol: text that is not UTF-8").await;
    let huge = [&[0x82, 127][..], &(1_u64 << 40).to_be_bytes()].concat();
    spoilt(huge, "", "TooLarge: a message is larger than the limit of 16777216 bytes").await;
    spoilt(close(1011, "over\u{1b}loaded"), "", "Closed: closed by the server with 1011: over\u{fffd}loaded")
        .await;
    spoilt(
        [frame(0x81, b"2"), close(1000, "")].concat(),
        " (0 out, 1 in)",
        "Closed: closed by the server with 1000",
    )
    .await;
}

#[tokio::test]
async fn a_message_without_end_is_cut_off() {
    let script = |peer: &mut Peer| {
        peer.accept();
        peer.write(&frame(0x01, b"a"));
        let part = frame(0x00, &vec![b'a'; 1 << 20]);
        for _ in 0..=MAX_MESSAGE_BYTES >> 20 {
            peer.write(&part);
        }
        peer.until_gone();
    };
    check(
        "messages: [ { receive: {} } ]",
        script,
        "
        WS ws: 1+0
        SESSION ws / session: 0+1
          TooLarge: a message is larger than the limit of 16777216 bytes
        RECV ws / receive 1: 0+1
          TooLarge: a message is larger than the limit of 16777216 bytes",
    )
    .await;
}

#[tokio::test]
async fn endless_empty_fragments_do_not_outlast_the_timeout() {
    let script = |peer: &mut Peer| {
        peer.accept();
        peer.write(&frame(0x01, b""));
        let parts = frame(0x00, b"").repeat(4096);
        let over = std::time::Instant::now() + Duration::from_secs(2);
        while std::time::Instant::now() < over {
            peer.write(&parts);
        }
    };
    check(
        "messages: [ { receive: { timeout: 300ms } } ]",
        script,
        "
        WS ws: 1+0
        SESSION ws / session: 0+1
          Timeout: a message did not come within 300 ms
        RECV ws / receive 1: 0+1
          Timeout: a message did not come within 300 ms",
    )
    .await;
}

#[tokio::test]
async fn messages_that_nobody_takes_are_bounded() {
    let script = |peer: &mut Peer| {
        peer.accept();
        let part = frame(0x82, &vec![0; 1 << 20]);
        for _ in 0..=17 {
            peer.write(&part);
        }
        peer.until_gone();
    };
    let (plan, outcome) = run("messages: [ { think: 1h } ]", script).await;
    let told = told(&plan, &outcome);
    let expected = "SESSION ws / session: 0+1\n  TooLarge: more than 16777216 bytes of messages wait that no `receive` took\n";
    assert!(told.ends_with(expected), "{told}");
}
