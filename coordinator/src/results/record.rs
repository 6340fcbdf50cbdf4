//! Everything a report says, as numbers.

use super::Results;
use super::accounting::Accounting;
use super::arrivals::ArrivalTotals;
use super::cost::Cost;
use super::facts::RunFacts;
use super::generator::Generator;
use super::intervals::{Interval, Stretches};
use super::judged::JudgedThreshold;
use super::point::Point;
use super::timeline::Closed;
use super::user_time::UserTime;
use super::verdict::{Evidence, Verdict};
use crate::observe::{FigureRecord, JudgedFigure};
use metrics::{ErrorTable, Histogram, SeriesStats};
use plan::Plan;
use plan::finite::Finite;
use plan::model::{ClassId, ScopedThreshold, Series, ThresholdScope};
use std::sync::Arc;
use std::time::Duration;

/// Everything a report says, as numbers.
#[derive(Clone, Debug)]
pub struct Record {
    /// What was to happen.
    pub plan: Arc<Plan>,
    /// What only the driver knew.
    pub facts: RunFacts,
    /// Totals, by series in plan order.
    pub series: Vec<SeriesStats>,
    /// Distinct errors.
    pub errors: ErrorTable,
    /// Seconds per point of the timeline.
    pub timeline_step: u32,
    /// The timeline; seconds that nobody reported have no point.
    pub timeline: Vec<Point>,
    /// Seconds of each of the intervals.
    pub interval_length: u32,
    /// The measured time in stretches, with latencies by series.
    pub intervals: Vec<Interval>,
    /// Requests that are in the totals, but came too late for the timeline.
    pub late: u64,
    /// What became of the arrivals of an open load.
    pub arrivals: Option<ArrivalTotals>,
    /// Requests that ended in the warm-up and are in none of the totals.
    pub left_out: u64,
    /// The time that rates are per: from the end of the warm-up to the schedule's end, or to the interruption.
    pub measured: Duration,
    /// User-seconds asked for and missing.
    pub users: UserTime,
    /// Every threshold in plan order.
    pub thresholds: Vec<JudgedThreshold>,
    /// Figures of the target itself, in plan order.
    pub observed: Vec<FigureRecord>,
    /// Every threshold on one of them, in plan order.
    pub figures: Vec<JudgedFigure>,
    /// Whether every request is accounted for.
    pub accounting: Accounting,
    /// Whether the generator was fit to measure.
    pub generator: Generator,
    /// What the agents cost, if the plan states a price.
    pub cost: Option<Cost>,
    /// What the run says about the system under test.
    pub verdict: Verdict,
    /// Why, in plain words, the decisive reasons first.
    pub reasons: Vec<String>,
    /// In a run of so many iterations: what was to do, what is done, and what users gave up.
    pub iterations: Option<(Finite, u64, u64)>,
}

impl Record {
    pub(super) fn new(mut results: Results, facts: &RunFacts) -> Record {
        if let Some(at) = facts.stopped() {
            results.interrupted(at);
        }
        if let Some(newest) = results.timeline.newest() {
            results.watched.close_before(newest.saturating_add(1));
        }
        let Results {
            plan,
            mut series,
            errors,
            agents,
            timeline,
            intervals,
            service,
            warmup,
            arrivals,
            iterations,
            watched,
            figures,
        } = results;
        let Stretches { length: interval_length, intervals, totals } = intervals.finish();
        for ((stats, latency), service) in series.iter_mut().zip(totals).zip(service.finish()) {
            (stats.latency, stats.service) = (latency, service);
        }
        let Closed { step, points, late, users, measured_users } = timeline.finish();
        let last_start = plan.schedule.end().saturating_add(plan.stop_timeout);
        let accounting = Accounting::new(facts, &agents, last_start, plan.warmup, arrivals.as_ref());
        let arrivals = arrivals.map(|books| {
            let mut start_error = Histogram::new();
            for agent in agents.values() {
                agent.health.lag.add_to(&mut start_error);
            }
            books.finish(facts.stopped().unwrap_or(plan.schedule.end()), start_error)
        });
        let measured = facts.measured.saturating_sub(plan.warmup);
        let generator = Generator::new(facts, &agents);
        let missing = accounting.unknown;
        let stopped = facts.aborted.is_some();
        let before = |at: Duration| figures.breach().is_none_or(|figure| at <= figure.at);
        let breach = watched.breach().filter(|breach| stopped && before(breach.at));
        let troubles = figures.troubles();
        let (observed, figures) = (figures.figures(), figures.judged(stopped && breach.is_none()));
        let judge = |(number, scoped): (usize, &ScopedThreshold)| {
            let judged = if scoped.threshold.over.is_some() {
                let missing = missing.map(|missing| missing.saturating_add(watched.late()));
                JudgedThreshold::over_windows(scoped, watched.worst(number), missing)
            } else {
                let stats = merged(&plan, &series, scoped.scope);
                JudgedThreshold::new(scoped, &stats, measured, missing)
            };
            match breach.filter(|breach| breach.threshold == number) {
                Some(breach) => judged.that_stopped_the_run(breach),
                None => judged,
            }
        };
        let thresholds: Vec<JudgedThreshold> = plan.thresholds.iter().enumerate().map(judge).collect();
        let evidence = Evidence {
            plan: &plan,
            facts,
            thresholds: &thresholds,
            figures: &figures,
            troubles: &troubles,
            accounting: &accounting,
            generator: &generator,
            users: measured_users,
            arrivals: arrivals.as_ref(),
            measured: series.iter().map(SeriesStats::requests).sum(),
            errors: &errors,
            iterations: iterations.counts(),
        };
        let requests = merged(&plan, &series, ThresholdScope::Plan).requests();
        let requests = requests.saturating_add(warmup.left_out().0);
        let cost = plan.agent_hour.and_then(|price| Cost::new(price, facts, requests));
        let (verdict, reasons) = evidence.weigh();
        Record {
            facts: facts.clone(),
            series,
            errors,
            timeline_step: step,
            timeline: points,
            interval_length,
            intervals,
            late,
            arrivals,
            left_out: warmup.left_out().0,
            measured,
            users,
            thresholds,
            observed,
            figures,
            accounting,
            generator,
            cost,
            verdict,
            reasons,
            iterations: iterations.counts(),
            plan,
        }
    }

    /// The merged statistics of all requests of a user class.
    pub fn class_stats(&self, class: ClassId) -> SeriesStats {
        let mut all = SeriesStats::default();
        let own = |series: &Series| series.class == class && series.is_request();
        for (_, stats) in self.plan.series.iter().zip(&self.series).filter(|(series, _)| own(series)) {
            all.merge(stats);
        }
        all
    }

    /// The merged statistics of a scope.
    pub fn stats(&self, scope: ThresholdScope) -> SeriesStats {
        merged(&self.plan, &self.series, scope)
    }
}

/// Whether a scope has this series in it.
pub(super) fn belongs(series: &Series, scope: ThresholdScope) -> bool {
    match scope {
        ThresholdScope::Plan => series.is_request(),
        ThresholdScope::Group(group) => series.is_request() && series.group == Some(group),
        ThresholdScope::Request(id) => series.id == id,
    }
}

/// The statistics of a scope.
pub(super) fn merged(plan: &Plan, stats: &[SeriesStats], scope: ThresholdScope) -> SeriesStats {
    let mut all = SeriesStats::default();
    for (_, stats) in plan.series.iter().zip(stats).filter(|(series, _)| belongs(series, scope)) {
        all.merge(stats);
    }
    all
}
