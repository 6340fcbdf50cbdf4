//! What tests need that see both ends, or one end and a fake of the other.
//!
//! Reading order: [`process`] (real programs), [`fleet`] (a coordinator with real agents), [`peer`] (scripted
//! ends), [`adversary`] and [`attacks`] (peers that say what no agent would), [`rogue`] (a coordinator that does), [`proxy`] (a wire that breaks), [`hosts`]
//! (machines of our own), [`narrow`] (programs that may use less than the machine has), [`simulation`] (both cores in a world of its own), [`plan_file`] (plans for
//! tests), [`hostile`] (input that a fuzzer invents), [`stories`] (random ones, for models), [`joining`] (agents that join,
//! well or badly), [`things`] (a target that keeps things).

pub mod adversary;
pub mod attacks;
pub mod fleet;
pub mod hostile;
#[cfg(target_os = "linux")]
pub mod hosts;
pub mod joining;
#[cfg(unix)]
pub mod narrow;
pub mod peer;
pub mod plan_file;
pub mod process;
pub mod proxy;
pub mod recorder;
pub mod rogue;
pub mod simulation;
pub mod stories;
pub mod things;
