//! The time since the machine was started: it never goes back, and counts the time that the machine slept.
//!
//! The clock of [`std::time::Instant`] is not that one: on Linux and macOS it stands still while the machine sleeps, on Windows
//! (`QueryPerformanceCounter`) it goes on (rust-lang/rust#79462).

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Now. On Windows it is the time since the first call in this process: the clock that counts sleep is not told from where.
pub fn since_boot() -> Duration {
    side::since_boot()
}

/// Which start of the machine this is: the same text in all processes until the next one; empty where that is not known.
pub fn boot_id() -> String {
    side::boot_id().trim().chars().take(64).collect()
}

/// The time since the first call in this process by [`Instant`]: what [`since_boot`] is not, on most systems.
pub fn since_first_call() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}

#[cfg(target_os = "linux")]
mod side {
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;

    pub(super) fn since_boot() -> Duration {
        let time = clock_gettime(ClockId::Boottime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    }

    pub(super) fn boot_id() -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
    }
}

/// macOS: `CLOCK_MONOTONIC` goes on while the machine sleeps, says clock_gettime(3) there; `CLOCK_UPTIME_RAW`, which
/// [`std::time::Instant`] reads, does not.
#[cfg(all(unix, not(target_os = "linux")))]
mod side {
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;

    pub(super) fn since_boot() -> Duration {
        let time = clock_gettime(ClockId::Monotonic);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    }

    /// The kernel's UUID of this start. Elsewhere than on macOS there is no such name, and the answer is empty.
    pub(super) fn boot_id() -> String {
        let mut command = std::process::Command::new("/usr/sbin/sysctl");
        let said = command.args(["-n", "kern.bootsessionuuid"]).output();
        said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default()
    }
}

#[cfg(windows)]
mod side {
    use std::time::Duration;

    pub(super) fn since_boot() -> Duration {
        super::since_first_call()
    }

    pub(super) fn boot_id() -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_and_the_start_stays_the_same() {
        let (first, id) = (since_boot(), boot_id());
        assert!(since_boot() >= first);
        assert_eq!(boot_id(), id);
        assert_eq!(id.is_empty(), cfg!(windows), "{id:?}");
    }
}
