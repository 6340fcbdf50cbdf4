//! Templates: text with `${expression}` in it, compiled once.

use crate::scope::Scope;

/// A template or expression that failed at run time: the request is counted as failed, the user goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(pub String);

/// Text with `${expression}` in it. Literal text never goes through the expression language.
#[derive(Debug)]
pub struct Template {}

impl Template {
    /// Appends the rendered text to `out`.
    pub fn render(&self, scope: &Scope, out: &mut String) -> Result<(), EvalError> {
        let _ = (scope, out);
        todo!()
    }
}

/// A JSON value with templates in its strings; a string that is a single `${expression}` keeps the
/// expression's type.
#[derive(Debug)]
pub struct JsonTemplate {}

impl JsonTemplate {
    /// Appends the rendered JSON text to `out`.
    pub fn render(&self, scope: &Scope, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let _ = (scope, out);
        todo!()
    }
}
