//! HTTP/2, against a server that also answers wrongly.

use crate::certificate::localhost_speaking;
use crate::rig::{Outcome, Rig, plan};
use bytes::Bytes;
use futures_util::future::poll_fn;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use metrics::ErrorKind;
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    KeepOpen,
    /// It says that it closes, and does.
    GoAway,
    /// It closes for a wrong that the client did.
    Abrupt,
}

/// Every request as it arrived, and how many connections there were.
#[derive(Default)]
struct Truth {
    requests: Vec<String>,
    connections: usize,
}

/// A server; it stops with the test's runtime.
struct Server {
    address: SocketAddr,
    truth: Arc<Mutex<Truth>>,
}

impl Server {
    async fn start(tls: Option<TlsAcceptor>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port");
        let truth = Arc::<Mutex<Truth>>::default();
        let seen = truth.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, truth) = (tls.clone(), seen.clone());
                tokio::spawn(async move {
                    truth.lock().expect("no test panics with it").connections += 1;
                    match tls {
                        None => serve(stream, truth).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, truth).await;
                            }
                        }
                    }
                });
            }
        });
        Server { address, truth }
    }

    fn requests(&self) -> Vec<String> {
        self.truth.lock().expect("no test panics with it").requests.clone()
    }

    fn connections(&self) -> usize {
        self.truth.lock().expect("no test panics with it").connections
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, truth: Arc<Mutex<Truth>>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, answer))) = connection.accept().await {
        let (head, mut body) = request.into_parts();
        let mut text = String::new();
        if head.method == "POST" {
            // The connection has to be driven meanwhile: the frame may come after its head.
            let data = tokio::select! {
                data = poll_fn(|cx| body.poll_data(cx)) => data,
                _ = poll_fn(|cx| connection.poll_closed(cx)) => return,
            };
            if let Some(Ok(data)) = data {
                text = format!(" [{}]", String::from_utf8_lossy(&data));
            }
        }
        let host = head.headers.get("host").map_or("none", |host| host.to_str().expect("text"));
        let line = format!("{} {} host={host}{text}", head.method, head.uri);
        truth.lock().expect("no test panics with it").requests.push(line);
        match respond(head.uri.path(), answer) {
            Then::KeepOpen => {}
            Then::GoAway => connection.graceful_shutdown(),
            Then::Abrupt => connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
        }
    }
}

fn respond(path: &str, mut answer: SendResponse<Bytes>) -> Then {
    let mut send = |length: Option<&str>, end| -> Option<SendStream<Bytes>> {
        let mut response = http::Response::builder();
        if let Some(length) = length {
            response = response.header("content-length", length);
        }
        answer.send_response(response.body(()).expect("a response"), end).ok()
    };
    match path {
        "/reset" => answer.send_reset(Reason::INTERNAL_ERROR),
        "/refused" => answer.send_reset(Reason::REFUSED_STREAM),
        "/calm" => return Then::Abrupt,
        "/endless" => {
            let mut stream = send(None, false).expect("an open stream");
            stream.reserve_capacity(1 << 20);
            let _ = stream.send_data(Bytes::from(vec![b'x'; 60_000]), false);
            // Nobody ends it.
            std::mem::forget(stream);
        }
        "/half" => {
            let mut stream = send(Some("9"), false).expect("an open stream");
            let _ = stream.send_data(Bytes::from_static(b"half"), false);
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
        path => {
            let mut stream = send(None, false).expect("an open stream");
            let _ = stream.send_data(Bytes::from_static(b"{\"id\": 7}"), true);
            if path == "/last" {
                return Then::GoAway;
            }
        }
    }
    Then::KeepOpen
}

/// Runs one user of a class with the keys `http` for one iteration.
async fn played(roots: Vec<CertificateDer<'static>>, target: &str, http: &str, steps: &str) -> Outcome {
    let text = format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 1, duration: 1h }}\nusers:\n  User:\n    \
         wait: 1h\n    http: {{ {http} }}\n    tasks:\n      task: {{ steps: [ {steps} ] }}\n"
    );
    Rig::start(roots).once(&plan(&text, target), 1).await
}

fn failures(outcome: &Outcome) -> Vec<String> {
    outcome.failures.iter().map(|(kind, (count, message))| format!("{count} {kind:?}: {message}")).collect()
}

#[tokio::test]
async fn it_is_spoken_where_the_plan_knows_or_tls_agrees() {
    let steps = "{ post: \"/a?b=c\", body: hi, expect: { that: \"json.id == 7\" } }, { get: /b, headers: { host: h.test } }";
    let server = Server::start(None).await;
    let target = format!("http://{}", server.address);
    let outcome = played(Vec::new(), &target, "version: 2", steps).await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (2, 0), "{:?}", failures(&outcome));
    let expected =
        [format!("POST {target}/a?b=c host=none [hi]"), "GET http://h.test/b host=none".to_owned()];
    assert_eq!((server.requests(), server.connections()), (expected.to_vec(), 1));
    let phases = &outcome.total.phases;
    assert_eq!((phases.connect.0, phases.first_byte.0, phases.body.0), (1, 2, 2));
    assert!(outcome.total.bytes_out > 50 && outcome.total.bytes_in > 2 * 9);

    let (acceptor, root) = localhost_speaking(&["h2"]);
    let server = Server::start(Some(acceptor)).await;
    let target = format!("https://localhost:{}", server.address.port());
    for (keys, connections) in [("version: auto", 1), ("version: 2, keep_alive: off", 3)] {
        let outcome = played(vec![root.clone()], &target, keys, "{ get: /a }, { get: /b }").await;
        assert_eq!((outcome.total.ok, outcome.total.failed), (2, 0), "{:?}", failures(&outcome));
        assert_eq!(server.connections(), connections, "{keys}");
    }
    assert_eq!(server.requests()[0], format!("GET {target}/a host=none"));

    // A server that agrees to nothing is not spoken to in HTTP/2.
    let (acceptor, root) = localhost_speaking(&[]);
    let server = Server::start(Some(acceptor)).await;
    let target = format!("https://localhost:{}", server.address.port());
    let outcome = played(vec![root], &target, "version: 2", "{ get: /a }").await;
    let expected = "the target does not offer HTTP/2 in the TLS handshake; use `version: auto`";
    assert_eq!(failures(&outcome), [format!("1 Protocol: {expected}")]);
}

#[tokio::test]
async fn a_connection_that_the_server_goes_away_from_is_made_anew_and_counted() {
    let server = Server::start(None).await;
    let target = format!("http://{}", server.address);
    let steps = "{ repeat: 4, steps: [ { get: /last }, { think: 20ms } ] }, { get: /a }, { get: /b }";
    let outcome = played(Vec::new(), &target, "version: 2", steps).await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (6, 0), "{:?}", failures(&outcome));
    assert_eq!((outcome.reconnects, server.connections()), (4, 5));
    assert_eq!(server.requests().len(), 6, "nothing is sent twice");
}

#[tokio::test]
async fn wrong_answers_have_a_kind_each() {
    let server = Server::start(None).await;
    let target = format!("http://{}", server.address);
    let check = async |step: &str, kind: ErrorKind, expected: &str| {
        let before = server.requests().len();
        let outcome = played(Vec::new(), &target, "version: 2", &format!("{{ {step} }}")).await;
        assert_eq!(failures(&outcome), [format!("1 {kind:?}: {expected}")], "{step}");
        assert_eq!((outcome.total.ok, server.requests().len() - before), (0, 1), "once: {step}");
    };
    let reset = "HTTP/2 stream reset by the peer: unexpected internal error encountered";
    check("get: /reset", ErrorKind::Reset, reset).await;
    check("get: /half", ErrorKind::Reset, reset).await;
    let refused = "HTTP/2 stream reset by the peer: refused stream before processing any application logic";
    check("get: /refused", ErrorKind::Reset, refused).await;
    // Whether the farewell or the end of the connection is seen first is a matter of chance.
    let outcome = played(Vec::new(), &target, "version: 2", "{ get: /calm }").await;
    assert_eq!(outcome.failures.keys().collect::<Vec<_>>(), [&ErrorKind::Reset], "{:?}", failures(&outcome));
    let large = "the response body is larger than the limit of 50000 bytes";
    check("get: /endless, body_limit: 50kB, expect: { that: \"body != ''\" }", ErrorKind::TooLarge, large)
        .await;
    let late = "timed out after 80 ms reading the response body";
    check("get: /endless, timeout: 80ms", ErrorKind::Timeout, late).await;
}

#[tokio::test]
async fn a_server_that_speaks_only_http_1_is_told() {
    let server = crate::server::Server::start(|_| {
        crate::server::Answer::raw("HTTP/1.1 400 what\r\n\r\n", crate::server::Then::Close)
    });
    let outcome = played(Vec::new(), &crate::rig::http(&server), "version: 2", "{ get: / }").await;
    let [failure] = &failures(&outcome)[..] else { panic!("one failure: {:?}", failures(&outcome)) };
    assert!(failure.starts_with("1 Protocol: HTTP/2: ") || failure.starts_with("1 Reset: "), "{failure}");
}
