//! Until when users may make load.
//!
//! The session ends a lease as soon as it looks; but a process that was stopped, or a machine that slept, may wake in the
//! middle of a user. So each user looks itself, before each request: one load and one reading of the clock.
//!
//! Requests and messages also wait here for the agent's own cap on their rate, if it has one.

use super::throttle::Throttle;
use crate::boot_clock::since_boot;
use proto::defect::{Defect, seeded};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a user without a permit looks again. It is about to be stopped, as a rule.
const RECHECK: Duration = Duration::from_millis(50);

/// See the module. Shared by the session's thread, which grants, and the engine's threads, which look.
#[derive(Debug)]
pub struct Permit {
    /// Nanoseconds since the machine was started.
    until: AtomicU64,
    /// Whether a run is going on.
    in_use: AtomicBool,
    throttle: Option<Throttle>,
}

impl Permit {
    /// One that never ends, until another end is [set](Permit::set), for so many requests and messages per second.
    pub(super) fn for_ever(max_rps: Option<NonZero<u32>>) -> Permit {
        let throttle = max_rps.map(|rps| Throttle::new(rps, Instant::now()));
        Permit { until: AtomicU64::new(u64::MAX), in_use: AtomicBool::new(false), throttle }
    }

    /// Lets users make load until this time since the machine was started.
    pub(crate) fn set(&self, until: Duration) {
        self.until.store(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether it is good now.
    pub(super) fn holds(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until == u64::MAX || seeded(Defect::M4) || since_boot().as_nanos() < u128::from(until)
    }

    /// Returns at once while it is good, and not before it is good again.
    pub(super) async fn wait(&self) {
        while !self.holds() {
            tokio::time::sleep(RECHECK).await;
        }
    }

    /// Returns when one more request or message may go, and not before it is good: how long the cap held it back.
    pub(super) async fn admit(&self) -> Duration {
        let held = match &self.throttle {
            None => Duration::ZERO,
            Some(throttle) => {
                let now = Instant::now();
                let held = throttle.take(now);
                if !held.is_zero() {
                    tokio::time::sleep_until((now + held).into()).await;
                }
                held
            }
        };
        self.wait().await;
        held
    }

    /// Says whether a run is going on.
    pub(super) fn in_use(&self, in_use: bool) {
        if let (true, Some(throttle)) = (in_use, &self.throttle) {
            throttle.empty(Instant::now());
        }
        self.in_use.store(in_use, Ordering::Relaxed);
    }

    /// Whether there may be users that it does not allow.
    pub(crate) fn is_overrun(&self) -> bool {
        self.in_use.load(Ordering::Relaxed) && !self.holds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_until_its_time() {
        let permit = Permit::for_ever(None);
        assert!(permit.holds());
        permit.set(since_boot() + Duration::from_secs(3600));
        assert!(permit.holds());
        permit.set(since_boot());
        assert!(!permit.holds());
        assert!(!permit.is_overrun(), "nobody uses it");
        permit.in_use(true);
        assert!(permit.is_overrun());
    }
}
