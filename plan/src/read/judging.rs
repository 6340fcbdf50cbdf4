//! Thresholds that are judged while the run goes on: whether there is time for them, and how much they hold.

use super::Reader;
use crate::diagnostic::{Problem, Span};
use crate::model::ThresholdScope;
use metrics::Threshold;
use metrics::unit::format_duration;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most seconds that all sliding windows of a plan may hold, one window for each scope: some hundred bytes each.
const MAX_WINDOW_SECONDS: u64 = 200_000;

impl Reader<'_> {
    /// Reports windows that are longer than what is measured, so that none would ever be judged, and warns of thresholds
    /// that have no time to stop the run. `measured` is the time from the warm-up to the end of the load at the latest.
    pub(super) fn judging(
        &mut self,
        thresholds: &[(ThresholdScope, Threshold)],
        measured: Duration,
        top: Span,
    ) {
        let time = format_duration(measured);
        let mut told: Vec<&str> = Vec::new();
        for (_, threshold) in thresholds {
            if told.contains(&threshold.expression.as_str()) {
                continue;
            }
            told.push(&threshold.expression);
            let place = self.place_of(threshold, top);
            if let Some(over) = threshold.over.filter(|over| *over > measured) {
                let over = format_duration(over);
                let problem = format!(
                    "the window `over {over}` is longer than what is measured, {time}: it could never be judged"
                );
                let whole = format_duration(Duration::from_secs(measured.as_secs()));
                let longer = format!("make the load longer than its warm-up by {over}");
                let remedy = match measured.as_secs() {
                    0 => longer,
                    _ => format!("write `over {whole}` or less, or {longer}"),
                };
                self.report(Problem::new(place, problem, remedy));
            } else if let Some(after) = threshold.abort.filter(|after| *after >= measured) {
                let after = format_duration(after);
                let problem = format!(
                    "`abort` may stop the run {after} after the warm-up, when it is over: {time} are measured"
                );
                let remedy = "write `abort after TIME` with a shorter time, or remove it";
                self.warnings.push(Problem::new(place, problem, remedy));
            }
        }
        let mut longest: BTreeMap<(u8, u32), Duration> = BTreeMap::new();
        for (scope, threshold) in thresholds {
            let scope = match scope {
                ThresholdScope::Plan => (0, 0),
                ThresholdScope::Group(group) => (1, group.0),
                ThresholdScope::Request(series) => (2, series.0),
            };
            let longest = longest.entry(scope).or_default();
            *longest = (*longest).max(threshold.over.unwrap_or_default());
        }
        let held: u64 = longest.values().map(Duration::as_secs).sum();
        if held > MAX_WINDOW_SECONDS {
            let problem = format!(
                "the windows of all thresholds (`over`) hold {held} seconds together; at most {MAX_WINDOW_SECONDS} may be held"
            );
            let remedy = "write shorter windows, or put these thresholds on groups instead of requests";
            self.report(Problem::new(top, problem, remedy));
        }
    }

    /// Where the sentence stands; the first place, if it stands in several.
    fn place_of(&self, threshold: &Threshold, otherwise: Span) -> Span {
        let same = |(_, expression): &&(Span, String)| *expression == threshold.expression;
        self.sentences.iter().find(same).map_or(otherwise, |(place, _)| *place)
    }
}
