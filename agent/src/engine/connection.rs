//! One connection of one user, over which it speaks HTTP/1.1 or HTTP/2.

use super::body::BodySink;
use super::counting_io::Wire;
use super::error_kind;
use super::http1::Http1;
use super::origin::Origin;
use super::outgoing::Form;
use super::stream::Stream;
use bytes::Bytes;
use http::header::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use metrics::{ErrorKind, Failure};
use plan::model::HttpVersion;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tokio::task::JoinSet;

type Request = http::Request<Bytes>;

/// An open connection. Dropping it closes the socket at once, whatever is in flight.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) origin: Arc<Origin>,
    /// How requests are written on it.
    pub(super) form: Form,
    pub(super) wire: Rc<Wire>,
    talk: Talk,
}

/// What moves the bytes of a connection.
#[derive(Debug)]
enum Talk {
    Http1(Http1),
    Http2 {
        sender: http2::SendRequest<Full<Bytes>>,
        /// The connection and what it runs beside it; aborted when dropped.
        _drivers: Rc<RefCell<JoinSet<()>>>,
    },
    /// Nothing any more: its socket is closed.
    Nothing,
}

/// A response whose body is yet to be read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// The body, where it does not stand on the connection itself.
    body: Option<Incoming>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) failure: Failure,
    /// The request, if it may not have been sent.
    pub(super) request: Option<Request>,
}

impl Connection {
    /// Speaks HTTP over `stream`, whose bytes are counted in `wire`: `version`, or what TLS agreed on.
    /// `form` is that of HTTP/1.1.
    pub(super) async fn open(
        origin: Arc<Origin>,
        stream: Stream,
        wire: Rc<Wire>,
        version: HttpVersion,
        form: Form,
    ) -> Result<Connection, Failure> {
        let agreed = matches!(stream, Stream::Tls(_)).then(|| stream.negotiated() == Some(b"h2"));
        if (version, agreed) == (HttpVersion::Http2, Some(false)) {
            let problem = "the target does not offer HTTP/2 in the TLS handshake; use `version: auto`";
            return Err(Failure::new(ErrorKind::Protocol, problem));
        }
        if !agreed.unwrap_or(version == HttpVersion::Http2) {
            return Ok(Connection { origin, form, wire, talk: Talk::Http1(Http1::new(stream)) });
        }
        let drivers = Rc::new(RefCell::new(JoinSet::new()));
        let tasks = Tasks(Rc::downgrade(&drivers));
        let shaken = http2::handshake(tasks, TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|e| error_kind::of_exchange(&e))?;
        drivers.borrow_mut().spawn_local(async {
            let _ = connection.await;
        });
        Ok(Connection { origin, form: Form::Http2, wire, talk: Talk::Http2 { sender, _drivers: drivers } })
    }

    /// Whether the other side has left it open, as far as is known.
    pub(super) async fn is_ready(&mut self) -> bool {
        match &mut self.talk {
            Talk::Http1(http1) => http1.is_ready().await,
            Talk::Http2 { sender, .. } => sender.ready().await.is_ok(),
            Talk::Nothing => false,
        }
    }

    /// Sends a request that has the connection's form.
    pub(super) async fn send(&mut self, request: Request) -> Result<Answer, Box<Unanswered>> {
        match &mut self.talk {
            Talk::Http1(http1) => match http1.send(&request).await {
                Ok(head) => Ok(Answer { status: head.status, headers: head.headers, body: None }),
                Err(failure) => Err(Box::new(Unanswered { failure, request: Some(request) })),
            },
            Talk::Http2 { sender, .. } => {
                let body = request.body().clone();
                match sender.try_send_request(request.map(Full::new)).await {
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: Some(body) })
                    }
                    Err(mut error) => {
                        let request = error.take_message().map(|request| request.map(|_| body));
                        Err(Box::new(Unanswered { failure: error_kind::of_exchange(error.error()), request }))
                    }
                }
            }
            Talk::Nothing => Err(Box::new(Unanswered {
                failure: error_kind::of_io(&std::io::ErrorKind::NotConnected.into()),
                request: Some(request),
            })),
        }
    }

    /// Reads the body of `answer`, which was the last, into `sink`. A connection that takes no further request is
    /// closed then, for the other side may wait for that.
    pub(super) async fn read(&mut self, answer: &mut Answer, sink: &mut BodySink) -> Result<(), Failure> {
        match (&mut self.talk, &mut answer.body) {
            (_, Some(incoming)) => {
                sink.expect(incoming.size_hint().lower())?;
                while let Some(frame) = incoming.frame().await {
                    let frame = frame.map_err(|e| error_kind::of_exchange(&e))?;
                    if let Some(data) = frame.data_ref() {
                        sink.take(data)?;
                    }
                }
                Ok(())
            }
            (Talk::Http1(http1), None) => {
                sink.expect(http1.announced())?;
                http1.read(sink).await?;
                if http1.is_spent() {
                    self.talk = Talk::Nothing;
                }
                Ok(())
            }
            (Talk::Http2 { .. } | Talk::Nothing, None) => Ok(()),
        }
    }

    /// Whether a request that came back unsent while `written` bytes of its time crossed the wire was really not
    /// sent. Over HTTP/2 the connection's own frames may have crossed it.
    pub(super) fn is_unsent(&self, written: u64) -> bool {
        matches!(self.talk, Talk::Http2 { .. }) || written == 0
    }
}

/// Runs what HTTP/2 runs beside a connection, as long as the connection is there.
#[derive(Clone)]
struct Tasks(Weak<RefCell<JoinSet<()>>>);

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let Some(tasks) = self.0.upgrade() else { return };
        let mut tasks = tasks.borrow_mut();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_local(future);
    }
}
