//! Places in a text.

use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// A place in a text, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) line: usize,
    /// In bytes, as editors' "go to" of JSON has it.
    pub(super) column: usize,
}

impl Place {
    pub(super) const START: Place = Place { line: 1, column: 1 };

    /// Of a byte of `text`.
    pub(super) fn of_offset(text: &[u8], offset: usize) -> Place {
        let before = &text[..offset.min(text.len())];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        Place { line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// Where the value stands that `keys` lead to, or the last of them that is there; `text` is JSON.
pub(super) fn locate(text: &str, keys: &[&str]) -> Place {
    let mut value = text.trim_start();
    for key in keys {
        let inner = match key.parse::<usize>() {
            Ok(at) if value.starts_with('[') => {
                serde_json::from_str::<Vec<&RawValue>>(value).ok().and_then(|list| list.get(at).copied())
            }
            _ => serde_json::from_str::<BTreeMap<String, &RawValue>>(value)
                .ok()
                .and_then(|object| object.get(*key).copied()),
        };
        let Some(inner) = inner else { break };
        value = inner.get();
    }
    let offset = (value.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    Place::of_offset(text.as_bytes(), offset)
}
