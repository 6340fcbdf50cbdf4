//! What counts as a good response (`expect`), and what to keep of it (`save`).

use crate::model::Request;
use crate::scope::Scope;
use crate::template::{CompileError, EvalError, Expression, JsonTemplate};
use metrics::Failure;
use std::time::Duration;

/// What counts as success. Empty (the default): any status below 400.
#[derive(Debug, Default)]
pub struct Expect {
    /// The status must be one of these; empty: any below 400.
    pub statuses: Vec<StatusPattern>,
    /// From the request's start to the last byte at most this long.
    pub max_time: Option<Duration>,
    /// What must stand in the JSON body: every node that the path finds, and at least one, equals the value.
    pub json: Vec<(JsonPath, JsonTemplate)>,
    /// What must be true.
    pub that: Vec<Expression>,
}

/// One status or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPattern {
    /// `200`
    Exactly(u16),
    /// `2xx`: the first digit, 1 to 5.
    Class(u8),
}

impl StatusPattern {
    /// Reads `200` (100 to 599) or `2xx`.
    pub fn parse(text: &str) -> Result<StatusPattern, CompileError> {
        let _ = text;
        todo!()
    }
}

/// A JSONPath query (RFC 9535), compiled.
#[derive(Debug)]
pub struct JsonPath {}

impl JsonPath {
    /// Compiles `text`.
    pub fn compile(text: &str) -> Result<JsonPath, CompileError> {
        let _ = text;
        todo!()
    }

    /// The query as it was written.
    pub fn source(&self) -> &str {
        todo!()
    }
}

/// One variable to keep of a response.
#[derive(Debug)]
pub struct Save {
    /// The variable's name.
    pub name: String,
    /// Where its value comes from.
    pub source: Source,
}

/// Where a saved value comes from.
#[derive(Debug)]
pub enum Source {
    /// The node that the query finds in the JSON body; a list if it finds several.
    JsonPath(JsonPath),
    /// The first header of this name (lower case).
    Header(String),
}

impl Source {
    /// A header by its name, in any case.
    pub fn header(name: &str) -> Result<Source, CompileError> {
        let _ = name;
        todo!()
    }
}

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
