//! Takes connections in, from the network and from this process, and turns away what is not gRPC.

use super::connection::Connection;
use super::driver::{Accepted, Event};
use bytes::Bytes;
use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Server};

/// What every HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a new connection may take to send it.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections whose first bytes are awaited at the same time; more wait to be accepted.
const MAX_UNKNOWN: usize = 256;

/// Buffer of an in-memory connection, in bytes: a busy window fits.
const MEMORY_BUFFER: usize = 256 << 10;

/// Gives connections to the embedded agent, over memory instead of the network.
#[derive(Clone, Debug)]
pub struct LocalDial {
    connections: mpsc::Sender<Connection>,
}

impl LocalDial {
    /// Opens a connection through the very same protocol as one over the network.
    ///
    /// # Errors
    /// When the coordinator takes no more connections.
    pub async fn connect(&self) -> Result<Channel, String> {
        let connections = self.connections.clone();
        let connector = tower::service_fn(move |_| {
            let connections = connections.clone();
            async move {
                let (near, far) = tokio::io::duplex(MEMORY_BUFFER);
                let refused = |_| std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
                connections.send(Connection::memory(far)).await.map_err(refused)?;
                Ok::<_, std::io::Error>(TokioIo::new(near))
            }
        });
        Endpoint::from_static("http://embedded.agent")
            .connect_with_connector(connector)
            .await
            .map_err(|error| error.to_string())
    }
}

/// The server's two ends for the rest of the coordinator.
#[derive(Debug)]
pub struct Fleetwork {
    /// What happens on the streams, for [`drive`](super::drive).
    pub events: mpsc::Receiver<Event>,
    /// Connections from this process.
    pub local: LocalDial,
}

/// Serves agents on `listener` (if any) and over [`LocalDial`] until `stop` resolves. Call within a runtime.
/// `note` takes what a person should know about connections that are not agents'.
pub fn serve(
    listener: Option<TcpListener>,
    stop: impl Future<Output = ()> + Send + 'static,
    note: impl Fn(String) + Send + Sync + 'static,
) -> (Fleetwork, tokio::task::JoinHandle<()>) {
    let (connections, incoming) = mpsc::channel(16);
    let local = LocalDial { connections: connections.clone() };
    let accepting = listener.map(|listener| tokio::spawn(accept(listener, connections, Arc::new(note))));
    let (accepted, events) = Accepted::new();
    let server = tokio::spawn(async move {
        let incoming = ReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
        // An error would be one of `incoming`, which has none.
        let _ = Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            .max_concurrent_streams(4)
            .add_service(proto::server::service(Arc::new(accepted)))
            .serve_with_incoming_shutdown(incoming, stop)
            .await;
        if let Some(accepting) = accepting {
            accepting.abort();
        }
    });
    (Fleetwork { events, local }, server)
}

async fn accept(
    listener: TcpListener,
    connections: mpsc::Sender<Connection>,
    note: Arc<dyn Fn(String) + Send + Sync>,
) {
    let unknown = Arc::new(Semaphore::new(MAX_UNKNOWN));
    while let Ok(permit) = unknown.clone().acquire_owned().await {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                note(format!("cannot accept a connection: {error}"));
                // Out of descriptors, most likely: an immediate retry would spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (connections, note) = (connections.clone(), note.clone());
        tokio::spawn(async move {
            let peer = peer.to_string();
            match identify(stream, &peer).await {
                Ok(connection) => {
                    // A closed channel means that the coordinator is ending.
                    let _ = connections.send(connection).await;
                }
                Err(problem) => note(problem),
            }
            drop(permit);
        });
    }
}

/// Reads the first bytes of a connection; what is not HTTP/2 is turned away with what it sent and the remedy.
async fn identify(mut stream: TcpStream, peer: &str) -> Result<Connection, String> {
    let _ = stream.set_nodelay(true);
    let mut seen = [0; PREFACE.len()];
    let mut n = 0;
    let reading = async {
        while n < seen.len() && seen[..n] == PREFACE[..n] {
            match stream.read(&mut seen[n..]).await {
                Ok(0) | Err(_) => break,
                Ok(more) => n += more,
            }
        }
    };
    let timely = tokio::time::timeout(PREFACE_TIMEOUT, reading).await.is_ok();
    if seen[..n] == *PREFACE {
        return Ok(Connection::tcp(stream, Bytes::copy_from_slice(&seen), peer.to_owned()));
    }
    let what = match (n, timely) {
        (0, true) => "closed the connection without a word".to_owned(),
        (0, false) => format!("said nothing for {} s", PREFACE_TIMEOUT.as_secs()),
        _ => format!("sent what is not gRPC (it begins with \"{}\")", seen[..n].escape_ascii()),
    };
    Err(format!("{peer} {what}; this port is for agents: agent --coordinator HOST:PORT"))
}
