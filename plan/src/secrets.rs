//! Secrets: values that the plan reads as `secret.NAME`, and that no report may show.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What stands where a secret would have stood.
const HIDDEN: &str = "***";

/// The values of secrets by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    values: BTreeMap<String, String>,
}

impl Secrets {
    /// What the environment variable of a secret is called, before the name of the secret.
    pub const VARIABLE_PREFIX: &str = "LOAD_TEST_SECRET_";
    /// Longest value in bytes.
    pub const MAX_BYTES: usize = 64 << 10;

    /// Sets a secret; an empty value counts as none.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.values.insert(name.into(), value);
        }
    }

    /// The value of `secret.NAME`: of the secret of that name, or of the name in upper case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let upper = || self.values.get(&name.to_ascii_uppercase());
        self.values.get(name).or_else(upper).map(String::as_str)
    }

    /// The value of the secret of exactly this name.
    pub fn exact(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Names and values by name: for the wire only.
    pub(crate) fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// Keeps only those that one of `names` reads.
    pub(crate) fn retain(&mut self, names: &BTreeSet<String>) {
        let read = |known: &str| names.iter().any(|name| name == known || name.to_ascii_uppercase() == known);
        self.values.retain(|name, _| read(name));
    }

    /// `text` with every secret in it hidden: as it is, as JSON, as part of a URL, as Base64, and also where a
    /// text was cut (`…`) in the middle of one. `None` when there is none in it.
    pub fn hide(&self, text: &str) -> Option<String> {
        let mut forms: Vec<String> = self.values.values().flat_map(|value| forms(value)).collect();
        // A secret that holds another is hidden whole.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        let mut hidden = text.to_owned();
        for form in &forms {
            if hidden.contains(form) {
                hidden = hidden.replace(form, HIDDEN);
            }
            hidden = hide_beginnings(&hidden, form);
        }
        (hidden != text).then_some(hidden)
    }
}

/// Hides the beginnings of `secret` before each `…` of `text`.
fn hide_beginnings(text: &str, secret: &str) -> String {
    let mut parts = text.split('…');
    let mut hidden = parts.next_back().unwrap_or_default().to_owned();
    for part in parts.rev() {
        // A cut may leave half a character.
        let kept = part.trim_end_matches('\u{fffd}');
        let ends = secret.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let beginning = ends.map(|end| &secret[..end]).find(|beginning| kept.ends_with(beginning));
        let part = match beginning {
            Some(beginning) => format!("{}{HIDDEN}", &kept[..kept.len() - beginning.len()]),
            None => part.to_owned(),
        };
        hidden = format!("{part}…{hidden}");
    }
    hidden
}

/// How a value may stand in a text.
fn forms(value: &str) -> Vec<String> {
    let json = serde_json::Value::from(value).to_string();
    let url: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let mut forms = vec![
        value.to_owned(),
        value.trim().to_owned(),
        json[1..json.len() - 1].to_owned(),
        crate::template::escaped(value, usize::MAX),
        value.escape_debug().to_string(),
        url.replace('+', "%20"),
        url,
    ];
    // Base64 of a text that holds the value looks one of three ways, by where the value begins.
    for before in 0..3 {
        let encoded = STANDARD_NO_PAD.encode([&[0; 2][..before.min(2)], value.as_bytes()].concat());
        let (first, last) = ((before * 8).div_ceil(6), (before + value.len()) * 8 / 6);
        forms.extend(encoded.get(first..last).filter(|inner| inner.len() >= 4).map(str::to_owned));
    }
    forms.retain(|form| !form.is_empty());
    forms
}

impl fmt::Debug for Secrets {
    /// Names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secrets(values: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        for (number, value) in values.iter().enumerate() {
            secrets.insert(format!("S{number}"), *value);
        }
        secrets
    }

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let check = |text: &str, expected: Option<&str>| {
            let hidden = secrets(&["top \"secret\"/1", "top"]).hide(text);
            assert_eq!(hidden.as_deref(), expected, "{text}");
        };
        check("nothing to hide", None);
        check("a top \"secret\"/1 b top c", Some("a *** b *** c"));
        check(r#"{"a": "top \"secret\"/1"}"#, Some(r#"{"a": "***"}"#));
        check("/x?a=top+%22secret%22%2F1&b", Some("/x?a=***&b"));
        check("/x?a=top%20%22secret%22%2F1&b", Some("/x?a=***&b"));
        check("found `top \"sec…`, and `to…", Some("found `***…`, and `***…"));
        for user in ["", "a", "ab", "abc"] {
            let basic = STANDARD_NO_PAD.encode(format!("{user}:top \"secret\"/1"));
            let hidden = secrets(&["top \"secret\"/1"]).hide(&format!("Basic {basic}")).expect("hidden");
            assert!(hidden.contains("***") && hidden.len() < 16, "{hidden}");
        }
        assert!(!format!("{:?}", secrets(&["xyzzy"])).contains("xyzzy"));
    }

    #[test]
    fn names_are_found_in_upper_case_too() {
        let mut secrets = Secrets::default();
        secrets.insert("API_KEY", "1");
        secrets.insert("other", "2");
        secrets.insert("empty", "");
        assert_eq!(secrets.get("api_key"), Some("1"));
        assert_eq!(secrets.get("OTHER"), None);
        assert_eq!(secrets.get("empty"), None);
        secrets.retain(&["api_key".to_owned()].into());
        assert_eq!(secrets.values().keys().collect::<Vec<_>>(), ["API_KEY"]);
    }

    proptest! {
        #[test]
        fn no_text_holds_a_secret_when_it_is_hidden(
            secret in "[a-c\"ü/]{5,9}", text in "[a-c\"ü/…]{0,20}", at in 0_usize..20, cut in 0_usize..40,
        ) {
            let at = text.char_indices().map(|(i, _)| i).nth(at).unwrap_or(text.len());
            let whole = format!("{}{secret}{}", &text[..at], &text[at..]);
            let secrets = secrets(&[&secret]);
            let hidden = secrets.hide(&whole).unwrap_or(whole.clone());
            prop_assert!(!hidden.contains(&secret));
            let short: String = whole.chars().take(cut).chain(['…']).collect();
            let hidden = secrets.hide(&short).unwrap_or(short);
            let before = hidden.trim_end_matches('…');
            prop_assert!(!before.ends_with(secret.chars().next().expect("not empty")), "{}", hidden);
        }
    }
}
