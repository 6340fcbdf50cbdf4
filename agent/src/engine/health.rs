//! How the generator itself fares: a saturated one must not pass for a slow target.

use super::limits::LAG_INTERVAL;
use super::tally::Tally;
use metrics::Histogram;
use rustix::time::{ClockId, clock_gettime};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The generator's own state during one window.
#[derive(Clone, Debug)]
pub struct Health {
    /// Share of this process's cores (those it is allowed to use) that it kept busy, 0 to 1.
    pub cpu: f64,
    /// How late engine threads woke, sampled ten times a second on each. The timer counts in whole
    /// milliseconds and rounds up, so an idle engine shows up to 1 ms.
    pub lag: Histogram,
    /// Connections made anew because the target had closed a kept one between two requests.
    pub reconnects: u64,
}

/// Measures the process's share of its cores between two readings.
#[derive(Debug)]
pub(super) struct CpuMeter {
    cores: u32,
    last: (Instant, Duration),
    share: f64,
}

impl CpuMeter {
    /// Shortest stretch that is measured anew: a shorter one repeats the last share, for the processor clock
    /// is too coarse.
    const STRETCH_MIN: Duration = Duration::from_millis(100);

    /// Starts measuring now.
    pub(super) fn start() -> CpuMeter {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as u32;
        CpuMeter { cores, last: (Instant::now(), process_time()), share: 0.0 }
    }

    /// The share since the last call, 0 to 1.
    pub(super) fn share(&mut self) -> f64 {
        let now = Instant::now();
        if now - self.last.0 >= CpuMeter::STRETCH_MIN {
            let used = process_time();
            let busy = used.saturating_sub(self.last.1).as_secs_f64();
            self.share = (busy / (now - self.last.0).as_secs_f64() / f64::from(self.cores)).clamp(0.0, 1.0);
            self.last = (now, used);
        }
        self.share
    }
}

/// Processor time used by all threads of this process.
fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Measures for as long as it is polled how late this thread wakes. After a stall it makes up for every
/// reading that was missed, so a stall weighs as long as it took.
pub(super) async fn watch_lag(tally: Rc<Tally>) {
    let mut intended = Instant::now();
    loop {
        intended += LAG_INTERVAL;
        tokio::time::sleep_until(intended.into()).await;
        tally.lag.borrow_mut().record(Instant::now().saturating_duration_since(intended));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_shows_and_the_share_is_a_share() {
        let mut meter = CpuMeter::start();
        let begun = Instant::now();
        while begun.elapsed() < CpuMeter::STRETCH_MIN {
            std::hint::black_box(0);
        }
        let share = meter.share();
        assert!(share > 0.0 && share <= 1.0, "{share}");
    }
}
