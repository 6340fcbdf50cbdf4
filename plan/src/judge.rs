//! What counts as a good response (`expect`), and what to keep of it (`save`).

use crate::model::Request;
use crate::scope::Scope;
use crate::template::EvalError;
use metrics::Failure;
use std::time::Duration;

/// What counts as success. Empty: any status below 400.
#[derive(Debug)]
pub struct Expect {}

/// One variable to keep of a response.
#[derive(Debug)]
pub struct Save {}

/// A response as the engine saw it.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// Status code.
    pub status: u16,
    /// Headers in order of arrival; names lower case.
    pub headers: &'a [(String, Vec<u8>)],
    /// The whole body; empty when [`Request::needs_body`] is false.
    pub body: &'a [u8],
    /// From the request's start to the last byte.
    pub elapsed: Duration,
}

/// A request with every template filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedRequest {
    /// Absolute URL.
    pub url: String,
    /// Lower-case name and value. Holds `content-type` when the body implies one and the plan gives none.
    pub headers: Vec<(String, String)>,
    /// The body, empty for none.
    pub body: Vec<u8>,
}

impl Request {
    /// Fills the templates in. `target` is [`Plan::target`](crate::Plan::target).
    pub fn render(&self, target: &url::Url, scope: &Scope) -> Result<RenderedRequest, EvalError> {
        let _ = (target, scope);
        todo!()
    }

    /// Whether [`judge`](Request::judge) looks at the body. Otherwise the engine counts its bytes and drops it.
    pub fn needs_body(&self) -> bool {
        todo!()
    }

    /// Checks the response and, if it is good, saves what the plan asks for into `scope`. The first check
    /// that does not hold is the failure; a `save` that finds nothing is one too.
    pub fn judge(&self, response: &Response<'_>, scope: &mut Scope) -> Result<(), Failure> {
        let _ = (response, scope);
        todo!()
    }
}
