//! What one agent's windows add up to.

use super::warmup::Part;
use metrics::Histogram;
use proto::message::{Cumulative, HealthReport, WindowReport};
use std::collections::VecDeque;

/// Windows that say how fast an agent was when it was lost, and how long a busy stretch is.
const RECENT: usize = 10;
/// Fewest connections by which a process's growth is divided.
const TELLING_CONNECTIONS: u64 = 100;

/// What one agent's windows add up to.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentTotals {
    /// Windows applied.
    pub(super) windows: u64,
    /// Those of them that cover several seconds.
    pub(super) coalesced: u64,
    /// The sums of their counts.
    pub(super) applied: Cumulative,
    /// The newest second that was reported.
    pub(super) newest: Option<u32>,
    /// Users at its end.
    pub(super) users: u32,
    /// Requests that were open at its end.
    pub(super) in_flight: u64,
    /// Requests started in the last windows, and the users that started them; in an open load, the arrivals.
    recent: VecDeque<(u64, u32)>,
    /// Windows after the warm-up, by which the generator is judged.
    measured: u64,
    /// Requests given up after the warm-up.
    pub(super) aborted_measured: u64,
    cpu_permille_sum: u64,
    /// Of the last windows.
    cpu_recent: VecDeque<u32>,
    /// The highest sum of so many windows in a row.
    cpu_recent_max: u32,
    /// The busiest window.
    pub(super) cpu_permille_max: u32,
    /// How late the engine's threads woke up.
    pub(super) lag: Histogram,
    /// Connections made again because the server had closed them.
    pub(super) reconnects: u64,
    /// The most memory of its process, in bytes.
    pub(super) memory_bytes_max: u64,
    /// The window with the most connections.
    held_most: Held,
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

impl AgentTotals {
    /// Adds a window of `part` whose lag is `lag`. Its requests were made by its users, or by its share of the
    /// arrivals of an open load: so many in `pace`.
    pub(super) fn add(&mut self, window: &WindowReport, lag: &Histogram, part: Part, pace: u32) {
        self.windows += 1;
        self.coalesced += u64::from(window.seconds() > 1);
        let applied = &mut self.applied;
        applied.started = applied.started.saturating_add(window.started);
        applied.ok = applied.ok.saturating_add(window.ok());
        applied.failed = applied.failed.saturating_add(window.failed());
        applied.aborted = applied.aborted.saturating_add(window.aborted);
        self.newest = self.newest.max(Some(window.last_second()));
        self.users = window.users;
        self.in_flight = window.in_flight;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        // Of several seconds the mean: which of them was the busiest is not known.
        self.recent.push_back((window.started.div_ceil(window.seconds().into()), pace));
        if part == Part::Measured {
            self.aborted_measured = self.aborted_measured.saturating_add(window.aborted);
            self.add_health(&window.health, window.seconds(), lag);
        }
    }

    /// Health of so many seconds; of several it is that of the worst, which is taken for each.
    fn add_health(&mut self, health: &HealthReport, seconds: u32, lag: &Histogram) {
        self.measured += u64::from(seconds);
        self.cpu_permille_sum += u64::from(health.cpu_permille) * u64::from(seconds);
        for _ in 0..(seconds as usize).min(RECENT) {
            if self.cpu_recent.len() == RECENT {
                self.cpu_recent.pop_front();
            }
            self.cpu_recent.push_back(health.cpu_permille);
            if self.cpu_recent.len() == RECENT {
                self.cpu_recent_max = self.cpu_recent_max.max(self.cpu_recent.iter().sum());
            }
        }
        self.cpu_permille_max = self.cpu_permille_max.max(health.cpu_permille);
        self.lag.merge(lag);
        self.reconnects = self.reconnects.saturating_add(health.reconnects);
        self.memory_bytes_max = self.memory_bytes_max.max(health.memory_bytes);
        if health.connections > self.held_most.connections {
            self.held_most = Held::of(health);
        }
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

    /// Share of its cores that it used on average, in thousandths.
    pub(super) fn cpu_permille_mean(&self) -> Option<u32> {
        self.cpu_permille_sum.checked_div(self.measured).map(|mean| mean as u32)
    }

    /// The same over the busiest stretch of [`RECENT`] windows; of fewer windows, over all of them.
    pub(super) fn cpu_permille_worst(&self) -> Option<u32> {
        if self.measured < RECENT as u64 {
            return self.cpu_permille_mean();
        }
        Some(self.cpu_recent_max / RECENT as u32)
    }

    /// The most requests that `users` users (or arrivals of an open load) would start in a second at the pace of
    /// the busiest recent window; `None` before the first window in which there was anybody: an agent that had no
    /// users is not slow.
    pub(super) fn peak_rate(&self, users: u32) -> Option<u64> {
        let scaled = |&(started, had): &(u64, u32)| {
            let (had, users) = (u128::from(had.max(1)), u128::from(users.max(had)));
            (u128::from(started) * users.max(1)).div_ceil(had)
        };
        let told = self.recent.iter().filter(|(started, had)| *started > 0 || *had > 0);
        told.map(scaled).max().map(|rate| u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_without_users_say_nothing_about_the_pace() {
        let check = |recent: &[(u64, u32)], users: u32, expected: Option<u64>| {
            let totals = AgentTotals { recent: recent.iter().copied().collect(), ..AgentTotals::default() };
            assert_eq!(totals.peak_rate(users), expected, "{recent:?}");
        };
        check(&[], 10, None);
        check(&[(0, 0), (0, 0)], 10, None);
        check(&[(0, 0), (4, 2)], 10, Some(20));
        check(&[(0, 3)], 3, Some(0));
        check(&[(7, 0)], 2, Some(14));
        check(&[(40, 10)], 5, Some(40));
    }

    #[test]
    fn memory_is_divided_among_connections_where_there_are_enough() {
        // (connections, MiB) at the end of each window, and MiB before the first user.
        let check = |windows: &[(u64, u64)], start: u64, expected: Option<u64>| {
            let mut totals = AgentTotals::default();
            for &(connections, memory) in windows {
                let (memory_bytes, memory_at_start_bytes) = (memory << 20, start << 20);
                let health = HealthReport {
                    connections,
                    memory_bytes,
                    memory_at_start_bytes,
                    ..HealthReport::default()
                };
                totals.add_health(&health, 1, &Histogram::new());
            }
            assert_eq!(totals.growth_per_connection(), expected, "{windows:?} from {start}");
        };
        check(&[], 0, None);
        check(&[(7, 10)], 8, None);
        check(&[(99, 10)], 8, None);
        check(&[(512, 10)], 8, Some(4096));
        check(&[(512, 10), (1024, 12), (0, 99)], 8, Some(4096));
        check(&[(512, 7)], 8, Some(0));
        check(&[(512, 10)], 0, None);
    }
}
