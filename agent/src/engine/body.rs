//! Where the bytes of a response's body go.

use super::http::{BodyUse, Terms};
use metrics::{ErrorKind, Failure};

/// Keeps a body, or only counts it, up to a limit.
#[derive(Debug)]
pub(super) struct BodySink {
    body: BodyUse,
    limit: u64,
    seen: u64,
    kept: Vec<u8>,
}

impl BodySink {
    /// For the body of a request on `terms`.
    pub(super) fn new(terms: &Terms) -> BodySink {
        let limit = match terms.body {
            BodyUse::Keep => terms.limits.kept_body,
            BodyUse::Discard => terms.limits.body,
        };
        BodySink { body: terms.body, limit, seen: 0, kept: Vec::new() }
    }

    /// The body is going to have at least so many bytes.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] beyond the limit.
    pub(super) fn expect(&self, bytes: u64) -> Result<(), Failure> {
        if self.seen.saturating_add(bytes) <= self.limit {
            return Ok(());
        }
        let problem = format!("the response body is larger than the limit of {} bytes", self.limit);
        Err(Failure::new(ErrorKind::TooLarge, problem))
    }

    /// The next bytes of the body.
    ///
    /// # Errors
    /// Those of [`expect`](BodySink::expect).
    pub(super) fn take(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.expect(data.len() as u64)?;
        self.seen += data.len() as u64;
        if self.body == BodyUse::Keep {
            self.kept.extend_from_slice(data);
        }
        Ok(())
    }

    /// What was kept.
    pub(super) fn into_kept(self) -> Vec<u8> {
        self.kept
    }
}
