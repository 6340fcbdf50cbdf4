//! What is left out: requests that ended in the first seconds of the run, while caches fill and pools grow.

use super::timeline::Requests;
use std::time::Duration;

/// Where a second belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It counts in the accounting and stands in the timeline; nothing is judged by it.
    WarmUp,
    /// It counts everywhere.
    Measured,
}

/// The warm-up of a run and what was left out because of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct WarmUp {
    seconds: u32,
    requests: u64,
    failures: u64,
}

impl WarmUp {
    /// Nothing was left out yet. `length` is in whole seconds, as plans have it.
    pub(super) fn new(length: Duration) -> WarmUp {
        WarmUp { seconds: u32::try_from(length.as_secs()).unwrap_or(u32::MAX), requests: 0, failures: 0 }
    }

    /// Where second `index` since T0 belongs.
    pub(super) fn part(&self, index: u32) -> Part {
        if index < self.seconds { Part::WarmUp } else { Part::Measured }
    }

    /// Counts what is left out.
    pub(super) fn leave_out(&mut self, ended: &Requests) {
        self.requests = self.requests.saturating_add(ended.count);
        self.failures = self.failures.saturating_add(ended.failures);
    }

    /// Requests left out, and those of them that failed.
    pub(super) fn left_out(&self) -> (u64, u64) {
        (self.requests, self.failures)
    }
}

#[cfg(test)]
mod tests {
    use crate::results::fixture::{Requests, Scripted, facts, plan};
    use crate::results::{AgentFacts, AgentId, Lost, Record, Results, Verdict};
    use plan::model::{GroupId, ThresholdScope};
    use std::sync::Arc;
    use std::time::Duration;

    const AUTH: ThresholdScope = ThresholdScope::Group(GroupId(0));
    /// Slow and failing, then fast.
    const COLD: &[Requests] = &[(0, 40, 60, 900), (1, 5, 0, 900)];
    const WARM: &[Requests] = &[(0, 50, 0, 10), (1, 25, 1, 10)];

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    /// 10 users for 10 s, of which `warmup` seconds are cold; `change` at the end.
    fn run(
        warmup: u32,
        thresholds: &[(ThresholdScope, &str)],
        change: impl FnOnce(&mut AgentFacts),
    ) -> Record {
        let mut plan = plan(thresholds);
        plan.warmup = secs(warmup.into());
        let mut results = Results::new(Arc::new(plan));
        let mut agent = Scripted::new(0, "a");
        results.agent_joined(AgentId(0));
        for second in 0..9 {
            let requests = if second < warmup { COLD } else { WARM };
            results.apply(AgentId(0), &agent.window(second, 10, requests)).unwrap();
        }
        results.apply(AgentId(0), &agent.last(9, 0, WARM)).unwrap();
        let mut told = facts(&[&agent]);
        change(&mut told.agents[0]);
        results.finish(&told)
    }

    #[test]
    fn what_ends_in_the_warm_up_is_judged_by_nobody_and_lost_to_nobody() {
        let asked = [(AUTH, "p95 <= 20ms"), (AUTH, "error_rate <= 2%"), (AUTH, "rate >= 76/s")];
        let record = run(4, &asked, |_| {});
        assert_eq!(record.verdict, Verdict::Pass, "{:?}", record.reasons);
        let stats = record.stats(ThresholdScope::Plan);
        assert_eq!((stats.requests(), stats.failed, record.left_out), (6 * 76, 6, 4 * 105));
        assert_eq!(record.errors.total(), 6);
        assert_eq!((record.measured, record.facts.measured), (secs(6), secs(10)));
        assert_eq!((record.accounting.merged, record.accounting.is_exact()), (6 * 76 + 4 * 105, true));
        let timeline: Vec<(u32, u64, u64)> =
            record.timeline.iter().map(|p| (p.second, p.requests, p.failures)).collect();
        assert_eq!((timeline[3], timeline[4], timeline.len()), ((3, 105, 60), (4, 76, 1), 10));
        assert_eq!(run(0, &asked, |_| {}).left_out, 0);
    }

    #[test]
    fn progress_shows_the_warm_up_first_and_then_what_is_measured() {
        let mut plan = plan(&[]);
        plan.warmup = secs(2);
        let mut results = Results::new(Arc::new(plan));
        let mut agent = Scripted::new(0, "a");
        let mut live = |second: Option<u32>| {
            if let Some(second) = second {
                results.apply(AgentId(0), &agent.window(second, 10, COLD)).unwrap();
            }
            let live = results.live();
            (live.warmup, live.requests, live.failures)
        };
        assert_eq!(live(None), (true, 0, 0));
        assert_eq!(live(Some(0)), (true, 105, 60));
        assert_eq!(live(Some(1)), (true, 210, 120));
        assert_eq!(live(Some(2)), (false, 105, 60));
    }

    #[test]
    fn what_a_lost_agent_did_before_the_end_of_the_warm_up_could_change_nothing() {
        let check = |lost_at: u64, unknown: u64| {
            let mut plan = plan(&[(AUTH, "count <= 76")]);
            plan.warmup = secs(8);
            let mut results = Results::new(Arc::new(plan));
            let (mut gone, mut other) = (Scripted::new(0, "gone"), Scripted::new(1, "other"));
            results.apply(AgentId(0), &gone.window(0, 0, COLD)).unwrap();
            results.apply(AgentId(1), &other.last(8, 10, WARM)).unwrap();
            let mut told = facts(&[&gone, &other]);
            told.agents[0].finished = false;
            told.agents[0].lost =
                Some(Lost { reason: "killed".to_owned(), at: secs(lost_at), quiet_at: secs(lost_at + 4) });
            let record = results.finish(&told);
            let accounting = &record.accounting;
            assert_eq!(accounting.unknown, Some(unknown), "lost at {lost_at} s");
            assert_eq!(accounting.lost_at_most, Some((lost_at + 3) * 1050));
            assert_eq!(record.thresholds[0].is_undecided(), unknown > 0);
        };
        check(3, 0);
        // Its lease was over at 8 s.
        check(4, 0);
        check(5, 8 * 1050);
    }

    #[test]
    fn a_run_that_ends_in_its_warm_up_has_measured_nothing() {
        let mut plan = plan(&[]);
        plan.warmup = secs(8);
        let mut results = Results::new(Arc::new(plan));
        let mut agent = Scripted::new(0, "a");
        results.apply(AgentId(0), &agent.last(4, 10, COLD)).unwrap();
        let mut told = facts(&[&agent]);
        (told.interrupted, told.measured) = (Some(secs(5)), secs(5));
        let record = results.finish(&told);
        assert_eq!((record.verdict, record.measured), (Verdict::Inconclusive, Duration::ZERO));
        let expected = ["the run was interrupted after 5.0 s", "no request was measured after the warm-up"];
        assert_eq!(record.reasons, expected);
    }
}
