//! A plan made ready to run, shared by all threads.

use super::origin::{Origin, Scheme};
use super::permit::Permit;
use super::tls::{Authorities, Tls};
use crate::policy::Policy;
use plan::Plan;
use plan::chore::SetupValues;
use plan::model::ConnectionSettings;
use plan::scope::RunFacts;
use std::sync::{Arc, OnceLock};

/// What every user of a run needs and none changes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) plan: Arc<Plan>,
    pub(super) facts: Arc<RunFacts>,
    pub(super) target: Arc<Origin>,
    /// How the users of each class connect.
    pub(super) connections: Vec<ClassConnections>,
    authorities: Arc<Authorities>,
    /// Until when users may begin anything.
    pub(super) permit: Arc<Permit>,
    /// What this agent does at most.
    pub(super) policy: Arc<Policy>,
    setup: OnceLock<SetupValues>,
}

/// How the users of one class connect.
#[derive(Clone, Debug)]
pub(super) struct ClassConnections {
    pub(super) settings: Arc<ConnectionSettings>,
    pub(super) tls: Arc<Tls>,
    pub(super) policy: Arc<Policy>,
}

impl ClassConnections {
    fn new(
        settings: &ConnectionSettings,
        authorities: &Arc<Authorities>,
        policy: &Arc<Policy>,
    ) -> ClassConnections {
        let tls = Arc::new(Tls::new(authorities.clone(), settings.tls.clone()));
        ClassConnections { settings: Arc::new(settings.clone()), tls, policy: policy.clone() }
    }
}

impl Job {
    /// Checks that this engine can run `plan` and loads what it needs for that.
    pub(super) fn prepare(
        plan: Arc<Plan>,
        facts: Arc<RunFacts>,
        authorities: &Arc<Authorities>,
        permit: Arc<Permit>,
        policy: Arc<Policy>,
    ) -> Result<Job, String> {
        let target =
            Arc::new(Origin::of(&plan.target).map_err(|why| format!("target `{}`: {why}", plan.target))?);
        let mut connections = Vec::with_capacity(plan.classes.len());
        for class in &plan.classes {
            let of_class = ClassConnections::new(&class.connection, authorities, &policy);
            if target.scheme == Scheme::Https {
                of_class.tls.load().map_err(|why| format!("user class `{}`: {why}", class.name))?;
            }
            connections.push(of_class);
        }
        let authorities = authorities.clone();
        Ok(Job { plan, facts, target, connections, authorities, permit, policy, setup: OnceLock::new() })
    }

    /// How something that is of no class connects.
    pub(super) fn connections_as(&self, settings: &ConnectionSettings) -> ClassConnections {
        ClassConnections::new(settings, &self.authorities, &self.policy)
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
