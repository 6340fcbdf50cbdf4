//! What one agent's windows add up to.

use super::agent_health::AgentHealth;
use super::warmup::Part;
use bytes::Bytes;
use proto::message::{Cumulative, HealthReport, WindowReport};
use std::collections::VecDeque;

/// Windows that say how fast an agent was when it was lost.
const RECENT: usize = 10;

/// Windows with most of its users after which an agent's own pace is known.
const SETTLED: usize = 3;

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
    /// Requests given up after the warm-up.
    pub(super) aborted_measured: u64,
    /// How it fared after the warm-up.
    pub(super) health: AgentHealth,
    /// How it fared in its newest window; `None` when there will be no more.
    pub(super) latest: Option<HealthReport>,
}

impl AgentTotals {
    /// Adds a window of `part`. Its requests were made by its users, or by its share of the
    /// arrivals of an open load: so many in `pace`.
    pub(super) fn add(&mut self, window: &WindowReport, part: Part, pace: u32) {
        self.windows += 1;
        self.coalesced += u64::from(window.seconds() > 1);
        let applied = &mut self.applied;
        applied.started = applied.started.saturating_add(window.started);
        applied.ok = applied.ok.saturating_add(window.ok());
        applied.failed = applied.failed.saturating_add(window.failed());
        applied.aborted = applied.aborted.saturating_add(window.aborted);
        self.newest = self.newest.max(Some(window.last_second()));
        self.users = window.users;
        // A copy of the lag: the window's bytes would be kept with it.
        let lag = Bytes::copy_from_slice(&window.health.lag);
        self.latest = (!window.last).then(|| HealthReport { lag, ..window.health.clone() });
        self.in_flight = window.in_flight;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        // Of several seconds the mean: which of them was the busiest is not known.
        self.recent.push_back((window.started.div_ceil(window.seconds().into()), pace));
        if part == Part::Measured {
            self.aborted_measured = self.aborted_measured.saturating_add(window.aborted);
            self.health.add(window.index, window.seconds(), &window.health);
        }
    }

    /// Whether its windows say how fast its `users` are: at least half of them were there in a few of these. The first second
    /// of a user is hardly ever a whole one.
    pub(super) fn has_settled(&self, users: u32) -> bool {
        let full = |(_, had): &&(u64, u32)| u64::from(*had) * 2 >= u64::from(users);
        self.recent.iter().filter(full).count() >= SETTLED
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
    fn a_pace_is_settled_after_a_few_windows_with_most_of_the_users() {
        let check = |recent: &[(u64, u32)], users: u32, expected: bool| {
            let totals = AgentTotals { recent: recent.iter().copied().collect(), ..AgentTotals::default() };
            assert_eq!(totals.has_settled(users), expected, "{recent:?}");
        };
        check(&[], 2, false);
        check(&[(1, 1), (8, 2)], 2, false);
        check(&[(1, 1), (8, 2), (9, 2)], 2, true);
        check(&[(5, 3), (5, 3), (5, 3)], 10, false);
        check(&[(5, 5), (5, 5), (5, 5)], 10, true);
        check(&[(5, 0), (5, 0), (5, 0)], 0, true);
    }

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
}
