//! One connection of one user, over which it speaks HTTP/1.1 or HTTP/2.

use super::counting_io::Wire;
use super::error_kind;
use super::origin::Origin;
use super::outgoing::Form;
use super::stream::Stream;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use metrics::{ErrorKind, Failure};
use plan::model::HttpVersion;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tokio::task::{JoinHandle, JoinSet};

type Request = http::Request<Full<Bytes>>;

/// An open connection. Dropping it closes the socket at once, whatever is in flight.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) origin: Arc<Origin>,
    /// How requests are written on it.
    pub(super) form: Form,
    pub(super) wire: Rc<Wire>,
    sender: Sender,
    driver: Driver,
}

/// What moves the bytes of a connection.
#[derive(Debug)]
enum Driver {
    Http1(JoinHandle<()>),
    /// The connection and what it runs beside it; aborted when dropped.
    Http2(#[expect(dead_code, reason = "it is held")] Rc<RefCell<JoinSet<()>>>),
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
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
        // A request that is in flight, if any, is told the same error as its driver.
        let (sender, form, driver) = if agreed.unwrap_or(version == HttpVersion::Http2) {
            let drivers = Rc::new(RefCell::new(JoinSet::new()));
            let tasks = Tasks(Rc::downgrade(&drivers));
            let shaken = http2::handshake(tasks, TokioIo::new(stream)).await;
            let (sender, connection) = shaken.map_err(|e| error_kind::of_exchange(&e))?;
            drivers.borrow_mut().spawn_local(async {
                let _ = connection.await;
            });
            (Sender::Http2(sender), Form::Http2, Driver::Http2(drivers))
        } else {
            let shaken = http1::handshake(TokioIo::new(stream)).await;
            let (sender, connection) = shaken.map_err(|e| error_kind::of_exchange(&e))?;
            let driver = tokio::task::spawn_local(async {
                let _ = connection.await;
            });
            (Sender::Http1(sender), form, Driver::Http1(driver))
        };
        Ok(Connection { origin, form, wire, sender, driver })
    }

    /// Whether the other side has left it open, as far as is known.
    pub(super) async fn is_ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Sends a request that has the connection's form.
    #[allow(clippy::result_large_err, reason = "the request comes back, as it went")]
    pub(super) async fn send(
        &mut self,
        request: Request,
    ) -> Result<http::Response<Incoming>, TrySendError<Request>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        }
    }

    /// Whether a request that came back unsent while `written` bytes of its time crossed the wire was really not
    /// sent. Over HTTP/2 the connection's own frames may have crossed it.
    pub(super) fn is_unsent(&self, written: u64) -> bool {
        matches!(self.sender, Sender::Http2(_)) || written == 0
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Driver::Http1(driver) = &self.driver {
            driver.abort();
        }
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
