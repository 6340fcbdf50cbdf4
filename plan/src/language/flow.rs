//! The verbs and keys of steps that decide what happens next.

use super::websocket;

/// The verbs of steps that are not one request, and the keys that each may have. `group` is one only beside
/// `steps`; otherwise it is a key of requests.
pub const FLOW_VERBS: &[(&str, &[&str])] = &[
    ("think", &["think"]),
    ("repeat", &["repeat", "steps"]),
    ("if", &["if", "then", "else"]),
    ("set", &["set"]),
    ("call", &["call"]),
    ("stop", &["stop"]),
    (
        "poll",
        &[
            "poll",
            "every",
            "until",
            "fail_if",
            "timeout",
            "name",
            "group",
            "query",
            "headers",
            "expect",
            "save",
            "thresholds",
            "first_byte_timeout",
            "redirects",
            "compression",
            "body_limit",
            "auth",
        ],
    ),
    ("group", &["group", "steps", "thresholds"]),
    ("websocket", websocket::KEYS),
];
/// Keys of steps that no request has.
pub const FLOW_KEYS: &[&str] =
    &["steps", "then", "else", "every", "until", "fail_if", "subprotocols", "messages", "isolation", "as"];
