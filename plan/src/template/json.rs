//! JSON values with templates in them.

use super::{EvalError, Expression, Template, value};
use crate::scope::Scope;
use serde_json::Value as Json;

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
        match self {
            JsonTemplate::Null => out.extend_from_slice(b"null"),
            JsonTemplate::Bool(flag) => value::json(out, flag),
            JsonTemplate::Number(number) => value::json(out, number),
            JsonTemplate::Text(template) => render_text(template, scope, out)?,
            JsonTemplate::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.render(scope, out)?;
                }
                out.push(b']');
            }
            JsonTemplate::Object(members) => {
                out.push(b'{');
                for (i, (key, item)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    value::json(out, key);
                    out.push(b':');
                    item.render(scope, out)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }

    /// The expressions in the order in which they stand.
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            JsonTemplate::Null | JsonTemplate::Bool(_) | JsonTemplate::Number(_) => Vec::new(),
            JsonTemplate::Text(template) => template.expressions().collect(),
            JsonTemplate::Array(items) => items.iter().flat_map(JsonTemplate::expressions).collect(),
            JsonTemplate::Object(members) => {
                members.iter().flat_map(|(_, item)| item.expressions()).collect()
            }
        }
    }

    /// The value that [`render`](JsonTemplate::render) writes.
    pub(crate) fn to_json(&self, scope: &Scope) -> Result<Json, EvalError> {
        Ok(match self {
            JsonTemplate::Null => Json::Null,
            JsonTemplate::Bool(flag) => Json::Bool(*flag),
            JsonTemplate::Number(number) => Json::Number(number.clone()),
            JsonTemplate::Text(template) if template.as_single().is_none() => {
                let mut text = String::new();
                template.render(scope, &mut text)?;
                Json::String(text)
            }
            rest => {
                let mut text = Vec::new();
                rest.render(scope, &mut text)?;
                serde_json::from_slice(&text).map_err(|e| EvalError(format!("the value is not JSON: {e}")))?
            }
        })
    }
}

fn render_text(template: &Template, scope: &Scope, out: &mut Vec<u8>) -> Result<(), EvalError> {
    if let Some(expression) = template.as_single() {
        let result = expression.eval(scope)?;
        return value::write_json(&result, out).map_err(|problem| expression.error(&problem));
    }
    if let Some(text) = template.as_literal() {
        value::json(out, text);
        return Ok(());
    }
    let mut text = String::new();
    template.render(scope, &mut text)?;
    value::json(out, &text);
    Ok(())
}
