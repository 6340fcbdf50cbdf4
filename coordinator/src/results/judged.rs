//! A threshold with its outcome.

use super::missing::{Range, severity};
use super::quantity;
use super::sliding::{Span, Worst};
use super::watched::Breach;
use metrics::threshold::{Judgement, Metric, Status};
use metrics::{SeriesStats, Threshold};
use plan::Plan;
use plan::model::{ScopedThreshold, ThresholdScope};
use std::time::Duration;

/// A threshold with its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedThreshold {
    /// What it judges.
    pub scope: ThresholdScope,
    /// The sentence.
    pub threshold: Threshold,
    /// How it came out by what was merged; with `over`, in its worst window.
    pub judgement: Judgement,
    /// With `over`, the window of the judgement: of equally bad ones the first.
    pub span: Option<Span>,
    /// If it stopped the run, when since T0 it was certain that it would be missed.
    pub aborted: Option<Duration>,
    /// How it could come out at best if the missing requests were known.
    pub best: Status,
    /// The same at worst.
    pub worst: Status,
}

impl JudgedThreshold {
    /// Judges `stats`, collected over `elapsed`, of which at most `missing` requests are not there.
    pub(super) fn new(
        scoped: &ScopedThreshold,
        stats: &SeriesStats,
        elapsed: Duration,
        missing: Option<u64>,
    ) -> JudgedThreshold {
        let threshold = scoped.threshold.clone();
        let Range { best, worst } = Range::of(&threshold, stats, elapsed, missing);
        let judgement = threshold.judge(stats, elapsed);
        JudgedThreshold { scope: scoped.scope, threshold, judgement, span: None, aborted: None, best, worst }
    }

    /// Judges a threshold over sliding windows by the worst of them. At most `missing` requests are in no window; all of
    /// them may belong to one.
    pub(super) fn over_windows(
        scoped: &ScopedThreshold,
        window: Option<Worst>,
        missing: Option<u64>,
    ) -> JudgedThreshold {
        let (scope, threshold) = (scoped.scope, scoped.threshold.clone());
        let Some(window) = window else {
            let judgement = threshold.judge(&SeriesStats::default(), Duration::ZERO);
            let unknown = missing != Some(0);
            let (best, worst) =
                if unknown { (Status::Pass, Status::Fail) } else { (Status::NoData, Status::NoData) };
            return JudgedThreshold { scope, threshold, judgement, span: None, aborted: None, best, worst };
        };
        let status = window.judgement.status;
        let elapsed = threshold.over.unwrap_or_default();
        let worse = missing.is_none_or(|missing| missing > window.bears);
        let worst = if worse && status != Status::Fail { Status::Fail } else { status };
        let best = Range::of(&threshold, &window.stats(), elapsed, missing).best;
        let best = if severity(best) < severity(status) { best } else { status };
        let (judgement, span) = (window.judgement, Some(window.span));
        JudgedThreshold { scope, threshold, judgement, span, aborted: None, best, worst }
    }

    /// It was certain that it would be missed, and the run was stopped for that: what came after does not change it.
    pub(super) fn that_stopped_the_run(mut self, breach: &Breach) -> JudgedThreshold {
        self.aborted = Some(breach.at);
        if self.judgement.status != Status::Fail {
            self.judgement = breach.judgement.clone();
        }
        (self.best, self.worst) = (Status::Fail, Status::Fail);
        self
    }

    /// Whether the missing requests could change the outcome.
    pub fn is_undecided(&self) -> bool {
        self.best != self.worst
    }

    /// Which of its values decided: `"target"` or `"critical"`.
    pub fn level(&self) -> &'static str {
        level(&self.threshold, &self.judgement)
    }

    /// The observed value with its unit; with more digits where rounding would make it look like the value it
    /// is compared with.
    pub fn observed(&self) -> Option<String> {
        observed(&self.threshold, &self.judgement)
    }

    /// What a person is told: what was observed, and what was asked for.
    pub(super) fn sentence(&self, plan: &Plan) -> String {
        let (metric, scope) = (self.threshold.metric.name(), describe(self.scope, plan));
        let expression = &self.threshold.expression;
        let place = match self.span {
            Some(Span { from, to, judged: 1, .. }) => format!(" from {from} s to {to} s"),
            Some(Span { from, to, judged, missed: 0 }) => {
                format!(" from {from} s to {to} s, the worst of {} windows", quantity::count(judged))
            }
            Some(Span { from, to, judged, missed }) => {
                let (judged, missed) = (quantity::count(judged), quantity::count(missed));
                format!(" from {from} s to {to} s, the worst of {missed} windows of {judged} that missed it")
            }
            None => String::new(),
        };
        match (self.observed(), self.threshold.over) {
            (Some(observed), _) if place.is_empty() => {
                format!("{metric} of {scope} is {observed}, threshold {expression}")
            }
            (Some(observed), _) => {
                format!("{metric} of {scope} was {observed}{place}; threshold {expression}")
            }
            (None, Some(over)) => {
                let over = quantity::count(over.as_secs());
                let enough = match self.threshold.samples {
                    Some(least) => format!("with {} requests", quantity::count(least)),
                    None => "with data".to_owned(),
                };
                format!("{metric} of {scope} had no window of {over} s {enough}, threshold {expression}")
            }
            (None, None) if self.judgement.samples > 0 && self.threshold.samples.is_some() => {
                let samples = quantity::count(self.judgement.samples);
                format!("{metric} of {scope} rests on only {samples} requests, threshold {expression}")
            }
            (None, None) => format!("{metric} of {scope} has no data, threshold {expression}"),
        }
    }

    /// That chance alone could have turned the outcome, in words; `None` if it hardly could.
    pub(super) fn doubtful(&self, plan: &Plan) -> Option<String> {
        let (limit, interval) = (self.judgement.straddled?, self.judgement.interval?);
        let Metric::Latency(percentile) = self.threshold.metric else { return None };
        let (metric, scope) = (self.threshold.metric.name(), describe(self.scope, plan));
        let ms = |latency: Duration| latency.as_nanos() as f64 / 1e6;
        let limit = quantity::milliseconds_to(limit, 3);
        let straddles = match (interval.low, interval.high) {
            (Some(low), Some(high)) => {
                let range = quantity::range_of_milliseconds(ms(low), ms(high));
                format!("the 95 % interval {range} straddles the limit {limit}")
            }
            (low, _) => {
                let end = if low.is_some() { "upper" } else { "lower" };
                let samples = quantity::count(self.judgement.samples);
                let needed = percentile
                    .samples_for_interval()
                    .map_or(String::new(), |n| format!(", it takes {}", quantity::count(n)));
                format!(
                    "the 95 % interval straddles the limit {limit}: {samples} samples bound no {end} end{needed}"
                )
            }
        };
        let observed = self.observed()?;
        Some(format!("{metric} of {scope} is {observed}, but {straddles}"))
    }

    /// That it stopped the run, in words.
    pub(super) fn stopped_the_run(&self, plan: &Plan) -> Option<String> {
        let at = self.aborted?.as_secs();
        let (expression, scope) = (&self.threshold.expression, describe(self.scope, plan));
        Some(format!(
            "the run was stopped after {at} s, because `{expression}` of {scope} was missed for certain"
        ))
    }
}

/// Which threshold stops the run and why, for a person who watches.
pub(super) fn breach_text(breach: &Breach, plan: &Plan) -> String {
    let scoped = &plan.thresholds[breach.threshold];
    let (name, scope) = (scoped.threshold.metric.name(), describe(scoped.scope, plan));
    let observed = observed(&scoped.threshold, &breach.judgement).unwrap_or_default();
    format!("the run stops: {name} of {scope} is {observed}, threshold {}", scoped.threshold.expression)
}

fn level(threshold: &Threshold, judgement: &Judgement) -> &'static str {
    match (judgement.status, threshold.critical) {
        (Status::Fail, Some(_)) => "critical",
        _ => "target",
    }
}

/// The observed value with its unit, told apart from the value that it is compared with.
pub(super) fn observed(threshold: &Threshold, judgement: &Judgement) -> Option<String> {
    let observed = judgement.observed?;
    let compared = match level(threshold, judgement) {
        "critical" => threshold.critical.unwrap_or(threshold.value),
        _ => threshold.value,
    };
    let metric = threshold.metric;
    let shown = (0..4).map(|more| with_unit(metric, observed, more));
    let compared = (0..4).map(|more| with_unit(metric, compared, more));
    let different = shown.clone().zip(compared).find(|(shown, compared)| shown != compared);
    different.map(|(shown, _)| shown).or_else(|| shown.into_iter().next())
}

fn with_unit(metric: Metric, value: f64, more_digits: usize) -> String {
    match metric.unit() {
        "%" => quantity::percent_to(value, 2 + more_digits),
        "ms" => quantity::milliseconds_to(value, 3 + more_digits),
        "/s" => format!("{}/s", quantity::decimal(value, 2 + more_digits)),
        _ => quantity::decimal(value, 0),
    }
}

/// A scope in words.
pub(super) fn describe(scope: ThresholdScope, plan: &Plan) -> String {
    match scope {
        ThresholdScope::Plan => "all requests".to_owned(),
        ThresholdScope::Group(id) => format!("group `{}`", plan.groups[id.0 as usize].name),
        ThresholdScope::Request(id) => format!("request `{}`", plan.series[id.0 as usize].name),
    }
}
