//! The coordinator: musters the agents, merges what they saw, and gives the verdict.
//!
//! Reading order: [`cli`] (what was typed) and [`settings`] (what it means), [`fleet`] (who does what) and
//! [`grpc`] (how they are told), [`results`] (what was measured, and the verdict), [`report`] (how it is told),
//! [`terminal`] (progress), [`exit`] (what scripts get).

pub mod cli;
pub mod exit;
pub mod fleet;
pub mod grpc;
pub mod report;
pub mod results;
pub mod settings;
pub mod terminal;
