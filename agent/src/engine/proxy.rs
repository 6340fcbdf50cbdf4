//! Asking an HTTP proxy for a tunnel (RFC 9110, section 9.3.6).

use super::error_kind;
use super::limits::MAX_TUNNEL_ANSWER_BYTES;
use super::origin::Origin;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use metrics::{ErrorKind, Failure};
use plan::model::Proxy;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Where `proxy` is, as messages and URLs show it.
pub(super) fn name(proxy: &Proxy) -> String {
    host_and_port(&proxy.host, proxy.port)
}

fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// What the `proxy-authorization` header says, if the proxy wants one.
pub(super) fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let (user, password) = proxy.credentials.as_ref()?;
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::from_str(&text).expect("base64 holds no control characters");
    value.set_sensitive(true);
    Some(value)
}

/// Makes of `stream`, which leads to `proxy`, one that leads to `origin`.
pub(super) async fn tunnel(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    origin: &Origin,
) -> Result<(), Failure> {
    let place = host_and_port(&origin.host, origin.port);
    let mut request = format!("CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n").into_bytes();
    if let Some(authorization) = authorization(proxy) {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let of_proxy = |failure: Failure| {
        Failure::new(failure.kind, format!("{}, by the proxy {}", failure.message, name(proxy)))
    };
    stream.write_all(&request).await.map_err(|e| of_proxy(error_kind::of_io(&e)))?;
    stream.flush().await.map_err(|e| of_proxy(error_kind::of_io(&e)))?;
    let mut answer = Vec::new();
    // Byte for byte: what follows the head is the target's already.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == MAX_TUNNEL_ANSWER_BYTES {
            let problem = format!("an answer of more than {MAX_TUNNEL_ANSWER_BYTES} bytes");
            return Err(of_proxy(Failure::new(ErrorKind::TooLarge, problem)));
        }
        answer.push(stream.read_u8().await.map_err(|e| of_proxy(error_kind::of_io(&e)))?);
    }
    let status = status(&answer);
    match status {
        Some(200..=299) => Ok(()),
        Some(status) => {
            let problem = format!("the proxy {} refused to connect to {place}: status {status}", name(proxy));
            Err(Failure::new(ErrorKind::Connect, problem))
        }
        None => {
            let problem = format!("the proxy {} does not answer in HTTP", name(proxy));
            Err(Failure::new(ErrorKind::Protocol, problem))
        }
    }
}

/// The status of `HTTP/1.1 200 Connection established`.
fn status(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|digits| rest[1] == b' ' && digits.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
