//! What a threshold on a figure has seen, and how it came out.

use crate::results::{Span, quantity};
use metrics::threshold::{FigureThreshold, Status};
use std::collections::VecDeque;
use std::time::Duration;

/// The threshold that stops the run.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureBreach {
    /// Which probe of the plan.
    pub probe: usize,
    /// Which of its thresholds.
    pub threshold: usize,
    /// When the sample that missed it was due, since T0.
    pub at: Duration,
    /// For a person who watches.
    pub told: String,
}

/// A threshold on a figure with its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedFigure {
    /// The probe's name.
    pub probe: String,
    /// The sentence.
    pub threshold: FigureThreshold,
    /// The worst sample; with `over`, the worst mean of a window. `None` without data.
    pub observed: Option<f64>,
    /// How it came out.
    pub status: Status,
    /// How many samples it rests on; with `over`, those of the worst window.
    pub samples: u64,
    /// With `over`, the worst window.
    pub span: Option<Span>,
    /// When since T0 it stopped the run, if it did.
    pub aborted: Option<Duration>,
    /// Whether samples that a former coordinator took with it could change the outcome.
    pub undecided: bool,
}

/// A threshold while samples come.
#[derive(Clone, Debug)]
pub(super) struct Judging {
    threshold: FigureThreshold,
    /// From one sample to the next.
    every: Duration,
    /// The first sample that counts is due then.
    warmup: Duration,
    samples: u64,
    worst: Option<Worst>,
    window: VecDeque<(Duration, f64)>,
    judged: u64,
    missed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Worst {
    value: f64,
    samples: u64,
    from: Duration,
    to: Duration,
}

impl Judging {
    pub(super) fn new(threshold: &FigureThreshold, every: Duration, warmup: Duration) -> Judging {
        Judging {
            threshold: threshold.clone(),
            every,
            warmup,
            samples: 0,
            worst: None,
            window: VecDeque::new(),
            judged: 0,
            missed: 0,
        }
    }

    pub(super) fn threshold(&self) -> &FigureThreshold {
        &self.threshold
    }

    /// Takes the sample that was due `at`; gives whether the run is lost by it, and may be stopped.
    pub(super) fn add(&mut self, at: Duration, value: Option<f64>) -> bool {
        let Some(measured) = at.checked_sub(self.warmup) else { return false };
        let to = at.saturating_add(self.every);
        self.samples += u64::from(value.is_some());
        let judged = match self.threshold.over {
            None => value.map(|value| Worst { value, samples: self.samples, from: at, to }),
            Some(over) => {
                self.window.extend(value.map(|value| (at, value)));
                while self.window.front().is_some_and(|(oldest, _)| *oldest + over <= at) {
                    self.window.pop_front();
                }
                // A sample stands for the time until the next one.
                let full = measured.saturating_add(self.every) >= over;
                let samples = self.window.len() as u64;
                let enough = samples >= self.threshold.samples.unwrap_or(1);
                (full && enough).then(|| Worst {
                    value: mean(&self.window),
                    samples,
                    from: to.saturating_sub(over),
                    to,
                })
            }
        };
        if let Some(judged) = judged {
            self.judged += 1;
            self.missed += u64::from(self.threshold.judge(judged.value) != Status::Pass);
            if self.worst.is_none_or(|worst| self.threshold.is_worse(judged.value, worst.value)) {
                self.worst = Some(judged);
            }
        }
        self.threshold.abort.is_some_and(|after| measured >= after) && self.status() == Status::Fail
    }

    fn status(&self) -> Status {
        match self.worst {
            Some(worst) if self.has_enough() => self.threshold.judge(worst.value),
            _ => Status::NoData,
        }
    }

    /// Windows have been looked at one by one.
    fn has_enough(&self) -> bool {
        self.threshold.over.is_some() || self.samples >= self.threshold.samples.unwrap_or(1)
    }

    /// The worst so far, with its place, for a person.
    pub(super) fn worst_told(&self) -> String {
        self.worst.map_or_else(String::new, |worst| told(worst.value))
    }

    /// How it came out. Samples that were due before `lost` are not known.
    pub(super) fn finish(
        &self,
        probe: &str,
        lost: Option<Duration>,
        aborted: Option<Duration>,
    ) -> JudgedFigure {
        let status = self.status();
        let worst = self.worst.filter(|_| status != Status::NoData);
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let span = worst.filter(|_| self.threshold.over.is_some()).map(|worst| Span {
            from: seconds(worst.from),
            to: seconds(worst.to + Duration::from_nanos(999_999_999)),
            judged: self.judged,
            missed: self.missed,
        });
        let samples = match (worst, span) {
            (Some(worst), Some(_)) => worst.samples,
            _ => self.samples,
        };
        JudgedFigure {
            probe: probe.to_owned(),
            threshold: self.threshold.clone(),
            observed: worst.map(|worst| worst.value),
            status,
            samples,
            span,
            aborted,
            undecided: status != Status::Fail && lost.is_some_and(|lost| lost > self.warmup),
        }
    }
}

impl JudgedFigure {
    /// The observed value as a person reads it.
    pub fn observed_text(&self) -> Option<String> {
        self.observed.map(told)
    }

    /// `probe:NAME`
    pub fn scope(&self) -> String {
        format!("probe:{}", self.probe)
    }

    /// Which of its values decided: `"target"` or `"critical"`.
    pub fn level(&self) -> &'static str {
        match (self.status, self.threshold.critical) {
            (Status::Fail, Some(_)) => "critical",
            _ => "target",
        }
    }

    /// What a person is told: what was observed, and what was asked for.
    pub fn sentence(&self) -> String {
        let (name, probe, expression) = (&self.threshold.name, &self.probe, &self.threshold.expression);
        match (self.observed_text(), self.span) {
            (Some(observed), Some(Span { from, to, judged, missed })) => format!(
                "{name} of probe `{probe}` was {observed} on average from {from} s to {to} s, the worst of {} windows, {} of \
                 which missed it; threshold {expression}",
                quantity::count(judged),
                quantity::count(missed)
            ),
            (Some(observed), None) => {
                format!("{name} of probe `{probe}` was {observed} at worst, threshold {expression}")
            }
            (None, _) if self.samples > 0 => format!(
                "{name} of probe `{probe}` rests on only {} samples, threshold {expression}",
                quantity::count(self.samples)
            ),
            (None, _) => format!("{name} of probe `{probe}` has no data, threshold {expression}"),
        }
    }

    /// That it stopped the run, in words.
    pub fn stopped_the_run(&self) -> Option<String> {
        let (expression, probe) = (&self.threshold.expression, &self.probe);
        let at = self.aborted?.as_secs();
        Some(format!(
            "the run was stopped after {at} s, because `{expression}` of probe `{probe}` was missed for certain"
        ))
    }
}

/// The mean of the values; rounding does not take it out of their range, so that of equals it is their value.
fn mean(window: &VecDeque<(Duration, f64)>) -> f64 {
    let values = || window.iter().map(|(_, value)| *value);
    let mean: f64 = values().map(|value| value / window.len() as f64).sum();
    mean.max(values().fold(f64::INFINITY, f64::min)).min(values().fold(f64::NEG_INFINITY, f64::max))
}

/// A plain number with at most six decimals, as it would be written.
pub(crate) fn told(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e15).contains(&value.abs()) {
        return format!("{value:.4e}");
    }
    let text = quantity::decimal(value, 6);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
