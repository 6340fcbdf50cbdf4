//! Processor time that was used.

use std::time::Duration;

/// By all threads of this process since it was started; `None` where the system does not tell.
pub fn process_time() -> Option<Duration> {
    side::process_time()
}

/// By the calling thread since it was started; `None` where the system does not tell.
pub fn thread_time() -> Option<Duration> {
    side::thread_time()
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "others may not tell")]
mod side {
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;

    pub(super) fn process_time() -> Option<Duration> {
        Some(used(ClockId::ProcessCPUTime))
    }

    pub(super) fn thread_time() -> Option<Duration> {
        Some(used(ClockId::ThreadCPUTime))
    }

    fn used(clock: ClockId) -> Duration {
        let time = clock_gettime(clock);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// Windows counts in its clock's ticks, 15.6 ms by default.
#[cfg(windows)]
mod side {
    use cpu_time::{ProcessTime, ThreadTime};
    use std::time::Duration;

    pub(super) fn process_time() -> Option<Duration> {
        ProcessTime::try_now().ok().map(|time| time.as_duration())
    }

    pub(super) fn thread_time() -> Option<Duration> {
        ThreadTime::try_now().ok().map(|time| time.as_duration())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn work_is_counted() {
        let read = || [process_time(), thread_time()].map(|time| time.expect("these systems tell"));
        let (before, begun) = (read(), Instant::now());
        while begun.elapsed() < Duration::from_millis(100) {
            std::hint::black_box(0);
        }
        for (before, after) in before.into_iter().zip(read()) {
            assert!(after > before, "{before:?}, then {after:?}");
        }
    }
}
