//! Takes connections in, from the network and from this process, and turns away what is not gRPC.

use super::connection::{Connection, Peer, Replay};
use super::driver::{Accepted, Event};
use super::listener::{Listener, Wire};
use super::stranger::{Addresses, MAX_PER_ADDRESS, Ticket};
use crate::fleet::SessionId;
use crate::secure::Gate;
use bytes::Bytes;
use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Server};

/// What every HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What every TLS client sends first: a record of a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// How long a new connection may take to show what it is, TLS included.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that have not joined yet, at the same time; more wait to be accepted.
const MAX_UNKNOWN: usize = 256;

/// Bytes that are read of somebody who is being told why it is turned away.
const MAX_UNREAD: u64 = 64 << 10;

/// How long.
const LINGER: Duration = Duration::from_secs(1);

/// Streams of one connection: an agent has one.
const MAX_STREAMS: u32 = 4;

/// Bytes of a stream that a peer may send before they are read, and half of those of a connection: a window of a thousand
/// busy series fits, and a thousand peers at the same time cost little memory.
const STREAM_WINDOW: u32 = 256 << 10;

/// What strangers are told to their operator.
const FOR_AGENTS: &str = "this port is for agents: agent --coordinator HOST:PORT";

/// Takes what a person should know.
pub(super) type Note = Arc<dyn Fn(String) + Send + Sync>;

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

/// Where agents connect to, and what protects it.
pub struct Port {
    /// Bound.
    pub listener: Box<dyn Listener>,
    /// What speaks TLS on it, if anything does.
    pub tls: Option<TlsAcceptor>,
    /// Who gets in.
    pub gate: Arc<Gate>,
}

/// Serves agents on `port` (if any) and over [`LocalDial`] until `stop` resolves. Call within a runtime.
/// Streams are numbered from the one after `before` on; `note` takes what a person should know about connections that are
/// not agents'.
pub fn serve(
    port: Option<Port>,
    before: SessionId,
    stop: impl Future<Output = ()> + Send + 'static,
    note: impl Fn(String) + Send + Sync + 'static,
) -> (Fleetwork, tokio::task::JoinHandle<()>) {
    let (connections, incoming) = mpsc::channel(16);
    let local = LocalDial { connections: connections.clone() };
    let note: Note = Arc::new(note);
    let gate = port.as_ref().map_or_else(|| Arc::new(Gate::open()), |port| port.gate.clone());
    let accepting = port.map(|port| tokio::spawn(accept(port, connections, note.clone())));
    let (accepted, events) = Accepted::new(gate, before, note);
    // As soon as it stops: a connection that does not end must not keep the port from the next run.
    let stop = async move {
        stop.await;
        if let Some(accepting) = accepting {
            accepting.abort();
        }
    };
    let server = tokio::spawn(async move {
        let incoming = ReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
        // An error would be one of `incoming`, which has none.
        let _ = Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(2 * STREAM_WINDOW)
            .add_service(proto::server::service(Arc::new(accepted)))
            .serve_with_incoming_shutdown(incoming, stop)
            .await;
    });
    (Fleetwork { events, local }, server)
}

async fn accept(mut port: Port, connections: mpsc::Sender<Connection>, note: Note) {
    let unknown = Arc::new(Semaphore::new(MAX_UNKNOWN));
    let addresses = Addresses::default();
    while let Ok(permit) = unknown.clone().acquire_owned().await {
        let (stream, address) = match port.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                note(format!("cannot accept a connection: {error}"));
                // Out of descriptors, most likely: an immediate retry would spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let room = addresses.room(address.ip().to_canonical());
        if room.is_none() && port.tls.is_some() {
            note(format!(
                "{} has {MAX_PER_ADDRESS} connections that have not joined; one more is closed",
                address.ip()
            ));
            continue;
        }
        let ticket = Ticket::new(permit, room);
        let (connections, note, tls) = (connections.clone(), note.clone(), port.tls.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(GREETING_TIMEOUT, identify(stream, address, tls, ticket)).await {
                Ok(Ok(connection)) => {
                    // A closed channel means that the coordinator is ending.
                    let _ = connections.send(connection).await;
                }
                Ok(Err(problem)) => note(problem),
                Err(_) => note(format!(
                    "{address} did not say what it is within {} s; {FOR_AGENTS}",
                    GREETING_TIMEOUT.as_secs()
                )),
            }
        });
    }
}

/// Reads the first bytes of a connection and shakes hands; what is not an agent is turned away with what it sent
/// and the remedy.
async fn identify(
    mut stream: Box<dyn Wire>,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    ticket: Ticket,
) -> Result<Connection, String> {
    let mut seen = [0; PREFACE.len()];
    let mut n = 0;
    while n < seen.len() && seen[..n] == PREFACE[..n] {
        match stream.read(&mut seen[n..]).await {
            Ok(0) | Err(_) => break,
            Ok(more) => n += more,
        }
    }
    let seen = &seen[..n];
    let is_tls = seen.first() == Some(&TLS_HANDSHAKE);
    let replay = Replay::new(stream, Bytes::copy_from_slice(seen));
    match tls {
        None if seen == PREFACE => Ok(Connection::plain(replay, Peer::of(address, None), ticket)),
        Some(tls) if is_tls => {
            let stream = match tls.accept(replay).into_fallible().await {
                Ok(stream) => stream,
                Err((error, replay)) => {
                    part(replay.into_inner()).await;
                    return Err(handshake_failed(address, &error));
                }
            };
            let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let key = certificate.and_then(|certificate| proto::tls::fingerprint(certificate).ok());
            Ok(Connection::tls(stream, Peer::of(address, key), ticket))
        }
        None if is_tls => Err(format!(
            "{address} speaks TLS, and this port takes plain text; start the coordinator with --tls, or agents \
             without --join"
        )),
        Some(_) if seen == PREFACE => {
            // In its own words, so that the agent can tell its operator.
            let mut stream = replay.into_inner();
            let _ = stream.write_all(&proto::refusal::tls_wanted()).await;
            part(stream).await;
            Err(format!(
                "{address} speaks plain text, and this port takes TLS; start the agent with the --join string that \
                 was printed"
            ))
        }
        _ if seen.is_empty() => Err(format!("{address} closed the connection without a word; {FOR_AGENTS}")),
        _ => Err(format!(
            "{address} sent what is not gRPC (it begins with \"{}\"); {FOR_AGENTS}",
            seen.escape_ascii()
        )),
    }
}

/// Ends a connection on which the last word was said. Closing it before everything is read would reset it, and what
/// was said would be lost.
async fn part(mut stream: Box<dyn Wire>) {
    let _ = stream.shutdown().await;
    let mut rest = stream.take(MAX_UNREAD);
    let _ = tokio::time::timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

fn handshake_failed(address: SocketAddr, error: &std::io::Error) -> String {
    use rustls::{AlertDescription as Alert, Error};
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let why = match tls {
        Some(Error::AlertReceived(Alert::AccessDenied)) => {
            "it does not trust this coordinator's key; its --join string is another coordinator's".to_owned()
        }
        Some(Error::AlertReceived(alert)) => {
            format!("it does not trust this coordinator's certificate ({alert:?}); check its --tls-ca")
        }
        Some(Error::NoCertificatesPresented) => {
            "it shows no certificate; start the agent with --join, or with --tls-cert and --tls-key"
                .to_owned()
        }
        Some(Error::InvalidCertificate(problem)) => {
            format!(
                "its certificate is not good here ({problem}); an authority of --tls-ca must have signed it"
            )
        }
        _ => error.to_string(),
    };
    format!("{address}: no TLS: {why}")
}
