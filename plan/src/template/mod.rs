//! Templates: text with `${expression}` in it, compiled once.
//!
//! The language between `${` and `}` is MiniJinja's expression language. Literal text never goes through it;
//! `$${` stands for a literal `${`. What the names mean is in [`scope`](crate::scope).

use crate::scope::Scope;
use std::ops::Range;

/// A template or expression that failed at run time: the request is counted as failed, the user goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(pub String);

/// Why a template, an expression, a JSONPath or a status was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct CompileError {
    /// The bytes at fault, within the text that was compiled; on character boundaries.
    pub range: Range<usize>,
    /// What is wrong there.
    pub problem: String,
    /// What to write instead, if that is known.
    pub remedy: Option<String>,
}

/// A free name of an expression, with the attributes that follow it: `env.HOST` is `["env", "HOST"]`,
/// `fake.email()` is `["fake", "email"]` and called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name and its attributes; never empty.
    pub path: Vec<String>,
    /// Where it stands, in the text that was given to `compile` (of the [`Template`], if it is part of one).
    pub range: Range<usize>,
    /// Whether it is called as a function.
    pub called: bool,
}

/// An expression, compiled. Stands alone in `that:` and `until:`, elsewhere between `${` and `}`.
#[derive(Debug)]
pub struct Expression {}

impl Expression {
    /// Compiles a bare expression.
    pub fn compile(text: &str) -> Result<Expression, CompileError> {
        let _ = text;
        todo!()
    }

    /// The text of the expression, without braces and the white space around it.
    pub fn source(&self) -> &str {
        todo!()
    }

    /// Where [`source`](Expression::source) stands in the text that was given to `compile`.
    pub fn range(&self) -> Range<usize> {
        todo!()
    }

    /// Its free names in the order in which they stand, repetitions and called functions included.
    pub fn variables(&self) -> Vec<Variable> {
        todo!()
    }

    /// The value in `scope`; never undefined.
    pub fn eval(&self, scope: &Scope) -> Result<minijinja::Value, EvalError> {
        let _ = scope;
        todo!()
    }
}

/// Text with `${expression}` in it. Literal text never goes through the expression language.
#[derive(Debug)]
pub struct Template {}

impl Template {
    /// Compiles `text`.
    pub fn compile(text: &str) -> Result<Template, CompileError> {
        let _ = text;
        todo!()
    }

    /// A template that renders as `text`, whatever is in it.
    pub fn literal(text: impl Into<String>) -> Template {
        let _ = text.into();
        todo!()
    }

    /// The expressions in the order in which they stand.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        [].into_iter()
    }

    /// The text, if there is no expression in it.
    pub fn as_literal(&self) -> Option<&str> {
        todo!()
    }

    /// The text with each expression in braces: `/api/v1/generation/{id}`. The default name of a request.
    pub fn display_name(&self) -> String {
        todo!()
    }

    /// Appends the rendered text to `out`.
    pub fn render(&self, scope: &Scope, out: &mut String) -> Result<(), EvalError> {
        let _ = (scope, out);
        todo!()
    }
}

/// A JSON value with templates in its strings; a string that is a single `${expression}` keeps the
/// expression's type.
#[derive(Debug)]
pub enum JsonTemplate {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A string, or with a single `${expression}` a value of any type.
    Text(Template),
    /// A list.
    Array(Vec<JsonTemplate>),
    /// An object; keys are literal and keep their order.
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// Appends the rendered JSON text to `out`.
    pub fn render(&self, scope: &Scope, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let _ = (scope, out);
        todo!()
    }

    /// The expressions in the order in which they stand.
    pub fn expressions(&self) -> Vec<&Expression> {
        todo!()
    }
}

/// The functions that stand alone: `rand`, `choice`, ...
pub fn known_functions() -> &'static [&'static str] {
    todo!()
}

/// What may follow `fake.`: `email`, `name`, ...
pub fn fake_functions() -> &'static [&'static str] {
    todo!()
}
