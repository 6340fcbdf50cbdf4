//! A threshold with its outcome.

use super::missing::Range;
use super::quantity;
use metrics::threshold::{Judgement, Metric, Status};
use metrics::{SeriesStats, Threshold};
use plan::Plan;
use plan::model::ThresholdScope;
use std::time::Duration;

/// A threshold with its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedThreshold {
    /// What it judges.
    pub scope: ThresholdScope,
    /// The sentence.
    pub threshold: Threshold,
    /// How it came out by what was merged.
    pub judgement: Judgement,
    /// How it could come out at best if the missing requests were known.
    pub best: Status,
    /// The same at worst.
    pub worst: Status,
}

impl JudgedThreshold {
    /// Judges `stats`, collected over `elapsed`, of which at most `missing` requests are not there.
    pub(super) fn new(
        scope: ThresholdScope,
        threshold: &Threshold,
        stats: &SeriesStats,
        elapsed: Duration,
        missing: Option<u64>,
    ) -> JudgedThreshold {
        let Range { best, worst } = Range::of(threshold, stats, elapsed, missing);
        let judgement = threshold.judge(stats, elapsed);
        JudgedThreshold { scope, threshold: threshold.clone(), judgement, best, worst }
    }

    /// Whether the missing requests could change the outcome.
    pub fn is_undecided(&self) -> bool {
        self.best != self.worst
    }

    /// Which of its values decided: `"target"` or `"critical"`.
    pub fn level(&self) -> &'static str {
        match (self.judgement.status, self.threshold.critical) {
            (Status::Fail, Some(_)) => "critical",
            _ => "target",
        }
    }

    /// The observed value with its unit; with more digits where rounding would make it look like the value it
    /// is compared with.
    pub fn observed(&self) -> Option<String> {
        let observed = self.judgement.observed?;
        let compared = match self.level() {
            "critical" => self.threshold.critical.unwrap_or(self.threshold.value),
            _ => self.threshold.value,
        };
        let metric = self.threshold.metric;
        let shown = (0..4).map(|more| with_unit(metric, observed, more));
        let compared = (0..4).map(|more| with_unit(metric, compared, more));
        let different = shown.clone().zip(compared).find(|(shown, compared)| shown != compared);
        different.map(|(shown, _)| shown).or_else(|| shown.into_iter().next())
    }

    /// What a person is told: what was observed, and what was asked for.
    pub(super) fn sentence(&self, plan: &Plan) -> String {
        let (metric, scope) = (self.threshold.metric.name(), describe(self.scope, plan));
        let expression = &self.threshold.expression;
        match self.observed() {
            Some(observed) => format!("{metric} of {scope} is {observed}, threshold {expression}"),
            None => format!("{metric} of {scope} has no data, threshold {expression}"),
        }
    }
}

fn with_unit(metric: Metric, value: f64, more_digits: usize) -> String {
    match metric.unit() {
        "%" => quantity::percent_to(value, 2 + more_digits),
        "ms" => quantity::milliseconds_to(value, 3 + more_digits),
        "/s" => format!("{}/s", quantity::decimal(value, 2 + more_digits)),
        _ => quantity::decimal(value, 0),
    }
}

fn describe(scope: ThresholdScope, plan: &Plan) -> String {
    match scope {
        ThresholdScope::Plan => "all requests".to_owned(),
        ThresholdScope::Group(id) => format!("group `{}`", plan.groups[id.0 as usize].name),
        ThresholdScope::Request(id) => format!("request `{}`", plan.series[id.0 as usize].name),
    }
}
