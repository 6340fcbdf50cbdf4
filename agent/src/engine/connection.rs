//! One HTTP/1.1 connection of one user.

use super::counting_io::Wire;
use super::dial::Stream;
use super::error_kind;
use super::origin::Origin;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use metrics::Failure;
use std::rc::Rc;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// An open connection. Dropping it closes the socket at once, whatever is in flight.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) origin: Arc<Origin>,
    pub(super) sender: SendRequest<Full<Bytes>>,
    pub(super) wire: Rc<Wire>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Speaks HTTP/1.1 over `stream`, whose bytes are counted in `wire`.
    pub(super) async fn open(
        origin: Arc<Origin>,
        stream: Stream,
        wire: Rc<Wire>,
    ) -> Result<Connection, Failure> {
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|e| error_kind::of_exchange(&e))?;
        let driver = tokio::task::spawn_local(async {
            // The request that was in flight, if any, is told the same error.
            let _ = connection.await;
        });
        Ok(Connection { origin, sender, wire, driver })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
