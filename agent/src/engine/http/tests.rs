//! One user's client against a server that also answers wrongly.

use super::*;
use crate::engine::outgoing::{self, Codings, Draft};
use crate::engine::test_certificate::localhost;
use crate::engine::test_server::{Answer, Server, Then};
use crate::engine::tls::Authorities;
use crate::policy::Policy;
use metrics::ErrorKind;
use plan::judge::RenderedRequest;
use plan::model::{ConnectionSettings, Method, TlsSettings};
use rustls::pki_types::CertificateDer;
use std::future::Future;
use std::time::Duration;
use url::Url;

/// Short where a test waits for it, long where it must not matter.
const LIMITS: RequestLimits = RequestLimits {
    connect: Duration::from_secs(20),
    request: Duration::from_secs(20),
    first_byte: None,
    kept_body: 8,
    body: 100,
};

/// A client, its books and its thread's runtime.
struct User {
    client: Client,
    tally: Tally,
    target: Arc<Origin>,
    limits: RequestLimits,
}

impl User {
    fn new(target: &str, limits: RequestLimits, roots: Vec<CertificateDer<'static>>) -> User {
        User::with(ConnectionSettings::default(), target, limits, roots)
    }

    fn with(
        settings: ConnectionSettings,
        target: &str,
        limits: RequestLimits,
        roots: Vec<CertificateDer<'static>>,
    ) -> User {
        let target = Arc::new(Origin::of(&Url::parse(target).unwrap()).unwrap());
        let tls = Arc::new(Tls::new(Arc::new(Authorities::new(roots)), settings.tls.clone()));
        let class = ClassConnections { settings: Arc::new(settings), tls, policy: Arc::new(Policy::open(1)) };
        let client = Client::new(&class, target.clone(), Slot(0));
        User { client, tally: Tally::new(Instant::now(), 1, plan::Secrets::default()), target, limits }
    }

    async fn get(&mut self, url: &str, body: BodyUse) -> Exchange {
        self.send(Method::Get, url, "", body).await
    }

    async fn send(&mut self, method: Method, url: &str, body: &str, keep: BodyUse) -> Exchange {
        let rendered =
            RenderedRequest { url: url.to_owned(), headers: Vec::new(), body: body.as_bytes().to_vec() };
        let draft = Draft::new(method, rendered, Codings::None);
        let outgoing = outgoing::build(&self.target, &draft).unwrap();
        let terms = Terms { limits: self.limits, body: keep, codings: Codings::None };
        self.client.send(outgoing, url, &terms, Instant::now(), &self.tally).await
    }
}

fn on_engine_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(test)
}

fn outcome(exchange: &Exchange) -> String {
    match &exchange.outcome {
        Ok(reply) => format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)),
        Err(failure) => format!("{:?}: {}", failure.kind, failure.message),
    }
}

/// One GET to a server that answers with `answer`; returns how it was seen, the port replaced.
fn check_with(limits: RequestLimits, body: BodyUse, answer: Answer, expected: &str) {
    let server = Server::start(move |_| answer.clone());
    let url = format!("http://{}", server.address);
    on_engine_thread(async {
        let mut user = User::new(&url, limits, Vec::new());
        let exchange = user.get(&format!("{url}/x"), body).await;
        assert_eq!(outcome(&exchange), expected);
        let keeps = exchange.outcome.is_ok();
        assert_eq!(user.client.kept.len(), usize::from(keeps), "only a clean connection is kept");
        assert_eq!(exchange.phases.body.is_some(), keeps);
        assert!(exchange.bytes_out > 0 && exchange.phases.connect.is_some());
    });
}

fn check(answer: &str, then: Then, expected: &str) {
    check_with(LIMITS, BodyUse::Keep, Answer::raw(answer, then), expected);
}

#[test]
fn whole_responses() {
    use Then::{Close, KeepOpen};
    check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", KeepOpen, "200 hi");
    check("HTTP/1.1 301 Moved\r\nlocation: /y\r\ncontent-length: 0\r\n\r\n", KeepOpen, "301 ");
    check("HTTP/1.1 204 No Content\r\n\r\n", KeepOpen, "204 ");
    check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", KeepOpen, "200 ");
    let chunked = "HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    check(chunked, KeepOpen, "503 abc");
    check("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc", Close, "200 abc");
}

#[test]
fn broken_responses_have_a_kind_each() {
    use Then::{Close, KeepOpen, Reset};
    let cut = "Reset: connection closed before the response was complete";
    check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi", Close, cut);
    check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhi", Close, cut);
    check("HTTP/1.1 200", Close, cut);
    check("", Close, cut);
    check("", Reset, "Reset: connection reset by the peer");
    check("not HTTP at all\r\n\r\n", KeepOpen, "Protocol: invalid HTTP version parsed");
    check("HTTP/1.1 999999 x\r\n\r\n", KeepOpen, "Protocol: invalid HTTP status-code parsed");
    let bad_chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    check(bad_chunk, KeepOpen, "Protocol: invalid chunk in the response body: missing size digit");
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    check(&many, KeepOpen, "TooLarge: the response's header section is larger than the limit");
}

#[test]
fn bodies_are_bounded() {
    let of = |bytes: usize| Answer::ok(&"x".repeat(bytes));
    check_with(LIMITS, BodyUse::Keep, of(8), "200 xxxxxxxx");
    let nine = "TooLarge: the response body is larger than the limit of 8 bytes";
    check_with(LIMITS, BodyUse::Keep, of(9), nine);
    check_with(LIMITS, BodyUse::Discard, of(100), "200 ");
    let hundred = "TooLarge: the response body is larger than the limit of 100 bytes";
    check_with(LIMITS, BodyUse::Discard, of(101), hundred);
    let endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhello\r\n";
    check_with(LIMITS, BodyUse::Keep, Answer::raw(endless, Then::Hang), nine);
}

#[test]
fn timeouts_name_what_they_waited_for() {
    let limits = RequestLimits { request: Duration::from_millis(80), ..LIMITS };
    let check = |answer: &str, expected| {
        check_with(limits, BodyUse::Keep, Answer::raw(answer, Then::Hang), expected);
    };
    check("", "Timeout: timed out after 80 ms waiting for the first byte of the response");
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi",
        "Timeout: timed out after 80 ms reading the response body",
    );

    let limits = RequestLimits { first_byte: Some(Duration::from_millis(70)), ..LIMITS };
    let nothing = Answer::raw("", Then::Hang);
    let late = "Timeout: timed out after 70 ms waiting for the first byte of the response";
    check_with(limits, BodyUse::Keep, nothing.clone(), late);
    check_with(limits, BodyUse::Keep, Answer::ok("hi"), "200 hi");

    let server = Server::start(|_| Answer::raw("", Then::Hang));
    let url = format!("https://{}", server.address);
    let limits = RequestLimits { connect: Duration::from_millis(80), ..LIMITS };
    let exchange = on_engine_thread(async { User::new(&url, limits, vec![]).get(&url, BodyUse::Keep).await });
    assert_eq!(outcome(&exchange), "Timeout: timed out after 80 ms in the TLS handshake");
    assert!(exchange.phases.connect.is_some() && exchange.phases.tls.is_none());
}

#[test]
fn no_connection() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let get = |url: &str| {
        let exchange =
            on_engine_thread(async { User::new(url, LIMITS, vec![]).get(url, BodyUse::Keep).await });
        assert_eq!((exchange.bytes_in, exchange.bytes_out), (0, 0));
        exchange
    };
    let refused = get(&format!("http://{unused}"));
    assert_eq!(outcome(&refused), format!("Refused: connection refused by {unused}"));
    assert_eq!(refused.phases, Phases::default());
    // No resolver is asked for a name with a label that long.
    let dns = get(&format!("http://{}.test", "x".repeat(64))).outcome.unwrap_err();
    assert_eq!(dns.kind, ErrorKind::Dns, "{}", dns.message);
}

#[test]
fn bytes_are_exact_and_a_connection_is_reused() {
    let server = Server::start(|seen| Answer::ok(&seen.body));
    let url = format!("http://{}", server.address);
    on_engine_thread(async {
        let mut user = User::new(&url, LIMITS, Vec::new());
        for round in 0..3 {
            let before_in = server.truth().bytes_written;
            let before_out = server.truth().bytes_read;
            let exchange = user.send(Method::Post, &format!("{url}/x?{round}"), "12345", BodyUse::Keep).await;
            assert_eq!(outcome(&exchange), "200 12345");
            server.until(|truth| truth.bytes_written > before_in).await;
            let truth = server.truth();
            assert_eq!(exchange.bytes_in, truth.bytes_written - before_in);
            assert_eq!(exchange.bytes_out, truth.bytes_read - before_out);
            assert_eq!(exchange.phases.connect.is_some(), round == 0);
            assert!(exchange.phases.first_byte.is_some());
        }
    });
    assert_eq!(server.truth().connections, 1);
    assert!(server.truth().requests[2].head.starts_with("POST /x?2 HTTP/1.1\r\nhost: 127.0.0.1:"));
}

#[test]
fn a_connection_that_the_server_closed_is_made_anew_and_counted() {
    let server = Server::start(|_| Answer { then: Then::Close, ..Answer::ok("hi") });
    let url = format!("http://{}", server.address);
    on_engine_thread(async {
        let mut user = User::new(&url, LIMITS, Vec::new());
        for round in 0..3 {
            assert_eq!(outcome(&user.get(&url, BodyUse::Keep).await), "200 hi");
            server.until(|truth| truth.ended == round + 1).await;
            // Lets the runtime look at its sockets once before the next request.
            tokio::task::yield_now().await;
        }
        assert_eq!(user.tally.take_reconnects(), 2);
    });
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests.len()), (3, 3));
}

#[test]
fn what_follows_a_response_is_never_the_next_one() {
    let check = |method: Method, first: &'static str, expected: &str| {
        let server = Server::start(move |seen| match seen.number {
            0 => Answer::raw(
                format!("{first}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"),
                Then::KeepOpen,
            ),
            _ => Answer::ok("hi"),
        });
        let url = format!("http://{}", server.address);
        on_engine_thread(async {
            let mut user = User::new(&url, LIMITS, Vec::new());
            assert_eq!(outcome(&user.send(method, &url, "", BodyUse::Keep).await), expected, "{first}");
            server.until(|truth| truth.ended == 1).await;
            assert_eq!(outcome(&user.get(&url, BodyUse::Keep).await), "200 hi", "{first}");
            assert_eq!(user.tally.take_reconnects(), 1);
        });
        assert_eq!(server.truth().connections, 2);
    };
    check(Method::Get, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "200 ok");
    check(Method::Get, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "200 x");
    check(Method::Get, "HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\n", "204 ");
    check(Method::Get, "HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n", "304 ");
    check(Method::Head, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "200 ");
    check(Method::Get, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\r\n", "200 ok");
}

#[test]
fn a_request_that_was_sent_is_not_sent_again() {
    for then in [Then::Close, Then::Reset] {
        let server = Server::start(move |seen| match seen.number {
            1 => Answer::raw("", then),
            _ => Answer::ok("hi"),
        });
        let url = format!("http://{}", server.address);
        on_engine_thread(async {
            let mut user = User::new(&url, LIMITS, Vec::new());
            assert_eq!(outcome(&user.get(&url, BodyUse::Keep).await), "200 hi");
            let failed = user.get(&url, BodyUse::Keep).await;
            assert!(outcome(&failed).starts_with("Reset: connection "), "{}", outcome(&failed));
            assert_eq!(outcome(&user.get(&url, BodyUse::Keep).await), "200 hi");
            assert_eq!(user.tally.take_reconnects(), 0);
        });
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests.len()), (2, 3));
    }
}

#[test]
fn a_connection_that_is_not_used_again_is_closed_at_once() {
    // The server waits for it, while the user rests.
    let closing = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: TE, Close\r\n\r\nhi";
    let old = "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    for answer in [closing, old] {
        let server = Server::start(move |_| Answer::raw(answer, Then::KeepOpen));
        let url = format!("http://{}", server.address);
        on_engine_thread(async {
            let mut user = User::new(&url, LIMITS, Vec::new());
            for round in 1..3 {
                assert_eq!(outcome(&user.get(&url, BodyUse::Keep).await), "200 hi");
                server.until(|truth| truth.ended == round).await;
            }
            assert_eq!(user.tally.take_reconnects(), 1);
        });
    }
}

#[test]
fn a_user_keeps_few_connections_and_drops_the_one_unused_for_longest() {
    let servers: Vec<Server> =
        (0..=MAX_CONNECTIONS_PER_USER).map(|_| Server::start(|_| Answer::ok(""))).collect();
    on_engine_thread(async {
        let url = |n: usize| format!("http://{}/", servers[n].address);
        let mut user = User::new(&url(0), LIMITS, Vec::new());
        // The first stays because it is used again; the second makes room for the last.
        for n in [0, 1, 2, 3, 0, 4, 0, 1] {
            assert_eq!(outcome(&user.get(&url(n), BodyUse::Keep).await), "200 ");
        }
        assert_eq!(user.tally.take_reconnects(), 0);
    });
    let connections: Vec<usize> = servers.iter().map(|server| server.truth().connections).collect();
    assert_eq!(connections, [1, 2, 1, 1, 1]);
}

#[test]
fn tls_is_measured_and_strangers_are_refused() {
    let (acceptor, root) = localhost();
    let server = Server::start_tls(acceptor, |_| Answer::ok("hi"));
    let url = format!("https://localhost:{}", server.address.port());
    on_engine_thread(async {
        let mut user = User::new(&url, LIMITS, vec![root]);
        let first = user.get(&url, BodyUse::Keep).await;
        assert_eq!(outcome(&first), "200 hi");
        assert!(first.phases.tls.is_some());
        assert!(first.bytes_in > 500, "the handshake counts: {}", first.bytes_in);
        let second = user.get(&url, BodyUse::Keep).await;
        assert_eq!(outcome(&second), "200 hi");
        assert_eq!((second.phases.connect, second.phases.tls), (None, None));
        let seen = server.truth().bytes_written / 2;
        assert!(second.bytes_in > seen, "TLS records are larger than what they hold: {}", second.bytes_in);

        let failure = User::new(&url, LIMITS, vec![]).get(&url, BodyUse::Keep).await.outcome.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Tls);
        assert!(failure.message.starts_with("TLS handshake failed: invalid peer certificate"), "{failure:?}");
    });
}

#[test]
fn certificates_of_strangers_are_taken_on_request_and_names_can_be_given() {
    let (acceptor, root) = localhost();
    let server = Server::start_tls(acceptor, |_| Answer::ok("hi"));
    let url = format!("https://127.0.0.1:{}", server.address.port());
    let check = |insecure, server_name: Option<&str>, roots, expected: &str| {
        let tls =
            TlsSettings { insecure, server_name: server_name.map(str::to_owned), ..TlsSettings::default() };
        let settings = ConnectionSettings { tls, ..ConnectionSettings::default() };
        let got = on_engine_thread(async {
            outcome(&User::with(settings, &url, LIMITS, roots).get(&url, BodyUse::Keep).await)
        });
        assert!(got.starts_with(expected), "{got}");
    };
    let refused = "Tls: TLS handshake failed: invalid peer certificate";
    check(false, None, vec![root.clone()], refused);
    check(false, Some("localhost"), vec![root.clone()], "200 hi");
    check(false, Some("other.test"), vec![root], refused);
    check(true, None, Vec::new(), "200 hi");
    check(true, Some("other.test"), Vec::new(), "200 hi");
}

#[test]
fn without_keep_alive_each_request_has_its_connection() {
    let server = Server::start(|_| Answer::ok("hi"));
    let url = format!("http://{}", server.address);
    on_engine_thread(async {
        let settings = ConnectionSettings { keep_alive: false, ..ConnectionSettings::default() };
        let mut user = User::with(settings, &url, LIMITS, Vec::new());
        for _ in 0..3 {
            assert_eq!(outcome(&user.get(&url, BodyUse::Keep).await), "200 hi");
        }
        assert_eq!((user.tally.take_reconnects(), user.client.kept.len()), (0, 0));
    });
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests.len()), (3, 3));
    assert!(truth.requests.iter().all(|seen| seen.head.contains("\r\nconnection: close")));
}
