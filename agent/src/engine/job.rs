//! A plan made ready to run, shared by all threads.

use super::origin::{Origin, Scheme};
use super::tls::Tls;
use plan::Plan;
use plan::scope::RunFacts;
use std::sync::Arc;

/// What every user of a run needs and none changes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) plan: Arc<Plan>,
    pub(super) facts: Arc<RunFacts>,
    pub(super) target: Arc<Origin>,
    pub(super) tls: Arc<Tls>,
}

impl Job {
    /// Checks that this engine can run `plan` and loads what it needs for that.
    pub(super) fn prepare(plan: Arc<Plan>, facts: Arc<RunFacts>, tls: Arc<Tls>) -> Result<Job, String> {
        let target =
            Arc::new(Origin::of(&plan.target).map_err(|why| format!("target `{}`: {why}", plan.target))?);
        if target.scheme == Scheme::Https {
            tls.load()?;
        }
        Ok(Job { plan, facts, target, tls })
    }
}
