//! From an origin to an open stream: resolve, connect, TLS.

use super::counting_io::{CountingIo, Wire};
use super::error_kind;
use super::limits::RequestLimits;
use super::origin::{Origin, Scheme};
use super::progress::{Progress, Stage};
use metrics::{ErrorKind, Failure};
use rustls::pki_types::ServerName;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An open stream to a target.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(CountingIo<TcpStream>),
    Tls(Box<TlsStream<CountingIo<TcpStream>>>),
}

/// Opens a stream whose bytes are counted in `wire`, within `limits.connect` from `begun`. Marks stages and
/// phases in `progress`. `certified` is the name that the certificate has to be for. `tls` is asked for only when the origin is encrypted.
pub(super) async fn dial(
    origin: &Origin,
    certified: &str,
    tls: impl FnOnce() -> Result<TlsConnector, Failure>,
    wire: &Rc<Wire>,
    progress: &Progress,
    limits: &RequestLimits,
) -> Result<Stream, Failure> {
    let begun = Instant::now();
    let deadline = begun + limits.connect;
    let opened = timeout_at(deadline.into(), async {
        progress.stage.set(Stage::Resolve);
        let addresses = resolve(origin).await?;
        progress.stage.set(Stage::Connect);
        let tcp = connect(&addresses, deadline, progress, limits).await?;
        let connected = Instant::now();
        progress.mark(|phases| phases.connect = Some(connected - begun));
        let stream = CountingIo::new(tcp, wire.clone());
        if origin.scheme == Scheme::Http {
            return Ok(Stream::Plain(stream));
        }
        progress.stage.set(Stage::Tls);
        let name = ServerName::try_from(certified.to_owned())
            .map_err(|e| Failure::new(ErrorKind::Tls, format!("host `{certified}`: {e}")))?;
        let stream = tls()?.connect(name, stream).await.map_err(|e| error_kind::of_handshake(&e))?;
        progress.mark(|phases| phases.tls = Some(connected.elapsed()));
        Ok(Stream::Tls(Box::new(stream)))
    });
    opened.await.unwrap_or_else(|_| Err(progress.timed_out(limits)))
}

/// Addresses are taken as they are; names are asked for every time, as a new client would.
async fn resolve(origin: &Origin) -> Result<Vec<SocketAddr>, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(ErrorKind::Dns, format!("cannot resolve `{}`: {why}", origin.host))
    };
    let found = lookup_host((origin.host.as_str(), origin.port)).await.map_err(|e| failed(&e))?;
    let addresses: Vec<SocketAddr> = found.collect();
    if addresses.is_empty() { Err(failed(&"it has no address")) } else { Ok(addresses) }
}

/// Tries the addresses in order, each with an equal share of the time that is left; the last failure counts.
async fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
    progress: &Progress,
    limits: &RequestLimits,
) -> Result<TcpStream, Failure> {
    let mut last = None;
    for (place, &address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / (addresses.len() - place) as u32;
        match timeout_at((now + share).into(), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|e| error_kind::of_connect(&e, address))?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(error_kind::of_connect(&error, address)),
            Err(_) => last = Some(progress.timed_out(limits)),
        }
    }
    Err(last.expect("a resolved name has an address"))
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
