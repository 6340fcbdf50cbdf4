//! From what ends a conversation to the closed set of failures.

use crate::engine::error_kind;
use metrics::{ErrorKind, Failure};
use std::io;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// A connection that broke.
pub(super) fn of_io(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return without_close();
    }
    error_kind::of_io(error)
}

/// A connection that broke, or a peer that broke the protocol.
pub(super) fn of(error: &Error) -> Failure {
    match error {
        Error::Io(error) => of_io(error),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => without_close(),
        Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => Failure::new(
            ErrorKind::TooLarge,
            format!("a message is larger than the limit of {max_size} bytes"),
        ),
        Error::Utf8(_) => Failure::new(ErrorKind::Protocol, "text that is not UTF-8"),
        Error::Protocol(why) => Failure::new(ErrorKind::Protocol, format!("WebSocket: {why}")),
        other => Failure::new(ErrorKind::Protocol, format!("WebSocket: {other}")),
    }
}

/// The peer closed the connection without saying so before.
pub(super) fn without_close() -> Failure {
    Failure::new(ErrorKind::Reset, "connection closed without a close frame")
}

/// The peer said that it closes the connection.
pub(super) fn closed(frame: Option<&CloseFrame>) -> Failure {
    Failure::new(ErrorKind::Closed, format!("closed by the server {}", described(frame)))
}

/// The close of the peer, in words: `with 1011: overloaded`.
pub(super) fn described(frame: Option<&CloseFrame>) -> String {
    match frame {
        None => "without a code".to_owned(),
        Some(frame) if frame.reason.is_empty() => format!("with {}", u16::from(frame.code)),
        Some(frame) => format!("with {}: {}", u16::from(frame.code), frame.reason),
    }
}
