//! What should happen: the plan file, the validated model, and the maths of schedules and slots.
//!
//! **Invariant:** this crate is pure. It never reads a clock, draws entropy, does I/O or knows an async
//! runtime. The text of the plan, the environment and the seed are arguments; every agent compiles the same
//! [`Bundle`] to the same [`Plan`].
//!
//! Reading order: [`Bundle`] (text and settings, what travels), [`language`] (the keys that the text may have),
//! `yaml` and `read` (from text to model), [`diagnostic`] (what is wrong with it),
//! [`model`] (what they mean), [`schedule`] (when users exist), [`slot`] (which user is what), [`data`] (which rows
//! it has), [`scope`] and
//! [`template`] (the values a running user sees), [`judge`] (what counts as a good response), [`flow`] (the steps
//! that decide what happens next), [`chore`] (the steps that run once per run), [`websocket`] (conversations),
//! [`observe`] (figures that the target tells of itself).

pub mod arrivals;
mod bundle;
pub mod chore;
pub mod data;
pub mod diagnostic;
pub mod finite;
pub mod flow;
pub mod judge;
pub mod language;
pub mod model;
pub mod observe;
pub mod params;
mod read;
pub mod rng;
pub mod schedule;
pub mod schema;
pub mod scope;
mod secrets;
pub mod slot;
pub mod tags;
pub mod template;
pub mod wait;
pub mod websocket;
mod yaml;

pub use bundle::{Bundle, BundleError, Files, SettingError, Settings, sha256_hex};
pub use model::Plan;
pub use secrets::Secrets;
