//! Values as text: in templates, in JSON and in messages; bounded, because a plan can make large ones.

use minijinja::Value;
use minijinja::value::ValueKind;
use std::io::{self, Write};

/// Most bytes that one value may become.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// Deepest nesting that is written.
const MAX_DEPTH: usize = 300;

/// Why a value cannot be written.
pub(crate) type Refusal = String;

/// Appends `value` to a text: strings as they are, `true`, `12`, lists and maps as JSON.
pub(super) fn write_text(value: &Value, out: &mut String) -> Result<(), Refusal> {
    if let Some(text) = value.as_str() {
        out.push_str(text);
        return Ok(());
    }
    if value.is_none() {
        return Err("the value is null, which no text can show; write `… or ''` for an empty text".into());
    }
    let mut json = Vec::new();
    write_json(value, &mut json)?;
    out.push_str(&String::from_utf8_lossy(&json));
    Ok(())
}

/// Appends `value` as JSON.
pub(crate) fn write_json(value: &Value, out: &mut Vec<u8>) -> Result<(), Refusal> {
    write_bounded(value, out, out.len().saturating_add(MAX_BYTES), MAX_DEPTH)
}

fn write_bounded(value: &Value, out: &mut Vec<u8>, end: usize, depth: usize) -> Result<(), Refusal> {
    if out.len() > end || depth == 0 {
        return Err(format!("the value is larger than {MAX_BYTES} bytes or nested deeper than {MAX_DEPTH}"));
    }
    match value.kind() {
        ValueKind::Undefined => return Err("a part of the value is not defined".into()),
        ValueKind::Number => write_number(value, out)?,
        ValueKind::Seq | ValueKind::Iterable => {
            out.push(b'[');
            for (i, item) in value.try_iter().map_err(|e| e.to_string())?.enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_bounded(&item, out, end, depth - 1)?;
            }
            out.push(b']');
        }
        ValueKind::Map => write_map(value, out, end, depth - 1)?,
        ValueKind::None | ValueKind::Bool | ValueKind::String => json(out, value),
        ValueKind::Invalid => return Err(value.to_string()),
        _ => json(out, &value.to_string()),
    }
    Ok(())
}

fn write_number(value: &Value, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if !value.is_integer() && f64::try_from(value.clone()).is_ok_and(|x| !x.is_finite()) {
        return Err(format!("{value} is not a number that JSON can carry"));
    }
    json(out, value);
    Ok(())
}

fn write_map(value: &Value, out: &mut Vec<u8>, end: usize, depth: usize) -> Result<(), Refusal> {
    out.push(b'{');
    for (i, key) in value.try_iter().map_err(|e| e.to_string())?.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match key.as_str() {
            Some(text) => json(out, text),
            None => json(out, &key.to_string()),
        }
        out.push(b':');
        let item = value.get_item(&key).map_err(|e| e.to_string())?;
        write_bounded(&item, out, end, depth)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends a scalar as JSON.
pub(super) fn json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, scalar: &T) {
    serde_json::to_writer(out, scalar).expect("scalars are valid JSON and a vector takes any bytes");
}

/// JSON as a value of the language.
pub(crate) fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(flag) => Value::from(*flag),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::from(integer),
            (None, Some(integer)) => Value::from(integer),
            (None, None) => Value::from(number.as_f64()),
        },
        serde_json::Value::String(text) => Value::from(text),
        serde_json::Value::Array(items) => items.iter().map(from_json).collect(),
        serde_json::Value::Object(members) => {
            Value::from_pairs(members.iter().map(|(key, item)| (key.as_str(), from_json(item))))
        }
    }
}

/// The beginning of `value` as JSON, for a message.
pub(crate) fn excerpt<T: serde::Serialize + ?Sized>(value: &T) -> String {
    let mut head = Head(Vec::new());
    // An error only means that there was more than the head takes.
    let complete = serde_json::to_writer(&mut head, value).is_ok();
    let mut text = escaped(&String::from_utf8_lossy(&head.0), Head::BYTES);
    if !complete && !text.ends_with('…') {
        text.push('…');
    }
    text
}

/// Takes the first bytes and refuses the rest.
struct Head(Vec<u8>);

impl Head {
    const BYTES: usize = 60;
}

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = Head::BYTES - self.0.len();
        if room == 0 && !bytes.is_empty() {
            return Err(io::Error::other("full"));
        }
        let taken = room.min(bytes.len());
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first `limit` characters of `text`, control characters escaped.
pub(crate) fn escaped(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == limit {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}
