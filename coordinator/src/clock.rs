//! The clock of a run: the time since the run's first coordinator began.
//!
//! It counts the time that the machine slept, and it goes on when the coordinator is started again: the fleet's T0, the
//! agents' idea of the coordinator's clock and the order of what is kept rest on it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use system::boot::{boot_id, since_boot};
use tokio::time::Instant;

/// Where a run's clock began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Which start of the machine it was in; empty where that is not known.
    boot: String,
    /// Nanoseconds since that start.
    since_boot: i64,
    /// Nanoseconds since 1970, in UTC.
    unix: i64,
}

/// Tells the time since the machine was started, the time that it slept included.
pub type SinceBoot = fn() -> Duration;

/// See the module.
#[derive(Clone, Debug)]
pub struct RunClock {
    machine: SinceBoot,
    /// What the machine's clock showed at the run's beginning, if it had run then as it does now.
    began: i128,
    origin: Origin,
}

impl RunClock {
    /// A clock that begins now.
    pub fn start() -> RunClock {
        RunClock::start_on(since_boot)
    }

    /// The same, on another machine's clock.
    pub fn start_on(machine: SinceBoot) -> RunClock {
        let since_boot = i64::try_from(machine().as_nanos()).unwrap_or(i64::MAX);
        let unix = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        let origin = Origin { boot: boot_id(), since_boot, unix };
        RunClock { machine, began: since_boot.into(), origin }
    }

    /// The clock that began at `origin` and showed `last` at some time; a text says what to know if it may be wrong now.
    pub fn resume(origin: Origin, last: Duration) -> (RunClock, Option<String>) {
        let now = Now {
            boot: boot_id(),
            machine: whole_nanos(since_boot()),
            unix: Timestamp::now().as_nanosecond(),
        };
        let (began, remark) = began(&origin, last, &now);
        (RunClock { machine: since_boot, began, origin }, remark)
    }

    /// Where it began.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What it shows.
    pub fn now(&self) -> Duration {
        nanos(whole_nanos((self.machine)()) - self.began)
    }

    /// `time` of this clock on the runtime's; now if it is past.
    pub fn instant(&self, time: Duration) -> Instant {
        Instant::now() + time.saturating_sub(self.now())
    }

    /// `time` of this clock as a date.
    pub fn date(&self, time: Duration) -> Timestamp {
        let unix = i128::from(self.origin.unix) + whole_nanos(time);
        Timestamp::from_nanosecond(unix).unwrap_or(Timestamp::MAX)
    }
}

/// What the clocks of this machine show.
struct Now {
    boot: String,
    machine: i128,
    unix: i128,
}

/// When, on the machine's clock, the run began, and what to know of it.
fn began(origin: &Origin, last: Duration, now: &Now) -> (i128, Option<String>) {
    let last = whole_nanos(last);
    let same_boot = !now.boot.is_empty() && now.boot == origin.boot;
    let shows = if same_boot {
        now.machine - i128::from(origin.since_boot)
    } else {
        now.unix - i128::from(origin.unix)
    };
    let remark = (!same_boot).then(|| {
        let why = if now.boot.is_empty() {
            "this system does not tell whether it was started since the run began"
        } else {
            "this machine was started since the run began, or it is another one"
        };
        format!(
            "warning: {why}: the run's time goes on by the wall clock, and is off by as much as that was set"
        )
    });
    // A clock never goes back.
    (now.machine - shows.max(last), remark)
}

fn nanos(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

fn whole_nanos(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_goes_on_over_a_restart_and_never_back() {
        let origin = Origin { boot: "b".to_owned(), since_boot: 1_000, unix: 50_000 };
        let check = |boot: &str, machine: i128, unix: i128, last: u64, shows: i128, warned: bool| {
            let now = Now { boot: boot.to_owned(), machine, unix };
            let (began, remark) = began(&origin, Duration::from_nanos(last), &now);
            assert_eq!(
                (machine - began, remark.is_some()),
                (shows, warned),
                "{boot} {machine} {unix} {last}"
            );
        };
        check("b", 1_700, 99, 600, 700, false);
        check("c", 20, 50_900, 600, 900, true);
        check("c", 20, 40_000, 600, 600, true);
        check("", 20, 50_900, 0, 900, true);
        check("b", 1_500, 0, 600, 600, false);
    }

    #[test]
    fn dates_and_instants_agree_with_the_clock() {
        let clock = RunClock::start();
        let (again, remark) = RunClock::resume(clock.origin().clone(), clock.now());
        assert!(remark.is_none() || boot_id().is_empty());
        assert!(again.now() >= clock.now().saturating_sub(Duration::from_millis(1)));
        let ahead = clock.date(Duration::from_secs(3)).duration_since(clock.date(Duration::ZERO));
        assert_eq!(ahead.as_secs(), 3);
        assert!(clock.instant(clock.now() + Duration::from_secs(5)) > Instant::now());
    }
}
