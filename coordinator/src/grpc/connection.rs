//! A connection to an agent: a TCP stream whose first bytes were looked at, TLS on top of one, or memory.

use super::cut::Cut;
use super::listener::Wire;
use super::stranger::{Ticket, Watch};
use bytes::{Buf, Bytes};
use proto::Fingerprint;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// A TCP stream that gives back the bytes which were read to see what it is.
pub(super) struct Replay {
    seen: Bytes,
    stream: Box<dyn Wire>,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address, for messages to people.
    pub name: String,
    /// The address; none in this process.
    pub ip: Option<IpAddr>,
    /// The key that the TLS handshake proved.
    pub key: Option<Fingerprint>,
    ticket: Option<Ticket>,
    cut: Cut,
}

/// A connection whose other end says who it is.
pub(super) struct Connection {
    stream: Stream,
    peer: Peer,
    /// Until it has joined.
    watch: Option<Watch>,
}

enum Stream {
    Tcp(Replay),
    Tls(Box<TlsStream<Replay>>),
    Memory(DuplexStream),
}

impl Peer {
    /// Whoever is at `address`, with the key that was proved.
    pub fn of(address: SocketAddr, key: Option<Fingerprint>) -> Peer {
        let ip = Some(address.ip().to_canonical());
        Peer { name: address.to_string(), ip, key, ticket: None, cut: Cut::default() }
    }

    /// Its connection has joined: nobody watches it any more.
    pub(super) fn joined(&self) {
        if let Some(ticket) = &self.ticket {
            ticket.joined();
        }
    }

    /// Ends its connection, whatever is still on its way.
    pub(super) fn cut(&self) {
        self.cut.now();
    }
}

impl Replay {
    /// `stream`, of which `seen` was read already.
    pub(super) fn new(stream: Box<dyn Wire>, seen: Bytes) -> Replay {
        Replay { seen, stream }
    }

    /// The stream underneath.
    pub(super) fn into_inner(self) -> Box<dyn Wire> {
        self.stream
    }
}

impl Connection {
    /// A connection that nothing protects.
    pub(super) fn plain(stream: Replay, peer: Peer, ticket: Ticket) -> Connection {
        Connection::watched(Stream::Tcp(stream), peer, ticket)
    }

    /// A connection after its TLS handshake.
    pub(super) fn tls(stream: TlsStream<Replay>, peer: Peer, ticket: Ticket) -> Connection {
        Connection::watched(Stream::Tls(Box::new(stream)), peer, ticket)
    }

    /// An agent in this process.
    pub(super) fn memory(stream: DuplexStream) -> Connection {
        let peer =
            Peer { name: "this process".to_owned(), ip: None, key: None, ticket: None, cut: Cut::default() };
        Connection { stream: Stream::Memory(stream), peer, watch: None }
    }

    fn watched(stream: Stream, peer: Peer, ticket: Ticket) -> Connection {
        let watch = Some(Watch::new(ticket.clone()));
        Connection { stream, peer: Peer { ticket: Some(ticket), ..peer }, watch }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Replay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.seen.has_remaining() {
            let n = self.seen.len().min(buf.remaining());
            buf.put_slice(&self.seen.split_to(n));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Replay {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.peer.cut.look(cx)?;
        if let Some(watch) = &mut self.watch
            && watch.look(cx)?
        {
            self.watch = None;
        }
        let before = buf.filled().len();
        let read = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if let Some(watch) = &mut self.watch {
            watch.read(buf.filled().len() - before);
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Memory(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Memory(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
