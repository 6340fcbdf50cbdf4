//! The thresholds that are judged while the run goes on: those over a sliding window, and those that may stop it.
//!
//! They are judged on closed seconds alone (`timeline`), of all agents together, after the warm-up and within the schedule:
//! what ends while running iterations finish is in no window, so a rate is not found low because nobody starts anything.
//! A second's latencies are kept encoded for as long as the longest window of their scope, and each window is one
//! [`Tally`](metrics::Tally) that seconds enter and leave.

use super::sliding::{Second, Sliding, Worst};
use super::timeline::{Requests, share};
use metrics::threshold::{Judgement, Metric};
use metrics::{SparseHistogram, Threshold};
use plan::Plan;
use plan::model::{Series, ThresholdScope};
use proto::message::WindowReport;
use std::collections::BTreeMap;
use std::time::Duration;

/// The threshold that stops the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// Which of the plan's thresholds.
    pub threshold: usize,
    /// At the end of which second since T0 it was certain.
    pub at: Duration,
    /// What it came to then.
    pub judgement: Judgement,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    scopes: Vec<Scope>,
    /// By series: which of the scopes it belongs to.
    of_series: Vec<Vec<usize>>,
    /// The first second that counts.
    first: u32,
    /// The first second that is not over when the schedule ends, or the run is stopped.
    end: u32,
    /// The next second to close.
    next: u32,
    breach: Option<Breach>,
    /// Requests that came when their second was closed.
    late: u64,
}

/// What is judged together.
#[derive(Clone, Debug)]
struct Scope {
    judges: ThresholdScope,
    /// By number of the threshold in the plan.
    thresholds: Vec<(usize, Sliding)>,
    /// When, in seconds of the measured time, each of them may stop the run.
    abort: Vec<Option<u32>>,
    keeps_latencies: bool,
    longest: u32,
    open: BTreeMap<u32, Open>,
    closed: BTreeMap<u32, Second>,
}

/// A second of which more may come.
#[derive(Clone, Debug, Default)]
struct Open {
    ok: u64,
    failed: u64,
    latency: SparseHistogram,
}

impl Watched {
    /// The thresholds of `plan` with `over` or `abort`.
    pub(super) fn new(plan: &Plan) -> Watched {
        let mut scopes: Vec<Scope> = Vec::new();
        let watched = plan
            .thresholds
            .iter()
            .enumerate()
            .filter(|(_, t)| t.threshold.over.is_some() || t.threshold.abort.is_some());
        for (number, scoped) in watched {
            let at = scopes.iter().position(|scope| scope.judges == scoped.scope).unwrap_or_else(|| {
                scopes.push(Scope::new(scoped.scope));
                scopes.len() - 1
            });
            scopes[at].watch(number, &scoped.threshold);
        }
        let scopes_of = |series: &Series| {
            let belongs = |scope: &Scope| match scope.judges {
                ThresholdScope::Plan => series.is_request(),
                ThresholdScope::Group(group) => series.is_request() && series.group == Some(group),
                ThresholdScope::Request(id) => series.id == id,
            };
            scopes.iter().enumerate().filter(|(_, scope)| belongs(scope)).map(|(at, _)| at).collect()
        };
        let first = whole_seconds(plan.warmup);
        Watched {
            of_series: plan.series.iter().map(scopes_of).collect(),
            scopes,
            first,
            end: whole_seconds(plan.schedule.end()),
            next: first,
            breach: None,
            late: 0,
        }
    }

    /// Adds a window whose series were found to be right. Of several seconds, the latencies are taken as the last one's,
    /// and the requests are spread evenly: more is not known.
    pub(super) fn add(&mut self, window: &WindowReport, ended: &Requests) {
        if self.scopes.is_empty() {
            return;
        }
        let (seconds, newest) = (window.seconds(), window.last_second());
        // What of it is closed, and what is open; what is after the end counts for nobody.
        let closed = self.next.saturating_sub(window.index).min(seconds);
        let open = closed..self.end.saturating_sub(window.index).min(seconds).max(closed);
        let mut outcomes = vec![(0_u64, 0_u64); self.scopes.len()];
        for (report, latencies) in window.series.iter().zip(&ended.latencies) {
            for &scope in &self.of_series[report.series.0 as usize] {
                let (ok, failed) = &mut outcomes[scope];
                *ok = ok.saturating_add(report.ok);
                *failed = failed.saturating_add(report.failed);
                let scope = &mut self.scopes[scope];
                if scope.keeps_latencies && newest >= self.next && newest < self.end {
                    scope.open.entry(newest).or_default().latency.add(&latencies.counts);
                }
            }
        }
        for (scope, (ok, failed)) in self.scopes.iter_mut().zip(outcomes) {
            let all = ok.saturating_add(failed);
            if all == 0 {
                continue;
            }
            for nth in open.clone() {
                let second = scope.open.entry(window.index + nth).or_default();
                second.ok = second.ok.saturating_add(share(ok, nth, seconds));
                second.failed = second.failed.saturating_add(share(failed, nth, seconds));
            }
            if newest >= self.first {
                let late = (0..closed).fold(0_u64, |late, nth| late.saturating_add(share(all, nth, seconds)));
                self.late = self.late.saturating_add(late);
            }
        }
    }

    /// Nobody is wanted from `at` on.
    pub(super) fn stop(&mut self, at: Duration) {
        self.end = self.end.min(whole_seconds(at));
    }

    /// Every second before `open` is closed.
    pub(super) fn close_before(&mut self, open: u32) {
        while self.next < open.min(self.end) {
            let second = self.next;
            let nth = second - self.first + 1;
            for scope in &mut self.scopes {
                if let Some(breach) = scope.close(second, nth)
                    && self.breach.is_none()
                {
                    self.breach = Some(breach);
                }
            }
            self.next += 1;
        }
    }

    /// The threshold that stops the run, if one does.
    pub(super) fn breach(&self) -> Option<&Breach> {
        self.breach.as_ref()
    }

    /// Requests that are in no window, because they came when their second was closed.
    pub(super) fn late(&self) -> u64 {
        self.late
    }

    /// The worst window of a threshold with `over`; `None` if none could be judged.
    pub(super) fn worst(&self, threshold: usize) -> Option<Worst> {
        let mut all = self.scopes.iter().flat_map(|scope| &scope.thresholds);
        all.find(|(number, _)| *number == threshold).and_then(|(_, sliding)| sliding.worst())
    }
}

impl Scope {
    fn new(judges: ThresholdScope) -> Scope {
        Scope {
            judges,
            thresholds: Vec::new(),
            abort: Vec::new(),
            keeps_latencies: false,
            longest: 0,
            open: BTreeMap::new(),
            closed: BTreeMap::new(),
        }
    }

    fn watch(&mut self, number: usize, threshold: &Threshold) {
        let sliding = Sliding::new(threshold);
        self.longest = self.longest.max(sliding.length().unwrap_or(0));
        self.keeps_latencies |=
            matches!(threshold.metric, Metric::Min | Metric::Mean | Metric::Latency(_) | Metric::Max);
        self.thresholds.push((number, sliding));
        self.abort.push(threshold.abort.map(whole_seconds));
    }

    /// Closes a second, the `nth` that counts, from 1 on.
    fn close(&mut self, second: u32, nth: u32) -> Option<Breach> {
        if let Some(Open { ok, failed, latency }) = self.open.remove(&second) {
            let mut encoded = Vec::new();
            if latency.count() > 0 {
                latency.encode_v2(&mut encoded);
                encoded.shrink_to_fit();
            }
            self.closed.insert(second, Second { ok, failed, latency: encoded });
        }
        let mut breach = None;
        for ((number, sliding), abort) in self.thresholds.iter_mut().zip(&self.abort) {
            let lost = sliding.close(second, nth, &self.closed);
            if lost && abort.is_some_and(|after| nth >= after) && breach.is_none() {
                let elapsed = Duration::from_secs(nth.into());
                let judgement = match sliding.worst() {
                    Some(worst) => worst.judgement,
                    None => sliding.threshold().judge_window(sliding.tally(), elapsed),
                };
                let at = Duration::from_secs(u64::from(second) + 1);
                breach = Some(Breach { threshold: *number, at, judgement });
            }
        }
        // What leaves the longest window with the next second is needed until then.
        while self.closed.first_key_value().is_some_and(|(&oldest, _)| oldest + self.longest <= second) {
            self.closed.pop_first();
        }
        breach
    }
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
