//! How the generator itself fares: a saturated one must not pass for a slow target.

use super::limits::LAG_INTERVAL;
use super::starts::Starts;
use super::tally::Tally;
use crate::host::HostUse;
use metrics::Histogram;
use std::rc::Rc;
use std::time::{Duration, Instant};
use system::alarm::Alarm;
use system::{memory, processor};

/// The generator's own state during one window.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// How busy the generator was, 0 to 1: the share of one core that its busiest engine thread used (users
    /// never migrate, so a full thread is a full generator), or the share that the process used of all the processor
    /// time that it may use, whichever is larger. A quota counts: whoever may use a tenth of a core and does is at 1.
    pub cpu: f64,
    /// How late engine threads woke, sampled ten times a second on each, and in an open load how late each arrival
    /// was served. Without arrivals the timer counts in whole milliseconds and rounds up, so an idle engine shows
    /// up to 1 ms.
    pub lag: Histogram,
    /// Connections made anew because the target had closed a kept one between two requests.
    pub reconnects: u64,
    /// Requests and messages that the agent's own cap on their rate held back.
    pub held_back: u64,
    /// Memory of this process in bytes (resident); 0 where the system does not tell.
    pub memory_bytes: u64,
    /// The same before the run's first user.
    pub memory_at_start_bytes: u64,
    /// WebSocket connections open at the window's end, or when the threads woke after it.
    pub connections: u64,
    /// What the system said of this process.
    pub host: HostUse,
    /// Users, iterations and arrivals that began.
    pub starts: Starts,
    /// Requests that failed because this machine had no descriptor, port or memory left for their connection.
    pub exhausted: u64,
}

/// How busy a generator is whose process used so many `cores`, and whose busiest thread `busy` of one: 1 is all that it
/// may use, which is `limit` thousandths of a core.
pub(super) fn cpu_share(cores: f64, busy: f64, limit: Option<u32>) -> f64 {
    let here = || std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64);
    let limit = limit.map_or_else(here, |permille| f64::from(permille) / 1e3);
    (cores / limit).max(busy / limit.min(1.0)).clamp(0.0, 1.0)
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub(super) fn memory_bytes() -> u64 {
    memory::resident_bytes().unwrap_or(0)
}

/// Tells the processor time that some threads have used; `None` where the system does not.
type Clock = fn() -> Option<Duration>;

/// Measures how many cores some threads use between two readings; none where the system does not tell.
#[derive(Debug)]
pub(super) struct CpuMeter {
    clock: Clock,
    last: (Instant, Duration),
    cores: f64,
}

impl CpuMeter {
    /// Shortest stretch that is measured anew: a shorter one repeats the last, for the processor clock
    /// is too coarse.
    const STRETCH_MIN: Duration = Duration::from_millis(100);

    /// Starts measuring all threads of this process.
    pub(super) fn of_process() -> CpuMeter {
        CpuMeter::start(processor::process_time)
    }

    /// Starts measuring the calling thread, which must make all readings.
    pub(super) fn of_thread() -> CpuMeter {
        CpuMeter::start(processor::thread_time)
    }

    fn start(clock: Clock) -> CpuMeter {
        CpuMeter { clock, last: (Instant::now(), clock().unwrap_or_default()), cores: 0.0 }
    }

    /// Cores in use since the last call.
    pub(super) fn cores(&mut self) -> f64 {
        let now = Instant::now();
        if now - self.last.0 >= CpuMeter::STRETCH_MIN {
            let used = (self.clock)().unwrap_or_default();
            let busy = used.saturating_sub(self.last.1).as_secs_f64();
            self.cores = busy / (now - self.last.0).as_secs_f64();
            self.last = (now, used);
        }
        self.cores
    }
}

/// Measures for as long as it is polled how late this thread wakes. After a stall it makes up for every
/// reading that was missed, so a stall weighs as long as it took.
pub(super) async fn watch_lag(tally: Rc<Tally>, alarm: Alarm) {
    let mut intended = Instant::now();
    loop {
        intended += LAG_INTERVAL;
        alarm.at(intended).await;
        tally.lag.borrow_mut().record(Instant::now().saturating_duration_since(intended));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_one_of_what_may_be_used() {
        let check = |cores: f64, busy: f64, limit: Option<u32>, expected: f64| {
            let got = cpu_share(cores, busy, limit);
            assert!((got - expected).abs() < 1e-9, "{cores} {busy} {limit:?}: {got}");
        };
        check(1.0, 0.5, Some(4_000), 0.5);
        check(3.0, 0.9, Some(4_000), 0.9);
        check(3.9, 0.9, Some(4_000), 0.975);
        // A tenth of a core, all of it used.
        check(0.1, 0.08, Some(100), 1.0);
        check(0.05, 0.05, Some(100), 0.5);
        check(2.0, 0.8, Some(2_500), 0.8);
        check(9.0, 9.0, Some(1), 1.0);
        check(0.0, 0.0, None, 0.0);
    }

    #[test]
    fn a_busy_thread_shows() {
        let mut meters = [CpuMeter::of_process(), CpuMeter::of_thread()];
        let begun = Instant::now();
        while begun.elapsed() < CpuMeter::STRETCH_MIN {
            std::hint::black_box(0);
        }
        for meter in &mut meters {
            let cores = meter.cores();
            assert!(cores > 0.0 && cores < 1e4, "{cores}");
        }
    }
}
