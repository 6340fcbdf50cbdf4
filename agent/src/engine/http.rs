//! The HTTP client of one user: its connections, and one exchange at a time over them.
//!
//! It never sends a request twice. A request that met a connection which the target had already closed, before
//! a byte of it was written, goes over a new one; that is counted as a reconnect. Redirects are not followed.

use super::connection::Connection;
use super::counting_io::Wire;
use super::dial::dial;
use super::error_kind;
use super::limits::{MAX_CONNECTIONS_PER_USER, RequestLimits};
use super::origin::Origin;
use super::outgoing::Outgoing;
use super::progress::{Progress, Stage};
use super::tally::Tally;
use super::tls::Tls;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use metrics::{ErrorKind, Failure, Phases};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;

/// What becomes of a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyUse {
    /// Kept for the plan's checks.
    Keep,
    /// Only read to its end.
    Discard,
}

/// A response that arrived whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Empty unless kept.
    pub(super) body: Vec<u8>,
}

/// One request as it went.
#[derive(Debug)]
pub(super) struct Exchange {
    /// When the last byte was read or the request failed.
    pub(super) ended: Instant,
    pub(super) phases: Phases,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) outcome: Result<Reply, Failure>,
}

/// See the module.
pub(super) struct Client {
    limits: RequestLimits,
    tls: Arc<Tls>,
    connector: Option<TlsConnector>,
    /// Idle connections, the one unused for longest first; at most one for each origin.
    kept: Vec<Connection>,
}

impl Client {
    /// A client without connections.
    pub(super) fn new(tls: Arc<Tls>, limits: RequestLimits) -> Client {
        Client { limits, tls, connector: None, kept: Vec::new() }
    }

    /// Sends a request that was started at `started` and reads the response to its end. Dropping the future
    /// closes the request's connection.
    pub(super) async fn send(
        &mut self,
        outgoing: Outgoing,
        body: BodyUse,
        started: Instant,
        tally: &Tally,
    ) -> Exchange {
        let progress = Progress::default();
        let limits = self.limits;
        let attempt = self.attempt(outgoing, body, &progress, tally);
        let outcome = match timeout_at((started + limits.request).into(), attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(progress.timed_out(&limits)),
        };
        let ended = Instant::now();
        let (bytes_in, bytes_out) = progress.bytes();
        let (outcome, phases) = match outcome {
            Ok((reply, head_at)) => {
                progress.mark(|phases| phases.body = Some(ended - head_at));
                (Ok(reply), progress.phases.get())
            }
            Err(failure) => (Err(failure), progress.phases.get()),
        };
        Exchange { ended, phases, bytes_in, bytes_out, outcome }
    }

    /// The reply, and when its head was there. The connection is kept only if all went well.
    async fn attempt(
        &mut self,
        outgoing: Outgoing,
        body: BodyUse,
        progress: &Progress,
        tally: &Tally,
    ) -> Result<(Reply, Instant), Failure> {
        let Outgoing { origin, mut request } = outgoing;
        let mut kept = self.take_ready(&origin, tally).await;
        loop {
            let (mut connection, reused) = match kept.take() {
                Some(connection) => (connection, true),
                None => (self.open(&origin, progress).await?, false),
            };
            if reused {
                progress.meter(&connection.wire);
            }
            progress.stage.set(Stage::FirstByte);
            let mut error = match connection.sender.try_send_request(request).await {
                Ok(response) => return self.receive(connection, response, body, progress).await,
                Err(error) => error,
            };
            match error.take_message() {
                Some(unsent) if reused && progress.bytes().1 == 0 => request = unsent,
                _ => return Err(error_kind::of_exchange(error.error())),
            }
            tally.reconnected();
        }
    }

    /// Takes out the connection kept for `origin` if the target has not closed it meanwhile.
    async fn take_ready(&mut self, origin: &Origin, tally: &Tally) -> Option<Connection> {
        let place = self.kept.iter().position(|connection| *connection.origin == *origin)?;
        let mut connection = self.kept.remove(place);
        if connection.sender.ready().await.is_ok() {
            return Some(connection);
        }
        tally.reconnected();
        None
    }

    async fn open(&mut self, origin: &Arc<Origin>, progress: &Progress) -> Result<Connection, Failure> {
        let wire = Rc::new(Wire::default());
        progress.meter(&wire);
        let limits = self.limits;
        let stream = dial(origin, || self.connector(), &wire, progress, &limits).await?;
        Connection::open(origin.clone(), stream, wire).await
    }

    fn connector(&mut self) -> Result<TlsConnector, Failure> {
        if self.connector.is_none() {
            self.connector = Some(self.tls.for_user().map_err(|why| Failure::new(ErrorKind::Tls, why))?);
        }
        Ok(self.connector.clone().expect("it has just been made"))
    }

    async fn receive(
        &mut self,
        connection: Connection,
        response: http::Response<Incoming>,
        body: BodyUse,
        progress: &Progress,
    ) -> Result<(Reply, Instant), Failure> {
        let head_at = Instant::now();
        let asked_at = connection.wire.last_write.get().unwrap_or(head_at);
        progress.mark(|phases| phases.first_byte = Some(head_at.saturating_duration_since(asked_at)));
        progress.stage.set(Stage::Body);
        let (head, incoming) = response.into_parts();
        let body = read_body(incoming, body, &self.limits).await?;
        if self.kept.len() == MAX_CONNECTIONS_PER_USER {
            self.kept.remove(0);
        }
        self.kept.push(connection);
        Ok((Reply { status: head.status.as_u16(), headers: head.headers, body }, head_at))
    }
}

/// Reads `incoming` to its end, at most as far as the limits allow.
async fn read_body(
    mut incoming: Incoming,
    body: BodyUse,
    limits: &RequestLimits,
) -> Result<Vec<u8>, Failure> {
    let limit = match body {
        BodyUse::Keep => limits.kept_body,
        BodyUse::Discard => limits.body,
    };
    let too_large = || {
        Failure::new(
            ErrorKind::TooLarge,
            format!("the response body is larger than the limit of {limit} bytes"),
        )
    };
    if incoming.size_hint().lower() > limit {
        return Err(too_large());
    }
    let (mut bytes, mut kept) = (0, Vec::new());
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|e| error_kind::of_exchange(&e))?;
        let Some(data) = frame.data_ref() else { continue };
        bytes += data.len() as u64;
        if bytes > limit {
            return Err(too_large());
        }
        if body == BodyUse::Keep {
            kept.extend_from_slice(data);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
