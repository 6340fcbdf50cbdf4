//! The checks in their order: status, time, JSON, `that`, `save`.

use super::expect::{Expect, JsonPath};
use super::response::{Reading, Response};
use super::save::Save;
use crate::model::Request;
use crate::scope::Scope;
use crate::template::{Expression, JsonTemplate, escaped, excerpt};
use metrics::{ErrorKind, Failure};
use serde_json::Value as Json;
use std::time::Duration;

impl Request {
    /// Whether [`judge`](Request::judge) looks at the body. Otherwise the engine counts its bytes and drops it.
    pub fn needs_body(&self) -> bool {
        !self.expect.json.is_empty()
            || self.expect.that.iter().any(|that| that.reads("json") || that.reads("body"))
            || self.save.iter().any(|save| save.source.needs_body())
    }

    /// Whether `expect` names this status, so that a redirect with it is the response and is not followed.
    pub fn expects(&self, status: u16) -> bool {
        self.expect.statuses.iter().any(|pattern| pattern.matches(status))
    }

    /// Checks the response and, if it is good, saves what the plan asks for into `scope`. The first check
    /// that does not hold is the failure; a `save` that finds nothing is one too, and then nothing is saved.
    pub fn judge(&self, response: &Response<'_>, scope: &mut Scope) -> Result<(), Failure> {
        let reading = Reading::new(*response);
        self.check(response, &reading, scope)?;
        keep(&self.save, &reading, scope).map_err(assertion)
    }

    /// Checks the response, which is also `reading`.
    pub(super) fn check(
        &self,
        response: &Response<'_>,
        reading: &Reading<'_>,
        scope: &mut Scope,
    ) -> Result<(), Failure> {
        check_status(&self.expect, response.status)?;
        check_time(self.expect.max_time, response.elapsed).map_err(assertion)?;
        check_json(&self.expect.json, reading, scope).map_err(assertion)?;
        check_that(&self.expect.that, reading, scope).map_err(assertion)
    }
}

pub(super) fn assertion(problem: String) -> Failure {
    Failure::new(ErrorKind::Assertion, problem)
}

/// Saves everything, or nothing if anything is missing.
pub(super) fn keep(saves: &[Save], reading: &Reading<'_>, scope: &mut Scope) -> Result<(), String> {
    let found: Vec<_> = saves.iter().map(|save| save.find(reading)).collect::<Result<_, _>>()?;
    for (save, value) in saves.iter().zip(found) {
        scope.save(&save.name, value);
    }
    Ok(())
}

fn check_status(expect: &Expect, status: u16) -> Result<(), Failure> {
    let message = match expect.statuses.as_slice() {
        [] if status < 400 => return Ok(()),
        [] => match http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()) {
            Some(reason) => format!("{status} {reason}"),
            None => format!("status {status}"),
        },
        patterns if patterns.iter().any(|pattern| pattern.matches(status)) => return Ok(()),
        patterns => {
            let expected: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            format!("status {status}, expected {}", expected.join(" or "))
        }
    };
    Err(Failure::new(ErrorKind::Status, message))
}

pub(super) fn check_time(limit: Option<Duration>, elapsed: Duration) -> Result<(), String> {
    match limit {
        Some(limit) if elapsed > limit => {
            Err(format!("took {:?}, expected at most {limit:?}", rounded_up(elapsed)))
        }
        _ => Ok(()),
    }
}

/// At most three digits from a second on, whole milliseconds below; up, so that it never reads as if it were
/// within the limit.
fn rounded_up(elapsed: Duration) -> Duration {
    let step: u128 = match elapsed.as_millis() {
        0..10 => 1_000,
        10..1_000 => 1_000_000,
        1_000..10_000 => 10_000_000,
        _ => 100_000_000,
    };
    let ns = elapsed.as_nanos().div_ceil(step) * step;
    u64::try_from(ns).map_or(elapsed, Duration::from_nanos)
}

pub(super) fn check_json(
    expected: &[(JsonPath, JsonTemplate)],
    reading: &Reading<'_>,
    scope: &Scope,
) -> Result<(), String> {
    for (path, template) in expected {
        let nodes = path.find(reading.json()?);
        if nodes.is_empty() {
            return Err(reading.nothing_at(path));
        }
        let expected = template.to_json(scope).map_err(|error| error.0)?;
        if let Some(other) = nodes.into_iter().find(|node| !same(node, &expected)) {
            let path = escaped(path.source(), 80);
            // What comes from the environment may be a secret, and messages end up in reports.
            let secret = template.expressions().into_iter().any(Expression::reads_environment);
            let expected = if secret { "another value".to_owned() } else { excerpt(&expected) };
            return Err(format!("`{path}` is {}, expected {expected}", excerpt(other)));
        }
    }
    Ok(())
}

/// Equality in which 1 and 1.0 are the same number, as they are in JSON.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => {
            a == b || (a.is_f64() != b.is_f64() && a.as_f64() == b.as_f64())
        }
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn check_that(that: &[Expression], reading: &Reading<'_>, scope: &mut Scope) -> Result<(), String> {
    if that.is_empty() {
        return Ok(());
    }
    scope.set_reply(Some(reading.reply(that.iter())?));
    let result = that.iter().try_for_each(|expression| holds(expression, scope));
    scope.set_reply(None);
    result
}

pub(super) fn holds(expression: &Expression, scope: &Scope) -> Result<(), String> {
    if expression.eval(scope).map_err(|error| error.0)?.is_true() {
        return Ok(());
    }
    Err(format!("{} is not true{}", source(expression), values(expression, scope)))
}

/// The expression as messages show it.
pub(super) fn source(expression: &Expression) -> String {
    format!("`{}`", escaped(expression.source(), 80))
}

/// ` (json.id = 0)`, or nothing.
pub(super) fn values(expression: &Expression, scope: &Scope) -> String {
    let values = expression.values(scope);
    if values.is_empty() { values } else { format!(" ({values})") }
}
