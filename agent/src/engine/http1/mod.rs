//! HTTP/1.1 on a stream (RFC 9112): one exchange after the other, driven by the user that waits for it.
//!
//! A general client moves the bytes of a connection in a task of its own and hands requests, heads and bodies through
//! channels; the wakes, moves and buffers of that cost more than everything else in a request that is not the
//! kernel's. Here the user's own task writes and reads, and a connection that waits holds no buffer: what is read goes
//! through one that all users of the thread share.

mod framing;
mod head;

pub(super) use head::Head;

use super::body::BodySink;
use super::error_kind;
use super::limits::{MAX_HEAD_BYTES, READ_BYTES};
use super::stream::Stream;
use bytes::Bytes;
use framing::Framing;
use metrics::{ErrorKind, Failure};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::unconstrained;

thread_local! {
    /// What is being read. Nothing in it outlives a poll.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Bodies up to this size in bytes are written in one piece with the head.
const JOINED_BODY: usize = 4 << 10;

/// A connection that speaks HTTP/1.1.
#[derive(Debug)]
pub(super) struct Http1 {
    stream: Stream,
    outbox: Outbox,
    /// Read, and not of what was asked for so far.
    unread: Vec<u8>,
    /// What is left of the response's body.
    framing: Framing,
    /// Whether there may be another request.
    keeps: bool,
}

impl Http1 {
    /// Speaks over `stream`.
    pub(super) fn new(stream: Stream) -> Http1 {
        let outbox = Outbox::default();
        Http1 { stream, outbox, unread: Vec::new(), framing: Framing::Length(0), keeps: true }
    }

    /// Whether there cannot be another request: one of the sides does not want it, or what came is not of the response.
    pub(super) fn is_spent(&self) -> bool {
        !self.keeps || !self.unread.is_empty()
    }

    /// Whether the other side has left it open and said nothing unasked, as far as is known.
    pub(super) async fn is_ready(&mut self) -> bool {
        let mut byte = [0];
        // A task that has used up its turn would see nothing, which is what an open connection looks like.
        !self.is_spent()
            && unconstrained(poll_fn(|context| {
                let mut buffer = ReadBuf::new(&mut byte);
                Poll::Ready(Pin::new(&mut self.stream).poll_read(context, &mut buffer).is_pending())
            }))
            .await
    }

    /// Writes `request` and reads the response's head. Informational responses are passed over.
    pub(super) async fn send(&mut self, request: &http::Request<Bytes>) -> Result<Head, Failure> {
        self.outbox.put(request);
        let bodiless = request.method() == http::Method::HEAD;
        let head = poll_fn(|context| self.poll_head(context)).await?;
        self.framing = head.framing(bodiless)?;
        self.keeps = head.keeps && self.framing != Framing::ToEnd && !head::closes(request.headers());
        Ok(head)
    }

    /// Bytes of the body, if the head says how many.
    pub(super) fn announced(&self) -> u64 {
        if let Framing::Length(bytes) = self.framing { bytes } else { 0 }
    }

    /// Reads the rest of the response into `sink`.
    pub(super) async fn read(&mut self, sink: &mut BodySink) -> Result<(), Failure> {
        let came_with_the_head = std::mem::take(&mut self.unread);
        self.take_body(&came_with_the_head, sink)?;
        poll_fn(|context| self.poll_body(context, sink)).await?;
        // A response may be there before all of the request is; what is left of that would stand before the next.
        self.keeps &= self.outbox.is_empty();
        Ok(())
    }

    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, Failure>> {
        loop {
            self.outbox.push(&mut self.stream, context);
            if let Some(head) = ready!(self.poll_read(context, Http1::take_head))? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    fn poll_body(&mut self, context: &mut Context<'_>, sink: &mut BodySink) -> Poll<Result<(), Failure>> {
        while !self.framing.is_over() {
            self.outbox.push(&mut self.stream, context);
            ready!(self.poll_read(context, |this, bytes| {
                if bytes.is_empty() { this.framing.end() } else { this.take_body(bytes, sink) }
            }))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Lets `take` have what comes next; nothing at the end of the stream.
    fn poll_read<T>(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut Http1, &[u8]) -> Result<T, Failure>,
    ) -> Poll<Result<T, Failure>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            let ended = read.is_err() || buffer.filled().is_empty();
            // A write that failed comes before its consequences.
            let broken = self.outbox.broken.take_if(|_| ended).or(read.err());
            Poll::Ready(match broken {
                Some(error) => Err(error_kind::of_io(&error)),
                None => take(self, buffer.filled()),
            })
        })
    }

    fn take_head(&mut self, bytes: &[u8]) -> Result<Option<Head>, Failure> {
        if bytes.is_empty() {
            return Err(framing::cut());
        }
        let mut before = std::mem::take(&mut self.unread);
        let known = before.len();
        let all = if known == 0 {
            bytes
        } else {
            before.extend_from_slice(bytes);
            before.as_slice()
        };
        let (mut at, mut found) = (0, None);
        // The beginning has been looked at; without an end there is nothing new to see.
        let worthwhile = known == 0 || head::ends(&all[known.saturating_sub(3)..]);
        while worthwhile && at < all.len() && found.is_none() {
            let Some((head, length)) = Head::read(&all[at..])? else { break };
            at += length;
            found = Some(head).filter(|head| !head.is_informational());
        }
        if found.is_none() && all.len() - at > MAX_HEAD_BYTES {
            let problem = "the response's header section is larger than the limit";
            return Err(Failure::new(ErrorKind::TooLarge, problem));
        }
        self.unread = if known == 0 {
            bytes[at..].to_vec()
        } else {
            // Where it stands: a head may come in very many pieces.
            before.drain(..at);
            before
        };
        Ok(found)
    }

    fn take_body(&mut self, bytes: &[u8], sink: &mut BodySink) -> Result<(), Failure> {
        let taken = self.framing.take(bytes, |data| sink.take(data))?;
        self.unread.extend_from_slice(&bytes[taken..]);
        Ok(())
    }
}

/// A request on its way out.
#[derive(Debug, Default)]
struct Outbox {
    head: Vec<u8>,
    body: Bytes,
    /// Bytes of both that are written.
    sent: usize,
    /// Whether what was written has left.
    flushed: bool,
    /// Why no more can be written. The other side may have answered nevertheless.
    broken: Option<io::Error>,
}

impl Outbox {
    fn put(&mut self, request: &http::Request<Bytes>) {
        self.head.clear();
        self.head.shrink_to(JOINED_BODY);
        head::write(request, &mut self.head);
        let body = request.body();
        if body.len() <= JOINED_BODY {
            self.head.extend_from_slice(body);
            self.body = Bytes::new();
        } else {
            self.body = body.clone();
        }
        (self.sent, self.flushed, self.broken) = (0, false, None);
    }

    fn is_empty(&self) -> bool {
        self.flushed
    }

    /// Writes what `stream` takes now.
    fn push(&mut self, stream: &mut Stream, context: &mut Context<'_>) {
        if !self.flushed
            && self.broken.is_none()
            && let Poll::Ready(pushed) = self.poll_push(stream, context)
        {
            self.flushed = pushed.is_ok();
            self.broken = pushed.err();
            self.body = Bytes::new();
        }
    }

    fn poll_push(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(stream);
        loop {
            let head = &self.head[self.sent.min(self.head.len())..];
            let body = &self.body[self.sent.saturating_sub(self.head.len())..];
            let written = match (head, body) {
                ([], []) => return stream.poll_flush(context),
                (piece, []) | ([], piece) => stream.as_mut().poll_write(context, piece),
                (head, body) => {
                    let pieces = [IoSlice::new(head), IoSlice::new(body)];
                    stream.as_mut().poll_write_vectored(context, &pieces)
                }
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
    }
}

#[cfg(test)]
mod tests;
