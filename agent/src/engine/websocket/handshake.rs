//! From an open stream to a WebSocket: the request, and whether its answer is one (RFC 6455, section 4).
//!
//! It is written out here, not left to the library, so that every wrong answer gets a message of its own, the
//! answer's size is bounded, and a server that lists more than one token in `connection` is understood.

use super::failure;
use crate::engine::counting_io::Wire;
use crate::engine::http::Client;
use crate::engine::limits::{MAX_HANDSHAKE_BYTES, RequestLimits};
use crate::engine::outgoing::Outgoing;
use crate::engine::progress::{Progress, Stage};
use crate::engine::stream::Stream;
use http::header::{HeaderMap, HeaderName};
use http::{HeaderValue, StatusCode};
use metrics::{ErrorKind, Failure};
use std::rc::Rc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout_at;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Most headers of an answer.
const MAX_HEADERS: usize = 100;

/// A stream that speaks WebSocket from here on.
pub(in crate::engine) struct Upgraded {
    pub(super) stream: Stream,
    pub(super) wire: Rc<Wire>,
    /// What came after the answer's head.
    pub(super) tail: Vec<u8>,
}

impl Client {
    /// Opens a connection of its own for `outgoing`, which was started at `started`, and makes a WebSocket of it.
    pub(super) async fn upgrade(
        &mut self,
        outgoing: Outgoing,
        url: &str,
        subprotocols: &[String],
        started: Instant,
        progress: &Progress,
        limits: &RequestLimits,
    ) -> Result<Upgraded, Failure> {
        let wire = Rc::new(Wire::default());
        let Outgoing { origin, mut request } = outgoing;
        self.add_cookies(request.headers_mut(), url);
        let attempt = async {
            let mut stream = self.websocket_stream(&origin, &wire, progress, limits).await?;
            progress.stage.set(Stage::FirstByte);
            let (headers, tail) = shake(&mut stream, &request, subprotocols, &wire, progress).await?;
            self.keep_cookies(&headers, url);
            Ok((stream, tail))
        };
        match timeout_at((started + limits.request).into(), attempt).await {
            Ok(done) => done.map(|(stream, tail)| Upgraded { stream, wire, tail }),
            Err(_) => Err(progress.timed_out(limits)),
        }
    }
}

/// Sends the request and reads its answer; gives its headers and what came after it.
pub(super) async fn shake<B>(
    stream: &mut Stream,
    request: &http::Request<B>,
    subprotocols: &[String],
    wire: &Wire,
    progress: &Progress,
) -> Result<(HeaderMap, Vec<u8>), Failure> {
    let key = generate_key();
    stream.write_all(&head(request, subprotocols, &key)).await.map_err(|e| failure::of_io(&e))?;
    stream.flush().await.map_err(|e| failure::of_io(&e))?;
    let asked_at = wire.last_write.get();
    let mut bytes = Vec::with_capacity(1024);
    let end = loop {
        let before = bytes.len();
        if stream.read_buf(&mut bytes).await.map_err(|e| failure::of_io(&e))? == 0 {
            return Err(Failure::new(ErrorKind::Reset, "connection closed during the handshake"));
        }
        if !begins_like_http(&bytes) {
            return Err(Failure::new(ErrorKind::Protocol, "the answer to the handshake is not HTTP"));
        }
        if let Some(end) = end_of_head(&bytes, before) {
            break end;
        }
        if bytes.len() > MAX_HANDSHAKE_BYTES {
            return Err(too_large());
        }
    };
    if end > MAX_HANDSHAKE_BYTES {
        return Err(too_large());
    }
    let head_at = Instant::now();
    let asked_at = asked_at.unwrap_or(head_at);
    progress.mark(|phases| phases.first_byte = Some(head_at.saturating_duration_since(asked_at)));
    let tail = bytes.split_off(end);
    let headers = verify(&bytes, subprotocols, &derive_accept_key(key.as_bytes()))?;
    Ok((headers, tail))
}

fn too_large() -> Failure {
    let limit = MAX_HANDSHAKE_BYTES;
    Failure::new(ErrorKind::TooLarge, format!("the answer to the handshake is larger than {limit} bytes"))
}

/// The request on the wire; `connection` and `upgrade` as most servers expect them spelled.
fn head<B>(request: &http::Request<B>, subprotocols: &[String], key: &str) -> Vec<u8> {
    let mut out = format!("GET {} HTTP/1.1\r\n", request.uri()).into_bytes();
    let mut line = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    };
    for (name, value) in request.headers() {
        line(name.as_str(), value.as_bytes());
    }
    line("Connection", b"Upgrade");
    line("Upgrade", b"websocket");
    line("Sec-WebSocket-Version", b"13");
    line("Sec-WebSocket-Key", key.as_bytes());
    if !subprotocols.is_empty() {
        line("Sec-WebSocket-Protocol", subprotocols.join(", ").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn begins_like_http(bytes: &[u8]) -> bool {
    let start = b"HTTP/1.";
    let length = bytes.len().min(start.len());
    bytes[..length] == start[..length]
}

/// Where the head ends, if it does in what was read after `before`.
fn end_of_head(bytes: &[u8], before: usize) -> Option<usize> {
    let from = before.saturating_sub(3);
    bytes[from..].windows(4).position(|four| four == b"\r\n\r\n").map(|at| from + at + 4)
}

fn verify(head: &[u8], subprotocols: &[String], accept: &str) -> Result<HeaderMap, Failure> {
    let broken = |why: String| Failure::new(ErrorKind::Protocol, why);
    let mut parsed = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut parsed);
    let complete =
        response.parse(head).map_err(|why| broken(format!("the answer to the handshake: {why}")))?;
    let Some(code) = response.code.filter(|_| complete.is_complete()) else {
        return Err(broken("the answer to the handshake is not complete".to_owned()));
    };
    if code != 101 {
        let known = StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason());
        let status = known.map_or(format!("status {code}"), |reason| format!("{code} {reason}"));
        return Err(Failure::new(ErrorKind::Status, format!("{status}, expected 101 Switching Protocols")));
    }
    let mut headers = HeaderMap::new();
    for header in &*response.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(header.name.as_bytes()), HeaderValue::from_bytes(header.value))
        {
            headers.append(name, value);
        }
    }
    let tokens = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|token| token.trim().to_owned()).collect()
    };
    let says = |name: &str, token: &str| tokens(name).iter().any(|found| found.eq_ignore_ascii_case(token));
    if !says("upgrade", "websocket") || !says("connection", "upgrade") {
        return Err(broken("101 without `upgrade: websocket` and `connection: upgrade`".to_owned()));
    }
    if headers.get("sec-websocket-accept").is_none_or(|value| value != accept) {
        return Err(broken("the server's sec-websocket-accept does not fit the key".to_owned()));
    }
    if headers.contains_key("sec-websocket-extensions") {
        return Err(broken("the server uses an extension; none was offered".to_owned()));
    }
    let offered = || subprotocols.join(", ");
    let chosen = tokens("sec-websocket-protocol");
    match chosen.as_slice() {
        [] if subprotocols.is_empty() => Ok(headers),
        [] => Err(broken(format!("the server chose none of the subprotocols {}", offered()))),
        [chosen] if subprotocols.contains(chosen) => Ok(headers),
        [chosen, ..] if subprotocols.is_empty() => {
            Err(broken(format!("the server chose the subprotocol `{chosen}`; none was offered")))
        }
        [chosen, ..] => {
            Err(broken(format!("the server chose the subprotocol `{chosen}`; offered were {}", offered())))
        }
    }
}
