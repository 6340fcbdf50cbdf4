//! The session's clock: it never goes back, and counts the time that the machine slept.
//!
//! A lease ends while its agent sleeps, too. The clock of [`std::time::Instant`] stands still then, so an agent that wakes
//! would believe that it still has one (rust-lang/rust#79462).

use std::time::Duration;
use tokio::time::Instant;

/// What the clock shows when the process begins: far enough from zero that times before it have a place.
const BEGINNING: Duration = Duration::from_secs(1000 * 24 * 3600);

/// See the module.
#[derive(Debug)]
pub(super) struct Clock {
    #[cfg(target_os = "linux")]
    origin: Duration,
    #[cfg(not(target_os = "linux"))]
    origin: Instant,
}

impl Clock {
    #[cfg(target_os = "linux")]
    pub(super) fn start() -> Clock {
        Clock { origin: since_boot() }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn now(&self) -> Duration {
        BEGINNING + since_boot().saturating_sub(self.origin)
    }

    /// Elsewhere there is no such clock that the standard library knows; the runtime's must do.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn now(&self) -> Duration {
        BEGINNING + self.origin.elapsed()
    }

    /// `time` of this clock on the runtime's; the past as far as that reaches.
    pub(super) fn instant(&self, time: Duration) -> Instant {
        let (now, here) = (Instant::now(), self.now());
        match time.checked_sub(here) {
            Some(ahead) => now + ahead,
            None => now.checked_sub(here.saturating_sub(time)).unwrap_or(now),
        }
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_now_have_their_places_on_the_runtimes_clock() {
        let clock = Clock::start();
        let (now, here) = (Instant::now(), clock.now());
        let second = Duration::from_secs(1);
        for (time, expected) in
            [(here + second, now + second), (here, now), (here.saturating_sub(second), now - second)]
        {
            let got = clock.instant(time);
            let off = got.max(expected) - got.min(expected);
            assert!(off < second / 2, "{off:?} off");
        }
        assert!(clock.now() >= here);
    }
}
