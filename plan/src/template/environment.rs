//! The MiniJinja environment of all expressions.

use super::percent::percent;
use super::{functions, value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use std::sync::LazyLock;

/// The filters that a plan may use. Each does work in proportion to its input and output, which is why
/// `map`, `format`, `indent` and the like are missing.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "float",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "max",
    "min",
    "percent",
    "replace",
    "reverse",
    "round",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
];

/// The tests that a plan may use after `is`.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "false",
    "float",
    "ge",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// Instructions that one evaluation may take. Expressions have no loops, so this is never reached by one that
/// a person wrote.
const FUEL: u64 = 50_000;

pub(super) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(build);
    &ENVIRONMENT
}

fn build() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    // Debug information would clone the variables into every error.
    environment.set_debug(false);
    environment.remove_global("debug");
    environment.remove_global("namespace");
    environment.add_filter("join", join);
    environment.add_filter("percent", |value: &Value| percent(&text(value)?));
    environment.add_filter("replace", replace);
    environment.add_filter("string", |value: &Value| text(value));
    environment.add_filter("tojson", tojson);
    environment.add_filter("urlencode", |value: &Value| text(value).map(|text| urlencode(&text)));
    functions::add_to(&mut environment);
    environment
}

pub(super) fn invalid(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem.into())
}

fn text(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    value::write_text(value, &mut out).map_err(invalid)?;
    Ok(out)
}

fn tojson(value: &Value) -> Result<String, Error> {
    let mut out = Vec::new();
    value::write_json(value, &mut out).map_err(invalid)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn join(list: &Value, separator: Option<&str>) -> Result<String, Error> {
    let separator = separator.unwrap_or_default();
    let mut out = String::new();
    for (i, item) in list.try_iter()?.enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        value::write_text(&item, &mut out).map_err(invalid)?;
        within_limit(out.len(), "join")?;
    }
    Ok(out)
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    let found = text.matches(from).count();
    within_limit(found.saturating_mul(to.len()).saturating_add(text.len()), "replace")?;
    Ok(text.replace(from, to))
}

fn within_limit(bytes: usize, what: &str) -> Result<(), Error> {
    if bytes <= value::MAX_BYTES {
        return Ok(());
    }
    Err(invalid(format!("{what} makes a text of more than {} bytes", value::MAX_BYTES)))
}

/// Percent-encodes everything but letters, digits, `*`, `-`, `.` and `_`: safe in any part of a URL.
fn urlencode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .map(|part| if part == "+" { "%20" } else { part })
        .collect()
}
