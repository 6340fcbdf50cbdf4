//! How users connect: what a plan says under `http:` of its classes, with defaults filled in.

use super::no_proxy::NoProxy;
use core::net::IpAddr;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Longest time for name resolution, TCP and TLS handshake together unless the plan says otherwise: three lost
/// SYNs (1 s, 2 s and 4 s of back-off) still get through.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How the users of a class connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Longest time for name resolution, TCP and TLS handshake together.
    pub connect_timeout: Duration,
    /// Whether connections are used again.
    pub keep_alive: bool,
    /// Whether each user keeps the cookies that it is given.
    pub cookies: bool,
    /// Encryption.
    pub tls: TlsSettings,
    /// Which version of HTTP is spoken.
    pub version: HttpVersion,
    /// Addresses in place of what the system resolves names to; the first that fits holds.
    pub resolve: Vec<Resolve>,
    /// Addresses of the agent that users connect from, in turn by slot; any without them.
    pub sources: Vec<IpAddr>,
    /// Through which all is sent that does not go through [`unix`](ConnectionSettings::unix).
    pub proxy: Option<Proxy>,
    /// Hosts that are reached without it.
    pub no_proxy: Vec<NoProxy>,
    /// The Unix socket on which the target listens.
    pub unix: Option<String>,
}

impl Default for ConnectionSettings {
    /// What holds when a plan says nothing.
    fn default() -> ConnectionSettings {
        ConnectionSettings {
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            keep_alive: true,
            cookies: true,
            tls: TlsSettings::default(),
            version: HttpVersion::Auto,
            resolve: Vec::new(),
            sources: Vec::new(),
            proxy: None,
            no_proxy: Vec::new(),
            unix: None,
        }
    }
}

impl ConnectionSettings {
    /// Whether the target is reached as anybody would reach it: by its name, and trusted as the system does.
    pub fn is_direct(&self) -> bool {
        let ConnectionSettings { tls, resolve, proxy, unix, .. } = self;
        let trusts = !tls.insecure && tls.authorities.is_empty() && tls.client.is_none();
        trusts && tls.server_name.is_none() && resolve.is_empty() && proxy.is_none() && unix.is_none()
    }
}

/// How connections are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Any certificate will do.
    pub insecure: bool,
    /// The name that the target's certificate is for, when that is not the host of its URL.
    pub server_name: Option<String>,
    /// Authorities that are trusted besides those of the agents' systems.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What proves to the target who asks.
    pub client: Option<Arc<ClientCertificate>>,
}

/// A client certificate.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and those between it and its authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key; not shown by `Debug`.
    pub key: PrivateKeyDer<'static>,
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/2 where the target offers it in the TLS handshake, else HTTP/1.1.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, also without encryption.
    Http2,
}

/// An address in place of what the system resolves a name to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// Lower case, as it stands in URLs.
    pub host: String,
    /// Only for URLs with this port.
    pub port: Option<u16>,
    /// Where the host is.
    pub address: IpAddr,
    /// The port there, when it is not the URL's.
    pub to_port: Option<u16>,
}

/// An HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User name and password.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for Proxy {
    /// Without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}
