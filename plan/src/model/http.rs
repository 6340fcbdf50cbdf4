//! How requests are made: what a plan says under `http:`, with defaults filled in.

use crate::template::Template;
use std::sync::Arc;
use std::time::Duration;

/// Longest time for one whole request, connecting included, unless the plan says otherwise: the value that most
/// proxies and load balancers use.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
/// Longest timeout that a plan can ask for: latencies are measured up to one hour.
pub const MAX_TIMEOUT: Duration = Duration::from_hours(1);
/// Redirects that are followed unless the plan says otherwise; as k6 does.
pub const DEFAULT_REDIRECTS: u32 = 10;
/// Most redirects that a plan can ask for.
pub const MAX_REDIRECTS: u32 = 50;
/// Largest response body that is kept for checks unless the plan says otherwise, per user: bounds an agent's
/// memory whatever the target sends.
pub const DEFAULT_BODY_LIMIT: u64 = 16 << 20;
/// Largest `body_limit` that a plan can ask for.
pub const MAX_BODY_LIMIT: u64 = 1 << 30;

/// How one request is made.
#[derive(Clone, Debug)]
pub struct RequestSettings {
    /// Longest time from its start to the last byte, connecting and redirects included.
    pub timeout: Duration,
    /// Longest wait for the response's head on a connection that stands.
    pub first_byte_timeout: Option<Duration>,
    /// How many redirects are followed; 0 takes a redirect for the response.
    pub redirects: u32,
    /// Whether compressed responses are asked for, and decoded where a check looks at the body.
    pub compression: bool,
    /// Largest body in bytes that checks look at, both as it arrives and decoded.
    pub body_limit: u64,
    /// Sent as `authorization`, unless the request has such a header of its own.
    pub auth: Option<SentAuth>,
}

impl Default for RequestSettings {
    /// What holds when a plan says nothing.
    fn default() -> RequestSettings {
        RequestSettings {
            timeout: DEFAULT_TIMEOUT,
            first_byte_timeout: None,
            redirects: DEFAULT_REDIRECTS,
            compression: true,
            body_limit: DEFAULT_BODY_LIMIT,
            auth: None,
        }
    }
}

/// Who asks, and to whom that is told.
#[derive(Clone, Debug)]
pub struct SentAuth {
    /// Who asks.
    pub auth: Arc<Auth>,
    /// Where it goes.
    pub reach: AuthReach,
}

/// Where `auth` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthReach {
    /// To the target: that of the plan's or a class's `http`.
    Target,
    /// Wherever the request goes: its own.
    AnyOrigin,
}

/// Who asks.
#[derive(Debug)]
pub enum Auth {
    /// `basic:` (RFC 7617)
    Basic {
        /// Without a colon.
        user: Template,
        /// Anything.
        password: Template,
    },
    /// `bearer:` (RFC 6750)
    Bearer(Template),
}

impl Auth {
    /// Everything in it that is filled in.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Auth::Basic { user, password } => vec![user, password],
            Auth::Bearer(token) => vec![token],
        }
    }
}
