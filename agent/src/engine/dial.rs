//! From an origin to an open stream: resolve, connect, ask the proxy, TLS.

use super::counting_io::{CountingIo, Wire};
use super::error_kind;
use super::job::ClassConnections;
use super::limits::RequestLimits;
use super::origin::{Origin, Scheme};
use super::progress::{Progress, Stage};
use super::proxy;
use super::socket::Socket;
use super::stream::Stream;
use crate::policy::{Found, Policy};
use http::Uri;
use metrics::{ErrorKind, Failure};
use plan::model::{ConnectionSettings, HttpVersion, Proxy};
use plan::slot::Slot;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use system::local_socket;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;

/// What is to be spoken over a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Talk {
    /// HTTP of this version.
    Http(HttpVersion),
    /// WebSocket, after a handshake in HTTP/1.1.
    WebSocket,
}

/// How one user reaches origins.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) settings: Arc<ConnectionSettings>,
    pub(super) target: Arc<Origin>,
    /// The address of this machine to connect from.
    source: Option<IpAddr>,
    /// Where it may connect.
    policy: Arc<Policy>,
}

/// One attempt to open a stream.
pub(super) struct Attempt<'a> {
    pub(super) origin: &'a Origin,
    pub(super) talk: Talk,
    /// Its bytes are counted here.
    pub(super) wire: &'a Rc<Wire>,
    /// Its stages and phases are marked here.
    pub(super) progress: &'a Progress,
    pub(super) limits: &'a RequestLimits,
}

impl Dialer {
    /// Of the user `slot`.
    pub(super) fn new(class: &ClassConnections, target: Arc<Origin>, slot: Slot) -> Dialer {
        let ClassConnections { settings, policy, .. } = class;
        let place = (slot.0 as usize).checked_rem(settings.sources.len());
        let source = place.map(|place| settings.sources[place]);
        Dialer { settings: settings.clone(), target, source, policy: policy.clone() }
    }

    /// Whether requests to `origin` are handed to the proxy, which makes requests of its own of them.
    pub(super) fn forwarded(&self, origin: &Origin, talk: Talk) -> Option<&Proxy> {
        let proxy = self.proxy(origin)?;
        let forwards = matches!(talk, Talk::Http(HttpVersion::Auto | HttpVersion::Http1));
        (origin.scheme == Scheme::Http && forwards).then_some(proxy)
    }

    fn proxy(&self, origin: &Origin) -> Option<&Proxy> {
        let direct = || self.settings.no_proxy.iter().any(|hosts| hosts.covers(&origin.host));
        self.settings.proxy.as_ref().filter(|_| self.socket_path(origin).is_none() && !direct())
    }

    /// The socket is the target's; redirects may lead elsewhere.
    fn socket_path(&self, origin: &Origin) -> Option<&str> {
        self.settings.unix.as_deref().filter(|_| *origin == *self.target)
    }

    /// Opens a stream within the time for connecting. `tls` is asked for only when the origin is encrypted.
    pub(super) async fn open(
        &self,
        attempt: Attempt<'_>,
        tls: impl FnOnce() -> Result<TlsConnector, Failure>,
    ) -> Result<Stream, Failure> {
        let Attempt { origin, talk, wire, progress, limits } = attempt;
        let begun = Instant::now();
        let deadline = begun + limits.connect;
        let opened = timeout_at(deadline.into(), async {
            let socket = self.connect(origin, deadline, progress, limits).await?;
            let mut stream = CountingIo::new(socket, wire.clone());
            if let Some(asked) = self.proxy(origin).filter(|_| self.forwarded(origin, talk).is_none()) {
                progress.stage.set(Stage::Proxy);
                proxy::tunnel(&mut stream, asked, origin).await?;
            }
            let connected = Instant::now();
            progress.mark(|phases| phases.connect = Some(connected - begun));
            if origin.scheme == Scheme::Http {
                return Ok(Stream::Plain(stream));
            }
            progress.stage.set(Stage::Tls);
            let certified = self.settings.tls.server_name.as_ref().filter(|_| *origin == *self.target);
            let certified = certified.unwrap_or(&origin.host);
            let name = ServerName::try_from(certified.clone())
                .map_err(|e| Failure::new(ErrorKind::Tls, format!("host `{certified}`: {e}")))?;
            let stream = tls()?.connect(name, stream).await.map_err(|e| error_kind::of_handshake(&e))?;
            progress.mark(|phases| phases.tls = Some(connected.elapsed()));
            Ok(Stream::Tls(Box::new(stream)))
        });
        opened.await.unwrap_or_else(|_| Err(progress.timed_out(limits)))
    }

    async fn connect(
        &self,
        origin: &Origin,
        deadline: Instant,
        progress: &Progress,
        limits: &RequestLimits,
    ) -> Result<Socket, Failure> {
        if let Some(path) = self.socket_path(origin) {
            self.policy.targets.check_socket(path).map_err(forbidden)?;
            progress.stage.set(Stage::Connect);
            let connected = local_socket::connect(path.as_ref()).await;
            return connected.map(Socket::Unix).map_err(|e| {
                progress.unconnected(&e);
                error_kind::of_connect(&e, path)
            });
        }
        progress.stage.set(Stage::Resolve);
        let proxy = self.proxy(origin);
        if let Some(proxy) = proxy {
            self.allows_behind(proxy, &origin.host, origin.port)?;
        }
        let (host, port) = first_stop(origin, proxy);
        let addresses = self.resolve(host, port).await;
        progress.stage.set(Stage::Connect);
        let connected = match addresses {
            Ok(addresses) => self.try_all(&addresses, deadline, progress, limits).await,
            Err(failure) => Err(failure),
        };
        let connected = connected.map_err(|failure| match proxy {
            Some(_) if failure.kind == ErrorKind::Forbidden => failure,
            None => failure,
            Some(_) => Failure::new(failure.kind, format!("{}, the proxy", failure.message)),
        });
        connected.map(Socket::Tcp)
    }

    /// The addresses of `host` to which the policy lets users connect. Addresses are taken as they are; names that the
    /// plan gives no address are asked for every time, as a new client would.
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        if let Some(address) = self.given(host, port) {
            return self.allowed(host, Found::ByPlan, vec![address]).map_err(forbidden);
        }
        let failed = |why: &dyn std::fmt::Display| {
            Failure::new(ErrorKind::Dns, format!("cannot resolve `{host}`: {why}"))
        };
        let found = lookup_host((host, port)).await.map_err(|e| failed(&e))?;
        let addresses: Vec<SocketAddr> = found.collect();
        if addresses.is_empty() {
            return Err(failed(&"it has no address"));
        }
        self.allowed(host, Found::Here, addresses).map_err(forbidden)
    }

    /// Where the plan says that `host` is.
    fn given(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let given = self.settings.resolve.iter();
        let mut given = given.filter(|g| g.host == host && g.port.is_none_or(|only| only == port));
        given.next().map(|given| SocketAddr::new(given.address, given.to_port.unwrap_or(port)))
    }

    /// Those of `addresses` to which users may connect; why not, if there is none among them.
    fn allowed(
        &self,
        host: &str,
        found: Found,
        addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, String> {
        let (mut allowed, mut refusal) = (Vec::with_capacity(addresses.len()), None);
        for address in addresses {
            match self.policy.targets.check(host, found, address) {
                Ok(()) => allowed.push(address),
                Err(why) => refusal = refusal.or(Some(why)),
            }
        }
        if allowed.is_empty() { refusal.map_or(Ok(allowed), Err) } else { Ok(allowed) }
    }

    fn allows_behind(&self, proxy: &Proxy, host: &str, port: u16) -> Result<(), Failure> {
        self.policy.targets.check_behind_proxy(host, port, &proxy::name(proxy)).map_err(forbidden)
    }

    /// Whether a request to `url` may be handed to the proxy that stands before `origin`.
    pub(super) fn allows_forwarding(&self, origin: &Origin, url: &Uri) -> Result<(), Failure> {
        let (Some(proxy), Some(host)) = (self.proxy(origin), url.host()) else { return Ok(()) };
        let port = url.port_u16().unwrap_or(80);
        self.allows_behind(proxy, host.trim_matches(['[', ']']), port)
    }

    /// Whether the policy allows to connect to `origin`, as far as that is known before. `lookup` gives the addresses of
    /// a name, or none.
    ///
    /// # Errors
    /// Why not, with the rule and the remedy.
    pub(super) fn foresee(
        &self,
        origin: &Origin,
        lookup: impl FnOnce(&str, u16) -> Vec<SocketAddr>,
    ) -> Result<(), String> {
        if let Some(path) = self.socket_path(origin) {
            return self.policy.targets.check_socket(path);
        }
        let proxy = self.proxy(origin);
        if let Some(proxy) = proxy {
            self.policy.targets.check_behind_proxy(&origin.host, origin.port, &proxy::name(proxy))?;
        }
        let (host, port) = first_stop(origin, proxy);
        let allowed = match self.given(host, port) {
            Some(address) => self.allowed(host, Found::ByPlan, vec![address]),
            None => self.allowed(host, Found::Here, lookup(host, port)),
        };
        allowed.map(drop)
    }

    /// Tries the addresses in order, each with an equal share of the time that is left; the last failure counts.
    async fn try_all(
        &self,
        addresses: &[SocketAddr],
        deadline: Instant,
        progress: &Progress,
        limits: &RequestLimits,
    ) -> Result<TcpStream, Failure> {
        let mut last = None;
        for (place, &address) in addresses.iter().enumerate() {
            let now = Instant::now();
            let share = deadline.saturating_duration_since(now) / (addresses.len() - place) as u32;
            match timeout_at((now + share).into(), self.try_one(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(|e| error_kind::of_connect(&e, address))?;
                    return Ok(stream);
                }
                Ok(Err(error)) => {
                    progress.unconnected(&error);
                    last = Some(self.failed(&error, address));
                }
                Err(_) => last = Some(progress.timed_out(limits)),
            }
        }
        Err(last.expect("a resolved name has an address"))
    }

    async fn try_one(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let Some(source) = self.source else { return TcpStream::connect(address).await };
        let socket = if source.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Ports of connections that have just ended may be taken again.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::new(source, 0))?;
        socket.connect(address).await
    }

    fn failed(&self, error: &io::Error, address: SocketAddr) -> Failure {
        let failure = error_kind::of_connect(error, address);
        match self.source {
            Some(source) if failure.kind == ErrorKind::Connect => {
                Failure::new(failure.kind, format!("{} (from {source})", failure.message))
            }
            _ => failure,
        }
    }
}

/// Where the first connection on the way to `origin` leads.
fn first_stop<'a>(origin: &'a Origin, proxy: Option<&'a Proxy>) -> (&'a str, u16) {
    proxy.map_or((origin.host.as_str(), origin.port), |proxy| (proxy.host.as_str(), proxy.port))
}

fn forbidden(why: String) -> Failure {
    Failure::new(ErrorKind::Forbidden, why)
}
