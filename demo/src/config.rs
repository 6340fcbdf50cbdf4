//! What the server is told before it starts.

use crate::endpoint::{self, Endpoint};
use crate::law::Law;
use crate::quantity::Share;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// Latency laws, failure shares, seed and database of a server. The default has the built-in laws, no
/// failures, seed 0 and a temporary database of its own.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) seed: u64,
    pub(crate) database: Option<PathBuf>,
    latencies: Overrides<Law>,
    failures: Overrides<Share>,
}

impl Config {
    /// Fixes the sequence of delays and failures of every endpoint.
    #[must_use]
    pub fn seed(self, seed: u64) -> Config {
        Config { seed, ..self }
    }

    /// Keeps the state in this file, which is made if there is none.
    #[must_use]
    pub fn database(self, path: PathBuf) -> Config {
        Config { database: Some(path), ..self }
    }

    /// Replaces the latency law of the endpoints that `selector` names (see [`Selector`]).
    pub fn latency(mut self, selector: &str, law: Law) -> Result<Config, SelectorError> {
        self.set_latency(&Setting { selector: selector.parse()?, value: law });
        Ok(self)
    }

    /// Lets a share of the requests fail at the endpoints that `selector` names: they are answered 503 after
    /// their latency and leave no trace in the state.
    pub fn fail(mut self, selector: &str, share: Share) -> Result<Config, SelectorError> {
        self.set_failure(&Setting { selector: selector.parse()?, value: share });
        Ok(self)
    }

    /// [`latency`](Config::latency), from a setting that is already parsed.
    pub fn set_latency(&mut self, setting: &Setting<Law>) {
        self.latencies.set(setting);
    }

    /// [`fail`](Config::fail), from a setting that is already parsed.
    pub fn set_failure(&mut self, setting: &Setting<Share>) {
        self.failures.set(setting);
    }

    /// The law of `endpoint`.
    pub(crate) fn latency_of(&self, endpoint: &Endpoint) -> Law {
        self.latencies.of(endpoint).unwrap_or(endpoint.latency)
    }

    /// The share of `endpoint` that fails.
    pub(crate) fn failure_of(&self, endpoint: &Endpoint) -> Share {
        self.failures.of(endpoint).unwrap_or(Share::NONE)
    }
}

/// Which endpoints a setting is for.
///
/// Written as the path below `/api/v1/`, for instance `auth/login` or `generation/{id}` (or, where one path has several
/// methods, as what it does: `tasks/list`, `tasks/create`); as `generation/done`
/// for the time until a generation is complete; or as `*` for every endpoint that has no setting of its own.
/// The star leaves `generation/done` alone, which no request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `*`
    Every,
    /// The one of this name.
    One(&'static str),
}

/// A name that no endpoint has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no endpoint `{name}`; write one of {known}, or `*` for all")]
pub struct SelectorError {
    name: String,
    known: String,
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Selector, SelectorError> {
        if text == "*" {
            return Ok(Selector::Every);
        }
        endpoint::all().find(|e| e.name == text).map(|e| Selector::One(e.name)).ok_or_else(|| {
            let known: Vec<String> = endpoint::all().map(|e| format!("`{}`", e.name)).collect();
            SelectorError { name: text.to_owned(), known: known.join(", ") }
        })
    }
}

/// A setting as the command line has it: `ENDPOINT=VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting<T> {
    /// Which endpoints it is for.
    pub selector: Selector,
    /// What it sets.
    pub value: T,
}

impl<T: FromStr<Err: Display>> FromStr for Setting<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Setting<T>, String> {
        let Some((selector, value)) = text.split_once('=') else {
            return Err("there is no `=`; write the endpoint, `=`, and the value".to_owned());
        };
        let selector = selector.trim().parse().map_err(|e: SelectorError| e.to_string())?;
        let value = value.trim().parse().map_err(|e: T::Err| e.to_string())?;
        Ok(Setting { selector, value })
    }
}

#[derive(Clone, Debug)]
struct Overrides<T> {
    every: Option<T>,
    named: BTreeMap<&'static str, T>,
}

impl<T> Default for Overrides<T> {
    fn default() -> Overrides<T> {
        Overrides { every: None, named: BTreeMap::new() }
    }
}

impl<T: Copy> Overrides<T> {
    fn set(&mut self, setting: &Setting<T>) {
        match setting.selector {
            Selector::Every => self.every = Some(setting.value),
            Selector::One(name) => {
                self.named.insert(name, setting.value);
            }
        }
    }

    fn of(&self, endpoint: &Endpoint) -> Option<T> {
        let named = self.named.get(endpoint.name);
        named.or(self.every.as_ref().filter(|_| endpoint.route.is_some())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beats_the_star_in_any_order() {
        let check = |settings: &[&str], expected: &[(&str, &str)]| {
            let mut config = Config::default();
            for setting in settings {
                config.set_latency(&setting.parse().unwrap());
            }
            for &(name, law) in expected {
                let endpoint = endpoint::all().find(|e| e.name == name).unwrap();
                assert_eq!(config.latency_of(endpoint), law.parse().unwrap(), "{name} after {settings:?}");
            }
        };
        let star = "*=constant 5ms";
        let login = "auth/login=constant 9ms";
        let expected = [
            ("auth/login", "constant 9ms"),
            ("payments/list", "constant 5ms"),
            ("generation/done", "lognormal 1.5s sigma 0.35"),
        ];
        check(&[], &[("auth/login", "lognormal 35ms sigma 0.35")]);
        check(&[star, login], &expected);
        check(&[login, star], &expected);
        check(&["auth/login=constant 1ms", login], &expected[..1]);
    }

    #[test]
    fn wrong_settings_are_refused_with_a_remedy() {
        let check = |text: &str, problem: &str| {
            let error = text.parse::<Setting<Law>>().unwrap_err();
            assert!(error.contains(problem) && error.contains("write"), "{text}: {error}");
        };
        check("auth/login", "there is no `=`");
        check("auth/logon=constant 5ms", "there is no endpoint `auth/logon`; write one of `auth/register`");
        check("auth/login=5ms", "`5ms` is not a law");
    }
}
