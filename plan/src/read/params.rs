//! `params:` and the values that the settings give them.

use super::Reader;
use super::saved_names::entries;
use super::suggest;
use super::value::{Constant, Expected};
use super::variables::{Wrong, refuse_variable_name, wrong};
use crate::bundle::Settings;
use crate::diagnostic::{Problem, Problems, Span, shown};
use crate::params::{Param, Params};
use crate::scope::Scope;
use crate::slot::Slot;
use crate::template::Variable;
use crate::yaml::{Entry, Kind, Value, plain_kind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most parameters of a plan.
const MAX_PARAMS: usize = 1000;

const DEFAULT: Expected = Expected {
    what: "a default (a text, a number, true, false or null)",
    remedy: "write for instance `params: { item: 5, mode: fast }`",
};

impl Reader<'_> {
    /// `params:` with the values of the chosen one of `profiles`, and over those of the settings. From here on constants
    /// may read them.
    pub(super) fn params(
        &mut self,
        entry: Option<&Entry>,
        profiles: Option<&Entry>,
        top: Span,
    ) -> Arc<Params> {
        let expected = Expected {
            what: "a mapping from parameters to their defaults",
            remedy: "write for instance `params: { item: 5, mode: fast }`",
        };
        let entries = entry.and_then(|e| self.named(&e.value, expected, MAX_PARAMS)).unwrap_or_default();
        let mut defaults = BTreeMap::new();
        for entry in entries {
            if let Some((problem, remedy)) = refuse_variable_name(&entry.key) {
                self.report(Problem::new(entry.key_span, problem, remedy));
            }
            if let Some(default) = self.default(entry) {
                defaults.insert(entry.key.clone(), default);
            }
        }
        let declared = entries.iter().map(|e| e.key.clone()).collect();
        let chosen = self.profile_params(profiles, &defaults, &declared);
        self.params = declared;
        let mut params = Params::with_secrets(self.settings.secrets.clone());
        for (name, value) in defaults.iter().chain(&chosen) {
            params.insert(name, value.clone());
        }
        let settings = self.settings;
        for (name, text) in &settings.params {
            let default = defaults.get(name);
            if default.is_none() && self.params.contains(name) {
                continue;
            }
            match param_value(name, text, default, self.params.iter().map(String::as_str)) {
                Ok(param) => params.insert(name, param),
                Err((problem, remedy)) => {
                    let place = entry.map_or(top, |e| e.key_span);
                    self.report(Problem::new(place, problem, remedy));
                }
            }
        }
        let params = Arc::new(params);
        self.constants = Scope::with_params(&self.facts, "", Slot(0), &params);
        params
    }

    /// What the chosen profile says of parameters. The other profiles are checked as well.
    fn profile_params(
        &mut self,
        profiles: Option<&Entry>,
        defaults: &BTreeMap<String, Param>,
        declared: &BTreeSet<String>,
    ) -> BTreeMap<String, Param> {
        let expected = Expected {
            what: "a mapping from parameters to their values",
            remedy: "write for instance `params: { item: 5, mode: fast }`",
        };
        let mut chosen = BTreeMap::new();
        for profile in profiles.map(|entry| entries(&entry.value)).unwrap_or_default() {
            let own = entries(&profile.value).iter().find(|entry| entry.key == "params");
            let own =
                own.and_then(|entry| self.named(&entry.value, expected, MAX_PARAMS)).unwrap_or_default();
            for entry in own {
                let default = defaults.get(&entry.key);
                // What is wrong with the default has been told.
                if default.is_none() && declared.contains(&entry.key) {
                    continue;
                }
                let Some(Constant { text, .. }) = self.constant(&entry.value, DEFAULT) else { continue };
                match param_value(&entry.key, &text, default, declared.iter().map(String::as_str)) {
                    Ok(value) if self.settings.profile.as_ref() == Some(&profile.key) => {
                        chosen.insert(entry.key.clone(), value);
                    }
                    Ok(_) => {}
                    Err((problem, remedy)) => {
                        let place = if default.is_some() { entry.value.span } else { entry.key_span };
                        self.report(Problem::new(place, problem, remedy));
                    }
                }
            }
        }
        chosen
    }

    fn default(&mut self, entry: &Entry) -> Option<Param> {
        let Constant { text, kind } = self.constant(&entry.value, DEFAULT)?;
        let default = param(&text, kind);
        if default.is_none() {
            let problem = format!("{} cannot be the value of a parameter", shown(&text));
            self.report(Problem::new(entry.value.span, problem, "write a finite number"));
        }
        default
    }

    /// `params.NAME` in an expression.
    pub(super) fn check_param(&self, variable: &Variable) -> Result<(), Wrong> {
        let Some(name) = variable.path.get(1) else {
            return wrong("`params` stands for all parameters", "name one: `params.NAME`");
        };
        let full = format!("params.{name}");
        if self.params.contains(name) {
            return if variable.called && variable.path.len() == 2 {
                super::variables::not_a_function(&full)
            } else {
                Ok(())
            };
        }
        let known: Vec<String> = self.params.iter().map(|known| format!("params.{known}")).collect();
        let close = suggest::closest(name, self.params.iter().map(String::as_str));
        let remedy = if !close.is_empty() {
            let close: Vec<String> = close.iter().map(|known| format!("params.{known}")).collect();
            suggest::did_you_mean(&close.iter().map(String::as_str).collect::<Vec<_>>())
        } else if known.is_empty() {
            format!("declare it at the top level: `params: {{ {name}: DEFAULT }}`")
        } else {
            format!(
                "declare it under `params`; there are {}",
                suggest::list(known.iter().map(String::as_str))
            )
        };
        wrong(format!("there is no {}", shown(&full)), remedy)
    }
}

/// Whether the plan declares every parameter of the settings and takes its value; `top` are the plan's entries.
pub(super) fn check_params(settings: &Settings, top: &[Entry]) -> Result<(), Wrong> {
    let entry = top.iter().find(|entry| entry.key == "params");
    let declared: &[Entry] = match entry.map(|entry| &entry.value.value) {
        Some(Value::Mapping(entries)) => entries,
        Some(_) => return Ok(()),
        None => &[],
    };
    // A reader of its own evaluates the defaults; what is wrong with them is told when the plan is compiled.
    let mut reader = Reader::new(settings, Problems::default());
    for (name, text) in &settings.params {
        let entry = declared.iter().find(|entry| entry.key == *name);
        let default = entry.and_then(|entry| reader.default(entry));
        if entry.is_some() && default.is_none() {
            continue;
        }
        let names: BTreeSet<&str> = declared.iter().map(|entry| entry.key.as_str()).collect();
        param_value(name, text, default.as_ref(), names)?;
    }
    Ok(())
}

/// The value that `text` gives to a parameter with this default: a text stays a text, everything else is read
/// as a YAML scalar and has to be of the default's type; a null default takes any.
fn param_value<'a>(
    name: &str,
    text: &str,
    default: Option<&Param>,
    declared: impl IntoIterator<Item = &'a str>,
) -> Result<Param, Wrong> {
    let Some(default) = default else {
        let declared: Vec<&str> = declared.into_iter().collect();
        let otherwise = if declared.is_empty() {
            "it has none; declare them at its top level: `params: { NAME: DEFAULT }`"
        } else {
            "its parameters are"
        };
        let remedy = suggest::remedy(name, declared, otherwise);
        return wrong(format!("the plan has no parameter {}", shown(name)), remedy);
    };
    if let Param::Text(_) = default {
        return Ok(Param::Text(text.to_owned()));
    }
    let given = param(text, plain_kind(text));
    let (fits, what) = match default {
        Param::Null | Param::Text(_) => (given.is_some(), "a finite number or another value"),
        Param::Bool(_) => (matches!(given, Some(Param::Bool(_))), "`true` or `false`"),
        Param::Integer(_) | Param::Float(_) => {
            (matches!(given, Some(Param::Integer(_) | Param::Float(_))), "a number")
        }
    };
    match given.filter(|_| fits) {
        Some(param) => Ok(param),
        None => wrong(
            format!("{} is no value for the parameter {}", shown(text), shown(name)),
            format!("give {what}, as its default {default} is"),
        ),
    }
}

/// `None` for numbers that are not finite.
fn param(text: &str, kind: Kind) -> Option<Param> {
    match kind {
        Kind::Null => Some(Param::Null),
        Kind::Bool(value) => Some(Param::Bool(value)),
        Kind::Integer(value) => Some(Param::Integer(value)),
        Kind::Float(value) => value.is_finite().then_some(Param::Float(value)),
        Kind::Text => Some(Param::Text(text.to_owned())),
    }
}
