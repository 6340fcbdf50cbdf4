//! The agent: runs users against the system under test, and reports what they saw.
//!
//! Reading order: [`session`] (what to do about what the coordinator says; pure), [`engine`] (threads, users,
//! HTTP), [`host`] (what the system says of this process), [`policy`] (what the agent does at most, whatever it is told;
//! pure), [`link`] (carries the session's decisions out), [`spool`] (keeps what is not delivered), [`app`] (all of it put
//! together).

pub mod app;
mod boot_clock;
pub mod cli;
pub mod engine;
pub mod host;
pub mod link;
pub mod log;
pub mod policy;
pub mod session;
pub mod spool;
mod watchdog;
