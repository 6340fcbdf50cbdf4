//! What the flags of a run name in the plan: looked at before the plan itself, so that a wrong flag is told as such.

use super::params::check_params;
use super::suggest;
use super::tags::{check_filter, written};
use super::variables::{Wrong, wrong};
use crate::bundle::{Bundle, SettingError, Settings};
use crate::diagnostic::{Problems, shown};
use crate::tags::TagFilter;
use crate::yaml::{self, Entry, Value};

/// [`Bundle::check_settings`].
pub(crate) fn check_settings(bundle: &Bundle) -> Result<(), SettingError> {
    let settings = &bundle.settings;
    if settings.params.is_empty() && settings.profile.is_none() && settings.tags.is_empty() {
        return Ok(());
    }
    let Some(root) = yaml::load(&bundle.source, &mut Problems::default()) else { return Ok(()) };
    let Value::Mapping(top) = &root.value else { return Ok(()) };
    let error = |flag| move |(problem, remedy)| SettingError { flag, problem, remedy };
    check_profile(settings, top).map_err(error("--profile"))?;
    check_params(settings, top).map_err(error("--set"))?;
    let users = top.iter().find(|entry| entry.key == "users");
    let tasks = users.map(|users| written(&users.value, &settings.tags)).unwrap_or_default();
    match check_filter(&tasks, &settings.tags) {
        // Tags may be missing because the plan is wrong; then that is what has to be told.
        Err((flag, wrong)) if whole(bundle).compile().is_ok() => Err(error(flag)(wrong)),
        _ => Ok(()),
    }
}

/// The same without a filter.
fn whole(bundle: &Bundle) -> Bundle {
    let settings = Settings { tags: TagFilter::default(), ..bundle.settings.clone() };
    Bundle { settings, ..bundle.clone() }
}

fn check_profile(settings: &Settings, top: &[Entry]) -> Result<(), Wrong> {
    let Some(name) = settings.profile.as_deref() else { return Ok(()) };
    match top.iter().find(|entry| entry.key == "profiles").map(|entry| &entry.value.value) {
        Some(Value::Mapping(entries)) => known_profile(name, entries),
        Some(_) => Ok(()),
        None => known_profile(name, &[]),
    }
}

/// Whether there is a profile of this name.
pub(super) fn known_profile(name: &str, profiles: &[Entry]) -> Result<(), Wrong> {
    let known: Vec<&str> = profiles.iter().map(|entry| entry.key.as_str()).collect();
    if known.contains(&name) {
        return Ok(());
    }
    let list = suggest::list(known.iter().copied());
    let remedy = match &suggest::closest(name, known.iter().copied())[..] {
        _ if known.is_empty() => "the plan has no profiles; leave --profile out".to_owned(),
        [] => format!("its profiles are: {list}"),
        close => format!("{} (its profiles are {list})", suggest::did_you_mean(close)),
    };
    wrong(format!("the plan has no profile {}", shown(name)), remedy)
}
