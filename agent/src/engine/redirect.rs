//! Following redirects (RFC 9110 section 15.4).
//!
//! After 301, 302 and 303 the next request is a GET without body (a HEAD stays one); after 307 and 308 it is the
//! same again. What proves who asks goes to no other origin, and once left out it stays out.

use super::http::Reply;
use super::origin::Origin;
use super::outgoing::{self, Draft, Outgoing};
use bytes::Bytes;
use http::header::LOCATION;
use metrics::{ErrorKind, Failure};
use plan::model::{Method, Request};
use std::sync::Arc;
use url::Url;

/// Headers that are for the origin that the plan names, and no other.
const FOR_ONE_ORIGIN: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "host"];
/// Headers that say what a body is.
const OF_BODY: [&str; 4] = ["content-type", "content-encoding", "content-language", "content-location"];

/// One request of the plan on its way from redirect to redirect.
#[derive(Debug)]
pub(super) struct Journey {
    draft: Draft,
    /// Where it was redirected from.
    passed: Vec<String>,
}

impl Journey {
    /// Begins with `draft`.
    pub(super) fn new(draft: Draft) -> Journey {
        Journey { draft, passed: Vec::new() }
    }

    /// Where it goes now.
    pub(super) fn url(&self) -> &str {
        &self.draft.url
    }

    /// The request that follows `reply`, or none if `reply` is the response. A redirect that `request` expects
    /// is the response.
    ///
    /// # Errors
    /// Too many redirects, and redirects to where HTTP does not go; of kind [`ErrorKind::Protocol`].
    pub(super) fn next(
        &mut self,
        target: &Arc<Origin>,
        request: &Request,
        reply: &Reply,
    ) -> Result<Option<Outgoing>, Failure> {
        let limit = request.settings.redirects;
        if limit == 0 || !matches!(reply.status, 301 | 302 | 303 | 307 | 308) || request.expects(reply.status)
        {
            return Ok(None);
        }
        let Some(location) = reply.headers.get(LOCATION) else { return Ok(None) };
        let unusable = |why: String| {
            let location = String::from_utf8_lossy(location.as_bytes());
            Failure::new(ErrorKind::Protocol, format!("{why}, in the redirect to `{location}`"))
        };
        let text = std::str::from_utf8(location.as_bytes()).map_err(|_| unusable("not UTF-8".to_owned()))?;
        let here = Url::parse(&self.draft.url).map_err(|e| unusable(e.to_string()))?;
        let mut there = here.join(text).map_err(|e| unusable(e.to_string()))?;
        there.set_fragment(None);
        self.passed.push(std::mem::replace(&mut self.draft.url, there.to_string()));
        if self.passed.len() > limit as usize {
            let loops = if self.passed.contains(&self.draft.url) { ", in a loop" } else { "" };
            return Err(unusable(format!("more than {limit} redirects{loops}")));
        }
        if Origin::of(&here).map_err(unusable)? != Origin::of(&there).map_err(unusable)? {
            self.draft.headers.retain(|(name, _)| !FOR_ONE_ORIGIN.contains(&name.as_str()));
        }
        if matches!(reply.status, 301..=303) {
            if self.draft.method != Method::Head {
                self.draft.method = Method::Get;
            }
            self.draft.body = Bytes::new();
            self.draft.headers.retain(|(name, _)| !OF_BODY.contains(&name.as_str()));
        }
        let next = outgoing::build(target, &self.draft);
        next.map(Some).map_err(|failure| unusable(failure.message.into_owned()))
    }
}
