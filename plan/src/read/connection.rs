//! The keys of `http:` that say how users connect.

use super::Reader;
use super::fields::Fields;
use super::tls::GivenTls;
use super::value::Expected;
use crate::diagnostic::{Problem, shown};
use crate::model::{ConnectionSettings, HttpVersion, NoProxy, Proxy, Resolve};
use crate::yaml::{Entry, Node, Value};
use core::net::{IpAddr, SocketAddr};
use metrics::unit::UnitError;
use percent_encoding::percent_decode_str;
use std::time::Duration;
use url::{Host, Url};

/// Most names that a plan gives addresses.
const MAX_RESOLVED: usize = 100;
/// Most addresses that users connect from.
const MAX_SOURCES: usize = 1000;
/// Most hosts that need no proxy.
const MAX_NO_PROXY: usize = 1000;
/// Longest path of a socket in bytes: what the operating system can take, its end mark left out.
const MAX_SOCKET_PATH: usize = 107;

const ADDRESS: &str = "write an address, with a port where it is another one: `10.0.0.7`, `10.0.0.7:8443`, \
                       `[fd00::7]:8443`";

/// What is said at one place; `None` leaves it to the place around it.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenConnection {
    connect_timeout: Option<Duration>,
    cookies: Option<bool>,
    keep_alive: Option<bool>,
    tls: GivenTls,
    version: Option<HttpVersion>,
    resolve: Option<Vec<Resolve>>,
    sources: Option<Vec<IpAddr>>,
    proxy: Option<Proxy>,
    no_proxy: Option<Vec<NoProxy>>,
    unix: Option<String>,
}

impl GivenConnection {
    /// This, and where it is silent what `around` says.
    pub(super) fn over(self, around: &GivenConnection) -> GivenConnection {
        GivenConnection {
            connect_timeout: self.connect_timeout.or(around.connect_timeout),
            cookies: self.cookies.or(around.cookies),
            keep_alive: self.keep_alive.or(around.keep_alive),
            tls: self.tls.over(&around.tls),
            version: self.version.or(around.version),
            resolve: self.resolve.or_else(|| around.resolve.clone()),
            sources: self.sources.or_else(|| around.sources.clone()),
            proxy: self.proxy.or_else(|| around.proxy.clone()),
            no_proxy: self.no_proxy.or_else(|| around.no_proxy.clone()),
            unix: self.unix.or_else(|| around.unix.clone()),
        }
    }

    /// For the users of a class.
    pub(super) fn settings(&self) -> ConnectionSettings {
        let given = self.clone();
        let default = ConnectionSettings::default();
        ConnectionSettings {
            connect_timeout: given.connect_timeout.unwrap_or(default.connect_timeout),
            keep_alive: given.keep_alive.unwrap_or(default.keep_alive),
            cookies: given.cookies.unwrap_or(default.cookies),
            tls: given.tls.settings(),
            version: given.version.unwrap_or(default.version),
            resolve: given.resolve.unwrap_or_default(),
            sources: given.sources.unwrap_or_default(),
            proxy: given.proxy,
            no_proxy: given.no_proxy.unwrap_or_default(),
            unix: given.unix,
        }
    }
}

impl Reader<'_> {
    /// The keys of `http:` about connections.
    pub(super) fn connection(&mut self, fields: &Fields<'_>) -> GivenConnection {
        GivenConnection {
            connect_timeout: fields.get("connect_timeout").and_then(|e| self.timeout(&e.value)),
            cookies: fields.get("cookies").and_then(|e| self.switch(&e.value)),
            keep_alive: fields.get("keep_alive").and_then(|e| self.switch(&e.value)),
            version: fields.get("version").and_then(|e| self.http_version(&e.value)),
            resolve: fields.get("resolve").and_then(|e| self.resolve(&e.value)),
            sources: fields.get("source").and_then(|e| self.source_addresses(e)),
            proxy: fields.get("proxy").and_then(|e| self.proxy(&e.value)),
            no_proxy: fields.get("no_proxy").and_then(|e| self.no_proxy(e)),
            unix: fields.get("unix").and_then(|e| self.socket_path(&e.value)),
            tls: fields.get("tls").map(|e| self.tls(e)).unwrap_or_default(),
        }
    }

    fn http_version(&mut self, node: &Node) -> Option<HttpVersion> {
        let expected = Expected { what: "`auto`, `1` or `2`", remedy: "write `auto`, `1` or `2`" };
        match self.constant(node, expected)?.text.as_str() {
            "auto" => Some(HttpVersion::Auto),
            "1" => Some(HttpVersion::Http1),
            "2" => Some(HttpVersion::Http2),
            _ => {
                self.wrong(node, expected);
                None
            }
        }
    }

    fn resolve(&mut self, node: &Node) -> Option<Vec<Resolve>> {
        let expected = Expected {
            what: "a mapping from host names to addresses",
            remedy: "write `resolve: { api.example.com: 10.0.0.7 }`",
        };
        let address = Expected { what: "an address such as `10.0.0.7:8443`", remedy: ADDRESS };
        let entries = self.named(node, expected, MAX_RESOLVED)?;
        let mut resolved = Vec::new();
        for entry in entries {
            let name = host_name(&entry.key);
            if name.is_none() {
                let problem = format!("{} is not a host name", shown(&entry.key));
                let remedy = "write it as in URLs, with a port if only that is meant: `api.example.com:443`";
                self.report(Problem::new(entry.key_span, problem, remedy));
            }
            let place = self.parsed(&entry.value, address, socket_address);
            if let (Some((host, port)), Some((address, to_port))) = (name, place) {
                resolved.push(Resolve { host, port, address, to_port });
            }
        }
        // Those for one port go before those for all.
        resolved.sort_by_key(|known| known.port.is_none());
        Some(resolved)
    }

    fn source_addresses(&mut self, entry: &Entry) -> Option<Vec<IpAddr>> {
        let expected = Expected {
            what: "an address of the agent such as `10.0.0.5`",
            remedy: "write one address or a list of them, without ports: `[10.0.0.5, 10.0.0.6]`",
        };
        let node = &entry.value;
        let items = if let Value::Sequence(items) = &node.value { items } else { std::slice::from_ref(node) };
        if items.is_empty() {
            self.report(Problem::new(node.span, "there is no address", expected.remedy));
            return None;
        }
        if !self.at_most(items.len(), MAX_SOURCES, "`source`", entry.key_span) {
            return None;
        }
        let parse = |text: &str| {
            text.parse().map_err(|_| UnitError {
                problem: format!("{} is not an IP address", shown(text)),
                remedy: expected.remedy.into(),
            })
        };
        let sources: Vec<_> = items.iter().map(|item| self.parsed(item, expected, parse)).collect();
        sources.into_iter().collect()
    }

    fn proxy(&mut self, node: &Node) -> Option<Proxy> {
        let expected = Expected {
            what: "the URL of a proxy",
            remedy: "write `http://HOST:PORT`, or `http://USER:PASSWORD@HOST:PORT`",
        };
        let text = self.text(node, expected)?;
        let proxy = Url::parse(&text).ok().and_then(|url| proxy(&url));
        if proxy.is_none() {
            // The text may hold a password.
            let problem = "this is not the URL of an HTTP proxy";
            self.report(Problem::new(node.span, problem, expected.remedy));
        }
        proxy
    }

    fn no_proxy(&mut self, entry: &Entry) -> Option<Vec<NoProxy>> {
        let expected = Expected {
            what: "a list of hosts that need no proxy",
            remedy: "write names and networks, without ports: `[ example.com, 10.0.0.0/8 ]`",
        };
        let items = self.list(&entry.value, expected)?;
        if items.is_empty() {
            self.report(Problem::new(entry.value.span, "there is no host", expected.remedy));
            return None;
        }
        if !self.at_most(items.len(), MAX_NO_PROXY, "`no_proxy`", entry.key_span) {
            return None;
        }
        let parse = |text: &str| {
            NoProxy::parse(text).ok_or_else(|| UnitError {
                problem: format!("{} is neither a host nor a network", shown(text)),
                remedy: expected.remedy.into(),
            })
        };
        let one = Expected { what: "a host or a network such as `10.0.0.0/8`", ..expected };
        let hosts: Vec<_> = items.iter().map(|item| self.parsed(item, one, parse)).collect();
        hosts.into_iter().collect()
    }

    fn socket_path(&mut self, node: &Node) -> Option<String> {
        let expected = Expected {
            what: "the path of a Unix socket",
            remedy: "write the absolute path on the agents: `/run/api.sock`",
        };
        let path = self.text(node, expected)?;
        if !path.starts_with('/') || path.contains('\0') {
            let problem = format!("{} is not the absolute path of a socket", shown(&path));
            self.report(Problem::new(node.span, problem, expected.remedy));
            return None;
        }
        if path.len() > MAX_SOCKET_PATH {
            let problem =
                format!("the path of a socket with {} bytes; the limit is {MAX_SOCKET_PATH}", path.len());
            self.report(Problem::new(node.span, problem, "choose a shorter one"));
            return None;
        }
        Some(path)
    }
}

/// `api.example.com` or `api.example.com:443`, as in URLs.
fn host_name(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port.parse().ok().filter(|p| *p > 0)?)),
        _ => (text, None),
    };
    match Host::parse(host) {
        Ok(Host::Domain(name)) if !name.is_empty() => Some((name, port)),
        _ => None,
    }
}

/// An address with or without a port.
fn socket_address(text: &str) -> Result<(IpAddr, Option<u16>), UnitError> {
    let refused =
        || UnitError { problem: format!("{} is not an IP address", shown(text)), remedy: ADDRESS.into() };
    if let Ok(address) = text.trim_matches(['[', ']']).parse() {
        return Ok((address, None));
    }
    let address: SocketAddr = text.parse().map_err(|_| refused())?;
    if address.port() == 0 { Err(refused()) } else { Ok((address.ip(), Some(address.port()))) }
}

fn proxy(url: &Url) -> Option<Proxy> {
    let plain = url.scheme() == "http" && url.path() == "/" && url.query().is_none();
    let host = match url.host().filter(|_| plain)? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => {
            let user = decoded(user).filter(|user| !user.contains(':'))?;
            Some((user, decoded(password.unwrap_or_default())?))
        }
    };
    Some(Proxy { host, port: url.port_or_known_default()?, credentials })
}
