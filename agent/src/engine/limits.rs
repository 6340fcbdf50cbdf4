//! Every bound of the engine, with the reason for its number.

use std::time::Duration;

/// Longest time for name resolution, TCP and TLS handshake together: three lost SYNs (1 s, 2 s and 4 s of back-off)
/// still get through.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time for one whole request, connecting included: the value that most proxies and load balancers use.
pub const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Largest response body that is kept for the plan's checks, per user: bounds an agent's memory whatever the
/// target sends.
pub const MAX_KEPT_BODY_BYTES: u64 = 16 << 20;

/// Largest response body that is counted and dropped: a response without end must not hold a user for ever.
pub const MAX_BODY_BYTES: u64 = 1 << 30;

/// Connections that one user keeps, one for each origin; the one unused for longest makes room.
pub const MAX_CONNECTIONS_PER_USER: usize = 4;

/// Shortest pause before a failed `on_start` is tried again, so that a target that refuses every login is not
/// flooded by users that never get to their tasks.
pub const ON_START_RETRY_PAUSE_MIN: Duration = Duration::from_secs(1);

/// How often an engine thread measures how late it wakes: ten samples in each window cost nothing.
pub(super) const LAG_INTERVAL: Duration = Duration::from_millis(100);

/// How late the runtime's timer may be by itself: it counts in whole milliseconds and rounds up.
pub(super) const TIMER_ERROR: Duration = Duration::from_millis(2);

/// Threads for name resolution of each engine thread; the system's resolver blocks.
pub(super) const RESOLVER_THREADS: usize = 16;

/// The bounds of one request, as data so that tests need not wait for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLimits {
    pub(super) connect: Duration,
    pub(super) request: Duration,
    pub(super) kept_body: u64,
    pub(super) body: u64,
}

impl RequestLimits {
    /// What runs use.
    pub(super) const STANDARD: RequestLimits = RequestLimits {
        connect: CONNECT_TIMEOUT,
        request: REQUEST_TIMEOUT,
        kept_body: MAX_KEPT_BODY_BYTES,
        body: MAX_BODY_BYTES,
    };
}
