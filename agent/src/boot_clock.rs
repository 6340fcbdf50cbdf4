//! The time since the machine was started: it never goes back, and counts the time that the machine slept.
//!
//! A lease ends while its agent sleeps, too. The clock of [`std::time::Instant`] stands still then, so an agent that wakes
//! would believe that it still has one (rust-lang/rust#79462).

use std::time::Duration;

/// Now.
#[cfg(target_os = "linux")]
pub(crate) fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Now, since the first call: elsewhere there is no such clock that the standard library knows.
#[cfg(not(target_os = "linux"))]
pub(crate) fn since_boot() -> Duration {
    static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    ORIGIN.get_or_init(std::time::Instant::now).elapsed()
}
