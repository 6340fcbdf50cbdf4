//! How the generator itself fares: a saturated one must not pass for a slow target.

use super::alarm::Alarm;
use super::limits::LAG_INTERVAL;
use super::tally::Tally;
use metrics::Histogram;
use rustix::time::{ClockId, clock_gettime};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The generator's own state during one window.
#[derive(Clone, Debug)]
pub struct Health {
    /// How busy the generator was, 0 to 1: the share of one core that its busiest engine thread used (users
    /// never migrate, so a full thread is a full generator), or the share of all its cores that the process
    /// used, whichever is larger.
    pub cpu: f64,
    /// How late engine threads woke, sampled ten times a second on each, and in an open load how late each arrival
    /// was served. Without arrivals the timer counts in whole milliseconds and rounds up, so an idle engine shows
    /// up to 1 ms.
    pub lag: Histogram,
    /// Connections made anew because the target had closed a kept one between two requests.
    pub reconnects: u64,
    /// Memory of this process in bytes (resident); 0 where the system does not tell.
    pub memory_bytes: u64,
    /// The same before the run's first user.
    pub memory_at_start_bytes: u64,
    /// WebSocket connections open at the window's end, or when the threads woke after it.
    pub connections: u64,
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub(super) fn memory_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Measures the share of their cores that some threads use between two readings.
#[derive(Debug)]
pub(super) struct CpuMeter {
    clock: ClockId,
    cores: u32,
    last: (Instant, Duration),
    share: f64,
}

impl CpuMeter {
    /// Shortest stretch that is measured anew: a shorter one repeats the last share, for the processor clock
    /// is too coarse.
    const STRETCH_MIN: Duration = Duration::from_millis(100);

    /// Starts measuring all threads of this process against the cores it may use.
    pub(super) fn of_process() -> CpuMeter {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as u32;
        CpuMeter::start(ClockId::ProcessCPUTime, cores)
    }

    /// Starts measuring the calling thread, which must make all readings, against one core.
    pub(super) fn of_thread() -> CpuMeter {
        CpuMeter::start(ClockId::ThreadCPUTime, 1)
    }

    fn start(clock: ClockId, cores: u32) -> CpuMeter {
        CpuMeter { clock, cores, last: (Instant::now(), used(clock)), share: 0.0 }
    }

    /// The share since the last call, 0 to 1.
    pub(super) fn share(&mut self) -> f64 {
        let now = Instant::now();
        if now - self.last.0 >= CpuMeter::STRETCH_MIN {
            let used = used(self.clock);
            let busy = used.saturating_sub(self.last.1).as_secs_f64();
            self.share = (busy / (now - self.last.0).as_secs_f64() / f64::from(self.cores)).clamp(0.0, 1.0);
            self.last = (now, used);
        }
        self.share
    }
}

/// Processor time used so far.
fn used(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
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
    #[cfg(target_os = "linux")]
    fn a_process_has_some_memory() {
        let memory = memory_bytes();
        assert!((1 << 20..1 << 40).contains(&memory), "{memory}");
    }

    #[test]
    fn a_busy_thread_shows_and_the_share_is_a_share() {
        let mut meters = [CpuMeter::of_process(), CpuMeter::of_thread()];
        let begun = Instant::now();
        while begun.elapsed() < CpuMeter::STRETCH_MIN {
            std::hint::black_box(0);
        }
        for meter in &mut meters {
            let share = meter.share();
            assert!(share > 0.0 && share <= 1.0, "{share}");
        }
    }
}
