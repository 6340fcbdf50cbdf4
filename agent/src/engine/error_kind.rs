//! From the errors of sockets, TLS and HTTP to the closed set that reports know.

use metrics::{ErrorKind, Failure};
use std::error::Error;
use std::fmt::Display;
use std::io;

/// No connection to `address`.
pub(super) fn of_connect(error: &io::Error, address: impl Display) -> Failure {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        Failure::new(ErrorKind::Refused, format!("connection refused by {address}"))
    } else {
        Failure::new(ErrorKind::Connect, format!("cannot connect to {address}: {error}"))
    }
}

/// No TLS session on a connection that stands.
pub(super) fn of_handshake(error: &io::Error) -> Failure {
    match tls_error(error) {
        Some(tls) => Failure::new(ErrorKind::Tls, format!("TLS handshake failed: {tls}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            Failure::new(ErrorKind::Tls, "TLS handshake failed: connection closed by the peer")
        }
        None => Failure::new(ErrorKind::Tls, format!("TLS handshake failed: {error}")),
    }
}

/// No complete response on a connection that stands.
pub(super) fn of_exchange(error: &hyper::Error) -> Failure {
    if error.is_parse_too_large() {
        return Failure::new(ErrorKind::TooLarge, "the response's header section is larger than the limit");
    }
    if error.is_parse() {
        return Failure::new(ErrorKind::Protocol, error.to_string());
    }
    if let Some(io) = io_source(error) {
        return of_io(io);
    }
    if let Some(http2) = error.source().and_then(|source| source.downcast_ref()) {
        return of_http2(http2);
    }
    if error.is_incomplete_message() {
        Failure::new(ErrorKind::Reset, "connection closed before the response was complete")
    } else if error.is_canceled() || error.is_closed() || error.is_shutdown() || error.is_body_write_aborted()
    {
        Failure::new(ErrorKind::Reset, "connection closed before the response")
    } else {
        Failure::new(ErrorKind::Protocol, error.to_string())
    }
}

/// What HTTP/2 has names of its own for.
fn of_http2(error: &h2::Error) -> Failure {
    let Some(reason) = error.reason() else {
        return error
            .get_io()
            .map_or_else(|| Failure::new(ErrorKind::Protocol, format!("HTTP/2: {error}")), of_io);
    };
    let what = reason.description();
    if !error.is_remote() {
        return Failure::new(ErrorKind::Protocol, format!("HTTP/2: {what}"));
    }
    let whole = if error.is_go_away() { "connection closed" } else { "stream reset" };
    Failure::new(ErrorKind::Reset, format!("HTTP/2 {whole} by the peer: {what}"))
}

/// A connection that stands and then did not.
pub(super) fn of_io(error: &io::Error) -> Failure {
    if let Some(tls) = tls_error(error) {
        return Failure::new(ErrorKind::Protocol, format!("TLS: {tls}"));
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset => Failure::new(ErrorKind::Reset, "connection reset by the peer"),
        io::ErrorKind::BrokenPipe => {
            Failure::new(ErrorKind::Reset, "connection closed while the request was sent")
        }
        io::ErrorKind::UnexpectedEof => {
            Failure::new(ErrorKind::Reset, "connection closed before the response was complete")
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Failure::new(ErrorKind::Protocol, error.to_string())
        }
        _ => Failure::new(ErrorKind::Reset, format!("connection lost: {error}")),
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn io_source(error: &hyper::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref() {
            return Some(io);
        }
        source = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_errors_name_the_address() {
        let check = |kind: io::ErrorKind, expected: Failure| {
            assert_eq!(of_connect(&kind.into(), "127.0.0.1:9"), expected);
        };
        let failure = |kind, message: &'static str| Failure::new(kind, message);
        check(
            io::ErrorKind::ConnectionRefused,
            failure(ErrorKind::Refused, "connection refused by 127.0.0.1:9"),
        );
        check(
            io::ErrorKind::HostUnreachable,
            failure(ErrorKind::Connect, "cannot connect to 127.0.0.1:9: host unreachable"),
        );
    }

    #[test]
    fn errors_of_an_open_connection() {
        let check = |error: io::Error, kind: ErrorKind| assert_eq!(of_io(&error).kind, kind, "{error}");
        check(io::ErrorKind::ConnectionReset.into(), ErrorKind::Reset);
        check(io::ErrorKind::BrokenPipe.into(), ErrorKind::Reset);
        check(io::ErrorKind::UnexpectedEof.into(), ErrorKind::Reset);
        check(io::ErrorKind::InvalidData.into(), ErrorKind::Protocol);
        check(io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError), ErrorKind::Protocol);
        check(io::ErrorKind::Other.into(), ErrorKind::Reset);
    }
}
