//! The HTTP client of one user: its connections, and one exchange at a time over them.
//!
//! It never sends a request twice. A request that met a connection which the target had already closed, before
//! a byte of it was written, goes over a new one; that is counted as a reconnect. Redirects are answers here; who
//! follows them is [`redirect`](super::redirect).

use super::body::BodySink;
use super::connection::{Answer, Connection};
use super::counting_io::Wire;
use super::dial::{Attempt, Dialer, Talk};
use super::jar::Jar;
use super::job::ClassConnections;
use super::limits::{MAX_CONNECTIONS_PER_USER, RequestLimits};
use super::origin::Origin;
use super::outgoing::{Codings, Form, Outgoing};
use super::progress::{Progress, Stage, no_first_byte};
use super::proxy;
use super::stream::Stream;
use super::tally::Tally;
use super::tls::Tls;
use http::StatusCode;
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use metrics::{ErrorKind, Failure, Phases};
use plan::model::{ConnectionSettings, HttpVersion};
use plan::slot::Slot;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::{timeout, timeout_at};
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

/// The bounds of a request and what is wanted of its response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) limits: RequestLimits,
    pub(super) body: BodyUse,
    pub(super) codings: Codings,
}

/// See the module.
pub(super) struct Client {
    dialer: Dialer,
    jar: Jar,
    tls: Arc<Tls>,
    connector: Option<TlsConnector>,
    /// The same for WebSockets, which are HTTP/1.1.
    websocket_connector: Option<TlsConnector>,
    /// Idle connections, the one unused for longest first; at most one for each origin.
    kept: Vec<Connection>,
}

impl Client {
    /// A client without connections, of the user `slot`.
    pub(super) fn new(class: &ClassConnections, target: Arc<Origin>, slot: Slot) -> Client {
        Client {
            dialer: Dialer::new(class, target, slot),
            jar: Jar::default(),
            tls: class.tls.clone(),
            connector: None,
            websocket_connector: None,
            kept: Vec::new(),
        }
    }

    /// How it connects.
    pub(super) fn settings(&self) -> &ConnectionSettings {
        &self.dialer.settings
    }

    /// Sends a request to `url`, whose time runs since `began`, and reads the response to its end. Dropping the future
    /// closes the request's connection.
    pub(super) async fn send(
        &mut self,
        mut outgoing: Outgoing,
        url: &str,
        terms: &Terms,
        began: Instant,
        tally: &Tally,
    ) -> Exchange {
        let progress = Progress::default();
        self.add_cookies(outgoing.request.headers_mut(), url);
        if !self.dialer.settings.keep_alive {
            outgoing.request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let outcome = {
            // Pinned here, because it is large and would be moved into the timeout.
            let attempt = pin!(self.attempt(outgoing, terms, &progress, tally));
            let in_time = timeout_at((began + terms.limits.request).into(), attempt).await;
            in_time.unwrap_or_else(|_| Err(progress.timed_out(&terms.limits)))
        };
        let ended = Instant::now();
        if outcome.is_err() && progress.exhausted.get() {
            tally.exhausted();
        }
        if let Ok((reply, _)) = &outcome {
            self.keep_cookies(&reply.headers, url);
        }
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
        terms: &Terms,
        progress: &Progress,
        tally: &Tally,
    ) -> Result<(Reply, Instant), Failure> {
        let Outgoing { origin, mut request } = outgoing;
        let upgrades = request.headers().contains_key(UPGRADE);
        let mut kept = self.take_ready(&origin, tally).await;
        loop {
            let (mut connection, reused) = match kept.take() {
                Some(connection) => (connection, true),
                // Rare, and larger than all the rest.
                None => (Box::pin(self.open(&origin, progress, &terms.limits)).await?, false),
            };
            if reused {
                progress.meter(&connection.wire);
            }
            progress.stage.set(Stage::FirstByte);
            connection.form.shape(&mut request, &origin);
            // The plan may have given another host than the URL's, and the proxy goes by that.
            if let Form::Absolute { .. } = connection.form {
                self.dialer.allows_forwarding(&origin, request.uri())?;
            }
            // HTTP/2 also writes for itself, so its last write may not be the request's.
            let asked_at = (connection.form == Form::Http2).then(Instant::now);
            let sent = connection.send(request);
            let sent = match terms.limits.first_byte {
                None => sent.await,
                Some(limit) => timeout(limit, sent).await.map_err(|_| no_first_byte(limit))?,
            };
            let unanswered = match sent {
                Ok(answer) if answer.status == StatusCode::SWITCHING_PROTOCOLS && !upgrades => {
                    let problem = "the server switches protocols, which the request did not ask for";
                    return Err(Failure::new(ErrorKind::Protocol, problem));
                }
                Ok(answer) => return self.receive(connection, answer, terms, progress, asked_at).await,
                Err(unanswered) => *unanswered,
            };
            match unanswered.request {
                Some(unsent) if reused && connection.is_unsent(progress.bytes().1) => request = unsent,
                _ => return Err(unanswered.failure),
            }
            tally.reconnected();
        }
    }

    /// Takes out the connection kept for `origin` if the target has not closed it meanwhile.
    async fn take_ready(&mut self, origin: &Origin, tally: &Tally) -> Option<Connection> {
        let place = self.kept.iter().position(|connection| *connection.origin == *origin)?;
        let mut connection = self.kept.remove(place);
        if connection.is_ready().await {
            return Some(connection);
        }
        tally.reconnected();
        None
    }

    async fn open(
        &mut self,
        origin: &Arc<Origin>,
        progress: &Progress,
        limits: &RequestLimits,
    ) -> Result<Connection, Failure> {
        let wire = Rc::new(Wire::default());
        progress.meter(&wire);
        let version = self.dialer.settings.version;
        let talk = Talk::Http(version);
        let attempt = Attempt { origin, talk, wire: &wire, progress, limits };
        let (tls, connector) = (&self.tls, &mut self.connector);
        let stream = self.dialer.open(attempt, || for_user(tls, connector, version)).await?;
        let form = self
            .dialer
            .forwarded(origin, talk)
            .map_or(Form::Path, |proxy| Form::Absolute { authorization: proxy::authorization(proxy) });
        Connection::open(origin.clone(), stream, wire, version, form).await
    }

    /// A new stream to `origin` for a WebSocket, whose bytes are counted in `wire` from now on.
    pub(super) async fn websocket_stream(
        &mut self,
        origin: &Origin,
        wire: &Rc<Wire>,
        progress: &Progress,
        limits: &RequestLimits,
    ) -> Result<Stream, Failure> {
        progress.meter(wire);
        let attempt = Attempt { origin, talk: Talk::WebSocket, wire, progress, limits };
        let (tls, connector) = (&self.tls, &mut self.websocket_connector);
        self.dialer.open(attempt, || for_user(tls, connector, HttpVersion::Http1)).await
    }

    /// Adds the user's cookies for `url` to what is sent there.
    pub(super) fn add_cookies(&self, headers: &mut HeaderMap, url: &str) {
        if self.dialer.settings.cookies {
            self.jar.add_to(headers, url);
        }
    }

    /// Keeps the cookies that came from `url`.
    pub(super) fn keep_cookies(&mut self, headers: &HeaderMap, url: &str) {
        if self.dialer.settings.cookies {
            self.jar.keep(headers, url);
        }
    }

    async fn receive(
        &mut self,
        mut connection: Connection,
        mut answer: Answer,
        terms: &Terms,
        progress: &Progress,
        asked_at: Option<Instant>,
    ) -> Result<(Reply, Instant), Failure> {
        let head_at = Instant::now();
        let asked_at = asked_at.or(connection.wire.last_write.get()).unwrap_or(head_at);
        progress.mark(|phases| phases.first_byte = Some(head_at.saturating_duration_since(asked_at)));
        progress.stage.set(Stage::Body);
        let mut body = BodySink::new(terms);
        connection.read(&mut answer, &mut body).await?;
        if self.dialer.settings.keep_alive {
            if self.kept.len() == MAX_CONNECTIONS_PER_USER {
                self.kept.remove(0);
            }
            self.kept.push(connection);
        }
        let Answer { status, headers, .. } = answer;
        Ok((Reply { status, headers, body: body.into_kept() }, head_at))
    }
}

/// The connector of a user, made when it is first needed.
fn for_user(
    tls: &Tls,
    connector: &mut Option<TlsConnector>,
    version: HttpVersion,
) -> Result<TlsConnector, Failure> {
    if connector.is_none() {
        *connector = Some(tls.for_user(version).map_err(|why| Failure::new(ErrorKind::Tls, why))?);
    }
    Ok(connector.clone().expect("it has just been made"))
}

#[cfg(test)]
mod tests;
