//! `observe`: figures that the target tells of itself, which the coordinator asks for while the load lasts.
//!
//! A [`Probe`] is a GET request that is made again and again; each of its [`Figure`]s is a number in the answer: in
//! JSON, by a JSONPath, or in the text that Prometheus scrapes, by a [`MetricSelector`]. Reading an answer is pure, total
//! and bounded by its size.

mod prometheus;
mod selector;

pub use selector::MetricSelector;

use crate::judge::JsonPath;
use crate::model::{ConnectionSettings, Plan};
use crate::scope::{RunFacts, Scope};
use crate::slot::Slot;
use crate::template::{EvalError, Template};
use metrics::threshold::FigureThreshold;
use prometheus::Exposition;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// From one sample to the next, when the plan does not say.
pub const DEFAULT_EVERY: Duration = Duration::from_secs(5);
/// The shortest and the longest time from one sample to the next.
pub const EVERY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));
/// The longest time for an answer, when the plan does not say and samples are not closer together.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most probes of a plan.
pub const MAX_PROBES: usize = 50;
/// Most figures of a probe.
pub const MAX_FIGURES: usize = 50;
/// Most bytes of an answer that are read.
pub const MAX_BODY: usize = 1 << 20;

/// Something that is asked again and again.
#[derive(Debug)]
pub struct Probe {
    /// Its name.
    pub name: String,
    /// A path below the target (starts with `/`) or an absolute URL; of `env`, `params` and `secret` alone.
    pub url: Template,
    /// Headers; names are lower case.
    pub headers: Vec<(String, Template)>,
    /// From one sample to the next, the first being at T0.
    pub every: Duration,
    /// How long the whole answer may take; not longer than `every`.
    pub timeout: Duration,
    /// How users connect that say nothing themselves.
    pub connection: ConnectionSettings,
    /// What is read of the answer; never empty.
    pub figures: Vec<Figure>,
    /// What the figures have to meet; each names one of them.
    pub thresholds: Vec<FigureThreshold>,
}

/// A number in the answer.
#[derive(Debug)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub source: FigureSource,
}

/// Where a figure stands.
#[derive(Debug)]
pub enum FigureSource {
    /// The one node that the query finds in a JSON body: a number, or `true` for 1 and `false` for 0.
    Json(JsonPath),
    /// A series in Prometheus text.
    Metric(MetricSelector),
}

/// Why a sample has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// What kind of failure it is.
    pub kind: FlawKind,
    /// What went wrong; nothing that the target sent stands in it.
    pub text: String,
}

/// Kinds of failures; each is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlawKind {
    /// No whole answer in time.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// A status other than 200 to 299.
    Status,
    /// A redirect to another host, or too many of them.
    Redirect,
    /// A longer body than is read.
    TooLarge,
    /// The body is not of the format that was expected.
    Format,
    /// The figure is not in the answer, or is there several times.
    Missing,
    /// What stands there is not a finite number.
    NotANumber,
    /// Nobody asked.
    NotAsked,
}

impl FlawKind {
    /// As reports show it.
    pub fn name(self) -> &'static str {
        match self {
            FlawKind::Timeout => "timeout",
            FlawKind::Unreachable => "unreachable",
            FlawKind::Status => "status",
            FlawKind::Redirect => "redirect",
            FlawKind::TooLarge => "too_large",
            FlawKind::Format => "format",
            FlawKind::Missing => "missing",
            FlawKind::NotANumber => "not_a_number",
            FlawKind::NotAsked => "not_asked",
        }
    }
}

impl Flaw {
    /// A failure of that kind.
    pub fn new(kind: FlawKind, text: impl Into<String>) -> Flaw {
        Flaw { kind, text: text.into() }
    }
}

/// A probe's request with its templates filled in. It may hold secrets.
pub struct Asked {
    /// Whom to ask.
    pub url: Url,
    /// Headers; names are lower case.
    pub headers: Vec<(String, String)>,
}

impl Probe {
    /// The request in a run of `plan`.
    ///
    /// # Errors
    /// When a template has no value, or makes no URL; what secrets it had is hidden.
    pub fn asked(&self, plan: &Plan, facts: &Arc<RunFacts>) -> Result<Asked, String> {
        let scope = Scope::with_params(facts, "", Slot(0), &plan.params);
        let asked = self.fill_in(&scope, &plan.target);
        asked.map_err(|problem| plan.params.secrets().hide(&problem).unwrap_or(problem))
    }

    pub(crate) fn fill_in(&self, scope: &Scope, target: &Url) -> Result<Asked, String> {
        let rendered = |template: &Template| -> Result<String, EvalError> {
            let mut text = String::new();
            template.render(scope, &mut text).map(|()| text)
        };
        let no_value = |EvalError(why)| format!("a template of it has no value: {why}");
        let url = resolved(&rendered(&self.url).map_err(no_value)?, target)?;
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            headers.push((name.clone(), rendered(value).map_err(no_value)?));
        }
        match headers.iter().find(|(_, value)| value.contains(|c: char| c.is_control() && c != '\t')) {
            Some((name, _)) => {
                Err(format!("the header `{name}` has a value with line breaks or control characters"))
            }
            None => Ok(Asked { url, headers }),
        }
    }

    /// The value of each figure in the body of a good answer, in the order of `figures`.
    pub fn read(&self, body: &[u8]) -> Vec<Result<f64, Flaw>> {
        let reads_json = self.figures.iter().any(|figure| matches!(figure.source, FigureSource::Json(_)));
        let json = reads_json.then(|| {
            serde_json::from_slice::<serde_json::Value>(body).map_err(|_| {
                Flaw::new(FlawKind::Format, format!("the answer is {}, not JSON", looks_like(body)))
            })
        });
        let reads_metrics =
            self.figures.iter().any(|figure| matches!(figure.source, FigureSource::Metric(_)));
        let exposition = reads_metrics.then(|| {
            Exposition::parse(body).map_err(|line| {
                let what = match looks_like(body) {
                    "text" => format!("no Prometheus text: line {line} is none of it"),
                    other => format!("{other}, not Prometheus text"),
                };
                Flaw::new(FlawKind::Format, format!("the answer is {what}"))
            })
        });
        let value = |figure: &Figure| match (&figure.source, &json, &exposition) {
            (FigureSource::Json(path), Some(Ok(json)), _) => number(path, json),
            (FigureSource::Metric(selector), _, Some(Ok(exposition))) => selector.read(exposition),
            (FigureSource::Json(_), Some(Err(flaw)), _) | (FigureSource::Metric(_), _, Some(Err(flaw))) => {
                Err(flaw.clone())
            }
            _ => unreachable!("what one of the figures needs was read"),
        };
        self.figures.iter().map(value).collect()
    }
}

/// `text` as an absolute URL.
fn resolved(text: &str, target: &Url) -> Result<Url, String> {
    let lower = text.to_ascii_lowercase();
    let url = if text.starts_with('/') {
        Url::parse(&format!("{}{text}", target.as_str().trim_end_matches('/')))
    } else if lower.starts_with("http://") || lower.starts_with("https://") {
        Url::parse(text)
    } else {
        return Err("its URL does not begin with `/` or with http:// or https://".to_owned());
    };
    let url = url.map_err(|error| format!("its URL is none: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its URL has a user name or password; send an `authorization` header instead".to_owned());
    }
    Ok(url)
}

/// What a body seems to be.
fn looks_like(body: &[u8]) -> &'static str {
    let start = body.trim_ascii_start();
    let head = start[..start.len().min(200)].to_ascii_lowercase();
    match head.first() {
        None => "empty",
        Some(b'<') if head.windows(5).any(|part| part == b"<html") || head.starts_with(b"<!doctype html") => {
            "HTML"
        }
        Some(b'<') => "XML",
        Some(b'{' | b'[') => "broken JSON",
        Some(_) if std::str::from_utf8(body).is_err() => "binary",
        Some(_) => "text",
    }
}

/// The number at `path`.
fn number(path: &JsonPath, json: &serde_json::Value) -> Result<f64, Flaw> {
    use serde_json::Value;
    let source = path.source();
    let what = match path.find(json)[..] {
        [] => return Err(Flaw::new(FlawKind::Missing, format!("the answer has nothing at `{source}`"))),
        [Value::Bool(value)] => return Ok(f64::from(u8::from(*value))),
        [Value::Number(value)] => match value.as_f64().filter(|value| value.is_finite()) {
            Some(value) => return Ok(value),
            None => "a number that is too large",
        },
        [Value::Null] => "null",
        [Value::String(_)] => "a text",
        [Value::Array(_)] => "a list",
        [Value::Object(_)] => "an object",
        ref several => {
            let problem = format!("the answer has {} values at `{source}`, and one is wanted", several.len());
            return Err(Flaw::new(FlawKind::Missing, problem));
        }
    };
    Err(Flaw::new(FlawKind::NotANumber, format!("`{source}` is {what}, not a number")))
}

#[cfg(test)]
mod tests;
