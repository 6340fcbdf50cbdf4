//! What this agent does at most, whatever a coordinator orders. Set where the agent is started, and by nothing that
//! comes over the wire. Pure.

mod never;
mod rule;
mod targets;
#[cfg(test)]
mod tests;

pub use rule::Rule;
pub use targets::{Found, Targets};

use proto::message::Caps;
use std::fmt;
use std::num::NonZero;
use std::time::Duration;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where users may connect.
    pub targets: Targets,
    /// The most users.
    pub max_users: u32,
    /// The most requests and messages per second, of all users together; `None` for no bound.
    pub max_rps: Option<NonZero<u32>>,
    /// How long a run may take from its start to the end of its last user; `None` for no bound.
    pub max_run_time: Option<Duration>,
}

impl Policy {
    /// So many users, and no other bound than the one that always holds.
    pub fn open(max_users: u32) -> Policy {
        Policy { targets: Targets::anywhere(), max_users, max_rps: None, max_run_time: None }
    }

    /// What a coordinator is told of it.
    pub fn caps(&self) -> Caps {
        Caps { max_rps: self.max_rps, max_run_time: self.max_run_time }
    }
}

impl fmt::Display for Policy {
    /// In one line, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "targets: {}; at most {} users", self.targets, self.max_users)?;
        if let Some(caps) = self.caps().text() {
            write!(f, ", {caps}")?;
        }
        Ok(())
    }
}
