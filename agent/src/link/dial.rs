//! How a connection to the coordinator is made.

use super::way::Way;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use proto::refusal::{is_about_certificates, wants_tls};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::Service as _;

/// Makes a connection; called again for each attempt.
pub type Connect = Arc<dyn Fn() -> BoxFuture<'static, Result<Channel, DialError>> + Send + Sync>;

/// Why there is no connection, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialError {
    /// Trying again can help.
    Passing(String),
    /// It cannot: what this agent was started with does not fit the coordinator.
    Final(String),
}

/// Pings find a peer that is gone without a word. Lenient, because the lease, not they, stops users.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How long a TCP connection may take to be made, and a TLS handshake on it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection, whatever carries it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Opens what connections are made of; called again for each attempt.
pub type Open = Arc<dyn Fn(Uri) -> BoxFuture<'static, Result<Box<dyn Stream>, DialError>> + Send + Sync>;

/// Connections to `address` (`HOST:PORT`), on this way.
///
/// # Errors
/// When `address` cannot be the authority of a URL.
pub fn dial(address: &str, way: Way) -> Result<Connect, String> {
    let (name, way) = (Arc::<str>::from(address), Arc::new(way));
    let open: Open = Arc::new(move |uri| {
        let (name, way) = (name.clone(), way.clone());
        Box::pin(async move { open(&name, uri, &way).await })
    });
    dial_over(address, open)
}

/// Connections to `address` over what `open` opens.
///
/// # Errors
/// When `address` cannot be the authority of a URL.
pub fn dial_over(address: &str, open: Open) -> Result<Connect, String> {
    let bad = |error: &dyn fmt::Display| format!("`{address}` is not HOST:PORT ({error})");
    let uri: Uri = format!("http://{address}").parse().map_err(|error| bad(&error))?;
    let endpoint = Endpoint::from(uri.clone())
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    Ok(Arc::new(move || {
        let (endpoint, opening) = (endpoint.clone(), open(uri.clone()));
        Box::pin(async move {
            let once = Mutex::new(Some(TokioIo::new(opening.await?)));
            let connector = tower::service_fn(move |_| {
                // A channel makes no connection but its first: whether to dial again is the session's decision.
                let stream = once.lock().expect("no holder panics").take();
                std::future::ready(stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
            });
            endpoint
                .connect_with_connector(connector)
                .await
                .map_err(|error| DialError::of_stream(&innermost(&error)))
        })
    }))
}

impl DialError {
    /// What the end of a stream that never began says: `text` is its error.
    pub fn of_stream(text: &str) -> DialError {
        if wants_tls(text) {
            return DialError::Final(
                "the coordinator takes TLS only; start this agent with the --join string that it printed (or with \
                 --tls-ca, --tls-cert and --tls-key)"
                    .to_owned(),
            );
        }
        if is_about_certificates(text) {
            return DialError::Final(format!(
                "the coordinator does not accept this agent's certificate ({text}); give one that an authority of \
                 its --tls-ca has signed (--tls-cert, --tls-key)"
            ));
        }
        DialError::Passing(text.to_owned())
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialError::Passing(text) | DialError::Final(text) => f.write_str(text),
        }
    }
}

async fn open(address: &str, uri: Uri, way: &Way) -> Result<Box<dyn Stream>, DialError> {
    let name = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(PATIENCE));
    let connected = tcp.call(uri).await;
    let stream = connected.map_err(|error| DialError::Passing(innermost(&error)))?.into_inner();
    match way {
        Way::Plain => {
            let peer = stream.peer_addr().map_err(|error| DialError::Passing(error.to_string()))?;
            if !peer.ip().to_canonical().is_loopback() {
                return Err(DialError::Final(Way::unprotected(address)));
            }
            Ok(Box::new(stream))
        }
        Way::PlainAnywhere => Ok(Box::new(stream)),
        Way::Tls(config) => Ok(Box::new(shake_hands(address, name, stream, config.clone()).await?)),
    }
}

async fn shake_hands(
    address: &str,
    name: String,
    stream: TcpStream,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, DialError> {
    let name = ServerName::try_from(name).map_err(|error| {
        DialError::Final(format!("{address}: the host is not a name that TLS knows ({error})"))
    })?;
    let shaking = TlsConnector::from(config).connect(name, stream);
    match tokio::time::timeout(PATIENCE, shaking).await {
        Ok(shaken) => shaken.map_err(|error| misunderstanding(address, &error)),
        Err(_) => Err(DialError::Passing(format!("no TLS handshake within {} s", PATIENCE.as_secs()))),
    }
}

/// Why a handshake failed, and what to do about it.
fn misunderstanding(address: &str, error: &io::Error) -> DialError {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            DialError::Final(format!(
                "the coordinator at {address} has another key than the join string says: it is not the one that made \
                 the string, or somebody is in between; copy the string that this coordinator printed"
            ))
        }
        Some(rustls::Error::InvalidCertificate(problem)) => DialError::Final(format!(
            "the certificate of the coordinator at {address} is not good here ({problem}); --tls-ca must hold the \
             authority that signed it, and --coordinator a name that stands in it"
        )),
        Some(rustls::Error::InvalidMessage(_)) => DialError::Passing(
            "what answers there does not speak TLS; leave --join away if the coordinator listens on loopback, or \
             start it with --tls"
                .to_owned(),
        ),
        Some(rustls::Error::AlertReceived(_)) => DialError::of_stream(&error.to_string()),
        _ if matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) => DialError::Passing(
            "the TLS handshake was cut short; a coordinator that listens on loopback takes no --join unless it was \
             started with --tls"
                .to_owned(),
        ),
        _ => DialError::Passing(format!("the TLS handshake failed: {error}")),
    }
}

/// The innermost cause: "Connection refused" says more than "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
