//! `expect` and `save`.

use super::Reader;
use super::fields::Fields;
use super::value::Expected;
use super::variables::{Names, Visible};
use crate::diagnostic::{Problem, Span, shown};
use crate::judge::{Expect, JsonPath, StatusPattern};
use crate::language;
use crate::template::{CompileError, Expression, JsonTemplate};
use crate::yaml::{Entry, Kind, Node, Value};

const JSON_PATH: Expected =
    Expected { what: "a JSONPath such as `$.id`", remedy: "begin it with `$`: `$.id`, `$.items[0].name`" };

pub(super) const MESSAGE_CONDITION: Expected = Expected {
    what: "an expression such as `message.type == 'done'`",
    remedy: "write a condition on `message`",
};

/// Deepest nesting of brackets in a JSONPath: the time to parse one doubles with every filter in a filter.
const MAX_JSON_PATH_DEPTH: u32 = 6;

impl Reader<'_> {
    /// `expect:`; empty without it.
    pub(super) fn expect(&mut self, entry: Option<&Entry>, visible: &Visible<'_>) -> Option<Expect> {
        let Some(entry) = entry else { return Some(Expect::default()) };
        let alone = entry.value.scalar().filter(|s| StatusPattern::parse(&s.text).is_ok());
        if let Some(status) = alone {
            let problem = format!("expected `expect` (a mapping), found {}", entry.value.describe());
            let remedy = format!("write `expect: {{ status: {} }}`", status.text);
            self.report(Problem::new(entry.value.span, problem, remedy));
            return None;
        }
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::EXPECT)?;
        let statuses = fields.get("status").map(|e| self.statuses(e)).unwrap_or_default();
        let max_time = fields.get("time").and_then(|e| self.positive_duration(&e.value));
        let json = fields.get("json").map(|e| self.json_checks(&e.value, visible)).unwrap_or_default();
        let that =
            fields.get("that").map(|e| self.expressions(e, visible, Names::Response)).unwrap_or_default();
        Some(Expect { statuses, max_time, json, that })
    }

    fn statuses(&mut self, entry: &Entry) -> Vec<StatusPattern> {
        let nodes = one_or_many(&entry.value);
        if nodes.is_empty() {
            let remedy =
                "write `200`, `2xx` or a list: `[200, 201]`; without `status`, any below 400 is good";
            self.report(Problem::new(entry.value.span, "no status can be expected", remedy));
        }
        nodes.iter().filter_map(|node| self.status(node)).collect()
    }

    fn status(&mut self, node: &Node) -> Option<StatusPattern> {
        let expected =
            Expected { what: "a status such as `200`", remedy: "write `200`, `2xx` or a list: `[200, 201]`" };
        let constant = self.constant(node, expected)?;
        if !matches!(constant.kind, Kind::Integer(_) | Kind::Text) {
            self.wrong(node, expected);
            return None;
        }
        match StatusPattern::parse(&constant.text) {
            Ok(status) => Some(status),
            Err(error) => {
                let remedy = error.remedy.unwrap_or_else(|| expected.remedy.to_owned());
                self.report(Problem::new(node.span, error.problem, remedy));
                None
            }
        }
    }

    pub(super) fn json_checks(
        &mut self,
        node: &Node,
        visible: &Visible<'_>,
    ) -> Vec<(JsonPath, JsonTemplate)> {
        let expected = Expected {
            what: "a mapping from JSONPaths to values",
            remedy: "write `json: { $.status: done }`",
        };
        let entries = self.named(node, expected, usize::MAX).unwrap_or_default();
        let mut checks = Vec::new();
        for entry in entries {
            let path = if let Some((problem, remedy)) = refuse_json_path(&entry.key) {
                self.report(Problem::new(entry.key_span, problem, remedy));
                None
            } else {
                JsonPath::compile(&entry.key)
                    .map_err(|error| {
                        let remedy = error.remedy.unwrap_or_else(|| JSON_PATH.remedy.to_owned());
                        self.report(Problem::new(entry.key_span, error.problem, remedy));
                    })
                    .ok()
            };
            if let (Some(value), Some(path)) = (self.json(&entry.value, visible), path) {
                checks.push((path, value));
            }
        }
        checks
    }

    pub(super) fn expressions(
        &mut self,
        entry: &Entry,
        visible: &Visible<'_>,
        names: Names,
    ) -> Vec<Expression> {
        let expected = if names == Names::Message {
            MESSAGE_CONDITION
        } else {
            Expected {
                what: "an expression such as `json.id > 0`",
                remedy: "write a condition on `status`, `headers`, `body` or `json`",
            }
        };
        one_or_many(&entry.value)
            .iter()
            .filter_map(|node| self.expression(node, visible, names, "that", expected))
            .collect()
    }

    /// The bare expression under `key`, which may use `names`.
    pub(super) fn expression(
        &mut self,
        node: &Node,
        visible: &Visible<'_>,
        names: Names,
        key: &str,
        expected: Expected,
    ) -> Option<Expression> {
        let Some(scalar) = node.scalar().filter(|s| s.kind() == Kind::Text) else {
            self.wrong(node, expected);
            return None;
        };
        if scalar.text.trim_start().starts_with("${") {
            let problem = format!("`{key}` is an expression already");
            self.report(Problem::new(node.span, problem, "write it without `${` and `}`"));
            return None;
        }
        match Expression::compile(&scalar.text) {
            Ok(expression) => self.check_expression(node, &expression, visible, names).then_some(expression),
            Err(error) => {
                let remedy = match names {
                    Names::Response => "write a condition such as `status == 200` or `json.id > 0`",
                    Names::Message => "write a condition such as `message.type == 'done'`",
                    Names::Request => "write a condition such as `id > 0` or `user.iteration == 0`",
                };
                self.compile_error(node, error, remedy);
                None
            }
        }
    }

    pub(super) fn json_path(&mut self, node: &Node) -> Option<JsonPath> {
        let text = self.text(node, JSON_PATH)?;
        if let Some((problem, remedy)) = refuse_json_path(&text) {
            self.report(Problem::new(node.span, problem, remedy));
            return None;
        }
        self.compiled(node, JsonPath::compile(&text))
    }

    pub(super) fn compiled<T>(&mut self, node: &Node, result: Result<T, CompileError>) -> Option<T> {
        result
            .map_err(|error| {
                // The text may have come out of a template, so ranges in it are not places.
                let verbatim = node.scalar().is_some_and(|s| !s.text.contains("${"));
                let place = if verbatim { node.place(&error.range) } else { node.span };
                let remedy = error.remedy.unwrap_or_else(|| JSON_PATH.remedy.to_owned());
                self.report(Problem::new(clamp(place, node.span), error.problem, remedy));
            })
            .ok()
    }
}

/// `place`, if it is within `node`.
fn clamp(place: Span, node: Span) -> Span {
    if place.start >= node.start && place.end <= node.end { place } else { node }
}

/// A list's items, or the one value that stands for a list of itself.
fn one_or_many(node: &Node) -> &[Node] {
    if let Value::Sequence(items) = &node.value { items } else { std::slice::from_ref(node) }
}

/// What is wrong with a path before it is parsed, and the remedy.
fn refuse_json_path(text: &str) -> Option<(String, String)> {
    if !text.starts_with('$') {
        let problem = format!("{} is not a JSONPath: those begin with `$`", shown(text));
        return Some((problem, format!("write {}", shown(&format!("$.{}", text.trim())))));
    }
    let (mut depth, mut deepest) = (0_u32, 0);
    for c in text.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    (deepest > MAX_JSON_PATH_DEPTH).then(|| {
        let problem = format!("a JSONPath with brackets {deepest} deep; the limit is {MAX_JSON_PATH_DEPTH}");
        (problem, "use fewer filters within filters".into())
    })
}
