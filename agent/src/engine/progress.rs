//! How far a request has come, readable after it was given up.

use super::counting_io::Wire;
use super::limits::RequestLimits;
use metrics::{ErrorKind, Failure, Phases};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// What a request is waiting for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its connection, kept from before, to take it.
    #[default]
    Kept,
    /// The name of the host to be resolved.
    Resolve,
    /// The TCP handshake.
    Connect,
    /// The proxy, to make a tunnel.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// To be written, and the response's head.
    FirstByte,
    /// The rest of the response's body.
    Body,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) stage: Cell<Stage>,
    pub(super) phases: Cell<Phases>,
    /// Whether this machine had no descriptor, port or memory left for its connection.
    pub(super) exhausted: Cell<bool>,
    wire: RefCell<Option<Metered>>,
}

/// A connection's wire and what had crossed it before this request.
#[derive(Debug)]
struct Metered {
    wire: Rc<Wire>,
    read: u64,
    written: u64,
}

impl Progress {
    /// Changes the phases.
    pub(super) fn mark(&self, change: impl FnOnce(&mut Phases)) {
        let mut phases = self.phases.get();
        change(&mut phases);
        self.phases.set(phases);
    }

    /// Takes note of why there is no connection, if the reason lies on this machine.
    pub(super) fn unconnected(&self, error: &io::Error) {
        if system::exhaustion::of_connections(error) {
            self.exhausted.set(true);
        }
    }

    /// From here on counts what crosses `wire`.
    pub(super) fn meter(&self, wire: &Rc<Wire>) {
        let metered = Metered { wire: wire.clone(), read: wire.read.get(), written: wire.written.get() };
        *self.wire.borrow_mut() = Some(metered);
    }

    /// Bytes (read, written) so far.
    pub(super) fn bytes(&self) -> (u64, u64) {
        match &*self.wire.borrow() {
            Some(m) => (m.wire.read.get() - m.read, m.wire.written.get() - m.written),
            None => (0, 0),
        }
    }

    /// The failure of a request that had no more time: `limits.connect` while connecting, else
    /// `limits.request`.
    pub(super) fn timed_out(&self, limits: &RequestLimits) -> Failure {
        let (limit, what) = match self.stage.get() {
            Stage::Kept => (limits.request, "waiting for its connection"),
            Stage::Resolve => (limits.connect, "resolving the host's name"),
            Stage::Connect => (limits.connect, "connecting"),
            Stage::Proxy => (limits.connect, "waiting for the proxy"),
            Stage::Tls => (limits.connect, "in the TLS handshake"),
            Stage::FirstByte => (limits.request, FIRST_BYTE),
            Stage::Body => (limits.request, "reading the response body"),
        };
        Failure::new(ErrorKind::Timeout, format!("timed out after {} {what}", text(limit)))
    }
}

const FIRST_BYTE: &str = "waiting for the first byte of the response";

/// The failure of a request whose response did not begin within `limit`.
pub(super) fn no_first_byte(limit: Duration) -> Failure {
    Failure::new(ErrorKind::Timeout, format!("timed out after {} {FIRST_BYTE}", text(limit)))
}

/// A limit as messages show it.
pub(super) fn text(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}
