//! What to keep of a response.

use super::response::Reading;
use super::source::Source;
use crate::template::from_json;
use minijinja::Value;

/// One variable to keep of a response.
#[derive(Debug)]
pub struct Save {
    /// The variable's name.
    pub name: String,
    /// Where its value comes from.
    pub source: Source,
    /// Its value when the source has none; without it that is a failure.
    pub default: Option<serde_json::Value>,
}

impl Save {
    /// The value in the response, or what is wrong with it.
    pub(super) fn find(&self, reading: &Reading<'_>) -> Result<Value, String> {
        match (self.source.find(reading), &self.default) {
            (Ok(Some(value)), _) => Ok(value),
            (Ok(None), Some(default)) => Ok(from_json(default)),
            (Ok(None), None) => Err(format!("save `{}`: {}", self.name, self.source.nothing(reading))),
            (Err(problem), _) => Err(format!("save `{}`: {problem}", self.name)),
        }
    }
}
