//! `warmup`: what of a run is not judged.

use super::Reader;
use crate::diagnostic::Problem;
use crate::yaml::Node;
use metrics::unit::format_duration;
use std::time::Duration;

impl Reader<'_> {
    /// Whole seconds, because statistics are: a second belongs to the warm-up or does not.
    pub(super) fn warmup(&mut self, node: &Node) -> Option<Duration> {
        let warmup = self.bounded_duration(node)?;
        if let Some((problem, remedy)) = warmup_problem(warmup) {
            self.report(Problem::new(node.span, problem, remedy));
            return None;
        }
        Some(warmup)
    }
}

/// Why `warmup` is no warm-up, and the remedy.
pub(super) fn warmup_problem(warmup: Duration) -> Option<(String, String)> {
    if warmup.subsec_nanos() == 0 {
        return None;
    }
    let second = Duration::from_secs(1);
    let longer = format_duration(second * u32::try_from(warmup.as_secs() + 1).unwrap_or(u32::MAX));
    let problem = format!("{} is not a whole number of seconds", format_duration(warmup));
    Some((problem, format!("write for instance `{longer}`: statistics are kept by the second")))
}
