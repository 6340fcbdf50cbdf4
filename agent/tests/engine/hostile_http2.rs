//! Peers that break the rules of HTTP/2 frame by frame: each is one counted failure, within the timeout and within
//! bounds, and the user goes on.

use crate::hostile::{HURRIED, KEPT, Misdeed, failure, says};
use crate::raw::Peer;

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

/// `:status: 200` in HPACK.
const OK: &[u8] = b"\x88";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The server's preface and then `frames`.
fn opening(frames: &[Vec<u8>]) -> Vec<u8> {
    [frame(SETTINGS, 0, 0, b""), frames.concat()].concat()
}

/// A server that keeps the rules: 200 for every stream.
fn answers_well(peer: &mut Peer) {
    peer.write(&opening(&[]));
    // The rest of the client's preface.
    let mut answered = peer.exactly(6).is_some();
    while let Some(head) = peer.exactly(9).filter(|_| answered) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        answered = peer.exactly(length).is_some();
        if head[3] == HEADERS {
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            peer.write(&frame(HEADERS, 0x5, stream, OK));
            return peer.drain();
        }
    }
}

async fn check(step: &str, misdeed: Misdeed, expected: &str) {
    let found = failure("version: 2", step, misdeed, answers_well).await;
    assert_eq!(found, format!("1 {expected}"), "{step}");
}

#[tokio::test]
async fn frames_without_end() {
    let calm = "Protocol: HTTP/2: detected excessive load generating behavior";
    let open = frame(HEADERS, 0, 1, OK);
    let literal = |flags| frame(CONTINUATION, flags, 1, &b"\x00\x01a\x01b".repeat(100));
    check("", says(&opening(std::slice::from_ref(&open)), &literal(0)), calm).await;
    check("", says(&opening(&[open]), &frame(CONTINUATION, 0, 1, b"").repeat(1000)), calm).await;
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(1000);
    let late = "Timeout: timed out after 300 ms waiting for the first byte of the response";
    check(HURRIED, says(&opening(&[]), &settings), late).await;
    check(HURRIED, says(&opening(&[]), &frame(6, 0, 0, b"pingpong").repeat(1000)), late).await;
    check(HURRIED, says(&opening(&[]), &frame(99, 0, 0, b"unknown").repeat(1000)), late).await;
    let begun = opening(&[frame(HEADERS, 0x4, 1, OK)]);
    check(HURRIED, says(&begun, &frame(0, 0, 1, b"").repeat(1000)), calm).await;
    let data = frame(0, 0, 1, &[b'x'; 16_384]);
    // Which of the two limits it meets first is a matter of chance.
    let found = failure("version: 2", KEPT, says(&begun, &data), answers_well).await;
    let (large, fast) =
        ("1 TooLarge: the response body is larger", "1 Protocol: HTTP/2: flow-control protocol");
    assert!(found.starts_with(large) || found.starts_with(fast), "{found}");
}

#[tokio::test]
async fn frames_against_the_rules() {
    let broken = "Protocol: HTTP/2: unspecific protocol error detected";
    let says = |frames: &[Vec<u8>]| says(&opening(frames), b"");
    let goaway = |code: u8| frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, code]);
    check("", says(&[goaway(0)]), "Reset: HTTP/2 connection closed by the peer: not a result of an error")
        .await;
    check(
        "",
        says(&[goaway(11)]),
        "Reset: HTTP/2 connection closed by the peer: detected excessive load generating behavior",
    )
    .await;
    check(
        "",
        says(&[frame(3, 0, 1, &[0, 0, 0, 2])]),
        "Reset: HTTP/2 stream reset by the peer: unexpected internal error encountered",
    )
    .await;
    check("", says(&[frame(HEADERS, 0x4, 1, &[0xff; 40])]), broken).await;
    check("", says(&[frame(HEADERS, 0x4, 2, OK)]), broken).await;
    check("", says(&[frame(HEADERS, 0x4, 1, b"")]), broken).await;
    check("", says(&[frame(0, 0, 0, b"x")]), broken).await;
    check(
        "",
        says(&[frame(8, 0, 0, &[0x7f, 255, 255, 255])]),
        "Protocol: HTTP/2: flow-control protocol violated",
    )
    .await;
    check("", says(&[frame(5, 0x4, 1, &[0, 0, 0, 2, 0x88])]), broken).await;
    check("", says(&[vec![255, 255, 255, 0, 0, 0, 0, 0, 1]]), "Protocol: HTTP/2: frame with invalid size")
        .await;
    let long = b"\x88\x0f\x0d\x011";
    check("", says(&[frame(HEADERS, 0x4, 1, long), frame(0, 1, 1, b"hello")]), broken).await;
}
