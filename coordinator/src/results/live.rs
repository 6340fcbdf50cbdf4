//! What a progress line shows.

use std::time::Duration;

/// The run as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Live {
    /// The last closed second since T0; `None` before the first.
    pub second: Option<u32>,
    /// Users that exist, as each agent last said.
    pub users: u32,
    /// Users that the schedule wants at the end of the newest reported second.
    pub target_users: u32,
    /// Requests that ended in the last closed second.
    pub rps: u64,
    /// Whether the newest reported second belongs to the warm-up.
    pub warmup: bool,
    /// Iterations that are done, and those to do, in a run of so many.
    pub iterations: Option<(u64, u64)>,
    /// Requests since the end of the warm-up; while it lasts, since T0.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Arrivals since T0 that found every user busy, in an open load.
    pub dropped: u64,
    /// 95th percentile of the newest closed second that had requests, if it is at most 5 s old.
    pub p95: Option<Duration>,
}
