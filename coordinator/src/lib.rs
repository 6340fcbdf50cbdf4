//! The coordinator: musters the agents, merges what they saw, and gives the verdict.
//!
//! Reading order: [`cli`] (what was typed) and [`settings`] (what it means), [`fleet`] (who does what) and
//! [`grpc`] (how they are told), [`secure`] (who may attach), [`results`] (what was measured, and the verdict), [`observe`] (what the
//! target tells of itself), [`report`] (how it is told), [`compare`] (two runs side by side), [`history`] (which runs there are),
//! [`journal`] (what is kept of a run, and when it may be heard of), [`terminal`] (progress), [`exit`] (what scripts get);
//! [`run`] puts them together on one [`clock`], with the [`embedded`] agent when none is expected; [`resume`] goes on
//! with a run whose coordinator was ended, and [`demo`] gives it a target of its own. [`check`] explains a
//! plan without running it.

pub mod check;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod demo;
pub mod embedded;
pub mod env_file;
pub mod exit;
pub mod files;
pub mod fleet;
pub mod grpc;
pub mod history;
pub mod journal;
pub mod observe;
pub mod past;
pub mod reach;
pub mod report;
pub mod results;
pub mod resume;
pub mod run;
pub mod secure;
pub mod settings;
pub mod sweep;
pub mod telemetry;
pub mod terminal;
pub mod watch;
