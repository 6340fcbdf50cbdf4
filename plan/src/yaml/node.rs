//! The tree.

use crate::diagnostic::{Span, shown};
use std::ops::Range;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its text; of a value that is not there, the key's.
    pub(crate) span: Span,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// Keys are unique.
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

/// A scalar with quotes, escapes and folding undone.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
    /// The offset in the source at which `text` stands letter for letter; `None` when it was folded or had escapes.
    pub(crate) verbatim_at: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    /// Quoted or a block; always a string.
    Quoted,
}

/// What a scalar is in the core schema.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// Wide enough to tell "too large" from "not a number".
    Integer(i128),
    Float(f64),
    Text,
}

impl Scalar {
    pub(crate) fn kind(&self) -> Kind {
        match self.style {
            Style::Plain => plain_kind(&self.text),
            Style::Quoted => Kind::Text,
        }
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self.kind(), Kind::Integer(_) | Kind::Float(_))
    }
}

impl Node {
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        if let Value::Scalar(scalar) = &self.value { Some(scalar) } else { None }
    }

    /// Where `range` of a scalar's text stands; the whole scalar if its text is not verbatim in the source.
    pub(crate) fn place(&self, range: &Range<usize>) -> Span {
        match self.scalar().and_then(|s| s.verbatim_at) {
            Some(at) => Span::new(at + range.start..at + range.end),
            None => self.span,
        }
    }

    /// For messages: `the number 30`, `the text `abc``, `a list`.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Scalar(scalar) => describe(&scalar.text, scalar.kind()),
            Value::Sequence(_) => "a list".into(),
            Value::Mapping(_) => "a mapping".into(),
        }
    }
}

/// [`Node::describe`] for a scalar's text.
pub(crate) fn describe(text: &str, kind: Kind) -> String {
    match kind {
        Kind::Null if text.is_empty() => "nothing".into(),
        Kind::Null => format!("the null value {}", shown(text)),
        Kind::Bool(_) => format!("the truth value {}", shown(text)),
        Kind::Integer(_) | Kind::Float(_) => format!("the number {}", shown(text)),
        Kind::Text => format!("the text {}", shown(text)),
    }
}

/// The core schema's reading of a plain scalar (YAML 1.2.2, section 10.3.2).
pub(crate) fn plain_kind(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Kind::Float(f64::NAN),
        _ => {}
    }
    let radix = |prefix, base| {
        let digits = text.strip_prefix(prefix)?;
        let valid = !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
        valid.then(|| i128::from_str_radix(digits, base).map_or(Kind::Float(f64::INFINITY), Kind::Integer))
    };
    if let Some(kind) = radix("0o", 8).or_else(|| radix("0x", 16)) {
        return kind;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Kind::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_or(Kind::Float(f64::INFINITY), Kind::Integer);
    }
    if is_float(unsigned) { text.parse().map_or(Kind::Text, Kind::Float) } else { Kind::Text }
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let mantissa_ok = match mantissa.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty()),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa_ok && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}
