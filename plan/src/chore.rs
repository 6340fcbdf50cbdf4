//! Chores: `setup` and `teardown`, steps that run once per run, on one agent, as no user.
//!
//! A chore has series of its own, numbered from 0: what it does is no part of what the run measures, so nothing
//! that adds up the plan's series has to leave it out.

use crate::model::{ConnectionSettings, SeriesKind, Step};
use crate::template::from_json;
use metrics::SeriesId;
use minijinja::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a chore may take unless the plan says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest time that a plan may give a chore.
pub const MAX_TIMEOUT: Duration = Duration::from_hours(24);

/// Which chore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChoreKind {
    /// Before the first user starts.
    Setup,
    /// When no user is left.
    Teardown,
}

impl ChoreKind {
    /// As it is written in the plan.
    pub fn name(self) -> &'static str {
        match self {
            ChoreKind::Setup => "setup",
            ChoreKind::Teardown => "teardown",
        }
    }
}

/// What a chore does.
#[derive(Debug)]
pub struct Chore {
    /// Its steps, in order; never empty.
    pub steps: Vec<Step>,
    /// How long all of them may take.
    pub timeout: Duration,
    /// How it connects: what the plan's `http:` says.
    pub connection: ConnectionSettings,
    /// Its own series: the `SeriesId`s of its steps are indices of these.
    pub series: Vec<ChoreSeries>,
}

impl Chore {
    /// What one of its steps is called, for messages: the name of its series, or its verb.
    pub fn step_name(&self, step: &Step) -> &str {
        let of_series = |id: SeriesId| self.series.get(id.0 as usize).map_or("", |series| &series.name);
        match step {
            Step::Request(request) => of_series(request.series),
            Step::Poll(poll) => of_series(poll.request.series),
            Step::Transaction(transaction) => of_series(transaction.series),
            Step::WebSocket(socket) => of_series(socket.request.series),
            Step::Set(_) => "set",
            Step::If(_) => "if",
            Step::Repeat(_) => "repeat",
            Step::Call(_) => "call",
            _ => "a step",
        }
    }
}

/// What one or more steps of a chore are counted as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoreSeries {
    /// The request's name: by default method and path with each expression shown in braces.
    pub name: String,
    /// What is counted.
    pub kind: SeriesKind,
}

/// What setup saved: `setup.NAME` of every user and of teardown.
#[derive(Clone, Debug, Default)]
pub struct SetupValues {
    values: Arc<BTreeMap<String, Value>>,
}

impl SetupValues {
    /// Most bytes of all values together, as JSON: they travel to every agent.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Reads the JSON object that [`Scope::saved_json`](crate::scope::Scope::saved_json) writes.
    ///
    /// # Errors
    /// What is wrong with it: it may come from a peer.
    pub fn from_json(json: &[u8]) -> Result<SetupValues, String> {
        if json.len() > Self::MAX_BYTES {
            return Err(format!("{} bytes; the limit is {}", json.len(), Self::MAX_BYTES));
        }
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(json).map_err(|error| format!("not a JSON object: {error}"))?;
        if let Some(name) = object.keys().find(|name| !is_spelled(name)) {
            return Err(format!("{} is not the name of a variable", crate::diagnostic::shown(name)));
        }
        let values = object.iter().map(|(name, value)| (name.clone(), from_json(value))).collect();
        Ok(SetupValues { values: Arc::new(values) })
    }

    /// The names that have a value, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The value of `setup.NAME`.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.values.get(name).cloned()
    }
}

/// Letters, digits and `_`, not a digit first. What else a name may not be is for the plan to know.
fn is_spelled(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain && !name.is_empty() && !name.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_an_object_of_variables_of_bounded_size() {
        let check = |json: &str, expected: Result<&str, &str>| match (
            SetupValues::from_json(json.as_bytes()),
            expected,
        ) {
            (Ok(values), Ok(names)) => assert_eq!(values.names().collect::<Vec<_>>().join(" "), names),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (found, _) => panic!("{json}: {found:?}"),
        };
        check("{}", Ok(""));
        check(r#"{"tenant":"t-1","ids":[1,2.5,null],"all":{"a b":true}}"#, Ok("all ids tenant"));
        check("", Err("not a JSON object"));
        check("[]", Err("not a JSON object"));
        check("{\"a\":", Err("not a JSON object"));
        check(r#"{"a b":1}"#, Err("`a b` is not the name of a variable"));
        check(r#"{"1a":1}"#, Err("`1a` is not the name of a variable"));
        check(r#"{"":1}"#, Err("is not the name of a variable"));
        let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(SetupValues::MAX_BYTES - 8));
        check(&fits, Ok("a"));
        check(&fits.replace("\"}", "x\"}"), Err("1048577 bytes; the limit is 1048576"));
        check(&format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200)), Err("recursion limit"));
    }
}
