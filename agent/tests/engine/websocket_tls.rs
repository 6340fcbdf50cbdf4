//! Conversations over TLS, with servers that can be trusted and others that cannot.

use crate::certificate::localhost;
use crate::raw::{Peer, Raw};
use crate::rig::{Rig, plan};
use crate::websocket::told;
use std::io::{Read, Write};
use std::net::TcpListener;

const KEYS: &str = "messages: [ { send: hi }, { receive: { until: message == 'hi' } } ]";

fn echo(peer: &mut Peer) {
    peer.accept();
    if let Some(text) = peer.read_text() {
        peer.text(&text);
        peer.until_closed();
        peer.until_gone();
    }
}

/// What becomes of one conversation at `url`, by a user of a class with the keys `http`, in an engine that trusts
/// what `rig` trusts.
async fn talked(rig: Rig, url: &str, http: &str) -> String {
    let text = format!(
        "version: 1\nname: test\ntarget: http://localhost\nload: {{ users: 1, duration: 1h }}\nusers:\n  User:\n    \
         wait: 1h\n    http: {{ {http} }}\n    tasks:\n      talk: {{ websocket: \"{url}\", name: ws, timeout: 2s, {KEYS} }}\n"
    );
    let plan = plan(&text, "");
    let outcome = rig.once(&plan, 1).await;
    assert_eq!(outcome.aborted, 0);
    if outcome.failures.is_empty() {
        assert_eq!(outcome.total.phases.tls.0, 1, "the TLS handshake is a phase of the connection");
    }
    told(&plan, &outcome)
}

const WELL: &str = "WS ws: 1+0 (1 out, 1 in)\nSESSION ws / session: 1+0\nRECV ws / receive 1: 1+0\n";

/// That both the connection and the session fail with something that begins like this.
fn check_failed(told: &str, expected: &str) {
    let lines: Vec<&str> = told.lines().collect();
    let [connection, first, session, second] = lines[..] else { panic!("two failures: {told}") };
    assert_eq!((connection, session, first), ("WS ws: 0+1", "SESSION ws / session: 0+1", second), "{told}");
    assert!(first.trim_start().starts_with(expected), "{told}");
}

#[tokio::test]
async fn strangers_are_refused_and_taken_on_request() {
    let (acceptor, root) = localhost();
    let server = Raw::start_tls(acceptor.config().clone(), echo);
    let port = server.address.port();
    let (named, numbered) = (format!("wss://localhost:{port}/ws"), format!("wss://127.0.0.1:{port}/ws"));
    let trusting = || Rig::start(vec![root.clone()]);
    let nobody = || Rig::start(Vec::new());
    assert_eq!(talked(trusting(), &named, "").await, WELL);
    assert_eq!(talked(nobody(), &numbered, "tls: { insecure: on }").await, WELL);
    let refused = "Tls: TLS handshake failed: invalid peer certificate";
    check_failed(&talked(nobody(), &named, "").await, &format!("{refused}: UnknownIssuer"));
    check_failed(
        &talked(trusting(), &numbered, "").await,
        &format!("{refused}: certificate not valid for name"),
    );
}

#[tokio::test]
async fn servers_that_do_not_speak_tls() {
    let target = |address: std::net::SocketAddr| format!("wss://localhost:{}/", address.port());
    // It waits for a line that does not come, and is hung up on.
    let plain = Raw::start(echo);
    let late = talked(Rig::start(Vec::new()), &target(plain.address), "").await;
    check_failed(&late, "Timeout: timed out after 2 s in the TLS handshake");
    for (answer, expected) in [
        (&b""[..], "Tls: TLS handshake failed: connection closed by the peer"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "Tls: TLS handshake failed: "),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the port");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let hello = stream.read(&mut [0; 4096]).expect("a hello");
            stream.write_all(answer).expect("a client that waits");
            hello
        });
        check_failed(&talked(Rig::start(Vec::new()), &target(address), "").await, expected);
        assert!(server.join().expect("it does not panic") > 100, "it was greeted");
    }
}

#[tokio::test]
async fn an_encrypted_conversation_that_breaks_off() {
    let (acceptor, root) = localhost();
    let server = Raw::start_tls(acceptor.config().clone(), |peer| {
        peer.accept();
        assert_eq!(peer.read_text().as_deref(), Some("hi"));
    });
    let target = format!("wss://localhost:{}/", server.address.port());
    let expected = "WS ws: 1+0 (1 out, 0 in)\nSESSION ws / session: 0+1\n  Reset: connection closed without a close frame\n\
                    RECV ws / receive 1: 0+1\n  Reset: connection closed without a close frame\n";
    assert_eq!(talked(Rig::start(vec![root]), &target, "").await, expected);
}
