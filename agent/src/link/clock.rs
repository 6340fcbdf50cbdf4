//! The session's clock: the machine's, counted from before the process began.

use std::time::Duration;
use tokio::time::Instant;

/// What the clock shows when the process begins: far enough from zero that times before it have a place.
const BEGINNING: Duration = Duration::from_secs(1000 * 24 * 3600);

/// Tells the time since the machine was started: `boot_clock::since_boot`, but in a simulated machine.
pub type SinceBoot = fn() -> Duration;

/// See the module.
#[derive(Debug)]
pub(super) struct Clock {
    machine: SinceBoot,
    origin: Duration,
}

impl Clock {
    pub(super) fn start(machine: SinceBoot) -> Clock {
        Clock { machine, origin: machine() }
    }

    pub(super) fn now(&self) -> Duration {
        BEGINNING + (self.machine)().saturating_sub(self.origin)
    }

    /// `time` of this clock as a time since the machine was started.
    pub(super) fn since_boot(&self, time: Duration) -> Duration {
        (self.origin + time).saturating_sub(BEGINNING)
    }

    /// `time` of this clock on the standard library's; the past as far as that reaches.
    pub(super) fn std_instant(&self, time: Duration) -> std::time::Instant {
        self.instant(time).into_std()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot_clock::since_boot;

    #[test]
    fn times_before_and_after_now_have_their_places_on_the_other_clocks() {
        let clock = Clock::start(since_boot);
        let (now, here, boot) = (Instant::now(), clock.now(), since_boot());
        let second = Duration::from_secs(1);
        let times = [(here + second, now + second), (here, now), (here.saturating_sub(second), now - second)];
        for (time, expected) in times {
            let got = clock.instant(time);
            let off = got.max(expected) - got.min(expected);
            assert!(off < second / 2, "{off:?} off");
        }
        assert!(clock.since_boot(here).abs_diff(boot) < second / 2);
        assert!(clock.now() >= here);
    }
}
