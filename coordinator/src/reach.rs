//! Whether the target answers at all, asked once before users start.

use agent::policy::{Found, Targets};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long the target may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the target did when it was asked for its root.
#[derive(Debug)]
pub enum Reach {
    /// It answered; any status will do.
    Answered {
        /// The status.
        status: u16,
        /// How long it took.
        took: Duration,
    },
    /// It did not, and why.
    Unreachable(String),
}

/// Asks `target` for its root; not where no agent would.
pub async fn check(target: &url::Url) -> Reach {
    let (host, addresses) = match addresses(target).await {
        Ok(found) => found,
        Err(why) => return Reach::Unreachable(why),
    };
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        // Those that were looked at, not what the name is a moment later.
        .resolve_to_addrs(&host, &addresses)
        // Users connect directly, so the check does too.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
        .build();
    let started = Instant::now();
    match async { client?.get(target.clone()).send().await }.await {
        Ok(response) => Reach::Answered { status: response.status().as_u16(), took: started.elapsed() },
        Err(error) => Reach::Unreachable(reason(&error)),
    }
}

/// The flag that lets an agent load `target`, as far as one is needed: by default they load their own machine and private
/// networks.
pub fn allowance(target: &url::Url) -> String {
    let (host, port) = (target.host_str().unwrap_or_default(), target.port_or_known_default().unwrap_or(80));
    let name = host.trim_matches(['[', ']']);
    let default = Targets::default();
    let allowed = match name.parse::<IpAddr>() {
        Ok(address) => default.check(name, Found::Here, SocketAddr::new(address, port)).is_ok(),
        Err(_) => name == "localhost",
    };
    if allowed { String::new() } else { format!(" --allow-target {default},{host}:{port}") }
}

/// The host of `target` and its addresses.
pub(crate) async fn addresses(target: &url::Url) -> Result<(String, Vec<SocketAddr>), String> {
    let host = target.host_str().unwrap_or_default().to_owned();
    let port = target.port_or_known_default().unwrap_or(80);
    let name = host.trim_matches(['[', ']']);
    let found = timeout(TIMEOUT, tokio::net::lookup_host((name, port))).await;
    let found = found.map_err(|_| format!("no answer within {} s", TIMEOUT.as_secs()))?;
    let addresses: Vec<SocketAddr> =
        found.map_err(|error| format!("cannot resolve `{host}`: {error}"))?.collect();
    let anywhere = Targets::anywhere();
    addresses.iter().try_for_each(|address| anywhere.check(name, Found::Here, *address))?;
    Ok((host, addresses))
}

/// The innermost cause, which is what a person can act on.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::Answered { status, took } => {
                write!(f, "answers (HTTP {status} in {} ms)", took.as_millis())
            }
            Reach::Unreachable(reason) => write!(
                f,
                "cannot be reached from here: {reason}. Is the service up, and is --target (LOAD_TEST_HOST) right? \
                 Users start all the same, and every request that fails is counted"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_told_to_allow_what_they_would_not() {
        let check = |target: &str, expected: &str| {
            assert_eq!(allowance(&target.parse().expect("a URL")), expected, "{target}");
        };
        check("http://127.0.0.1:8000", "");
        check("http://localhost", "");
        check("https://10.1.2.3", "");
        check("http://[::1]:8000", "");
        check("https://shop.example.com", " --allow-target loopback,private,shop.example.com:443");
        check("http://203.0.113.7:81/x", " --allow-target loopback,private,203.0.113.7:81");
        check("http://[2001:db8::1]", " --allow-target loopback,private,[2001:db8::1]:80");
    }

    #[tokio::test]
    async fn where_no_agent_connects_nothing_is_asked() {
        let Reach::Unreachable(why) = check(&"http://169.254.169.254".parse().expect("a URL")).await else {
            panic!("it was asked");
        };
        assert!(why.starts_with("no agent ever connects to 169.254.169.254:80: link-local"), "{why}");
    }
}
