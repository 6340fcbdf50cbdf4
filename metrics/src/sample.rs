//! One request as it was measured.

use std::borrow::Cow;
use std::time::Duration;

/// Number of a series: a named stream of measurements (user class, task, request name) that the plan
/// declares. Series are numbered from 0 in plan order, so they are never open-ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u32);

/// Why a request failed. A closed set, so that reports and alerts can rely on the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ErrorKind {
    /// The name of the target could not be resolved.
    Dns = 1,
    /// The target refused the connection (nothing listens there).
    Refused = 2,
    /// The connection could not be made for another reason (unreachable network, no free port, ...).
    Connect = 3,
    /// The TLS handshake failed.
    Tls = 4,
    /// Connecting, the first byte or the whole response took longer than allowed.
    Timeout = 5,
    /// The connection was closed or reset before the response was complete.
    Reset = 6,
    /// The peer did not speak valid HTTP.
    Protocol = 7,
    /// The response was larger than the limit.
    TooLarge = 8,
    /// The status was not one that the plan expects.
    Status = 9,
    /// The response arrived, but a check of the plan (`expect`, `save`) did not hold.
    Assertion = 10,
    /// The request could not be made from its template; it never left the agent.
    Template = 11,
    /// The peer closed the conversation when the plan did not expect it.
    Closed = 12,
    /// The agent's policy does not allow the connection; nothing left the agent.
    Forbidden = 13,
}

/// A failed request's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which of the closed set of kinds.
    pub kind: ErrorKind,
    /// Details for a person. Comes from outside: bounded by [`ErrorTable`](crate::ErrorTable) when stored.
    pub message: Cow<'static, str>,
}

impl Failure {
    /// A failure of `kind` that reads `message`.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Failure {
        Failure { kind, message: message.into() }
    }
}

/// Where the time of one request went. `None` means that the phase did not happen: a reused connection has
/// neither `connect` nor `tls`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Name resolution and TCP handshake.
    pub connect: Option<Duration>,
    /// TLS handshake.
    pub tls: Option<Duration>,
    /// From the request's last byte handed to the connection to the response's head.
    pub first_byte: Option<Duration>,
    /// From the response's head to its last byte.
    pub body: Option<Duration>,
}

/// One finished request.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The series it belongs to.
    pub series: SeriesId,
    /// When it ended, since T0; decides which [`Window`](crate::Window) counts it.
    pub ended: Duration,
    /// From its (intended) start to its end; recorded in microseconds, rounded to nearest.
    pub latency: Duration,
    /// What of that passed before it was made, because its user was late; at most `latency`.
    pub late: Duration,
    /// Where the time went.
    pub phases: Phases,
    /// Bytes written to the connection for this request.
    pub bytes_out: u64,
    /// Bytes read from the connection for this request.
    pub bytes_in: u64,
    /// `Ok` is a success; otherwise why it failed.
    pub outcome: Result<(), Failure>,
}
