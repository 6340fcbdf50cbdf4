//! `save`: what to keep of a response.

use super::Reader;
use super::fields::Fields;
use super::value::Expected;
use super::variables::{Visible, refuse_variable_name};
use crate::diagnostic::{Problem, shown};
use crate::judge::{Pattern, Save, Selection, Source};
use crate::language;
use crate::yaml::{Entry, Node, Value};

/// The keys of which a variable has one.
const SOURCES: &[&str] = &["json", "header", "regex", "css"];

impl Reader<'_> {
    /// `save:`
    pub(super) fn save(&mut self, entry: Option<&Entry>) -> Vec<Save> {
        let expected = Expected {
            what: "a mapping from variables to their sources",
            remedy: "write `save: { token: $.access_token }`",
        };
        let entries = entry.and_then(|e| self.named(&e.value, expected, usize::MAX)).unwrap_or_default();
        let mut saves = Vec::new();
        for entry in entries {
            if let Some((problem, remedy)) = refuse_variable_name(&entry.key) {
                self.report(Problem::new(entry.key_span, problem, remedy));
            }
            let (source, default) = match &entry.value.value {
                Value::Mapping(_) => self.written_out(entry),
                _ => (self.json_path(&entry.value).map(Source::JsonPath), None),
            };
            // Even without a source the name is known to later steps: one slip, one error.
            let source = source.unwrap_or_else(|| Source::Header(String::new()));
            saves.push(Save { name: entry.key.clone(), source, default });
        }
        saves
    }

    /// `{ json: $.id }`, `{ header: location }`, ... and what if there is nothing.
    fn written_out(&mut self, entry: &Entry) -> (Option<Source>, Option<serde_json::Value>) {
        let Some(fields) = Fields::new(self, &entry.value, entry.key_span, &language::SAVE) else {
            return (None, None);
        };
        let default = fields.get("default").and_then(|e| self.fixed_json(&e.value));
        (self.source(&fields), default)
    }

    fn source(&mut self, fields: &Fields<'_>) -> Option<Source> {
        let given = fields.among(SOURCES);
        if let (Some(attribute), None) = (fields.get("attribute"), fields.get("css")) {
            let problem = "`attribute` without `css`: it is that of an element";
            self.report(Problem::new(attribute.key_span, problem, "add `css: SELECTOR`, or remove it"));
        }
        match given[..] {
            [("json", entry)] => self.json_path(&entry.value).map(Source::JsonPath),
            [("regex", entry)] => {
                let expected = Expected {
                    what: "a regular expression",
                    remedy: "write for instance `regex: 'id=([0-9]+)'`",
                };
                let text = self.text(&entry.value, expected)?;
                self.compiled(&entry.value, Pattern::compile(&text)).map(Source::Regex)
            }
            [("css", entry)] => {
                let expected =
                    Expected { what: "a CSS selector", remedy: "write for instance `css: input[name=csrf]`" };
                let attribute = fields.get("attribute").and_then(|e| {
                    let expected =
                        Expected { what: "an attribute", remedy: "write for instance `attribute: value`" };
                    self.text(&e.value, expected)
                });
                let text = self.text(&entry.value, expected)?;
                self.compiled(&entry.value, Selection::compile(&text, attribute)).map(Source::Css)
            }
            [(_, entry)] => {
                let expected = Expected {
                    what: "the name of a header",
                    remedy: "write for instance `header: location`",
                };
                let name = self.text(&entry.value, expected)?;
                self.compiled(&entry.value, Source::header(&name))
            }
            [] => {
                let remedy =
                    "write `$.path`, `{ header: NAME }`, `{ regex: PATTERN }` or `{ css: SELECTOR }`";
                self.report(Problem::new(fields.place, "a variable without a source", remedy));
                None
            }
            [(first, first_entry), (second, second_entry), ..] => {
                let problem = format!("{} beside {}: a variable has one source", shown(second), shown(first));
                self.report(
                    Problem::new(second_entry.key_span, problem, "remove one of them")
                        .related(first_entry.key_span, "the other one"),
                );
                None
            }
        }
    }

    /// A value of any type that is the same for the whole run.
    fn fixed_json(&mut self, node: &Node) -> Option<serde_json::Value> {
        let template = self.json(node, &Visible::constant())?;
        match template.to_json(&self.constants) {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(Problem::new(node.span, error.0, "write a value that is known before the run"));
                None
            }
        }
    }
}
