//! What to keep of a response.

use super::expect::JsonPath;
use super::response::Reading;
use crate::template::{CompileError, escaped, from_json};
use minijinja::Value;

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
        match http::HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Ok(Source::Header(name.as_str().to_owned())),
            Err(_) => Err(CompileError {
                range: 0..name.len(),
                problem: format!("`{}` is not the name of a header", escaped(name, 60)),
                remedy: Some("write for instance `location`".into()),
            }),
        }
    }
}

impl Save {
    /// The value in the response, or what is wrong with it.
    pub(super) fn find(&self, reading: &Reading<'_>) -> Result<Value, String> {
        let found = match &self.source {
            Source::JsonPath(path) => {
                let json = reading.json().map_err(|problem| format!("save `{}`: {problem}", self.name))?;
                match path.find(json).as_slice() {
                    [] => None,
                    [node] => Some(from_json(node)),
                    nodes => Some(nodes.iter().map(|node| from_json(node)).collect()),
                }
            }
            Source::Header(name) => reading.header(name).map(Value::from),
        };
        found.ok_or_else(|| match &self.source {
            Source::JsonPath(path) => format!("save `{}`: {}", self.name, reading.nothing_at(path)),
            Source::Header(name) => format!("save `{}`: the response has no header `{name}`", self.name),
        })
    }
}
