//! Where connections come from: a TCP port, or a stand-in where only the protocol is of interest.

use futures_util::future::BoxFuture;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// A connection, whatever carries it.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<W: AsyncRead + AsyncWrite + Send + Unpin> Wire for W {}

/// Takes connections in.
pub trait Listener: Send {
    /// The next one, and the address of its other end.
    ///
    /// # Errors
    /// When none can be taken in at the moment; the next call may succeed.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Wire>, SocketAddr)>>;
}

impl Listener for TcpListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Wire>, SocketAddr)>> {
        Box::pin(async {
            let (stream, address) = TcpListener::accept(self).await?;
            let _ = stream.set_nodelay(true);
            Ok((Box::new(stream) as Box<dyn Wire>, address))
        })
    }
}
