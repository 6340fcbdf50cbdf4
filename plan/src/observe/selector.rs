//! Which series of Prometheus text a figure is: what Prometheus calls an instant vector selector, and how several series
//! become one number.

use super::prometheus::{Exposition, MetricSample, is_label_name, is_metric_name};
use super::{Flaw, FlawKind};
use crate::diagnostic::shown;
use crate::template::CompileError;
use regex::{Regex, RegexBuilder};
use std::ops::Range;

/// Longest selector in bytes.
const MAX_BYTES: usize = 1024;
/// Most labels of a selector.
const MAX_LABELS: usize = 32;

/// `queue_depth`, `http_requests_total{code="500"}`, `sum(http_requests_total{code=~"5.."})`.
#[derive(Debug)]
pub struct MetricSelector {
    source: String,
    fold: Option<Fold>,
    metric: String,
    matchers: Vec<Matcher>,
}

/// What is made of several series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Sum,
    Min,
    Max,
    Avg,
}

/// What a label has to be.
#[derive(Debug)]
struct Matcher {
    label: String,
    negated: bool,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    Text(String),
    Pattern(Regex),
}

const FOLDS: [(&str, Fold); 4] =
    [("sum", Fold::Sum), ("min", Fold::Min), ("max", Fold::Max), ("avg", Fold::Avg)];

const EXAMPLE: &str = "write for instance `queue_depth`, `http_requests_total{code=\"500\"}` or \
                       `sum(http_requests_total{code=~\"5..\"})`; a JSONPath begins with `$`";

impl MetricSelector {
    /// Compiles `text`.
    ///
    /// # Errors
    /// Anything that is no selector, and what PromQL has beyond them.
    pub fn compile(text: &str) -> Result<MetricSelector, CompileError> {
        Parser { text, at: 0 }.selector()
    }

    /// The series of `metric` whose labels are these.
    ///
    /// # Errors
    /// As [`compile`](MetricSelector::compile); the range is that of nothing.
    pub fn with_labels<'a>(
        metric: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<MetricSelector, CompileError> {
        let mut selector = MetricSelector::compile(metric)?;
        for (label, value) in labels {
            selector.add(0..metric.len(), label, false, Wanted::Text(value.to_owned()))?;
            let separator = if selector.source.ends_with('}') { ',' } else { '{' };
            let open = selector.source.trim_end_matches('}').to_owned();
            selector.source = format!("{open}{separator}{label}={value:?}}}");
        }
        Ok(selector)
    }

    /// The selector as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The number that it stands for.
    pub(super) fn read(&self, exposition: &Exposition<'_>) -> Result<f64, Flaw> {
        let found = exposition.samples.iter().filter(|sample| self.matches(sample));
        let values: Vec<f64> = found.map(|sample| sample.value).collect();
        let source = shown(&self.source);
        let value = match (self.fold, &values[..]) {
            (_, []) => {
                let named = exposition.samples.iter().filter(|sample| sample.name == self.metric).count();
                let why = match named {
                    0 => format!("there is no metric {}", shown(&self.metric)),
                    n => format!("none of its {n} series has these labels"),
                };
                return Err(Flaw::new(FlawKind::Missing, format!("the answer has no {source}: {why}")));
            }
            (None, [value]) => *value,
            (None, several) => {
                let n = several.len();
                let problem =
                    format!("{source} is {n} series: name more labels, or write `sum(…)` around it");
                return Err(Flaw::new(FlawKind::Missing, problem));
            }
            (Some(Fold::Sum), values) => values.iter().sum(),
            (Some(Fold::Avg), values) => values.iter().sum::<f64>() / values.len() as f64,
            (Some(Fold::Min), values) => values.iter().copied().fold(f64::INFINITY, lower),
            (Some(Fold::Max), values) => -values.iter().map(|value| -value).fold(f64::INFINITY, lower),
        };
        if value.is_finite() {
            Ok(value)
        } else {
            let problem = format!("{source} is `{value}`, not a finite number");
            Err(Flaw::new(FlawKind::NotANumber, problem))
        }
    }

    fn matches(&self, sample: &MetricSample<'_>) -> bool {
        let matches = |matcher: &Matcher| {
            let value = sample.label(&matcher.label);
            let equal = match &matcher.wanted {
                Wanted::Text(text) => value == text,
                Wanted::Pattern(pattern) => pattern.is_match(value),
            };
            equal != matcher.negated
        };
        sample.name == self.metric && self.matchers.iter().all(matches)
    }

    fn add(
        &mut self,
        range: Range<usize>,
        label: &str,
        negated: bool,
        wanted: Wanted,
    ) -> Result<(), CompileError> {
        if !is_label_name(label) {
            return refused(range, format!("{} cannot name a label", shown(label)), EXAMPLE);
        }
        if self.matchers.len() >= MAX_LABELS {
            return refused(range, format!("the selector has more than {MAX_LABELS} labels"), "name fewer");
        }
        self.matchers.push(Matcher { label: label.to_owned(), negated, wanted });
        Ok(())
    }
}

/// The lower of two; what is no number wins.
fn lower(one: f64, other: f64) -> f64 {
    if one.is_nan() || one < other { one } else { other }
}

fn refused<T>(range: Range<usize>, problem: impl Into<String>, remedy: &str) -> Result<T, CompileError> {
    Err(CompileError { range, problem: problem.into(), remedy: Some(remedy.to_owned()) })
}

/// Reads a selector from left to right.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn selector(mut self) -> Result<MetricSelector, CompileError> {
        if self.text.len() > MAX_BYTES {
            let problem =
                format!("the selector has {} bytes; at most {MAX_BYTES} are allowed", self.text.len());
            return refused(0..self.text.len(), problem, "write a shorter one");
        }
        let start = self.at;
        let mut metric = self.name();
        let mut fold = None;
        if self.takes('(') {
            let Some((_, found)) = FOLDS.iter().find(|(name, _)| *name == metric) else {
                let problem = format!("{} is not read here", shown(&format!("{metric}()")));
                let remedy = "one sample is one answer: `sum`, `min`, `max` and `avg` of a metric's series can be \
                              taken; for rates, have the target tell one";
                return refused(start..self.at, problem, remedy);
            };
            fold = Some(*found);
            metric = self.name();
        }
        if !is_metric_name(metric) {
            return refused(0..self.text.len(), format!("{} is no metric", shown(self.text)), EXAMPLE);
        }
        let source = self.text.trim().to_owned();
        let mut selector = MetricSelector { source, fold, metric: metric.to_owned(), matchers: Vec::new() };
        if self.takes('{') {
            self.matchers(&mut selector)?;
        }
        if fold.is_some() && !self.takes(')') {
            return refused(self.at..self.text.len(), "a `)` is missing", "close the parenthesis");
        }
        self.skip();
        match &self.text[self.at..] {
            "" => Ok(selector),
            rest => {
                let problem = format!("{} is not expected here", shown(rest));
                refused(self.at..self.text.len(), problem, EXAMPLE)
            }
        }
    }

    /// What follows `{`.
    fn matchers(&mut self, selector: &mut MetricSelector) -> Result<(), CompileError> {
        while !self.takes('}') {
            let start = self.at;
            let label = self.name();
            let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| self.takes_text(operator));
            let (Some(operator), Some(value)) = (operator, self.quoted()) else {
                let problem = "labels are not written like this";
                return refused(
                    start..self.text.len(),
                    problem,
                    "write `LABEL=\"VALUE\"`; also with `!=`, `=~` and `!~`",
                );
            };
            let range = start..self.at;
            let wanted = if operator.ends_with('~') {
                let Some(pattern) = whole(&value) else {
                    let problem = format!("{} is no regular expression", shown(&value));
                    return refused(range, problem, "write for instance `code=~\"5..\"`");
                };
                Wanted::Pattern(pattern)
            } else {
                Wanted::Text(value)
            };
            selector.add(range, label, operator.starts_with('!'), wanted)?;
            if !self.takes(',') && !self.text[self.at..].trim_start().starts_with('}') {
                return refused(
                    self.at..self.text.len(),
                    "a `}` is missing",
                    "close the braces after the last label",
                );
            }
        }
        Ok(())
    }

    fn skip(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn name(&mut self) -> &'a str {
        self.skip();
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn takes(&mut self, character: char) -> bool {
        self.takes_text(character.encode_utf8(&mut [0; 4]))
    }

    fn takes_text(&mut self, text: &str) -> bool {
        self.skip();
        let takes = self.text[self.at..].starts_with(text);
        self.at += if takes { text.len() } else { 0 };
        takes
    }

    /// A text in double or single quotes.
    fn quoted(&mut self) -> Option<String> {
        self.skip();
        let mut rest = self.text[self.at..].char_indices();
        let (_, quote) = rest.next().filter(|(_, c)| *c == '"' || *c == '\'')?;
        let mut plain = String::new();
        while let Some((at, character)) = rest.next() {
            match character {
                '\\' => match rest.next()?.1 {
                    'n' => plain.push('\n'),
                    other => plain.push(other),
                },
                end if end == quote => {
                    self.at += at + end.len_utf8();
                    return Some(plain);
                }
                other => plain.push(other),
            }
        }
        None
    }
}

/// Matches whole values, as Prometheus does; `None` if it is no regular expression by itself.
fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()?;
    RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(1 << 18).build().ok()
}
