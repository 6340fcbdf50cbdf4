//! What is wrong with numbers of the command line.

use crate::bundle::Settings;
use crate::diagnostic::shown;
use crate::language::{MAX_ITERATIONS, MAX_USERS};
use crate::read::warmup::warmup_problem;
use crate::schedule::Schedule;

/// The first problem, and the remedy.
pub(super) fn settings_problem(settings: &Settings) -> Option<(String, String)> {
    if let Some(users) = settings.users.filter(|u| !(1..=MAX_USERS).contains(u)) {
        return Some((format!("--users is {users}"), format!("give 1 to {MAX_USERS}")));
    }
    if let Some(rate) = settings.spawn_rate.filter(|r| r.count == 0 || r.per_ns == 0) {
        return Some((format!("--spawn-rate is {rate:?}"), "give a rate such as 10/s".into()));
    }
    if let Some(n) = settings.iterations.filter(|n| !(1..=MAX_ITERATIONS).contains(n)) {
        return Some((format!("--iterations is {n}"), format!("give 1 to {MAX_ITERATIONS}")));
    }
    if let Some((problem, remedy)) = settings.warmup.and_then(warmup_problem) {
        return Some((format!("--warmup: {problem}"), remedy));
    }
    let length = settings.duration.filter(|d| d.is_zero() || *d > Schedule::MAX_LENGTH)?;
    let shown = shown(&format!("{length:?}"));
    Some((format!("--duration is {shown}"), "give more than zero and at most 400 days".into()))
}
