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
use std::collections::{BTreeMap, VecDeque};
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

/// What a message may be the answer to.
#[derive(Clone)]
pub(super) struct Asked {
    /// The message that was sent; empty for the handshake.
    pub(super) payload: Bytes,
    /// When that was, or when the handshake was over.
    pub(super) at: Instant,
}

/// A message that was sent with a name.
pub(super) struct Named {
    pub(super) asked: Asked,
    /// Whether a `receive` has had its answer.
    pub(super) answered: bool,
}

/// A message that waits for a `receive`.
pub(super) struct Waiting {
    pub(super) payload: Bytes,
    pub(super) arrived: Instant,
}

impl Waiting {
    fn cost(&self) -> usize {
        self.payload.len() + MESSAGE_OVERHEAD
    }
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
    /// Messages that came before those of `inbox`, and that the `receive` at hand has passed over.
    aside: Vec<Waiting>,
    /// What the messages in `inbox` and `aside` cost.
    waiting: usize,
    /// The last message that was sent, or else the handshake.
    pub(super) last: Asked,
    /// The last message of each name.
    pub(super) named: BTreeMap<Arc<str>, Named>,
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
    /// The first message that carried another user's marker, as a failure.
    pub(super) foreign: Option<Failure>,
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
            aside: Vec::new(),
            waiting: 0,
            last: Asked { payload: Bytes::new(), at: now },
            named: BTreeMap::new(),
            pong: None,
            pings: 0,
            farewell: None,
            agreed: false,
            over: false,
            foreign: None,
            end: None,
        }
    }

    /// Takes in whatever has arrived; ready when nothing more will come.
    pub(super) fn poll_listen(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.end.is_none() {
            let item = ready!(Pin::new(&mut self.socket).poll_next(cx));
            self.take_in(item);
            self.bound_waiting();
        }
        Poll::Ready(())
    }

    fn bound_waiting(&mut self) {
        if self.waiting > MAX_WAITING_BYTES {
            let problem =
                format!("more than {MAX_WAITING_BYTES} bytes of messages wait that no `receive` took");
            self.end.get_or_insert(End::Broken(Failure::new(ErrorKind::TooLarge, problem)));
        }
    }

    /// Keeps a message that the `receive` at hand has passed over, until [`take_back`](Self::take_back).
    pub(super) fn set_aside(&mut self, message: Waiting) {
        self.waiting += message.cost();
        self.aside.push(message);
        self.bound_waiting();
    }

    /// The `receive` at hand has had the answer to the message `answered`: lets the messages that were set aside
    /// wait for the next one, before all others.
    pub(super) fn take_back(&mut self, answered: Option<&str>) {
        if let Some(named) = answered.and_then(|name| self.named.get_mut(name)) {
            named.answered = true;
        }
        for message in self.aside.drain(..).rev() {
            self.inbox.push_front(message);
        }
    }

    /// The next message, or the end once all that came before it were taken.
    pub(super) async fn next(&mut self) -> Result<Waiting, End> {
        poll_fn(|cx| {
            loop {
                if let Some(message) = self.inbox.pop_front() {
                    self.waiting -= message.cost();
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
            self.foreign = Some(failure.clone());
            self.end = Some(End::Broken(failure));
            return;
        }
        if self.over {
            return;
        }
        let message = Waiting { payload, arrived: Instant::now() };
        self.waiting += message.cost();
        self.inbox.push_back(message);
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
