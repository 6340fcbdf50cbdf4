//! The closed seconds of the timeline, bounded.

use std::time::Duration;

/// One point of the timeline: a closed second, or a few that were joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its first second since T0.
    pub second: u32,
    /// Users at its end, over all agents that reported it.
    pub users: u32,
    /// Users that the schedule wanted then.
    pub target_users: u32,
    /// Requests that ended in it.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Arrivals that found every user busy.
    pub dropped: u64,
    /// Median latency of the requests that ended in it. Of joined seconds the largest, which is an upper
    /// bound: no percentile of a whole exceeds the largest of its parts.
    pub p50: Option<Duration>,
    /// 95th percentile, likewise.
    pub p95: Option<Duration>,
    /// 99th percentile, likewise.
    pub p99: Option<Duration>,
    /// Of its processor time, in thousandths, what the busiest agent took; of joined seconds the most.
    pub cpu_permille: Option<u32>,
    /// How late the threads of the worst agent woke, 99th percentile; of joined seconds the most.
    pub lag: Option<Duration>,
}

/// Points in order of time. Once there would be more than [`Points::MAX`], neighbours are joined and each
/// point covers twice as many seconds from then on.
#[derive(Clone, Debug)]
pub(super) struct Points {
    step: u32,
    points: Vec<Point>,
}

impl Points {
    /// 24 hours of seconds.
    pub(super) const MAX: usize = 86_400;

    pub(super) fn new() -> Points {
        Points { step: 1, points: Vec::new() }
    }

    /// Appends a second later than all before it.
    pub(super) fn push(&mut self, point: Point) {
        self.append(point);
        if self.points.len() > Points::MAX {
            self.step *= 2;
            for point in std::mem::take(&mut self.points) {
                self.append(point);
            }
        }
    }

    /// How many seconds a point covers, and the points.
    pub(super) fn into_parts(self) -> (u32, Vec<Point>) {
        (self.step, self.points)
    }

    fn append(&mut self, point: Point) {
        match self.points.last_mut() {
            Some(last) if last.second / self.step == point.second / self.step => last.join(&point),
            _ => self.points.push(Point { second: point.second / self.step * self.step, ..point }),
        }
    }
}

impl Point {
    fn join(&mut self, later: &Point) {
        self.users = later.users;
        self.target_users = later.target_users;
        self.requests = self.requests.saturating_add(later.requests);
        self.failures = self.failures.saturating_add(later.failures);
        self.dropped = self.dropped.saturating_add(later.dropped);
        self.p50 = self.p50.max(later.p50);
        self.p95 = self.p95.max(later.p95);
        self.p99 = self.p99.max(later.p99);
        self.cpu_permille = self.cpu_permille.max(later.cpu_permille);
        self.lag = self.lag.max(later.lag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_day_of_points_is_joined_in_pairs() {
        let mut points = Points::new();
        let last = Points::MAX as u32 + 10;
        for second in 0..=last {
            let p95 = Some(Duration::from_millis(u64::from(second % 2) + 1));
            let point = Point {
                second,
                users: second,
                target_users: 7,
                requests: 3,
                failures: 1,
                dropped: 2,
                p50: None,
                p95,
                p99: None,
                cpu_permille: Some(second % 2),
                lag: None,
            };
            points.push(point);
        }
        let (step, points) = points.into_parts();
        assert_eq!(step, 2);
        assert_eq!(points.len(), Points::MAX / 2 + 6);
        assert_eq!((points[1].second, points[1].users, points[1].requests, points[1].failures), (2, 3, 6, 2));
        assert_eq!(points[1].p95, Some(Duration::from_millis(2)), "the larger of the two");
        assert_eq!((points[1].dropped, points[1].cpu_permille), (4, Some(1)));
        assert_eq!(points.iter().map(|p| p.requests).sum::<u64>(), 3 * (u64::from(last) + 1));
    }
}
