//! A timer finer than the runtime's, whose ticks are whole milliseconds: arrivals are due between them.
//!
//! On Linux it is a timerfd, good to some tens of microseconds; elsewhere, and where the system has no more of
//! them, it is the runtime's timer. On Windows that one is no finer than the system's own ticks, 15.6 ms by default.

use std::time::Instant;

/// See the module.
#[derive(Debug)]
pub struct Alarm(Option<side::Timer>);

impl Alarm {
    /// The runtime's own timer.
    pub fn coarse() -> Alarm {
        Alarm(None)
    }

    /// The finest there is. Must be called within a runtime.
    pub fn fine() -> Alarm {
        Alarm(side::Timer::new())
    }

    /// Waits until `when`; if that is past, only lets others have their turn. May be given up at any time.
    pub async fn at(&self, when: Instant) {
        match &self.0 {
            Some(timer) => timer.wait(when).await,
            None => tokio::time::sleep_until(when.into()).await,
        }
    }
}

#[cfg(target_os = "linux")]
mod side {
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::os::fd::OwnedFd;
    use std::time::Instant;
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        #[expect(
            deprecated,
            reason = "the descriptor is owned, which is all that the unsafe successor asks for"
        )]
        pub(super) fn new() -> Option<Timer> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok();
            let register = |timer| AsyncFd::with_interest(timer, tokio::io::Interest::READABLE).ok();
            timer.and_then(register).map(Timer)
        }

        pub(super) async fn wait(&self, when: Instant) {
            let Timer(timer) = self;
            loop {
                let left = when.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return tokio::task::yield_now().await;
                }
                let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
                let value =
                    Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
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
    }
}

#[cfg(not(target_os = "linux"))]
mod side {
    use std::time::Instant;

    /// There is none.
    #[derive(Debug)]
    pub(super) enum Timer {}

    impl Timer {
        pub(super) fn new() -> Option<Timer> {
            None
        }

        #[expect(clippy::unused_async, reason = "elsewhere it waits")]
        pub(super) async fn wait(&self, _: Instant) {
            match *self {}
        }
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
