//! Servers that never come to an end, or break the rules of HTTP: each is one counted failure, within the timeout
//! and within bounds, and the user goes on.

use crate::raw::{Peer, Raw};
use crate::rig::{Rig, plan};
use agent::engine::StopMode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;

/// What sockets hold besides what the engine takes; far less than what a server could send.
const SLACK: usize = 24 << 20;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// A connection's misdeed; how many bytes the client took of it.
pub(crate) type Misdeed = Arc<dyn Fn(&mut Peer) -> usize + Send + Sync>;

/// Writes `start`, and then `more` again and again until the client is gone; nothing more if that is empty.
pub(crate) fn says(start: &[u8], more: &[u8]) -> Misdeed {
    let (start, more) = (start.to_vec(), more.to_vec());
    Arc::new(move |peer| {
        peer.write(&start);
        if more.is_empty() {
            peer.drain();
            return start.len();
        }
        start.len() + peer.flood(&more)
    })
}

/// The failure of a user with the keys `http` that makes a request with the keys `step` to a server that answers with
/// `misdeed`, and whose next request, which `good` answers, is well.
pub(crate) async fn failure(http: &str, step: &str, misdeed: Misdeed, good: fn(&mut Peer)) -> String {
    let (connections, taken) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (well, mut is_well) = unbounded_channel();
    let count = taken.clone();
    let server = Raw::start(move |peer| {
        if connections.fetch_add(1, Ordering::SeqCst) == 0 {
            count.store(misdeed(peer), Ordering::SeqCst);
        } else {
            good(peer);
            let _ = well.send(());
        }
    });
    let text = format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 1, duration: 1h }}\nusers:\n  User:\n    \
         wait: 1ms\n    http: {{ body_limit: 1MB, keep_alive: off, {http} }}\n    tasks:\n      task:\n        steps: \
         [ {{ if: user.iteration == 0, then: [ {{ get: /first, {step} }} ] }}, {{ get: /after }} ]\n"
    );
    let rig = Rig::running(&plan(&text, &format!("http://{}", server.address)), 1).await;
    let patience = tokio::time::timeout(Duration::from_mins(1), is_well.recv()).await;
    assert!(patience.is_ok(), "the user does not go on");
    let outcome = rig.stop(StopMode::Graceful { timeout: Duration::from_hours(1) }).await;
    assert_eq!(outcome.aborted, 0);
    let all: Vec<_> =
        outcome.failures.iter().map(|(kind, (n, text))| format!("{n} {kind:?}: {text}")).collect();
    let taken = taken.load(Ordering::SeqCst);
    if !step.contains("timeout") {
        assert!(taken < SLACK, "the client took {taken} bytes: {all:?}");
    }
    all.join("; ")
}

fn answers_well(peer: &mut Peer) {
    peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

async fn check(step: &str, misdeed: Misdeed, expected: &str) {
    let found = failure("", step, misdeed, answers_well).await;
    assert_eq!(found, format!("1 {expected}"), "{step}");
}

pub(crate) const KEPT: &str = "expect: { that: \"body != ''\" }";
pub(crate) const HURRIED: &str = "timeout: 300ms";

#[tokio::test]
async fn heads_without_end() {
    let large = "TooLarge: the response's header section is larger than the limit";
    check("", says(b"HTTP/1.1 200 OK\r\nx: ", &[b'x'; 4096]), large).await;
    check("", says(HEAD, &b"a: b\r\n".repeat(1000)), large).await;
    check("", says(b"HTTP/1.1 200 ", &[b'x'; 4096]), large).await;
    let late = "Timeout: timed out after 300 ms waiting for the first byte of the response";
    check(HURRIED, says(b"", &b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(1000)), late).await;
}

#[tokio::test]
async fn bodies_without_end() {
    let chunk = [b"10000\r\n", vec![b'x'; 0x10000].as_slice(), b"\r\n"].concat();
    let large = "TooLarge: the response body is larger than the limit of 1000000 bytes";
    check(KEPT, says(CHUNKED, &chunk), large).await;
    check(KEPT, says(b"HTTP/1.1 200 OK\r\n\r\n", &chunk), large).await;
    let late = "Timeout: timed out after 300 ms reading the response body";
    check(HURRIED, says(CHUNKED, &chunk), late).await;
    check(HURRIED, says(b"HTTP/1.1 200 OK\r\n\r\n", &chunk), late).await;
    let drip: Misdeed = Arc::new(|peer| {
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        let mut taken = 0;
        // It stops by itself, too late.
        while taken < 100 && peer.try_write(b"x") {
            std::thread::sleep(Duration::from_millis(20));
            taken += 1;
        }
        taken
    });
    check(HURRIED, drip, late).await;
}

#[tokio::test]
async fn chunks_that_are_none() {
    let chunked = |more: &[u8]| [CHUNKED, more].concat();
    let skipped = "Protocol: the extensions and trailers of the response's chunks are larger than the limit of 16384 bytes";
    check("", says(&chunked(b"5;x="), &[b'y'; 4096]), skipped).await;
    check("", says(CHUNKED, &b"1;extension=x\r\nx\r\n".repeat(1000)), skipped).await;
    check("", says(&chunked(b"0\r\n"), &b"a: b\r\n".repeat(1000)), skipped).await;
    check("", says(&chunked(b"0\r\nx: "), &[b'y'; 4096]), skipped).await;
    let broken = async |bytes: &[u8], why: &str| {
        let expected = format!("Protocol: invalid chunk in the response body: {why}");
        check("", says(&chunked(bytes), b""), &expected).await;
    };
    broken(b"fffffffffffffffff\r\n", "size too large").await;
    broken(b"1\r\nxyz\r\n", "invalid line end").await;
    broken(b"-1\r\n", "missing size digit").await;
}

#[tokio::test]
async fn heads_that_are_none() {
    let head = |line: &str| says(&[HEAD, line.as_bytes(), b"\r\n\r\n"].concat(), b"");
    check("", head("content-length: -1"), "Protocol: invalid content-length parsed").await;
    check("", head("content-length: 99999999999999999999999"), "Protocol: invalid content-length parsed")
        .await;
    check("", head("no colon"), "Protocol: invalid HTTP header parsed").await;
    check("", head("a\0: b"), "Protocol: invalid HTTP header parsed").await;
    check("", head("a: b\0c"), "Protocol: invalid HTTP header parsed").await;
    check("", says(b"hello", b""), "Protocol: invalid HTTP version parsed").await;
    check("", says(b"\x16\x03\x01\x00\x05hello\r\n\r\n", b""), "Protocol: invalid HTTP version parsed").await;
    check("", says(b"\0\0\0\x04\0\0\0\0\0", b""), "Protocol: invalid HTTP version parsed").await;
    check(
        "",
        says(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", b""),
        "Protocol: the server switches protocols, which the request did not ask for",
    )
    .await;
}

#[tokio::test]
async fn more_cookies_than_fit() {
    let (heads, mut received) = unbounded_channel();
    let server = Raw::start(move |peer| {
        let _ = heads.send(peer.head.clone());
        let cookies = (0..90).map(|n| format!("set-cookie: {}{n}={}\r\n", peer.head.len(), "x".repeat(1000)));
        let cookies: String = cookies.collect();
        peer.write(
            format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n{cookies}\r\n").as_bytes(),
        );
    });
    let text = "version: 1\nname: test\ntarget: TARGET\nload: { users: 1, duration: 1h }\nusers:\n  User:\n    \
                wait: 1h\n    tasks:\n      task: { steps: [ { repeat: 4, steps: [ { get: / } ] } ] }\n";
    let outcome = Rig::start(Vec::new()).once(&plan(text, &format!("http://{}", server.address)), 1).await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (4, 0), "{:?}", outcome.failures);
    let mut sent = Vec::new();
    while let Ok(head) = received.try_recv() {
        sent.push(head.matches("=x").count());
    }
    assert_eq!(sent, [0, 90, 100, 100]);
}
