//! Templates: text with `${expression}` in it, compiled once.
//!
//! The language between `${` and `}` is MiniJinja's expression language. Literal text never goes through it;
//! `$${` stands for a literal `${`. What the names mean is in [`scope`](crate::scope).
//!
//! In a text, a value shows as it would in JSON, a string without quotes; null shows as nothing that a
//! request should carry, so it is an error.

mod characters;
mod environment;
mod expression;
mod fake;
mod functions;
mod json;
mod percent;
#[cfg(test)]
mod tests;
mod token;
mod value;

pub use expression::Expression;
pub use functions::{fake_functions, known_functions};
pub use json::JsonTemplate;
pub(crate) use token::is_keyword;
pub(crate) use value::{escaped, excerpt, from_json, write_json};

use crate::scope::Scope;
use std::ops::Range;
use token::Until;

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

/// A free name of an expression, with the attributes that follow it: `env.HOST` and `env["HOST"]` are
/// `["env", "HOST"]`, `fake.email()` is `["fake", "email"]` and called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name and its attributes; never empty.
    pub path: Vec<String>,
    /// Where it stands, in the text that was given to `compile` (of the [`Template`], if it is part of one).
    pub range: Range<usize>,
    /// Whether it is called as a function.
    pub called: bool,
}

impl Variable {
    /// Whether it is a secret, or a variable of the environment, which may be one.
    pub(crate) fn is_environment(&self) -> bool {
        self.path.first().is_some_and(|name| name == "env" || name == "secret")
    }
}

/// Text with `${expression}` in it. Literal text never goes through the expression language.
#[derive(Debug)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Segment {
    Text(String),
    Expression(Box<Expression>),
}

impl Template {
    /// Compiles `text`.
    pub fn compile(text: &str) -> Result<Template, CompileError> {
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(dollar) = text[at..].find('$').map(|offset| at + offset) {
            literal.push_str(&text[at..dollar]);
            let rest = &text[dollar..];
            if rest.starts_with("$${") {
                literal.push_str("${");
                at = dollar + 3;
            } else if rest.starts_with("${") {
                let (tokens, end) = token::scan(text, dollar + 2, Until::Brace)?;
                let expression = Expression::from_tokens(text, dollar..end + 1, &tokens)?;
                if !literal.is_empty() {
                    segments.push(Segment::Text(std::mem::take(&mut literal)));
                }
                segments.push(Segment::Expression(Box::new(expression)));
                at = end + 1;
            } else {
                literal.push('$');
                at = dollar + 1;
            }
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            segments.push(Segment::Text(literal));
        }
        Ok(Template { segments })
    }

    /// A template that renders as `text`, whatever is in it.
    pub fn literal(text: impl Into<String>) -> Template {
        let text = text.into();
        Template { segments: if text.is_empty() { Vec::new() } else { vec![Segment::Text(text)] } }
    }

    /// The expressions in the order in which they stand.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Expression(expression) => Some(&**expression),
            Segment::Text(_) => None,
        })
    }

    /// The text, if there is no expression in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [] => Some(""),
            [Segment::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The texts between the expressions.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Text(text) => Some(text.as_str()),
            Segment::Expression(_) => None,
        })
    }

    /// The expression, if it is all there is.
    pub(crate) fn as_single(&self) -> Option<&Expression> {
        match self.segments.as_slice() {
            [Segment::Expression(expression)] => Some(expression),
            _ => None,
        }
    }

    /// The expression, if it is all there is.
    pub(crate) fn into_single(mut self) -> Option<Expression> {
        self.as_single()?;
        match self.segments.pop()? {
            Segment::Expression(expression) => Some(*expression),
            Segment::Text(_) => None,
        }
    }

    /// The text with each expression in braces: `/api/v1/generation/{id}`. The default name of a request.
    pub fn display_name(&self) -> String {
        let mut name = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => name.push_str(text),
                Segment::Expression(expression) => {
                    name.push('{');
                    name.push_str(expression.source());
                    name.push('}');
                }
            }
        }
        name
    }

    /// Appends the rendered text to `out`.
    pub fn render(&self, scope: &Scope, out: &mut String) -> Result<(), EvalError> {
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => out.push_str(text),
                Segment::Expression(expression) => {
                    let result = expression.eval(scope)?;
                    value::write_text(&result, out).map_err(|problem| expression.error(&problem))?;
                }
            }
        }
        Ok(())
    }
}
