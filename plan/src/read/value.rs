//! Typed values of the plan: each getter reports what is wrong and gives `None`.

use super::Reader;
use super::variables::{Names, Visible};
use crate::diagnostic::{Problem, Span, shown};
use crate::template::{CompileError, Template};
use crate::yaml::{Entry, Kind, Node, Value, plain_kind};
use metrics::unit::{self, Rate, UnitError};
use std::time::Duration;

/// Longest name in characters: of a plan, user class, task, group, profile, request or variable.
pub(super) const MAX_NAME: usize = 100;

/// What a value should have been.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// With its article.
    pub(super) what: &'static str,
    pub(super) remedy: &'static str,
}

/// A scalar with the templates in it filled in.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// The remedy when a compile error has none of its own.
const SEE_EXPRESSIONS: &str = "templates are `${expression}`, for instance `${env.NAME or 'default'}`";

impl Reader<'_> {
    pub(super) fn wrong(&mut self, node: &Node, expected: Expected) {
        let problem = format!("expected {}, found {}", expected.what, node.describe());
        self.report(Problem::new(node.span, problem, expected.remedy));
    }

    pub(super) fn compile_error(&mut self, node: &Node, error: CompileError, otherwise: &str) {
        let remedy = error.remedy.unwrap_or_else(|| otherwise.to_owned());
        self.report(Problem::new(node.place(&error.range), error.problem, remedy));
    }

    pub(super) fn unit_error(&mut self, node: &Node, error: UnitError) {
        self.report(Problem::new(node.span, error.problem, error.remedy));
    }

    /// A scalar that is the same for the whole run: `${…}` in it may read `env` and `params` only, and what comes out is
    /// read like a plain scalar.
    pub(super) fn constant(&mut self, node: &Node, expected: Expected) -> Option<Constant> {
        let Some(scalar) = node.scalar() else {
            self.wrong(node, expected);
            return None;
        };
        if !scalar.text.contains("${") {
            return Some(Constant { text: scalar.text.clone(), kind: scalar.kind() });
        }
        let template = match Template::compile(&scalar.text) {
            Ok(template) => template,
            Err(error) => {
                self.compile_error(node, error, SEE_EXPRESSIONS);
                return None;
            }
        };
        if !self.check_template(node, &template, &Visible::constant()) {
            return None;
        }
        let mut text = String::new();
        if let Err(error) = template.render(&self.constants, &mut text) {
            let remedy = "only `env` and `params` have values here; write `${env.NAME or 'default'}`";
            self.report(Problem::new(node.span, format!("this template has no value: {error}"), remedy));
            return None;
        }
        let kind = plain_kind(&text);
        Some(Constant { text, kind })
    }

    /// A whole number from `min` to `max`.
    pub(super) fn integer(&mut self, node: &Node, min: u32, max: u32) -> Option<u32> {
        let expected = Expected { what: "a whole number", remedy: "write digits only, for instance `10`" };
        let constant = self.constant(node, expected)?;
        let Kind::Integer(n) = constant.kind else {
            let quoted = matches!(plain_kind(&constant.text), Kind::Integer(_));
            let remedy = if quoted { "write it without quotes" } else { expected.remedy };
            let expected = Expected { remedy, ..expected };
            self.wrong_constant(node, &constant, expected);
            return None;
        };
        let found = u32::try_from(n).ok().filter(|n| (min..=max).contains(n));
        if found.is_none() {
            let found = shown(&constant.text);
            let problem = format!("expected a whole number from {min} to {max}, found {found}");
            let remedy = if n < i128::from(min) {
                format!("write {min} or more")
            } else {
                format!("write {max} or less")
            };
            self.report(Problem::new(node.span, problem, remedy).label("out of range"));
        }
        found
    }

    /// A length of time; with its unit.
    pub(super) fn duration(&mut self, node: &Node) -> Option<Duration> {
        let expected = Expected {
            what: "a duration such as `30s`",
            remedy: "write a number and its unit: `500ms`, `30s`, `5m`, `1h`",
        };
        let constant = self.constant(node, expected)?;
        if let Kind::Integer(_) | Kind::Float(_) = constant.kind {
            let remedy = format!("write `{0}s` or `{0}ms`", constant.text);
            self.no_unit(node, &constant, expected.what, remedy);
            return None;
        }
        if constant.kind != Kind::Text {
            self.wrong_constant(node, &constant, expected);
            return None;
        }
        unit::parse_duration(&constant.text).map_err(|e| self.unit_error(node, e)).ok()
    }

    /// Something per time.
    pub(super) fn rate(&mut self, node: &Node) -> Option<Rate> {
        let expected =
            Expected { what: "a rate such as `10/s`", remedy: "write a number per time: `10/s`, `600/m`" };
        let constant = self.constant(node, expected)?;
        if let Kind::Integer(_) | Kind::Float(_) = constant.kind {
            let remedy = format!("write `{0}/s` or `{0}/m`", constant.text);
            self.no_unit(node, &constant, expected.what, remedy);
            return None;
        }
        if constant.kind != Kind::Text {
            self.wrong_constant(node, &constant, expected);
            return None;
        }
        unit::parse_rate(&constant.text).map_err(|e| self.unit_error(node, e)).ok()
    }

    /// Text that a parser of the metrics or of the model turns into a value.
    pub(super) fn parsed<T>(
        &mut self,
        node: &Node,
        expected: Expected,
        parse: impl FnOnce(&str) -> Result<T, UnitError>,
    ) -> Option<T> {
        let text = self.text(node, expected)?;
        parse(&text).map_err(|e| self.unit_error(node, e)).ok()
    }

    /// Constant text.
    pub(super) fn text(&mut self, node: &Node, expected: Expected) -> Option<String> {
        let constant = self.constant(node, expected)?;
        // A template gives text even if a plain scalar of the same letters would be a number.
        let templated = node.scalar().is_some_and(|s| s.text.contains("${"));
        if constant.kind == Kind::Text || (templated && constant.kind != Kind::Null) {
            return Some(constant.text);
        }
        self.wrong_constant(node, &constant, expected);
        None
    }

    /// A name given by the user as a value.
    pub(super) fn name(&mut self, node: &Node, expected: Expected) -> Option<String> {
        let name = self.text(node, expected)?;
        self.check_name(&name, node.span).then_some(name)
    }

    /// Whether a name can be shown anywhere.
    pub(super) fn check_name(&mut self, name: &str, span: Span) -> bool {
        let length = name.chars().count();
        let problem = if name.trim().is_empty() {
            "a name without letters".to_owned()
        } else if length > MAX_NAME {
            format!("this name has {length} characters; the limit is {MAX_NAME}")
        } else if name.chars().any(char::is_control) {
            format!("the name {} has control characters", shown(name))
        } else {
            return true;
        };
        self.report(Problem::new(
            span,
            problem,
            format!("choose a name of 1 to {MAX_NAME} printable characters"),
        ));
        false
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, expected: Expected) -> Option<&'n [Node]> {
        if let Value::Sequence(items) = &node.value {
            return Some(items);
        }
        self.wrong(node, expected);
        None
    }

    /// The entries of a mapping from names that the user chose; at most `max`.
    pub(super) fn named<'n>(
        &mut self,
        node: &'n Node,
        expected: Expected,
        max: usize,
    ) -> Option<&'n [Entry]> {
        let Value::Mapping(entries) = &node.value else {
            self.wrong(node, expected);
            return None;
        };
        self.at_most(entries.len(), max, expected.what, node.span).then_some(entries)
    }

    /// Reports when there are more than `max`.
    pub(super) fn at_most(&mut self, count: usize, max: usize, what: &str, span: Span) -> bool {
        if count > max {
            let problem = format!("{count} entries in {what}; the limit is {max}");
            self.report(Problem::new(span, problem, format!("keep at most {max}, or split the plan")));
        }
        count <= max
    }

    /// Text that is filled in for every request.
    pub(super) fn template(
        &mut self,
        node: &Node,
        expected: Expected,
        visible: &Visible<'_>,
    ) -> Option<Template> {
        let Some(scalar) = node.scalar().filter(|s| s.kind() != Kind::Null) else {
            self.wrong(node, expected);
            return None;
        };
        let template = match Template::compile(&scalar.text) {
            Ok(template) => template,
            Err(error) => {
                self.compile_error(node, error, SEE_EXPRESSIONS);
                return None;
            }
        };
        self.check_template(node, &template, visible).then_some(template)
    }

    /// [`template`](Reader::template) that a number or truth value makes no sense in.
    pub(super) fn text_template(
        &mut self,
        node: &Node,
        expected: Expected,
        visible: &Visible<'_>,
    ) -> Option<Template> {
        if node.scalar().is_some_and(|s| s.kind() != Kind::Text) {
            self.wrong(node, expected);
            return None;
        }
        self.template(node, expected, visible)
    }

    /// Reports every unknown name in `template`.
    fn check_template(&mut self, node: &Node, template: &Template, visible: &Visible<'_>) -> bool {
        let mut known = true;
        for expression in template.expressions() {
            known &= self.check_expression(node, expression, visible, Names::Request);
        }
        known
    }

    pub(super) fn wrong_constant(&mut self, node: &Node, constant: &Constant, expected: Expected) {
        let found = crate::yaml::describe(&constant.text, constant.kind);
        let problem = format!("expected {}, found {found}", expected.what);
        self.report(Problem::new(node.span, problem, expected.remedy));
    }

    pub(super) fn no_unit(&mut self, node: &Node, constant: &Constant, what: &str, remedy: String) {
        let found = crate::yaml::describe(&constant.text, constant.kind);
        let problem = format!("expected {what}, found {found}: a bare number has no unit");
        self.report(Problem::new(node.span, problem, remedy).label("no unit"));
    }
}
