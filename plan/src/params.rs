//! Parameters of a plan: declared with a default, changed with `--set NAME=VALUE`, read as `params.NAME`.

use crate::secrets::Secrets;
use minijinja::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The value of every parameter, by name.
#[derive(Clone, Default, PartialEq)]
pub struct Params {
    values: BTreeMap<String, Param>,
    secrets: Secrets,
}

/// The value of one parameter, typed as a YAML scalar is.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number; finite.
    Float(f64),
    /// A text.
    Text(String),
}

impl Param {
    fn value(&self) -> Value {
        match self {
            Param::Null => Value::from(()),
            Param::Bool(value) => Value::from(*value),
            Param::Integer(value) => Value::from(*value),
            Param::Float(value) => Value::from(*value),
            Param::Text(text) => Value::from(text.as_str()),
        }
    }
}

impl fmt::Display for Param {
    /// As JSON, so a text never looks like another type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Param::Null => f.write_str("null"),
            Param::Bool(value) => write!(f, "{value}"),
            Param::Integer(value) => write!(f, "{value}"),
            Param::Float(value) => write!(f, "{value:?}"),
            Param::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
        }
    }
}

impl Params {
    /// No parameters yet, and these secrets.
    pub(crate) fn with_secrets(secrets: Secrets) -> Params {
        Params { values: BTreeMap::new(), secrets }
    }

    /// What the plan reads as `secret.NAME`.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Drops the secrets that none of `names` reads.
    pub(crate) fn retain_secrets(&mut self, names: &BTreeSet<String>) {
        self.secrets.retain(names);
    }

    /// Sets a parameter.
    pub(crate) fn insert(&mut self, name: &str, param: Param) {
        self.values.insert(name.to_owned(), param);
    }

    /// The value of `params.NAME`.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        self.values.get(name).map(Param::value)
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Param)> {
        self.values.iter().map(|(name, param)| (name.as_str(), param))
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.fmt(f)
    }
}
