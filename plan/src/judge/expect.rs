//! What counts as success.

use crate::template::{CompileError, Expression, JsonTemplate};
use std::fmt;
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
        let exact = || text.parse().ok().filter(|status| text.len() == 3 && (100..=599).contains(status));
        match text.as_bytes() {
            [digit @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] => Ok(StatusPattern::Class(digit - b'0')),
            _ => exact().map(StatusPattern::Exactly).ok_or_else(|| CompileError {
                range: 0..text.len(),
                problem: format!("`{}` is not a status", crate::template::escaped(text, 60)),
                remedy: Some("write a number from 100 to 599, or a class such as `2xx`".into()),
            }),
        }
    }

    pub(super) fn matches(self, status: u16) -> bool {
        match self {
            StatusPattern::Exactly(expected) => status == expected,
            StatusPattern::Class(digit) => status / 100 == u16::from(digit),
        }
    }
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatusPattern::Exactly(status) => write!(f, "{status}"),
            StatusPattern::Class(digit) => write!(f, "{digit}xx"),
        }
    }
}

/// A JSONPath query (RFC 9535), compiled.
#[derive(Debug)]
pub struct JsonPath {
    source: String,
    query: serde_json_path::JsonPath,
}

impl JsonPath {
    /// Longest query in bytes.
    const MAX_BYTES: usize = 1024;
    /// Most brackets and parentheses in a query: the parser recurses into them.
    const MAX_BRACKETS: usize = 32;
    /// Most descendant segments (`..`) in a query: each multiplies the work by the depth of the body.
    const MAX_DESCENTS: usize = 2;

    /// Compiles `text`.
    pub fn compile(text: &str) -> Result<JsonPath, CompileError> {
        let refused = |range, problem, remedy: &str| {
            Err(CompileError { range, problem, remedy: Some(remedy.to_owned()) })
        };
        let brackets = text.bytes().filter(|b| matches!(b, b'[' | b'(' | b'!')).count();
        for (count, limit, what) in [
            (text.len(), JsonPath::MAX_BYTES, "bytes"),
            (brackets, JsonPath::MAX_BRACKETS, "brackets"),
            (text.matches("..").count(), JsonPath::MAX_DESCENTS, "descents (`..`)"),
        ] {
            if count > limit {
                let problem = format!("the JSONPath has {count} {what}; at most {limit} are allowed");
                return refused(0..text.len(), problem, "write a shorter path");
            }
        }
        match serde_json_path::JsonPath::parse(text) {
            Ok(query) => Ok(JsonPath { source: text.to_owned(), query }),
            Err(error) => {
                let start = at_boundary(text, error.position().saturating_sub(1));
                let problem = format!("not a JSONPath: {}", error.message());
                refused(start..text.len(), problem, "write for instance `$.items[0].id`")
            }
        }
    }

    /// The query as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn find<'a>(&self, json: &'a serde_json::Value) -> Vec<&'a serde_json::Value> {
        self.query.query(json).all()
    }
}

/// The boundary of a character at or before `at`; the first one if that is the end, so that ranges up to the
/// end are not empty.
fn at_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    if at == text.len() { 0 } else { at }
}
