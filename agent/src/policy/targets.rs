//! Where users may connect, decided at each place where one is about to.

use super::never;
use super::rule::Rule;
use core::net::{IpAddr, SocketAddr};
use proto::defect::{Defect, seeded};
use std::fmt;
use url::Host;

/// Longest text of the rules and longest host in a refusal, in characters: most have to fit into the 200 of an error in
/// the report.
const MAX_SHOWN: usize = 40;

/// Rules of `--allow-target`; one that allows is enough, and nothing is where no agent connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    rules: Vec<Rule>,
    /// Whether somebody wrote them.
    given: bool,
}

/// How the address of a host was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The host is an address, or this machine resolved its name.
    Here,
    /// The plan says it, with `resolve`: the name proves nothing then.
    ByPlan,
}

impl Default for Targets {
    /// This machine itself, and private networks.
    fn default() -> Targets {
        Targets { rules: vec![Rule::LOOPBACK, Rule::PRIVATE], given: false }
    }
}

impl Targets {
    /// What `rules` allow, and nothing else; without any, the [default](Targets::default).
    pub fn new(rules: Vec<Rule>) -> Targets {
        if rules.is_empty() { Targets::default() } else { Targets { rules, given: true } }
    }

    /// All that an agent ever connects to, Unix sockets included.
    pub fn anywhere() -> Targets {
        Targets { rules: vec![Rule::ANY, Rule::UNIX], given: true }
    }

    /// Whether a user may connect to `address`, where `host` (a name or an address without brackets) is.
    ///
    /// # Errors
    /// Why not, with the rule and the remedy.
    pub fn check(&self, host: &str, found: Found, address: SocketAddr) -> Result<(), String> {
        let (host, ip, port) = (plain(host), address.ip(), address.port());
        let place = match (found, host.parse::<IpAddr>()) {
            (Found::Here, Ok(_)) => address.to_string(),
            (Found::Here, Err(_)) => format!("{address} (`{}`)", short(&host)),
            (Found::ByPlan, _) => format!("{address} (`{}` by the plan's `resolve`)", short(&host)),
        };
        if seeded(Defect::M15) && self.rules.iter().any(|rule| rule.allows_name(&host, port)) {
            return Ok(());
        }
        if let Some(what) = never::address(ip).or_else(|| never::name(&host)) {
            return Err(never(&place, what));
        }
        let allows = |rule: &Rule| {
            rule.allows_address(ip, port) || (found == Found::Here && rule.allows_name(&host, port))
        };
        if self.rules.iter().any(allows) {
            return Ok(());
        }
        let remedy = if found == Found::ByPlan || host.parse::<IpAddr>().is_ok() {
            SocketAddr::new(ip.to_canonical(), port).to_string()
        } else {
            format!("{}:{port}", short(&host))
        };
        Err(self.refusal(&place, &remedy))
    }

    /// Whether a user may have `proxy` connect to `host`. Where a name leads is found out there, so it takes a rule
    /// for the name, or `any`.
    ///
    /// # Errors
    /// Why not, with the rule and the remedy.
    pub fn check_behind_proxy(&self, host: &str, port: u16, proxy: &str) -> Result<(), String> {
        let host = plain(host);
        let literal = host.parse().ok().or_else(|| match Host::parse(&host) {
            Ok(Host::Ipv4(address)) => Some(IpAddr::from(address)),
            _ => None,
        });
        if let Some(ip) = literal {
            return self.check(&ip.to_string(), Found::Here, SocketAddr::new(ip, port));
        }
        let place = format!("`{}:{port}`", short(&host));
        if let Some(what) = never::name(&host) {
            return Err(never(&place, what));
        }
        if self.rules.iter().any(|rule| rule.allows_name(&host, port)) {
            return Ok(());
        }
        let place = format!("{place} (resolved by the proxy {})", short(proxy));
        Err(self.refusal(&place, &format!("{}:{port}", short(&host))))
    }

    /// Whether a user may connect to the Unix socket at `path`.
    ///
    /// # Errors
    /// Why not, with the rule and the remedy.
    pub fn check_socket(&self, path: &str) -> Result<(), String> {
        if self.rules.iter().any(|rule| rule.allows_socket(path)) {
            return Ok(());
        }
        let path = short(path);
        Err(self.refusal(&format!("the Unix socket {path}"), &format!("unix:{path}")))
    }

    fn refusal(&self, place: &str, remedy: &str) -> String {
        let (rules, by) = (self.to_string(), if self.given { "" } else { " (the default)" });
        let shown = short(&rules);
        let start = if shown == rules {
            format!("with --allow-target {rules},{remedy}")
        } else {
            format!("with {remedy} added to that")
        };
        format!("{place} is not in --allow-target {shown}{by}; start the agent {start}")
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, rule) in self.rules.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{rule}")?;
        }
        Ok(())
    }
}

fn never(place: &str, what: &str) -> String {
    format!("no agent ever connects to {place}: {what}; no --allow-target changes that")
}

/// In lower case, without a dot at its end.
fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Cut where it is too long to be shown.
fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
