//! One threshold that is judged at every closed second: over a sliding window, or over all that was measured so far.

use super::missing::severity;
use metrics::threshold::{Judgement, Op, Status};
use metrics::{SeriesStats, Tally, Threshold};
use std::collections::BTreeMap;
use std::time::Duration;

/// A second of a scope: requests and their encoded latencies.
#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) latency: Vec<u8>,
}

/// A window that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first second since T0.
    pub from: u32,
    /// The second since T0 at which it ends.
    pub to: u32,
    /// How many windows of this threshold were judged.
    pub judged: u64,
    /// How many of them missed a value of it.
    pub missed: u64,
}

/// The worst window of a threshold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Worst {
    pub(super) span: Span,
    pub(super) judgement: Judgement,
    /// What was judged.
    pub(super) tally: Tally,
    /// So many more requests, in any one window, would leave the outcome as it is.
    pub(super) bears: u64,
}

impl Worst {
    /// What was judged, as statistics.
    pub(super) fn stats(&self) -> SeriesStats {
        let mut stats =
            SeriesStats { ok: self.tally.ok, failed: self.tally.failed, ..SeriesStats::default() };
        self.tally.latency.add_to(&mut stats.latency);
        stats
    }
}

/// What a threshold has seen.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    threshold: Threshold,
    tally: Tally,
    worst: Option<Worst>,
    judged: u64,
    missed: u64,
    /// Whether anything ever ended in a window that could be judged.
    any: bool,
    /// What each window so far bears, if the worst one passes and if it warns: the least.
    bears: [u64; 2],
}

impl Sliding {
    pub(super) fn new(threshold: &Threshold) -> Sliding {
        Sliding {
            threshold: threshold.clone(),
            tally: Tally::default(),
            worst: None,
            judged: 0,
            missed: 0,
            any: false,
            bears: [u64::MAX; 2],
        }
    }

    /// Seconds that have to be kept for it.
    pub(super) fn length(&self) -> Option<u32> {
        self.threshold.over.map(|over| u32::try_from(over.as_secs()).unwrap_or(u32::MAX))
    }

    /// Second `second` is closed, the `nth` that counts, from 1 on. Says whether the threshold is missed whatever comes.
    pub(super) fn close(&mut self, second: u32, nth: u32, seconds: &BTreeMap<u32, Second>) -> bool {
        // `Second`s are encoded by ourselves.
        if let Some(Second { ok, failed, latency }) = seconds.get(&second) {
            let _ = self.tally.add(*ok, *failed, latency);
        }
        let Some(length) = self.length() else {
            return self.threshold.is_lost(&self.tally, Duration::from_secs(nth.into()));
        };
        let left = second.checked_sub(length).and_then(|left| seconds.get(&left));
        if let Some(Second { ok, failed, latency }) = left {
            let _ = self.tally.remove(*ok, *failed, latency);
        }
        if nth >= length {
            self.judge(second, length);
        }
        let worst = self.worst.as_ref().filter(|_| self.any);
        worst.is_some_and(|worst| worst.judgement.status == Status::Fail)
    }

    /// The worst window; `None` if none could be judged.
    pub(super) fn worst(&self) -> Option<Worst> {
        let worst = self.worst.as_ref().filter(|_| self.any)?;
        let span = Span { judged: self.judged, missed: self.missed, ..worst.span };
        let bears = match worst.judgement.status {
            Status::Pass => self.bears[0],
            Status::Warn => self.bears[1],
            Status::Fail | Status::NoData => 0,
        };
        Some(Worst { span, bears, ..worst.clone() })
    }

    /// What it judges by.
    pub(super) fn threshold(&self) -> &Threshold {
        &self.threshold
    }

    /// All that was judged so far, or is in the window.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    fn judge(&mut self, second: u32, length: u32) {
        let judgement = self.threshold.judge_window(&self.tally, Duration::from_secs(length.into()));
        if judgement.status == Status::NoData {
            return;
        }
        self.any |= judgement.samples > 0;
        self.judged += 1;
        self.missed += u64::from(judgement.status != Status::Pass);
        for (bears, status) in self.bears.iter_mut().zip([Status::Pass, Status::Warn]) {
            *bears = (*bears).min(self.threshold.bears(&self.tally, status));
        }
        if self.worst.as_ref().is_none_or(|worst| self.is_worse(&judgement, &worst.judgement)) {
            let to = second + 1;
            let span = Span { from: to - length, to, judged: 0, missed: 0 };
            self.worst = Some(Worst { span, judgement, tally: self.tally.clone(), bears: 0 });
        }
    }

    fn is_worse(&self, judgement: &Judgement, than: &Judgement) -> bool {
        let severity = |judgement: &Judgement| severity(judgement.status);
        let (Some(observed), Some(before)) = (judgement.observed, than.observed) else { return false };
        let further = match self.threshold.op {
            Op::Less | Op::LessOrEqual => observed > before,
            Op::Greater | Op::GreaterOrEqual => observed < before,
            Op::Equal => (observed - self.threshold.value).abs() > (before - self.threshold.value).abs(),
            Op::NotEqual => false,
        };
        (severity(judgement), further) > (severity(than), false)
    }
}
