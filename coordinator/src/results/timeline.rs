//! The run second by second, over all agents.
//!
//! A second is **open** while windows of it may still come, and only open seconds hold a histogram. It is
//! closed when every attached agent has reported it or a later one, or when an agent is
//! [`PATIENCE`] seconds ahead of it. So at most that many seconds stay open, whatever the agents send. A window
//! that comes later than that counts in the totals alone, and is counted as late.

use super::AgentId;
use super::live::Live;
use super::point::{Point, Points};
use super::user_time::{Shortfall, UserTime};
use metrics::{Counts, DenseHistogram, Histogram, Percentile};
use plan::Plan;
use proto::message::WindowReport;
use std::collections::BTreeMap;
use std::time::Duration;

/// Seconds that the timeline waits for a slow agent, counted from the fastest.
const PATIENCE: u32 = 5;

/// A second whose windows may still come.
#[derive(Clone, Debug, Default)]
struct Open {
    users: u32,
    requests: u64,
    failures: u64,
    dropped: u64,
    latency: DenseHistogram,
    cpu_permille: Option<u32>,
    lag: Option<Duration>,
}

/// The requests that ended in a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    pub(super) count: u64,
    pub(super) failures: u64,
    /// The latencies of every series of the window, in its order.
    pub(super) latencies: Vec<Latencies>,
}

/// What the histogram of a series holds.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    pub(super) counts: Counts,
    /// The service times; `None` where they are the latencies.
    pub(super) service: Option<Counts>,
    /// Whether they are of requests. Transactions and completions are made of those.
    pub(super) of_requests: bool,
}

/// The run second by second.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    /// The newest second of every agent that more is expected from.
    attached: BTreeMap<AgentId, Option<u32>>,
    newest: Option<u32>,
    open: BTreeMap<u32, Open>,
    /// Every second before this one is closed.
    first_open: u32,
    points: Points,
    last: Option<Point>,
    last_p95: Option<(u32, Duration)>,
    shortfall: Shortfall,
    late: u64,
}

/// A finished timeline.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    /// How many seconds each point covers.
    pub(super) step: u32,
    /// In order of time; seconds that nobody reported have none.
    pub(super) points: Vec<Point>,
    /// Requests whose windows came too late for their second.
    pub(super) late: u64,
    /// User-seconds asked for and missing.
    pub(super) users: UserTime,
    /// The same after the warm-up.
    pub(super) measured_users: UserTime,
}

impl Timeline {
    /// Nothing yet of a run of `plan`.
    pub(super) fn new(plan: &Plan) -> Timeline {
        Timeline {
            attached: BTreeMap::new(),
            newest: None,
            open: BTreeMap::new(),
            first_open: 0,
            points: Points::new(),
            last: None,
            last_p95: None,
            shortfall: Shortfall::new(plan),
            late: 0,
        }
    }

    /// Seconds wait for `agent` from now on.
    pub(super) fn attach(&mut self, agent: AgentId) {
        self.attached.entry(agent).or_insert(None);
    }

    /// Seconds no longer wait for `agent`.
    pub(super) fn detach(&mut self, agent: AgentId) {
        self.attached.remove(&agent);
        self.close_due();
    }

    /// Adds a window with these requests. Of several seconds, each is shown with its own users and the mean of their
    /// requests, and the last one with their latencies: more is not known.
    pub(super) fn add(&mut self, agent: AgentId, window: &WindowReport, ended: &Requests) {
        let (seconds, newest) = (window.seconds(), window.last_second());
        // It was found to be a histogram.
        let lag = Histogram::percentile_in_v2(&window.health.lag, Percentile::P99).unwrap_or_default();
        for (users, nth) in window.earlier_users.iter().copied().chain([window.users]).zip(0..) {
            let share = |of: u64| share(of, nth, seconds);
            let (requests, failed) = (share(ended.count), share(ended.failures));
            let index = window.index.saturating_add(nth);
            if index < self.first_open {
                self.late = self.late.saturating_add(requests);
                continue;
            }
            let open = self.open.entry(index).or_default();
            open.users = open.users.saturating_add(users);
            open.requests = open.requests.saturating_add(requests);
            open.failures = open.failures.saturating_add(failed);
            open.dropped = open.dropped.saturating_add(share(window.arrivals.dropped));
            open.cpu_permille = open.cpu_permille.max(Some(window.health.cpu_permille));
            open.lag = open.lag.max(lag);
            if index == newest {
                // Of more samples than a histogram counts, the first ones stand for all.
                for latencies in ended.latencies.iter().filter(|latencies| latencies.of_requests) {
                    let _ = open.latency.add(&latencies.counts);
                }
            }
        }
        self.newest = self.newest.max(Some(newest));
        if window.last {
            self.attached.remove(&agent);
        } else {
            let reported = self.attached.entry(agent).or_insert(None);
            *reported = (*reported).max(Some(newest));
        }
        self.close_due();
    }

    /// The run as it stands, with totals that the timeline does not know.
    pub(super) fn live(&self, requests: u64, failures: u64, users: u32) -> Live {
        let fresh = |(second, _): &(u32, Duration)| second.saturating_add(PATIENCE) >= self.first_open;
        Live {
            warmup: false,
            dropped: 0,
            second: self.last.map(|point| point.second),
            users,
            iterations: None,
            target_users: self.newest.map_or(0, |second| self.shortfall.target(second)),
            rps: self.last.map_or(0, |point| point.requests),
            requests,
            failures,
            p95: self.last_p95.filter(fresh).map(|(_, p95)| p95),
        }
    }

    /// Whether more is expected from `agent`.
    pub(super) fn expects(&self, agent: AgentId) -> bool {
        self.attached.contains_key(&agent)
    }

    /// How many agents more is expected from.
    pub(super) fn expected(&self) -> usize {
        self.attached.len()
    }

    /// The newest second that anyone reported.
    pub(super) fn newest(&self) -> Option<u32> {
        self.newest
    }

    /// Every second before this one is closed.
    pub(super) fn first_open(&self) -> u32 {
        self.first_open
    }

    /// Nobody is wanted from `end` on.
    pub(super) fn stop(&mut self, end: Duration) {
        self.shortfall.stop(end);
    }

    /// Closes every second.
    pub(super) fn finish(mut self) -> Closed {
        if let Some(newest) = self.newest {
            self.close_through(newest);
        }
        let (step, points) = self.points.into_parts();
        let (users, measured_users) = self.shortfall.finish();
        Closed { step, points, late: self.late, users, measured_users }
    }

    fn close_due(&mut self) {
        let Some(newest) = self.newest else { return };
        let patience = newest.checked_sub(PATIENCE);
        // `None` is less than every second: an agent that has not reported holds everything up.
        let reported = self.attached.values().copied().min().unwrap_or(Some(newest));
        if let Some(through) = reported.max(patience) {
            self.close_through(through);
        }
    }

    fn close_through(&mut self, through: u32) {
        while let Some(entry) = self.open.first_entry() {
            if *entry.key() > through {
                break;
            }
            let (second, open) = entry.remove_entry();
            self.close(second, &open);
        }
        self.first_open = self.first_open.max(through.saturating_add(1));
    }

    fn close(&mut self, second: u32, open: &Open) {
        self.shortfall.second(second, open.users);
        let point = Point {
            second,
            users: open.users,
            target_users: self.shortfall.target(second),
            requests: open.requests,
            failures: open.failures,
            dropped: open.dropped,
            p50: open.latency.percentile(Percentile::P50),
            p95: open.latency.percentile(Percentile::P95),
            p99: open.latency.percentile(Percentile::P99),
            cpu_permille: open.cpu_permille,
            lag: open.lag,
        };
        if let Some(p95) = point.p95 {
            self.last_p95 = Some((second, p95));
        }
        self.last = Some(point);
        self.points.push(point);
    }
}

/// What of `of` falls to the `nth` of so many seconds, if it is spread evenly; all shares add up.
pub(super) fn share(of: u64, nth: u32, seconds: u32) -> u64 {
    let before = |n: u64| (u128::from(of) * u128::from(n) / u128::from(seconds)) as u64;
    before(u64::from(nth) + 1) - before(nth.into())
}
