//! Responses as they come over a socket, in whatever pieces, and what requests look like on it.

use super::*;
use crate::engine::counting_io::{CountingIo, Wire};
use crate::engine::http::{BodyUse, Terms};
use crate::engine::limits::RequestLimits;
use crate::engine::origin::Origin;
use crate::engine::outgoing::{self, Codings, Draft};
use crate::engine::socket::Socket;
use http::Method;
use plan::judge::RenderedRequest;
use proptest::prelude::*;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use system::local_socket::{self, LocalSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{coop, yield_now};
use url::Url;

const LONG: Duration = Duration::from_secs(60);
const LIMITS: RequestLimits =
    RequestLimits { connect: LONG, request: LONG, first_byte: None, kept_body: 1 << 10, body: 1 << 20 };

fn on_engine_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, test).await.expect("it goes on") })
}

/// A connection, what crossed it, and its other end.
fn connected() -> (Http1, Rc<Wire>, LocalSocket) {
    let (near, far) = local_socket::pair().unwrap();
    let wire = Rc::<Wire>::default();
    let stream = Stream::Plain(CountingIo::new(Socket::Unix(near), wire.clone()));
    (Http1::new(stream), wire, far)
}

fn request(method: Method, body: Vec<u8>) -> http::Request<Bytes> {
    let bytes = body.len();
    let request = http::Request::builder().method(method).uri("/").header("content-length", bytes);
    request.body(body.into()).unwrap()
}

/// One exchange as `status headers body`, and whether there may be another; or what is wrong.
async fn exchange(http1: &mut Http1, request: &http::Request<Bytes>) -> String {
    let mut sink = BodySink::new(&Terms { limits: LIMITS, body: BodyUse::Keep, codings: Codings::None });
    let head = match http1.send(request).await {
        Ok(head) => head,
        Err(failure) => return failure.message.into_owned(),
    };
    if let Err(failure) = http1.read(&mut sink).await {
        return format!("{} {}", head.status, failure.message);
    }
    let mut seen = format!("{} ", head.status);
    for (name, value) in &head.headers {
        write!(seen, "{name}={} ", String::from_utf8_lossy(value.as_bytes())).unwrap();
    }
    seen.push_str(&String::from_utf8_lossy(&sink.into_kept()));
    seen + if http1.is_spent() { " spent" } else { " again" }
}

/// How a response is seen that comes in `pieces`, each when the one before it was read, and then the stream's end.
async fn seen(method: &Method, pieces: &[&[u8]]) -> String {
    let (mut http1, wire, mut far) = connected();
    let request = request(method.clone(), Vec::new());
    let saying = async {
        let mut said = 0;
        for piece in pieces {
            far.write_all(piece).await.unwrap();
            said += piece.len() as u64;
            while wire.read.get() < said {
                yield_now().await;
            }
        }
        far.shutdown().await.unwrap();
        std::future::pending().await
    };
    tokio::select! {
        biased;
        seen = exchange(&mut http1, &request) => seen,
        never = saying => never,
    }
}

#[test]
fn pieces_change_nothing() {
    let check = |method: Method, response: &str, expected: &str| {
        on_engine_thread(async {
            let bytes = response.as_bytes();
            assert_eq!(seen(&method, &[bytes]).await, expected, "{response:?}");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(seen(&method, &single).await, expected, "{response:?} byte by byte");
            for at in 1..bytes.len() {
                let pieces = [&bytes[..at], &bytes[at..]];
                assert_eq!(seen(&method, &pieces).await, expected, "{response:?} in two at {at}");
            }
        });
    };
    let get = |response: &str, expected: &str| check(Method::GET, response, expected);
    get("HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 2\r\n\r\nhi", "200 a=b content-length=2 hi again");
    get("HTTP/1.1 200\ncontent-length: 2\n\nhi", "200 content-length=2 hi again");
    get("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "200 content-length=0  again");
    get("HTTP/1.1 204 No Content\r\n\r\n", "204  again");
    get("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", "304 content-length=9  again");
    get("HTTP/1.1 200 OK\r\n\r\nto the end", "200 to the end spent");
    get("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", "200 content-length=1 x spent");
    get(
        "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 1\r\n\r\nx",
        "200 connection=x, Close content-length=1 x spent",
    );
    get(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 204 Y\r\n\r\n",
        "204  again",
    );
    get(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=\"y\"\r\nab\r\n0A\r\n0123456789\r\n0\r\nt: u\r\n\r\n",
        "200 transfer-encoding=chunked ab0123456789 again",
    );
    get(
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "200 content-length=9 transfer-encoding=CHUNKED a again",
    );
    get(
        "HTTP/1.1 200 OK\r\na: b\r\n\t c\r\ncontent-length:\r\n 1\r\n\r\nx",
        "200 a=b  \t c content-length=1 x again",
    );
    get(
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi",
        "200 connection closed before the response was complete",
    );
    get(
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nhi",
        "invalid content-length parsed",
    );
    check(Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", "200 content-length=9  again");
    check(
        Method::HEAD,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "200 transfer-encoding=chunked  again",
    );
}

#[test]
fn a_request_is_not_waited_for_once_it_is_answered() {
    const ANSWER: &[u8] = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno";
    let large = || request(Method::POST, vec![b'x'; 8 << 20]);
    on_engine_thread(async {
        // It stops reading, and stays.
        let (mut http1, _, mut far) = connected();
        let answering = async {
            far.read_exact(&mut [0; 10]).await.unwrap();
            far.write_all(ANSWER).await.unwrap();
        };
        let large = large();
        let (seen, ()) = tokio::join!(exchange(&mut http1, &large), answering);
        assert_eq!(seen, "413 content-length=2 no spent");
        assert!(!http1.is_ready().await);
    });
    on_engine_thread(async {
        // It says so before it reads anything, and goes.
        let (mut http1, _, mut far) = connected();
        far.write_all(ANSWER).await.unwrap();
        drop(far);
        assert_eq!(exchange(&mut http1, &large()).await, "413 content-length=2 no spent");
    });
}

#[test]
fn a_closed_connection_is_known_at_the_end_of_a_turn() {
    on_engine_thread(async {
        let (mut http1, _, far) = connected();
        assert!(http1.is_ready().await);
        drop(far);
        yield_now().await;
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
        assert!(!http1.is_ready().await);
    });
}

#[test]
fn who_says_close_does_not_ask_again() {
    on_engine_thread(async {
        let (mut http1, _, mut far) = connected();
        far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        let request = http::Request::get("/").header("connection", "te, Close").body(Bytes::new()).unwrap();
        assert_eq!(exchange(&mut http1, &request).await, "204  spent");
    });
}

proptest! {
    /// Whatever a template makes of them, path, query and fields stay where they belong, or the request never leaves.
    #[test]
    fn nothing_breaks_out_of_its_line(
        path in "[a/?#%{}\r\n\t\0 :é\u{7f}\u{85}\u{2028}]{0,12}", value in "[a:\r\n\t\0 é\u{7f}]{0,8}",
        name in "[a\r\n: é]{1,3}", host in "[a.:@/\r\n ]{1,6}",
    ) {
        let target = Arc::new(Origin::of(&Url::parse("http://t.test").unwrap()).unwrap());
        let headers = vec![("x".to_owned(), value.clone()), (name, value), ("host".to_owned(), host)];
        let rendered = RenderedRequest { url: format!("http://t.test/{path}"), headers, body: Vec::new() };
        let draft = Draft::new(plan::model::Method::Get, rendered, Codings::None);
        if let Ok(outgoing) = outgoing::build(&target, &draft) {
            let mut out = Vec::new();
            head::write(&outgoing.request, &mut out);
            let fields = outgoing.request.headers().len();
            let lines: Vec<&[u8]> = out.split(|&byte| byte == b'\n').collect();
            prop_assert_eq!(lines.len(), 1 + fields + 2, "{:?}", String::from_utf8_lossy(&out));
            let (last, lines) = lines.split_last().unwrap();
            prop_assert!(last.is_empty());
            prop_assert!(lines.iter().all(|line| line.iter().position(|&byte| byte == b'\r') == Some(line.len() - 1)));
            prop_assert_eq!(lines[0].split(|&byte| byte == b' ').count(), 3);
        }
    }
}
