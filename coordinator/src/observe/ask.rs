//! One request of a probe.

use crate::reach;
use plan::Plan;
use plan::observe::{Asked, Flaw, FlawKind, MAX_BODY, Probe};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use std::error::Error;
use std::net::SocketAddr;

/// Most redirects that are followed, all of them on one host.
const MAX_REDIRECTS: usize = 5;

/// Asks for the answers of one probe, over connections of its own.
pub(super) struct Asker {
    client: reqwest::Client,
    asked: Asked,
}

impl Asker {
    /// Looks the host up, once, and goes where agents could go.
    pub(super) async fn new(probe: &Probe, plan: &Plan, asked: Asked) -> Result<Asker, Flaw> {
        let unreachable = |why: String| Flaw::new(FlawKind::Unreachable, why);
        let host = asked.url.host_str().unwrap_or_default().to_owned();
        let addresses = match known_address(probe, &asked) {
            Some(address) => vec![address],
            None => reach::addresses(&asked.url).await.map_err(unreachable)?.1,
        };
        let tls = &probe.connection.tls;
        // As with requests, certificates of the plan are for its target.
        let is_target = asked.url.origin() == plan.target.origin();
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .resolve_to_addrs(&host, &addresses)
            .redirect(Policy::custom(redirect))
            .user_agent(concat!("muster-observe/", env!("CARGO_PKG_VERSION")));
        if is_target {
            let authorities =
                tls.authorities.iter().filter_map(|der| reqwest::Certificate::from_der(der).ok());
            client = client.tls_certs_merge(authorities).tls_danger_accept_invalid_certs(tls.insecure);
        }
        let client = client.build().map_err(|error| unreachable(reason(&error)))?;
        Ok(Asker { client, asked })
    }

    /// The body of a good answer.
    pub(super) async fn ask(&self) -> Result<Vec<u8>, Flaw> {
        let mut headers = HeaderMap::new();
        headers.insert(
            "accept",
            HeaderValue::from_static("application/json, text/plain;version=0.0.4, */*;q=0.5"),
        );
        for (name, value) in &self.asked.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value)) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        let sent = self.client.get(self.asked.url.clone()).headers(headers).send().await;
        let mut answer = sent.map_err(|error| flaw(&error))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(Flaw::new(FlawKind::Status, format!("the answer is HTTP {}", status.as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| flaw(&error))? {
            if body.len() + chunk.len() > MAX_BODY {
                let problem =
                    format!("the answer is larger than {} MiB, the most that is read", MAX_BODY >> 20);
                return Err(Flaw::new(FlawKind::TooLarge, problem));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Where the plan says that the host is (`http: { resolve: … }`).
fn known_address(probe: &Probe, asked: &Asked) -> Option<SocketAddr> {
    let (host, port) = (asked.url.host_str()?, asked.url.port_or_known_default()?);
    let fits =
        |known: &&plan::model::Resolve| known.host == host && known.port.is_none_or(|only| only == port);
    let known = probe.connection.resolve.iter().find(fits)?;
    Some(SocketAddr::new(known.address, known.to_port.unwrap_or(port)))
}

/// Follows it on the same host, and over to https there.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let Some(first) = attempt.previous().first() else { return attempt.stop() };
    let next = attempt.url();
    let same = |url: &url::Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
    let (from, to) = (same(first), same(next));
    let secured = from.0 == to.0 && (from.1, to.1) == (Some(80), Some(443)) && next.scheme() == "https";
    let stays = from == to && (next.scheme() == first.scheme() || next.scheme() == "https");
    if !stays && !secured {
        attempt.error("it redirects to another host, which is not asked")
    } else if attempt.previous().len() > MAX_REDIRECTS {
        attempt.error(format!("it redirects more than {MAX_REDIRECTS} times"))
    } else {
        attempt.follow()
    }
}

fn flaw(error: &reqwest::Error) -> Flaw {
    let kind = if error.is_redirect() { FlawKind::Redirect } else { FlawKind::Unreachable };
    Flaw::new(kind, reason(error))
}

/// The innermost cause: it names no URL, in which a secret may stand.
fn reason(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    text.chars().take(200).collect()
}
