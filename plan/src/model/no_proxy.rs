//! Hosts that are reached without the proxy, as `no_proxy` of other programs names them.

use core::net::IpAddr;

/// Some hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoProxy {
    /// `*`: all of them.
    Everything,
    /// `example.com`: it and every name below it. Lower case, without a dot before it.
    Domain(String),
    /// `10.0.0.7`, `10.0.0.0/8`: the addresses whose first so many bits are these.
    Network(IpAddr, u8),
}

impl NoProxy {
    /// Reads one of the forms above; a dot before a name changes nothing.
    pub fn parse(text: &str) -> Option<NoProxy> {
        if text == "*" {
            return Some(NoProxy::Everything);
        }
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        if let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>() {
            let most = bits(address).1;
            let prefix = prefix.map_or(Some(most), |prefix| prefix.parse().ok());
            return prefix.filter(|prefix| *prefix <= most).map(|prefix| NoProxy::Network(address, prefix));
        }
        let name = text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase();
        let character = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let whole = !name.split('.').any(str::is_empty);
        (whole && name.chars().all(character)).then_some(NoProxy::Domain(name))
    }

    /// Whether `host` is one of them: a name in lower case, or an address without brackets.
    pub fn covers(&self, host: &str) -> bool {
        match self {
            NoProxy::Everything => true,
            NoProxy::Domain(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            NoProxy::Network(network, prefix) => host.parse().is_ok_and(|address: IpAddr| {
                let ((bits, length), (wanted, same)) = (bits(address), bits(*network));
                let rest = u32::from(length.saturating_sub(*prefix));
                length == same && (bits ^ wanted).checked_shr(rest).unwrap_or(0) == 0
            }),
        }
    }
}

/// The bits of an address, and how many it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_covered() {
        let check = |text: &str, covered: &[&str], others: &[&str]| {
            let hosts = NoProxy::parse(text).unwrap_or_else(|| panic!("{text} can be read"));
            let found = |hosts_of: &[&str]| hosts_of.iter().filter(|host| hosts.covers(host)).count();
            assert_eq!((found(covered), found(others)), (covered.len(), 0), "{text}");
        };
        check("*", &["a.test", "10.0.0.1", "::1"], &[]);
        check("a.test", &["a.test", "b.a.test"], &["ba.test", "test", "a.test.b", "10.0.0.1"]);
        check(".A.test", &["a.test", "b.a.test"], &["ba.test"]);
        check("localhost", &["localhost"], &["127.0.0.1"]);
        check("10.0.0.7", &["10.0.0.7"], &["10.0.0.8", "::10.0.0.7", "a.10.0.0.7"]);
        check("10.1.0.0/16", &["10.1.0.0", "10.1.255.255"], &["10.2.0.0", "10.0.255.255", "::a01:0"]);
        check("10.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check("fd00::/8", &["fd00::1", "fdff::1"], &["fe00::1", "10.0.0.1"]);
        check("::/0", &["fd00::1"], &["10.0.0.1"]);
        check("[fd00::1]", &["fd00::1"], &["fd00::2"]);
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "a b",
            "http://a",
            "a:80",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0.0/x",
            "*.a",
            "a/8",
        ] {
            assert_eq!(NoProxy::parse(text), None, "{text}");
        }
    }
}
