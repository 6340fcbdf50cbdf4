//! Every bound of the engine, with the reason for its number.

use plan::model::{ConnectionSettings, RequestSettings};
use std::time::Duration;

/// Largest response body that is counted and dropped: a response without end must not hold a user for ever.
pub const MAX_BODY_BYTES: u64 = 1 << 30;

/// Connections that one user keeps, one for each origin; the one unused for longest makes room.
pub const MAX_CONNECTIONS_PER_USER: usize = 4;

/// Shortest pause before a failed `on_start` is tried again, so that a target that refuses every login is not
/// flooded by users that never get to their tasks.
pub const ON_START_RETRY_PAUSE_MIN: Duration = Duration::from_secs(1);

/// Largest WebSocket message: as large as a body that is kept for the plan's checks.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// Most bytes of messages that wait for a `receive`, per conversation.
pub const MAX_WAITING_BYTES: usize = 16 << 20;

/// Largest answer to a WebSocket handshake: four times what servers commonly allow for headers.
pub const MAX_HANDSHAKE_BYTES: usize = 32 << 10;

/// How long a message may take to be sent: the value that most proxies and load balancers use.
pub const SEND_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a peer may take to answer a close: longer than any round trip, shorter than people wait.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a user lingers after a conversation for the peer to close the connection first.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often an engine thread measures how late it wakes: ten samples in each window cost nothing.
pub(super) const LAG_INTERVAL: Duration = Duration::from_millis(100);

/// From how late on the start of a user, an iteration or an arrival counts as late: ten times what an idle engine's timer
/// is off, and as much as a fast API's whole p95.
pub(super) const LATE_START: Duration = Duration::from_millis(20);

/// How late the runtime's timer may be by itself: it counts in whole milliseconds and rounds up.
pub(super) const TIMER_ERROR: Duration = Duration::from_millis(2);

/// Threads for name resolution of each engine thread; the system's resolver blocks.
pub(super) const RESOLVER_THREADS: usize = 16;

/// Longest answer of a proxy that is asked for a tunnel, in bytes.
pub(super) const MAX_TUNNEL_ANSWER_BYTES: usize = 8 << 10;

/// Longest head of a response, in bytes. Servers commonly allow themselves a fiftieth of it.
pub(super) const MAX_HEAD_BYTES: usize = 400 << 10;

/// Bytes that are read from an HTTP/1.1 connection at a time.
pub(super) const READ_BYTES: usize = 32 << 10;

/// Cookies that one user keeps; further ones are not stored.
pub(super) const MAX_COOKIES_PER_USER: usize = 100;

/// Longest `set-cookie` value in bytes that is looked at, as RFC 6265 wants of clients.
pub(super) const MAX_COOKIE_BYTES: usize = 4096;

/// How many times larger than what arrived a decoded body may be. Text of real systems stays below 100; whoever
/// sends more means harm or is broken.
pub(super) const MAX_DECODING_RATIO: u64 = 500;

/// Decoded bodies up to this size are never refused for their ratio.
pub(super) const RATIO_FREE_BYTES: u64 = 1 << 20;

/// Most content codings that are undone on top of each other.
pub(super) const MAX_CODINGS: usize = 4;

/// The bounds of one request, as data so that tests need not wait for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLimits {
    pub(super) connect: Duration,
    pub(super) request: Duration,
    pub(super) first_byte: Option<Duration>,
    pub(super) kept_body: u64,
    pub(super) body: u64,
}

impl RequestLimits {
    /// What the plan says about a request and about its user's class.
    pub(super) fn of(connection: &ConnectionSettings, request: &RequestSettings) -> RequestLimits {
        RequestLimits {
            connect: connection.connect_timeout,
            request: request.timeout,
            first_byte: request.first_byte_timeout,
            kept_body: request.body_limit,
            body: MAX_BODY_BYTES,
        }
    }
}
