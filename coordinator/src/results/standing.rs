//! The run as it stands, part by part: what a person who watches it is shown, each time a second is closed.

use super::judged::{describe, observed};
use super::{AgentId, Results, record};
use crate::fleet::strain::Strain;
use crate::observe::FigureStanding;
use metrics::threshold::Status;
use metrics::{Histogram, Percentile, SeriesStats};
use plan::model::{GroupId, Series, ThresholdScope};
use std::time::Duration;

/// A group, a request of a plan without groups, or all requests, since the end of the warm-up.
#[derive(Clone, Debug, PartialEq)]
pub struct PartStanding {
    /// What it is called in the plan.
    pub name: String,
    /// Requests that ended.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Requests per second, on average.
    pub rps: f64,
    /// Median latency; `None` without requests, as the others.
    pub p50: Option<Duration>,
    /// 95th percentile.
    pub p95: Option<Duration>,
    /// 99th percentile.
    pub p99: Option<Duration>,
}

/// A threshold by what was measured so far; with `over`, by its worst window so far.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdStanding {
    /// The sentence.
    pub expression: String,
    /// What it judges, in words.
    pub scope: String,
    /// How it would come out if the run ended now.
    pub status: Status,
    /// The observed value with its unit; `None` without data.
    pub observed: Option<String>,
}

/// An agent in its newest window.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentStanding {
    /// Which one.
    pub agent: AgentId,
    /// Users that it has.
    pub users: u32,
    /// How busy it is, in thousandths.
    pub cpu_permille: u32,
    /// How late its threads wake, 99th percentile; `None` if none woke.
    pub lag: Option<Duration>,
    /// What strains it, in words; `None` if nothing does.
    pub strain: Option<String>,
}

impl Results {
    /// How many seconds are closed: what stands changes when this does.
    pub fn closed_seconds(&self) -> u32 {
        self.timeline.first_open()
    }

    /// Every group, what belongs to none, and all requests. Without groups every request.
    pub fn parts(&self) -> Vec<PartStanding> {
        let requests = || self.plan.series.iter().filter(|series| series.is_request());
        let mut parts = Vec::new();
        if self.plan.groups.is_empty() {
            parts.extend(requests().map(|series| self.part(&series.name, |other| other.id == series.id)));
        } else {
            for (group, id) in self.plan.groups.iter().zip(0..) {
                let of_group = |series: &Series| series.group == Some(GroupId(id));
                parts.push(self.part(&group.name, of_group));
            }
            if requests().any(|series| series.group.is_none()) {
                parts.push(self.part("(no group)", |series| series.group.is_none()));
            }
        }
        if parts.len() != 1 {
            parts.push(self.part("all requests", |_| true));
        }
        parts
    }

    /// How every figure of the target stands, in plan order.
    pub fn figures(&self) -> Vec<FigureStanding> {
        self.figures.standing()
    }

    /// Every threshold in plan order, then those on figures of the target.
    pub fn thresholds(&self) -> Vec<ThresholdStanding> {
        let elapsed = self.measured_so_far();
        let mut scopes: Vec<(ThresholdScope, SeriesStats)> = Vec::new();
        let mut standing = Vec::new();
        for (scoped, number) in self.plan.thresholds.iter().zip(0..) {
            let threshold = &scoped.threshold;
            let judgement = if threshold.over.is_some() {
                self.watched.worst(number).map(|worst| worst.judgement)
            } else {
                let known = scopes.iter().position(|(scope, _)| *scope == scoped.scope);
                let at = known.unwrap_or_else(|| {
                    scopes.push((scoped.scope, self.stats(scoped.scope)));
                    scopes.len() - 1
                });
                Some(threshold.judge(&scopes[at].1, elapsed))
            };
            standing.push(ThresholdStanding {
                expression: threshold.expression.clone(),
                scope: describe(scoped.scope, &self.plan),
                status: judgement.as_ref().map_or(Status::NoData, |judgement| judgement.status),
                observed: judgement.and_then(|judgement| observed(threshold, &judgement)),
            });
        }
        let figures = self.figures.judged(false).into_iter().map(|figure| ThresholdStanding {
            observed: figure.observed_text(),
            scope: format!("probe `{}`", figure.probe),
            status: figure.status,
            expression: figure.threshold.expression,
        });
        standing.extend(figures);
        standing
    }

    /// Every agent that has said anything and is not gone.
    pub fn agents(&self) -> Vec<AgentStanding> {
        let there =
            self.agents.iter().filter_map(|(agent, totals)| Some((*agent, totals, totals.latest.as_ref()?)));
        let standing = there.map(|(agent, totals, latest)| AgentStanding {
            agent,
            users: totals.users,
            cpu_permille: latest.cpu_permille,
            // It was found to be a histogram.
            lag: Histogram::percentile_in_v2(&latest.lag, Percentile::P99).unwrap_or_default(),
            strain: Strain::of(latest, 1).first().map(|strain| strain.text()),
        });
        standing.collect()
    }

    fn part(&self, name: &str, belongs: impl Fn(&Series) -> bool) -> PartStanding {
        let series = self.plan.series.iter().filter(|series| series.is_request() && belongs(series));
        let (mut requests, mut failures, mut ids) = (0_u64, 0_u64, Vec::new());
        for series in series {
            let stats = &self.series[series.id.0 as usize];
            requests = requests.saturating_add(stats.requests());
            failures = failures.saturating_add(stats.failed);
            ids.push(series.id);
        }
        let latency = self.intervals.latency(ids);
        let seconds = self.measured_so_far().as_secs_f64();
        PartStanding {
            name: name.to_owned(),
            requests,
            failures,
            rps: if seconds > 0.0 { requests as f64 / seconds } else { 0.0 },
            p50: latency.percentile(Percentile::P50),
            p95: latency.percentile(Percentile::P95),
            p99: latency.percentile(Percentile::P99),
        }
    }

    /// What was measured of a scope.
    fn stats(&self, scope: ThresholdScope) -> SeriesStats {
        let belongs = |series: &&Series| record::belongs(series, scope);
        let ids = self.plan.series.iter().filter(belongs).map(|series| series.id);
        SeriesStats {
            latency: Histogram::from(&self.intervals.latency(ids)),
            ..record::merged(&self.plan, &self.series, scope)
        }
    }

    /// The closed seconds of the measured time.
    fn measured_so_far(&self) -> Duration {
        let closed = Duration::from_secs(self.timeline.first_open().into()).min(self.plan.schedule.end());
        closed.saturating_sub(self.plan.warmup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{Requests, Scripted, plan};
    use std::sync::Arc;

    const AUTH: ThresholdScope = ThresholdScope::Group(GroupId(0));
    const EVERY_SECOND: &[Requests] = &[(0, 40, 10, 900), (1, 50, 0, 10), (2, 0, 0, 0), (3, 1, 0, 5)];

    fn results(thresholds: &[(ThresholdScope, &str)], seconds: u32) -> Results {
        let mut results = Results::new(Arc::new(plan(thresholds)));
        results.agent_joined(AgentId(0));
        let mut agent = Scripted::new(0, "a");
        for second in 0..seconds {
            results.apply(AgentId(0), &agent.window(second, 10, EVERY_SECOND)).unwrap();
        }
        results
    }

    #[test]
    fn parts_are_groups_and_what_has_none() {
        let ms = |ms: u64| Some(Duration::from_millis(ms));
        let near = |latency: Option<Duration>| latency.map(|l| Duration::from_millis(l.as_millis() as u64));
        let check = |part: &PartStanding, expected: (&str, u64, u64, f64, [Option<Duration>; 3])| {
            let (name, requests, failures, rps, latency) = expected;
            assert_eq!((part.name.as_str(), part.requests, part.failures), (name, requests, failures));
            assert_eq!([part.p50, part.p95, part.p99].map(near), latency, "{name}");
            assert!((part.rps - rps).abs() < 1e-9, "{name}: {}", part.rps);
        };
        let parts = results(&[], 4).parts();
        assert_eq!(parts.len(), 4);
        check(&parts[0], ("auth", 400, 40, 100.0, [ms(10), ms(900), ms(900)]));
        check(&parts[1], ("generation", 0, 0, 0.0, [None; 3]));
        check(&parts[2], ("(no group)", 4, 0, 1.0, [ms(5); 3]));
        check(&parts[3], ("all requests", 404, 40, 101.0, [ms(10), ms(900), ms(900)]));
        assert_eq!(results(&[], 0).parts()[3].requests, 0, "before the first window");
    }

    #[test]
    fn thresholds_stand_as_they_would_come_out_now() {
        use Status::{Fail, NoData, Pass, Warn};

        let thresholds = [
            (AUTH, "p95 < 500ms"),
            (AUTH, "p95 < 500ms critical 1s"),
            (ThresholdScope::Plan, "rate > 50/s"),
            (ThresholdScope::Group(GroupId(1)), "p99 < 1s"),
            (ThresholdScope::Plan, "error_rate < 5% over 2s"),
        ];
        let check = |seconds: u32, expected: [(Status, Option<&str>); 5]| {
            let standing = results(&thresholds, seconds).thresholds();
            let got: Vec<_> = standing.iter().map(|t| (t.status, t.observed.as_deref())).collect();
            assert_eq!(got, expected, "after {seconds} s");
        };
        check(0, [(NoData, None); 5]);
        let slow = Some("900 ms");
        let rate = (Pass, Some("101.00/s"));
        check(1, [(Fail, slow), (Warn, slow), rate, (NoData, None), (NoData, None)]);
        check(3, [(Fail, slow), (Warn, slow), rate, (NoData, None), (Fail, Some("9.9 %"))]);
        assert_eq!(results(&thresholds, 1).thresholds()[0].scope, "group `auth`");
    }

    #[test]
    fn agents_stand_as_in_their_newest_window() {
        let mut results = results(&[], 2);
        let standing = results.agents();
        assert_eq!((standing.len(), standing[0].agent, standing[0].users), (1, AgentId(0), 10));
        assert_eq!(standing[0].strain, None);
        results.agent_gone(AgentId(0));
        assert_eq!(results.agents(), []);
    }
}
