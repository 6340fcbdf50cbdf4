//! A JSON Schema (draft 2020-12) of the plan file, made from the tables that the reader enforces.
//!
//! Editors complete and check plans with it. It is a little more lenient than the reader: values may be
//! templates almost everywhere, and what keys exclude each other, only the reader knows.

use crate::language::{self, REQUIRED, Shape, Table};
use serde_json::{Map, Value, json};

/// A number with its unit, for instance of time: `1h30m`.
const DURATION: &str = r"^\s*([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|µs|μs))+\s*$";
const RATE: &str = r"^\s*[0-9]+(\.[0-9]+)?/(s|m|min|h)\s*$";
const SIZE: &str = r"^\s*[0-9]+(\.[0-9]+)?([kMG]?B|[KMG]iB)\s*$";
const PRICE: &str = r"^\s*[0-9]+(\.[0-9]{1,6}0*)?\s*[A-Z]{3}\s*$";
const WAIT: &str = r"^\s*(none|([0-9.]+[a-zµμ]+)+(\s*\.\.\s*([0-9.]+[a-zµμ]+)+)?|(constant|pacing|exponential)\s+\S+|rate\s+\S+/\S+)\s*$";
const PAUSE: &str =
    r"^\s*(([0-9.]+[a-zµμ]+)+(\s*\.\.\s*([0-9.]+[a-zµμ]+)+)?|(constant|exponential)\s+\S+)\s*$";
const THRESHOLD: &str = r"^\s*(success_rate|error_rate|min|mean|max|rate|count|failures|p[0-9]{1,2}(\.[0-9]{1,3})?|p100)\s*(<=|>=|==|!=|<|>|=|≤|≥|≠).+$";
const FIGURE_THRESHOLD: &str = r"^\s*[A-Za-z_][A-Za-z0-9_.-]*\s*(<=|>=|==|!=|<|>|≤|≥|≠)\s*[-+0-9.].*$";
/// What a probe may call a figure.
const FIGURE_NAME: &str = "^[A-Za-z_][A-Za-z0-9_.-]*$";
/// What `${…}` may stand for is known only when it is filled in.
const TEMPLATE: &str = r"\$\{";
/// What `save` and `params` may call a value.
const NAME: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// The schema of a whole plan.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    define(&language::PLAN, &mut definitions);
    let Some(Value::Object(plan)) = definitions.remove(id(&language::PLAN).as_str()) else {
        unreachable!("the plan has just been defined")
    };
    let mut schema = Map::new();
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), "Muster load test plan".into());
    schema.extend(plan);
    schema.insert("$defs".into(), definitions.into());
    schema.into()
}

/// The name of a table's definition: `user_class`, `load`.
fn id(table: &Table) -> String {
    let words = table.name.trim_start_matches("a ").trim_start_matches("the ");
    words.replace('`', "").replace(' ', "_")
}

/// Adds the definition of `table`, and of those that it refers to.
fn define(table: &'static Table, definitions: &mut Map<String, Value>) {
    if definitions.contains_key(&id(table)) {
        return;
    }
    definitions.insert(id(table), Value::Null);
    let mut properties = Map::new();
    for key in table.all_keys() {
        if let Some(mut value) = value(key.shape, definitions) {
            value.insert("description".into(), key.about.into());
            properties.insert(key.name.into(), value.into());
        }
    }
    let required: Vec<&str> =
        REQUIRED.iter().filter(|(of, _)| std::ptr::eq(*of, table)).map(|(_, key)| *key).collect();
    let mut schema = object(json!({ "type": "object", "additionalProperties": false }));
    schema.insert("properties".into(), properties.into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    definitions.insert(id(table), schema.into());
}

/// The schema of a value; `None` for what this version does not read.
fn value(shape: Shape, definitions: &mut Map<String, Value>) -> Option<Map<String, Value>> {
    let mut reference = |table: &'static Table| {
        define(table, definitions);
        json!({ "$ref": format!("#/$defs/{}", id(table)) })
    };
    let json_path = json!({ "type": "string", "pattern": r"^\$" });
    let any_scalar = json!({ "type": ["string", "number", "boolean"] });
    let schema = match shape {
        Shape::Later => return None,
        Shape::Text | Shape::Template => json!({ "type": "string" }),
        Shape::Integer(min, max) if min == max => json!({ "const": min }),
        Shape::Integer(min, max) | Shape::Count(min, max) => json!({ "anyOf": [
            { "type": "integer", "minimum": min, "maximum": max },
            { "type": "string", "pattern": TEMPLATE },
        ] }),
        Shape::Duration => pattern(DURATION, &["30s", "500ms", "5m"]),
        Shape::Size => pattern(SIZE, &["64KiB", "16MiB"]),
        Shape::Price => pattern(PRICE, &["0.12 USD", "3 EUR"]),
        Shape::Switch => json!({ "anyOf": [
            { "type": "boolean" },
            { "enum": ["on", "off"] },
            { "type": "string", "pattern": TEMPLATE },
        ] }),
        Shape::Rate => pattern(RATE, &["10/s", "600/m"]),
        Shape::RateOrZero => pattern(RATE, &["10/s", "0/s"]),
        Shape::Arrivals => json!({ "anyOf": [
            pattern(RATE, &["200/s"]),
            reference(&language::ARRIVALS),
            { "type": "array", "items": reference(&language::ARRIVAL_STAGE) },
        ] }),
        Shape::Wait => pattern(WAIT, &["1s..3s", "constant 2s", "pacing 5s", "rate 0.5/s", "none"]),
        Shape::Pause => pattern(PAUSE, &["2s", "1s..3s", "exponential 2s"]),
        Shape::Word(words) => {
            let word = |word: &&str| word.parse::<u32>().map_or_else(|_| json!(word), |number| json!(number));
            json!({ "enum": words.iter().map(word).collect::<Vec<_>>() })
        }
        Shape::Addresses => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Shape::Sources => {
            json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
        }
        Shape::Thresholds => {
            let examples = [
                "success_rate >= 99%",
                "p95 <= 200ms critical 1s",
                "p95 <= 500ms over 30s",
                "error_rate <= 5% abort",
            ];
            sentences(THRESHOLD, &examples)
        }
        Shape::FigureThresholds => {
            sentences(FIGURE_THRESHOLD, &["overflow <= 0", "queue <= 100 critical 500 over 30s"])
        }
        Shape::Figures => json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": FIGURE_NAME },
            "additionalProperties": { "anyOf": [{ "type": "string" }, reference(&language::FIGURE)] },
        }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
        Shape::Templates => json!({ "type": "object", "additionalProperties": any_scalar }),
        Shape::Json => json!({}),
        Shape::Statuses => {
            let status = json!({ "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": r"^([1-5]([0-9]{2}|[xX]{2})|.*\$\{.*)$" },
            ] });
            json!({ "anyOf": [status, { "type": "array", "items": status, "minItems": 1 }] })
        }
        Shape::JsonChecks => json!({ "type": "object", "propertyNames": json_path }),
        Shape::Expressions => {
            let expression = json!({ "type": "string" });
            json!({ "anyOf": [expression, { "type": "array", "items": expression }] })
        }
        Shape::Check | Shape::Condition => json!({ "type": ["string", "boolean"] }),
        Shape::Sets => json!({ "type": "object", "propertyNames": { "pattern": NAME } }),
        Shape::Parts => json!({
            "type": "object",
            "additionalProperties": { "anyOf": [any_scalar, reference(&language::PART)] },
        }),
        Shape::Saves => json!({
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": { "anyOf": [json_path, reference(&language::SAVE)] },
        }),
        Shape::Params => json!({
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
        }),
        Shape::Rows => json!({ "type": "array", "items": { "type": "object" }, "minItems": 1 }),
        Shape::Types(words) => json!({ "type": "object", "additionalProperties": { "enum": words } }),
        Shape::RowSources => json!({ "anyOf": [
            { "type": "string" },
            { "type": "object", "propertyNames": { "pattern": NAME }, "additionalProperties": { "type": "string" } },
        ] }),
        Shape::Table(table) => reference(table),
        Shape::Named(table) => json!({ "type": "object", "additionalProperties": reference(table) }),
        Shape::List(table) => json!({ "type": "array", "items": reference(table) }),
    };
    Some(object(schema))
}

/// Text of a form, or with a template in it.
fn pattern(form: &str, examples: &[&str]) -> Value {
    json!({ "type": "string", "pattern": format!("({form})|({TEMPLATE})"), "examples": examples })
}

/// A list of thresholds.
fn sentences(form: &str, examples: &[&str]) -> Value {
    json!({ "type": "array", "items": pattern(form, examples) })
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(object) = value { object } else { Map::new() }
}

/// The text of [`json_schema`] as `coordinator schema` prints it, the last line ended.
pub fn schema_text() -> String {
    format!("{:#}\n", json_schema())
}

#[cfg(test)]
mod tests;
