//! The connection of a conversation: what crosses it is counted and checked as it arrives.

use super::failure;
use super::handshake::Upgraded;
use crate::engine::counting_io::Wire;
use crate::engine::limits::{MAX_MESSAGE_BYTES, MAX_WAITING_BYTES};
use crate::engine::stream::Stream;
use crate::engine::tally::Tally;
use bytes::Bytes;
use futures_util::Stream as _;
use metrics::{ErrorKind, Failure, SeriesId, Traffic};
use plan::websocket::Isolation;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Bytes that are read at once. The library's default would cost each connection 128 KiB.
const READ_BUFFER: usize = 2048;

/// What a waiting message costs besides its bytes.
const MESSAGE_OVERHEAD: usize = 64;

/// The markers that messages may carry.
pub(super) struct Guard {
    pub(super) isolation: Arc<Isolation>,
    /// The user's own.
    pub(super) own: String,
}

/// Why nothing more comes.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// The peer closed it.
    Closed(Option<CloseFrame>),
    /// The connection broke, the peer broke the protocol, or a message carried another user's marker.
    Broken(Failure),
}

impl End {
    /// The failure of a step that needs the connection.
    pub(super) fn failure(&self) -> Failure {
        match self {
            End::Closed(frame) => failure::closed(frame.as_ref()),
            End::Broken(failure) => failure.clone(),
        }
    }
}

/// A message that waits for a `receive`.
pub(super) struct Waiting {
    pub(super) payload: Bytes,
    pub(super) arrived: Instant,
}

/// See the module. Dropping it closes the socket at once.
pub(in crate::engine) struct Conversation {
    pub(super) socket: WebSocketStream<Stream>,
    tally: Rc<Tally>,
    series: SeriesId,
    wire: Rc<Wire>,
    /// Bytes (read, written) that are in the books.
    counted: (u64, u64),
    guard: Option<Guard>,
    inbox: VecDeque<Waiting>,
    /// What the messages in `inbox` cost.
    waiting: usize,
    /// The last message that was sent.
    pub(super) sent: Bytes,
    /// When that was, or else when the handshake was over.
    pub(super) since: Instant,
    /// The payload of the last pong.
    pub(super) pong: Option<Bytes>,
    /// Pings sent.
    pub(super) pings: u32,
    /// How a `close` step wants it to end.
    pub(super) farewell: Option<CloseFrame>,
    /// The peer closed it as the plan expected.
    pub(super) agreed: bool,
    /// Nobody waits for messages any more.
    pub(super) over: bool,
    pub(super) end: Option<End>,
}

impl Conversation {
    /// Speaks WebSocket over `upgraded`, since `now`; what crosses it is counted in `series`.
    pub(super) async fn new(
        upgraded: Upgraded,
        now: Instant,
        series: SeriesId,
        tally: Rc<Tally>,
        guard: Option<Guard>,
    ) -> Conversation {
        let Upgraded { stream, wire, tail } = upgraded;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let socket = WebSocketStream::from_partially_read(stream, tail, Role::Client, Some(config)).await;
        tally.connections.set(tally.connections.get() + 1);
        Conversation {
            socket,
            tally,
            series,
            counted: (wire.read.get(), wire.written.get()),
            wire,
            guard,
            inbox: VecDeque::new(),
            waiting: 0,
            sent: Bytes::new(),
            since: now,
            pong: None,
            pings: 0,
            farewell: None,
            agreed: false,
            over: false,
            end: None,
        }
    }

    /// Takes in whatever has arrived; ready when nothing more will come.
    pub(super) fn poll_listen(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.end.is_none() {
            let item = ready!(Pin::new(&mut self.socket).poll_next(cx));
            self.take_in(item);
            if self.waiting > MAX_WAITING_BYTES {
                let problem =
                    format!("more than {MAX_WAITING_BYTES} bytes of messages wait that no `receive` took");
                self.end.get_or_insert(End::Broken(Failure::new(ErrorKind::TooLarge, problem)));
            }
        }
        Poll::Ready(())
    }

    /// The next message, or the end once all that came before it were taken.
    pub(super) async fn next(&mut self) -> Result<Waiting, End> {
        poll_fn(|cx| {
            loop {
                if let Some(message) = self.inbox.pop_front() {
                    self.waiting -= message.payload.len() + MESSAGE_OVERHEAD;
                    return Poll::Ready(Ok(message));
                }
                if let Some(end) = &self.end {
                    return Poll::Ready(Err(end.clone()));
                }
                let item = ready!(Pin::new(&mut self.socket).poll_next(cx));
                self.take_in(item);
            }
        })
        .await
    }

    /// Counts a message that was sent.
    pub(super) fn count_sent(&mut self) {
        self.count(1, 0);
    }

    /// Takes in what arrived, or that nothing more will.
    pub(super) fn take_in(&mut self, item: Option<Result<Message, Error>>) {
        match item {
            Some(Ok(Message::Text(text))) => self.keep(text.into()),
            Some(Ok(Message::Binary(payload))) => self.keep(payload),
            Some(Ok(Message::Pong(payload))) => self.pong = Some(payload),
            // The library answers pings when it is next polled, which is at once.
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(frame))) => self.end = Some(End::Closed(frame)),
            Some(Err(error)) => self.end = Some(End::Broken(failure::of(&error))),
            None => self.end = Some(End::Broken(failure::without_close())),
        }
    }

    fn keep(&mut self, payload: Bytes) {
        self.count(0, 1);
        if let Some(Guard { isolation, own }) = &self.guard
            && let Err(failure) = isolation.check(&payload, own)
        {
            self.end = Some(End::Broken(failure));
            return;
        }
        if self.over {
            return;
        }
        self.waiting += payload.len() + MESSAGE_OVERHEAD;
        self.inbox.push_back(Waiting { payload, arrived: Instant::now() });
    }

    fn count(&mut self, messages_sent: u64, messages_received: u64) {
        let (read, written) = (self.wire.read.get(), self.wire.written.get());
        let (bytes_in, bytes_out) = (read - self.counted.0, written - self.counted.1);
        self.counted = (read, written);
        let traffic = Traffic { messages_sent, messages_received, bytes_in, bytes_out };
        if traffic != Traffic::default() {
            self.tally.carry(self.series, &traffic);
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.count(0, 0);
        self.tally.connections.set(self.tally.connections.get() - 1);
    }
}
