//! The values that a running user's expressions see.

use crate::model::{ClassId, Plan};
use crate::slot::Slot;
use std::sync::Arc;

/// Names that hold other names: what may follow them. `env` is not among them, it holds what the plan reads.
pub const NAMESPACES: &[(&str, &[&str])] =
    &[("user", &["slot", "class", "iteration"]), ("run", &["id"]), ("agent", &["name"])];

/// Names that only the checks of a response (`expect`, `until`) see.
pub const RESPONSE_NAMES: &[&str] = &["status", "headers", "body", "json"];

/// What is the same for every user of a run.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// `run.id`
    pub run_id: String,
    /// `agent.name`
    pub agent_name: String,
    /// `env.NAME`, only the names that the plan reads.
    pub env: std::collections::BTreeMap<String, String>,
    /// Fixes every random choice of the run.
    pub seed: u64,
}

/// One user's variables and random numbers. Everything random is a function of (seed, slot, iteration), so a
/// user makes the same choices wherever it runs.
#[derive(Debug)]
pub struct Scope {}

impl Scope {
    /// A user's scope before its `on_start`.
    pub fn new(facts: &Arc<RunFacts>, plan: &Plan, class: ClassId, slot: Slot) -> Scope {
        let _ = (facts, plan, class, slot);
        todo!()
    }
    /// [`new`](Scope::new) by the name of the class alone.
    pub fn for_class(facts: &Arc<RunFacts>, class: &str, slot: Slot) -> Scope {
        let _ = (facts, class, slot);
        todo!()
    }
    /// Sets a variable, as `save` does.
    pub fn save(&mut self, name: &str, value: minijinja::Value) {
        let _ = (name, value);
        todo!()
    }
    /// Ends `on_start`: what it saved stays with the user.
    pub fn keep_saved(&mut self) {
        todo!()
    }
    /// Begins iteration `iteration` (0-based): drops what the last iteration saved and reseeds the random
    /// numbers from (seed, slot, iteration).
    pub fn begin_iteration(&mut self, iteration: u64) {
        let _ = iteration;
        todo!()
    }
    /// The wall clock for `now()`, in milliseconds since 1970; the driver sets it before each request.
    pub fn set_now(&mut self, unix_ms: u64) {
        let _ = unix_ms;
        todo!()
    }
    /// Draws the index of the next task of `class` by weight from this iteration's random numbers.
    pub fn pick_task(&mut self, class: &crate::model::UserClass) -> usize {
        let _ = class;
        todo!()
    }
}
