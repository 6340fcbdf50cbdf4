//! How requests are made: keys of `http:`, some of which a request may have too.

use super::{Key, Shape, Table, key};
use crate::model::MAX_REDIRECTS;

pub(super) const TIMEOUT: Key = key("timeout", Shape::Duration, "longest time for a whole request");
pub(super) const TIMEOUT_OF_STEP: Key = key(
    "timeout",
    Shape::Duration,
    "longest time for the whole request, for a whole `poll`, or to connect a `websocket`",
);
pub(super) const FIRST_BYTE_TIMEOUT: Key =
    key("first_byte_timeout", Shape::Duration, "longest wait for the first byte of a response");
pub(super) const REDIRECTS: Key =
    key("redirects", Shape::Integer(0, MAX_REDIRECTS), "how many redirects are followed");
pub(super) const COMPRESSION: Key =
    key("compression", Shape::Switch, "whether compressed responses are asked for");
pub(super) const BODY_LIMIT: Key =
    key("body_limit", Shape::Size, "largest response body that checks can look at");
pub(super) const AUTH_KEY: Key = key("auth", Shape::Table(&AUTH), "who asks");

/// What `version` may be.
pub const VERSIONS: &[&str] = &["auto", "1", "2"];

/// `http:`
pub static HTTP: Table = Table {
    name: "`http`",
    keys: &[
        TIMEOUT,
        key("connect_timeout", Shape::Duration, "longest time for name resolution, TCP and TLS together"),
        FIRST_BYTE_TIMEOUT,
        REDIRECTS,
        key("cookies", Shape::Switch, "whether each user keeps the cookies that it is given"),
        COMPRESSION,
        key("keep_alive", Shape::Switch, "whether connections are used again"),
        BODY_LIMIT,
        AUTH_KEY,
        key("tls", Shape::Table(&TLS), "encryption"),
        key("version", Shape::Word(VERSIONS), "the version of HTTP: auto, 1 or 2"),
        key("resolve", Shape::Addresses, "addresses in place of what names resolve to"),
        key("source", Shape::Sources, "addresses of the agent to connect from"),
        key("proxy", Shape::Text, "the URL of a proxy"),
        key("no_proxy", Shape::Texts, "hosts and networks that are reached without it"),
        key("unix", Shape::Text, "the Unix socket on which the target listens"),
    ],
    also: None,
};

/// `auth:`
pub static AUTH: Table = Table {
    name: "`auth`",
    keys: &[
        key("basic", Shape::Table(&BASIC_AUTH), "a user name and a password"),
        key("bearer", Shape::Template, "a token"),
    ],
    also: None,
};

/// `basic:`
pub static BASIC_AUTH: Table = Table {
    name: "`basic`",
    keys: &[key("user", Shape::Template, "the user name"), key("password", Shape::Template, "the password")],
    also: None,
};

/// `tls:`
pub static TLS: Table = Table {
    name: "`tls`",
    keys: &[
        key("insecure", Shape::Switch, "whether any certificate of the target will do"),
        key("server_name", Shape::Text, "the name that the target's certificate is for"),
        key("ca", Shape::Text, "a file with authorities to trust, in PEM"),
        key("cert", Shape::Text, "a file with the client's certificate, in PEM"),
        key("key", Shape::Text, "a file with its private key, in PEM"),
    ],
    also: None,
};
