//! A stream that counts the exact bytes that cross it.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What went over one connection since it was made, TLS records included.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// Bytes read.
    pub(super) read: Cell<u64>,
    /// Bytes written.
    pub(super) written: Cell<u64>,
    /// When bytes were last handed to the connection.
    pub(super) last_write: Cell<Option<Instant>>,
}

impl Wire {
    fn wrote(&self, bytes: usize) {
        self.written.set(self.written.get() + bytes as u64);
        self.last_write.set(Some(Instant::now()));
    }
}

/// Counts what crosses `inner` in `wire`.
#[derive(Debug)]
pub(super) struct CountingIo<T> {
    inner: T,
    wire: Rc<Wire>,
}

impl<T> CountingIo<T> {
    /// Wraps `inner`.
    pub(super) fn new(inner: T, wire: Rc<Wire>) -> CountingIo<T> {
        CountingIo { inner, wire }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for CountingIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.wire.read.set(self.wire.read.get() + (buf.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for CountingIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.wire.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        self.wire.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
