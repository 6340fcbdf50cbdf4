//! A plan made ready to run, shared by all threads.

use super::origin::{Origin, Scheme};
use super::tls::Tls;
use plan::Plan;
use plan::chore::SetupValues;
use plan::scope::RunFacts;
use std::sync::{Arc, OnceLock};

/// What every user of a run needs and none changes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) plan: Arc<Plan>,
    pub(super) facts: Arc<RunFacts>,
    pub(super) target: Arc<Origin>,
    pub(super) tls: Arc<Tls>,
    setup: OnceLock<SetupValues>,
}

impl Job {
    /// Checks that this engine can run `plan` and loads what it needs for that.
    pub(super) fn prepare(plan: Arc<Plan>, facts: Arc<RunFacts>, tls: Arc<Tls>) -> Result<Job, String> {
        let target =
            Arc::new(Origin::of(&plan.target).map_err(|why| format!("target `{}`: {why}", plan.target))?);
        if target.scheme == Scheme::Https {
            tls.load()?;
        }
        Ok(Job { plan, facts, target, tls, setup: OnceLock::new() })
    }

    /// Takes what setup saved; the first time counts.
    pub(super) fn see_setup(&self, values: SetupValues) {
        // Told again before the teardown, and then the same.
        let _ = self.setup.set(values);
    }

    /// What setup saved; nothing until it is told.
    pub(super) fn setup(&self) -> SetupValues {
        self.setup.get().cloned().unwrap_or_default()
    }
}
