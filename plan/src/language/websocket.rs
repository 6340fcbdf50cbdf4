//! The keys of `websocket` steps and of what they hold.

use super::{STEP, Shape, Table, key};

/// The verbs that stand in `messages` only.
pub const MESSAGE_VERBS: &[&str] = &["send", "send_binary", "receive", "ping", "close"];

/// The keys of a step that sends a message, beside its verb.
pub(crate) const SEND_KEYS: &[&str] = &["as"];

/// The keys of a `websocket` step.
pub(super) const KEYS: &[&str] = &[
    "websocket",
    "name",
    "group",
    "query",
    "headers",
    "subprotocols",
    "timeout",
    "auth",
    "messages",
    "isolation",
    "thresholds",
];

/// One of `messages:`: what is done in a conversation, or any other step but `websocket`.
pub static MESSAGE: Table = Table {
    name: "a message step",
    keys: &[
        key("send", Shape::Json, "a message: a mapping or list goes as JSON, anything else as text"),
        key("send_binary", Shape::Template, "a binary message, in base64"),
        key("as", Shape::Text, "what a `receive` after it calls this message in `answers`"),
        key("receive", Shape::Table(&RECEIVE), "what to wait for"),
        key("ping", Shape::Table(&PING), "measure a round trip"),
        key("close", Shape::Table(&CLOSE), "end the conversation"),
        key("steps", Shape::List(&MESSAGE), "the steps of a `repeat` or of a `group`"),
        key("then", Shape::List(&MESSAGE), "what to do if it is true"),
        key("else", Shape::List(&MESSAGE), "what to do if it is not"),
    ],
    also: Some(&STEP),
};

/// `receive:`
pub static RECEIVE: Table = Table {
    name: "`receive`",
    keys: &[
        key("name", Shape::Text, "what reports call it"),
        key("until", Shape::Check, "the message it waits for; the next one without it"),
        key("answers", Shape::Text, "the message that it is the answer to; the last one sent without it"),
        key("for", Shape::Duration, "take every message for so long"),
        key("close", Shape::Integer(1000, 4999), "wait until the server closes with this code"),
        key("fail_if", Shape::Check, "a message that is a failure"),
        key("timeout", Shape::Duration, "how long to wait; 60s without it"),
        key("expect", Shape::Table(&MESSAGE_EXPECT), "what the message is like"),
        key("save", Shape::Saves, "what to keep of the message"),
        key("thresholds", Shape::Thresholds, "what its round trips have to meet"),
    ],
    also: None,
};

/// `expect:` of a `receive`.
pub static MESSAGE_EXPECT: Table = Table {
    name: "`expect` of a message",
    keys: &[
        key("time", Shape::Duration, "it is there within, from the message that it answers"),
        key("json", Shape::JsonChecks, "it holds these values"),
        key("that", Shape::Expressions, "this is true"),
    ],
    also: None,
};

/// `ping:`
pub static PING: Table = Table {
    name: "`ping`",
    keys: &[
        key("timeout", Shape::Duration, "how long the pong may take; 10s without it"),
        key("thresholds", Shape::Thresholds, "what its round trips have to meet"),
    ],
    also: None,
};

/// `close:`
pub static CLOSE: Table = Table {
    name: "`close`",
    keys: &[
        key("code", Shape::Integer(1000, 4999), "the close code; 1000 without it"),
        key("reason", Shape::Template, "at most 123 bytes"),
    ],
    also: None,
};

/// `isolation:`
pub static ISOLATION: Table = Table {
    name: "`isolation`",
    keys: &[
        key("pattern", Shape::Text, "what a marker looks like: a regular expression"),
        key("only", Shape::Template, "the one marker that messages may carry"),
        key("thresholds", Shape::Thresholds, "how many sessions have to get no other"),
    ],
    also: None,
};
