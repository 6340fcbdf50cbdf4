//! A timer finer than the runtime's, whose ticks are whole milliseconds: arrivals are due between them.
//!
//! On Linux it is a timerfd, good to some tens of microseconds; elsewhere, and where the system has no more of
//! them, it is the runtime's timer.

#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::time::Instant;
#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;

/// See the module.
#[derive(Debug)]
pub(super) struct Alarm {
    #[cfg(target_os = "linux")]
    timer: Option<AsyncFd<OwnedFd>>,
}

impl Alarm {
    /// The runtime's own timer.
    pub(super) fn coarse() -> Alarm {
        Alarm {
            #[cfg(target_os = "linux")]
            timer: None,
        }
    }

    /// The finest there is. Must be called within a runtime.
    #[cfg(target_os = "linux")]
    #[expect(deprecated, reason = "the descriptor is owned, which is all that the unsafe successor asks for")]
    pub(super) fn fine() -> Alarm {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok();
        let register = |timer| AsyncFd::with_interest(timer, tokio::io::Interest::READABLE).ok();
        Alarm { timer: timer.and_then(register) }
    }

    /// The finest there is.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn fine() -> Alarm {
        Alarm::coarse()
    }

    /// Waits until `when`; if that is past, only lets others have their turn. May be given up at any time.
    pub(super) async fn at(&self, when: Instant) {
        #[cfg(target_os = "linux")]
        if let Some(timer) = &self.timer {
            return wait(timer, when).await;
        }
        tokio::time::sleep_until(when.into()).await;
    }
}

#[cfg(target_os = "linux")]
async fn wait(timer: &AsyncFd<OwnedFd>, when: Instant) {
    use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
    loop {
        let left = when.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return tokio::task::yield_now().await;
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        // Setting it anew also takes back an expiry that nobody has read.
        let set = timerfd_settime(
            timer,
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: zero, it_value: value },
        );
        if set.is_err() {
            return tokio::time::sleep_until(when.into()).await;
        }
        let Ok(mut ready) = timer.readable().await else {
            return tokio::time::sleep_until(when.into()).await;
        };
        // Whether it was this expiry or an older one that had not been read: the clock says.
        let _ = rustix::io::read(timer, &mut [0; 8]);
        ready.clear_ready();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn alarms_are_never_early_and_may_be_given_up() {
        for alarm in [Alarm::fine(), Alarm::coarse()] {
            for us in [0, 1, 150, 3_000, 50] {
                let when = Instant::now() + Duration::from_micros(us);
                alarm.at(when).await;
                assert!(Instant::now() >= when);
            }
            let given_up =
                tokio::time::timeout(Duration::ZERO, alarm.at(Instant::now() + Duration::from_hours(1)));
            assert!(given_up.await.is_err());
            let when = Instant::now() + Duration::from_millis(2);
            alarm.at(when).await;
            assert!(Instant::now() >= when, "an older setting has no part in it");
        }
    }
}
