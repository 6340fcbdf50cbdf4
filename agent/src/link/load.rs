//! What the link asks of whoever makes the load: the engine, or a stand-in where only the link is of interest.

use crate::engine::{Engine, StopMode};
use plan::Plan;
use plan::chore::{ChoreKind, SetupValues};
use plan::scope::RunFacts;
use plan::slot::Seat;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Makes load; each call means what the [`Engine`]'s method of the same name does.
pub trait Load {
    /// Lets users begin things until this time since the machine was started.
    fn may_load_until(&self, since_boot: Duration);
    /// Makes ready to run `plan`.
    fn prepare(&self, plan: Arc<Plan>, facts: Arc<RunFacts>);
    /// Runs the prepared plan with exactly these users.
    fn run(&self, t0: Instant, revision: u64, seats: Vec<Seat>);
    /// Stops the run.
    fn stop(&self, mode: StopMode);
    /// Runs a chore of the prepared plan.
    fn chore(&self, kind: ChoreKind);
    /// Gives the chore up at once.
    fn stop_chore(&self);
    /// Sets what setup saved.
    fn see_setup(&self, values: SetupValues);
}

impl Load for Engine {
    fn may_load_until(&self, since_boot: Duration) {
        self.permit().set(since_boot);
    }

    fn prepare(&self, plan: Arc<Plan>, facts: Arc<RunFacts>) {
        Engine::prepare(self, plan, facts);
    }

    fn run(&self, t0: Instant, revision: u64, seats: Vec<Seat>) {
        Engine::run(self, t0, revision, seats);
    }

    fn stop(&self, mode: StopMode) {
        Engine::stop(self, mode);
    }

    fn chore(&self, kind: ChoreKind) {
        Engine::chore(self, kind);
    }

    fn stop_chore(&self) {
        Engine::stop_chore(self);
    }

    fn see_setup(&self, values: SetupValues) {
        Engine::see_setup(self, values);
    }
}
