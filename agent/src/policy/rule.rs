//! One rule of `--allow-target`: a pattern, and the ports for which it holds.

use super::never;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use url::Host;

const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];

/// RFC 1918 and RFC 4193.
const PRIVATE: [IpNet; 4] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7)),
];

/// What may be written, for messages.
const FORMS: &str = "write a host (api.example.com, *.example.com), an address (203.0.113.7, [2001:db8::1]), a range \
                     (10.0.0.0/8), loopback, private or any, each with a port or ports if need be (:443, :8000-8999), \
                     or unix, unix:/PATH";

/// One rule; see the module. Written as [`Display`](fmt::Display) shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    what: What,
    ports: RangeInclusive<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Loopback,
    Private,
    Any,
    Network(IpNet),
    /// In lower case, without a dot at its end.
    Name(String),
    /// Every name below this one.
    Below(String),
    /// The Unix socket at this path, or every one.
    Socket(Option<String>),
}

const ALL_PORTS: RangeInclusive<u16> = 0..=u16::MAX;

impl Rule {
    /// Every address of this machine itself.
    pub(super) const LOOPBACK: Rule = Rule { what: What::Loopback, ports: ALL_PORTS };
    /// Every address of private networks.
    pub(super) const PRIVATE: Rule = Rule { what: What::Private, ports: ALL_PORTS };
    /// Every address and name.
    pub(super) const ANY: Rule = Rule { what: What::Any, ports: ALL_PORTS };
    /// Every Unix socket.
    pub(super) const UNIX: Rule = Rule { what: What::Socket(None), ports: ALL_PORTS };

    /// Whether it allows to connect to this address. One that stands for an IPv4 address, as systems with one socket for
    /// both write it, is that address.
    pub(super) fn allows_address(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        let within = |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&address));
        self.ports.contains(&port)
            && match &self.what {
                What::Loopback => within(&LOOPBACK),
                What::Private => within(&PRIVATE),
                What::Any => true,
                What::Network(network) => network.contains(&address),
                What::Name(_) | What::Below(_) | What::Socket(_) => false,
            }
    }

    /// Whether it allows to connect to wherever `host`, in lower case and without a dot at its end, is.
    pub(super) fn allows_name(&self, host: &str, port: u16) -> bool {
        let below = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
        self.ports.contains(&port)
            && match &self.what {
                What::Any => true,
                What::Name(name) => name == host,
                What::Below(name) => below(name),
                What::Loopback | What::Private | What::Network(_) | What::Socket(_) => false,
            }
    }

    /// Whether it allows to connect to the socket at `path`.
    pub(super) fn allows_socket(&self, path: &str) -> bool {
        match &self.what {
            What::Socket(allowed) => allowed.as_ref().is_none_or(|allowed| allowed == path),
            _ => false,
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        let text = text.trim();
        if let Some(socket) = socket(text) {
            return socket;
        }
        if text.contains("://") {
            return Err(format!(
                "`{text}` is a URL; write its host, and its port if need be: example.com:443"
            ));
        }
        let (what, ports) = split(text)?;
        let ports = ports.map_or(Ok(ALL_PORTS), |ports| read_ports(text, ports))?;
        Ok(Rule { what: read_what(text, what)?, ports })
    }
}

fn socket(text: &str) -> Option<Result<Rule, String>> {
    let path = match text.strip_prefix("unix")? {
        "" => None,
        rest => Some(rest.strip_prefix(':').filter(|path| path.starts_with('/'))?),
    };
    if path.is_some_and(|path| path.split('/').any(|part| part == "..")) {
        return Some(Err(format!("`{text}` goes back with `..`; write the whole path of the socket")));
    }
    Some(Ok(Rule { what: What::Socket(path.map(str::to_owned)), ports: ALL_PORTS }))
}

/// Takes the ports off; an IPv6 address with ports stands in brackets.
fn split(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(format!("`{text}` has no `]`"))?;
        // [::1], [::1]:80, [fd00::/8]:80
        return match rest.strip_prefix(':') {
            Some(ports) if address.contains(':') => Ok((address, Some(ports))),
            None if rest.is_empty() && address.contains(':') => Ok((address, None)),
            _ => Err(format!("`{text}` is not an IPv6 address; write [2001:db8::1]:443 or [fd00::/8]:443")),
        };
    }
    match text.split_once('/') {
        // 10.0.0.0/8:443, fd00::/8, fd00::/8:443
        Some((_, prefix)) => match prefix.split_once(':') {
            Some((_, ports)) => Ok((&text[..text.len() - ports.len() - 1], Some(ports))),
            None => Ok((text, None)),
        },
        // ::1
        None if text.matches(':').count() > 1 => Ok((text, None)),
        None => Ok(text.split_once(':').map_or((text, None), |(what, ports)| (what, Some(ports)))),
    }
}

fn read_ports(text: &str, ports: &str) -> Result<RangeInclusive<u16>, String> {
    let port = |port: &str| {
        let digits = !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
        port.parse().ok().filter(|port: &u16| digits && *port > 0)
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    match (port(first), port(last)) {
        _ if ports == "*" => Ok(ALL_PORTS),
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(format!("`{ports}` in `{text}` is no port from 1 to 65535, as in :443 or :8000-8999")),
    }
}

fn read_what(text: &str, what: &str) -> Result<What, String> {
    let never = |what: &str| {
        format!(
            "`{text}` can never be allowed: {what}; no coordinator and no --allow-target makes an agent connect there"
        )
    };
    match what.to_ascii_lowercase().as_str() {
        "loopback" => return Ok(What::Loopback),
        "private" => return Ok(What::Private),
        "any" | "*" => return Ok(What::Any),
        _ => {}
    }
    if let Ok(address) = what.parse::<IpAddr>() {
        let address = address.to_canonical();
        return match never::address(address) {
            Some(reason) => Err(never(reason)),
            None => Ok(What::Network(address.into())),
        };
    }
    if what.contains('/') {
        let network = read_network(text, what)?;
        return never::range(&network).map_or(Ok(What::Network(network)), |reason| Err(never(reason)));
    }
    let (below, name) = what.strip_prefix("*.").map_or((false, what), |name| (true, name));
    let name = match Host::parse(name.strip_suffix('.').unwrap_or(name)) {
        Ok(Host::Domain(name)) if is_name(&name) => name,
        Ok(Host::Ipv4(address)) => {
            return Err(format!("`{text}` is an odd way to write {address}; write that"));
        }
        _ => return Err(format!("`{text}` is no host, address or range; {FORMS}")),
    };
    if let Some(reason) = never::name(&name) {
        return Err(never(reason));
    }
    Ok(if below { What::Below(name) } else { What::Name(name) })
}

fn is_name(name: &str) -> bool {
    let character = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.len() <= 253 && name.chars().all(character) && !name.split('.').any(str::is_empty)
}

fn read_network(text: &str, what: &str) -> Result<IpNet, String> {
    let network = what.parse::<IpNet>().map_err(|_| format!("`{text}` is no range of addresses; {FORMS}"))?;
    let first = network.trunc();
    if first != network {
        let address = network.addr();
        return Err(format!(
            "`{text}` has bits behind its prefix; write {first} for the range, or {address}"
        ));
    }
    match network {
        IpNet::V6(mapped) if mapped.prefix_len() >= 96 => match mapped.addr().to_ipv4_mapped() {
            Some(address) => Ok(IpNet::V4(Ipv4Net::new_assert(address, mapped.prefix_len() - 96))),
            None => Ok(network),
        },
        _ => Ok(network),
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Loopback => f.write_str("loopback")?,
            What::Private => f.write_str("private")?,
            What::Any => f.write_str("any")?,
            What::Network(network) => {
                let one = network.prefix_len() == network.max_prefix_len();
                let text = if one { network.addr().to_string() } else { network.to_string() };
                let bracketed = text.contains(':') && self.ports != ALL_PORTS;
                if bracketed { write!(f, "[{text}]")? } else { f.write_str(&text)? }
            }
            What::Name(name) => f.write_str(name)?,
            What::Below(name) => write!(f, "*.{name}")?,
            What::Socket(None) => f.write_str("unix")?,
            What::Socket(Some(path)) => write!(f, "unix:{path}")?,
        }
        let (first, last) = (self.ports.start(), self.ports.end());
        match self.ports == ALL_PORTS {
            true => Ok(()),
            false if first == last => write!(f, ":{first}"),
            false => write!(f, ":{first}-{last}"),
        }
    }
}
