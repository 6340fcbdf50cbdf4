//! How one agent fared, from its windows' figures.

use crate::fleet::strain::{BUSY_PERMILLE, LATE, STEAL_PERMILLE, nearly_all};
use metrics::{Histogram, Percentile, SparseHistogram};
use proto::message::{HealthReport, HostReport};
use std::collections::VecDeque;
use std::time::Duration;

/// How many seconds a busy stretch is.
pub(super) const STRETCH: usize = 10;
/// Fewest connections by which a process's growth is divided.
const TELLING_CONNECTIONS: u64 = 100;

/// How one agent fared after the warm-up.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentHealth {
    /// Thousandths of the processor time that it may use.
    pub(super) cpu: Gauge,
    /// The same over ten seconds.
    pub(super) cpu_stretch: Stretch,
    pub(super) busy: Spells,
    /// Of the last second that told it.
    pub(super) cpu_limit_permille: Option<u32>,
    /// How late the engine's threads woke up.
    pub(super) lag: SparseHistogram,
    pub(super) late: Spells,
    /// Connections made again because the server had closed them.
    pub(super) reconnects: u64,
    /// The most memory of its process, in bytes.
    pub(super) memory_bytes_max: u64,
    /// The window with the most connections.
    held_most: Held,
    /// Thousandths of the machine's time.
    pub(super) steal: Gauge,
    pub(super) robbed: Spells,
    /// How long its quota held it up; `None` where no second told.
    pub(super) throttled: Option<Duration>,
    pub(super) throttled_periods: u64,
    /// The same over ten seconds, in microseconds.
    pub(super) throttled_stretch: Stretch,
    pub(super) throttling: Spells,
    /// The second with the largest share of descriptors taken: how many, of how many.
    pub(super) descriptors: Option<(u64, u64)>,
    pub(super) crowded: Spells,
    /// The same of memory, in bytes.
    pub(super) memory: Option<(u64, u64)>,
    pub(super) full: Spells,
    /// Users, iterations and arrivals that began.
    pub(super) starts: u64,
    /// Those of them that began late.
    pub(super) late_starts: u64,
    /// How late the latest was.
    pub(super) late_start_max: Duration,
    pub(super) lateness: Spells,
    /// Requests that failed for want of descriptors, ports or memory.
    pub(super) exhausted: u64,
    pub(super) exhaustion: Spells,
    /// Requests and messages that its own cap on their rate held back.
    pub(super) held_back: u64,
    pub(super) holding_back: Spells,
}

/// A figure of each second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gauge {
    sum: u64,
    seconds: u64,
    /// The highest.
    pub(super) max: u32,
}

impl Gauge {
    fn add(&mut self, seconds: u32, value: u32) {
        self.sum += u64::from(value) * u64::from(seconds);
        self.seconds += u64::from(seconds);
        self.max = self.max.max(value);
    }

    /// Rounded down; `None` before the first.
    pub(super) fn mean(self) -> Option<u32> {
        self.sum.checked_div(self.seconds).map(|mean| mean as u32)
    }
}

/// The highest sum of [`STRETCH`] seconds in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretch {
    last: VecDeque<u64>,
    worst: Option<u64>,
}

impl Stretch {
    fn add(&mut self, seconds: u32, value: u64) {
        for _ in 0..(seconds as usize).min(STRETCH) {
            if self.last.len() == STRETCH {
                self.last.pop_front();
            }
            self.last.push_back(value);
            if self.last.len() == STRETCH {
                self.worst = self.worst.max(Some(self.sum()));
            }
        }
    }

    fn sum(&self) -> u64 {
        self.last.iter().fold(0, |sum, value| sum.saturating_add(*value))
    }

    /// The mean of a second in the worst stretch, or in all seconds of a run that is shorter; `None` before the first.
    pub(super) fn worst(&self) -> Option<u64> {
        match self.worst {
            Some(worst) => Some(worst / STRETCH as u64),
            None => self.sum().checked_div(self.last.len() as u64),
        }
    }
}

/// The seconds in which a limit was passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spells {
    /// The first of them, since T0.
    pub(super) since: Option<u32>,
    /// How many.
    pub(super) seconds: u32,
    row: u32,
    /// The most in a row.
    pub(super) longest: u32,
}

impl Spells {
    /// So many seconds, from `second` on.
    fn add(&mut self, second: u32, seconds: u32, passed: bool) {
        if !passed {
            self.row = 0;
            return;
        }
        self.since.get_or_insert(second);
        self.seconds = self.seconds.saturating_add(seconds);
        self.row = self.row.saturating_add(seconds);
        self.longest = self.longest.max(self.row);
    }
}

/// What an agent held at the end of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    /// WebSocket connections.
    connections: u64,
    /// By how many bytes its process had grown since before its first user, where the system tells.
    grown_bytes: Option<u64>,
}

impl Held {
    fn of(health: &HealthReport) -> Held {
        let start = Some(health.memory_at_start_bytes).filter(|bytes| *bytes > 0);
        let grown_bytes = start.map(|start| health.memory_bytes.saturating_sub(start));
        Held { connections: health.connections, grown_bytes }
    }
}

impl AgentHealth {
    /// Adds so many seconds from `index` on; their lag was found to be a histogram before. Of several it is the health of the
    /// worst, which is taken for each.
    pub(super) fn add(&mut self, index: u32, seconds: u32, health: &HealthReport) {
        self.cpu.add(seconds, health.cpu_permille);
        self.cpu_stretch.add(seconds, health.cpu_permille.into());
        self.busy.add(index, seconds, health.cpu_permille > BUSY_PERMILLE);
        if !health.lag.is_empty() {
            let lag = Histogram::percentile_in_v2(&health.lag, Percentile::P99).unwrap_or_default();
            self.late.add(index, seconds, lag.is_some_and(|lag| lag > LATE));
            let _ = self.lag.merge_v2(&health.lag);
        }
        self.reconnects = self.reconnects.saturating_add(health.reconnects);
        self.memory_bytes_max = self.memory_bytes_max.max(health.memory_bytes);
        if health.connections > self.held_most.connections {
            self.held_most = Held::of(health);
        }
        self.starts = self.starts.saturating_add(health.starts);
        self.late_starts = self.late_starts.saturating_add(health.late_starts);
        self.late_start_max = self.late_start_max.max(health.late_start_max);
        self.lateness.add(index, seconds, health.late_starts > 0);
        self.exhausted = self.exhausted.saturating_add(health.exhausted);
        self.exhaustion.add(index, seconds, health.exhausted > 0);
        self.held_back = self.held_back.saturating_add(health.held_back);
        self.holding_back.add(index, seconds, health.held_back > 0);
        self.add_host(index, seconds, &health.host);
    }

    fn add_host(&mut self, index: u32, seconds: u32, host: &HostReport) {
        self.cpu_limit_permille = host.cpu_limit_permille.or(self.cpu_limit_permille);
        if let Some(steal) = host.steal_permille {
            self.steal.add(seconds, steal);
            self.robbed.add(index, seconds, steal > STEAL_PERMILLE);
        }
        if let Some(throttled) = host.throttled {
            self.throttled = Some(self.throttled.unwrap_or_default().saturating_add(throttled));
            self.throttled_periods =
                self.throttled_periods.saturating_add(host.throttled_periods.unwrap_or(0));
            // All seconds of a window have the same part of it.
            let each = throttled / seconds.max(1);
            self.throttled_stretch.add(seconds, u64::try_from(each.as_micros()).unwrap_or(u64::MAX));
            self.throttling.add(index, seconds, !throttled.is_zero());
        }
        fullest(&mut self.descriptors, host.descriptors, host.descriptors_limit);
        self.crowded.add(index, seconds, nearly_all(host.descriptors, host.descriptors_limit).is_some());
        fullest(&mut self.memory, host.memory_used_bytes, host.memory_limit_bytes);
        self.full.add(index, seconds, nearly_all(host.memory_used_bytes, host.memory_limit_bytes).is_some());
    }

    /// The most WebSocket connections at once.
    pub(super) fn connections_max(&self) -> u64 {
        self.held_most.connections
    }

    /// By how many bytes the process had grown for each connection when it had the most: all that users hold, and
    /// what the process would have grown by anyway. Of fewer than [`TELLING_CONNECTIONS`], the latter is the most.
    pub(super) fn growth_per_connection(&self) -> Option<u64> {
        let Held { connections, grown_bytes } = self.held_most;
        grown_bytes.filter(|_| connections >= TELLING_CONNECTIONS).map(|grown| grown / connections)
    }

    /// Share of the processor time that it may use over its busiest ten seconds, in thousandths.
    pub(super) fn cpu_permille_worst(&self) -> Option<u32> {
        self.cpu_stretch.worst().map(|worst| worst as u32)
    }
}

/// Keeps whichever of two has less left, in shares of its limit; with equal shares the larger.
fn fullest(most: &mut Option<(u64, u64)>, used: Option<u64>, limit: Option<u64>) {
    let Some(now) = used.zip(limit).filter(|(_, limit)| *limit > 0) else { return };
    let share = |(used, limit): (u64, u64)| (u128::from(used) << 64) / u128::from(limit);
    if most.is_none_or(|most| (share(now), now.0) > (share(most), most.0)) {
        *most = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_divided_among_connections_where_there_are_enough() {
        // (connections, MiB) at the end of each window, and MiB before the first user.
        let check = |windows: &[(u64, u64)], start: u64, expected: Option<u64>| {
            let mut all = AgentHealth::default();
            for &(connections, memory) in windows {
                let (memory_bytes, memory_at_start_bytes) = (memory << 20, start << 20);
                let health = HealthReport {
                    connections,
                    memory_bytes,
                    memory_at_start_bytes,
                    ..HealthReport::default()
                };
                all.add(0, 1, &health);
            }
            assert_eq!(all.growth_per_connection(), expected, "{windows:?} from {start}");
        };
        check(&[], 0, None);
        check(&[(7, 10)], 8, None);
        check(&[(99, 10)], 8, None);
        check(&[(512, 10)], 8, Some(4096));
        check(&[(512, 10), (1024, 12), (0, 99)], 8, Some(4096));
        check(&[(512, 7)], 8, Some(0));
        check(&[(512, 10)], 0, None);
    }

    #[test]
    fn a_stretch_is_ten_seconds_or_the_whole_of_a_shorter_run() {
        let check = |values: &[u64], expected: Option<u64>| {
            let mut stretch = Stretch::default();
            for &value in values {
                stretch.add(1, value);
            }
            assert_eq!(stretch.worst(), expected, "{values:?}");
        };
        check(&[], None);
        check(&[5], Some(5));
        check(&[0, 10, 20], Some(10));
        check(&[100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Some(10));
        check(&[0, 0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 0], Some(10));
        let mut stretch = Stretch::default();
        stretch.add(3600, 7);
        assert_eq!(stretch.worst(), Some(7), "an hour in one window");
    }

    #[test]
    fn spells_know_when_they_began_and_how_long_they_lasted() {
        let mut spells = Spells::default();
        for (second, passed) in "..--.-...---.".chars().enumerate() {
            spells.add(second as u32, 1, passed == '-');
        }
        assert_eq!(spells, Spells { since: Some(2), seconds: 6, row: 0, longest: 3 });
        spells.add(13, 4, true);
        assert_eq!(
            spells,
            Spells { since: Some(2), seconds: 10, row: 4, longest: 4 },
            "a window of four seconds"
        );
    }

    #[test]
    fn the_fullest_second_is_kept() {
        let mut most = None;
        for (used, limit) in [
            (None, Some(9)),
            (Some(5), None),
            (Some(5), Some(10)),
            (Some(8), Some(20)),
            (Some(6), Some(10)),
            (Some(1), Some(0)),
        ] {
            fullest(&mut most, used, limit);
        }
        assert_eq!(most, Some((6, 10)));
        fullest(&mut most, Some(u64::MAX), Some(u64::MAX));
        assert_eq!(most, Some((u64::MAX, u64::MAX)));
    }
}
