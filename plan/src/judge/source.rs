//! The places in a response that a value can come from.

use super::expect::JsonPath;
use super::response::Reading;
use super::selection::Selection;
use crate::template::{CompileError, escaped, from_json};
use minijinja::Value;

/// Longest pattern in bytes.
const MAX_BYTES: usize = 1024;

/// Where a saved value comes from.
#[derive(Debug)]
pub enum Source {
    /// The node that the query finds in the JSON body; a list if it finds several.
    JsonPath(JsonPath),
    /// The first header of this name (lower case).
    Header(String),
    /// What a regular expression matches in the body.
    Regex(Pattern),
    /// An element of an HTML body.
    Css(Selection),
}

/// A regular expression over the bytes of a body; text in it is UTF-8.
#[derive(Debug)]
pub struct Pattern(regex::bytes::Regex);

impl Pattern {
    /// Compiles `text`, with at most one group in parentheses.
    pub fn compile(text: &str) -> Result<Pattern, CompileError> {
        let refused = |problem: String, remedy: &str| {
            Err(CompileError { range: 0..text.len(), problem, remedy: Some(remedy.to_owned()) })
        };
        if text.len() > MAX_BYTES {
            let problem = format!("the pattern has {} bytes; at most {MAX_BYTES} are allowed", text.len());
            return refused(problem, "write a shorter one");
        }
        match regex::bytes::RegexBuilder::new(text).size_limit(1 << 20).build() {
            Ok(regex) if regex.captures_len() > 2 => {
                let problem = format!("the pattern has {} groups; one is saved", regex.captures_len() - 1);
                refused(problem, "write the others as `(?:…)`")
            }
            Ok(regex) => Ok(Pattern(regex)),
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                refused(format!("not a regular expression: {why}"), r"write for instance `id=(\d+)`")
            }
        }
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        self.0.as_str()
    }

    /// What its group matches first, or all of it if it has none.
    fn find(&self, body: &[u8]) -> Option<Value> {
        let captures = self.0.captures(body)?;
        let found =
            captures.get(1).or_else(|| if self.0.captures_len() == 1 { captures.get(0) } else { None })?;
        Some(Value::from(String::from_utf8_lossy(found.as_bytes())))
    }
}

impl Source {
    /// A header by its name, in any case.
    pub fn header(name: &str) -> Result<Source, CompileError> {
        match http::HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Ok(Source::Header(name.as_str().to_owned())),
            Err(_) => Err(CompileError {
                range: 0..name.len(),
                problem: format!("`{}` is not the name of a header", escaped(name, 60)),
                remedy: Some("write for instance `location`".into()),
            }),
        }
    }

    /// Whether it looks at the body.
    pub(super) fn needs_body(&self) -> bool {
        !matches!(self, Source::Header(_))
    }

    /// The value in the response, if it is there, or why nobody can look.
    pub(super) fn find(&self, reading: &Reading<'_>) -> Result<Option<Value>, String> {
        Ok(match self {
            Source::JsonPath(path) => match path.find(reading.json()?).as_slice() {
                [] => None,
                [node] => Some(from_json(node)),
                nodes => Some(nodes.iter().map(|node| from_json(node)).collect()),
            },
            Source::Header(name) => reading.header(name).map(Value::from),
            Source::Regex(pattern) => pattern.find(reading.body()),
            Source::Css(selection) => selection.find(reading.body())?.map(Value::from),
        })
    }

    /// That it has no value, for a message.
    pub(super) fn nothing(&self, reading: &Reading<'_>) -> String {
        match self {
            Source::JsonPath(path) => reading.nothing_at(path),
            Source::Header(name) => format!("the response has no header `{name}`"),
            Source::Regex(pattern) => {
                format!(
                    "`{}` matches nothing in the body ({})",
                    escaped(pattern.source(), 80),
                    reading.size()
                )
            }
            Source::Css(selection) => {
                let what = match &selection.attribute {
                    Some(name) => format!(" with the attribute `{}`", escaped(name, 60)),
                    None => String::new(),
                };
                let selector = escaped(selection.source(), 80);
                format!("no element is `{selector}`{what} in the body ({})", reading.size())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Response;
    use std::time::Duration;

    /// What `source` finds in `body`: a value, `nothing: …` or why nobody can look.
    fn found(source: &Source, body: &[u8]) -> String {
        let response = Response { status: 200, headers: &[], body, elapsed: Duration::ZERO };
        let reading = Reading::new(response);
        match source.find(&reading) {
            Ok(Some(value)) => value.to_string(),
            Ok(None) => format!("nothing: {}", source.nothing(&reading)),
            Err(problem) => problem,
        }
    }

    #[test]
    fn patterns_give_their_group_or_all() {
        let check = |pattern: &str, body: &[u8], expected: &str| {
            assert_eq!(
                found(&Source::Regex(Pattern::compile(pattern).unwrap()), body),
                expected,
                "{pattern}"
            );
        };
        check("id=([0-9]+)", b"a id=12 id=13", "12");
        check("id=[0-9]+", b"a id=12 id=13", "id=12");
        check("(?i)ID=(?:[0-9])([0-9])", b"id=12", "2");
        check("id=(x)?", b"id=", "nothing: `id=(x)?` matches nothing in the body (3 bytes)");
        check("é(.)", "\u{e9}\u{e8}".as_bytes(), "\u{e8}");
        check(r"(?-u)\xff(.)", b"\xff\xfe", "\u{fffd}");
        check("x", b"", "nothing: `x` matches nothing in the body (empty)");
    }

    #[test]
    fn what_cannot_be_compiled_says_why() {
        let check = |error: CompileError, expected: &str| {
            assert!(error.problem.contains(expected) && error.remedy.is_some(), "{error:?}");
        };
        check(Pattern::compile("a(").unwrap_err(), "not a regular expression: unclosed group");
        check(Pattern::compile("(a)(b)").unwrap_err(), "has 2 groups");
        check(Pattern::compile("(?:a{1000}){1000}").unwrap_err(), "exceeds size limit");
        check(Pattern::compile(&"a".repeat(1025)).unwrap_err(), "at most 1024");
    }
}
