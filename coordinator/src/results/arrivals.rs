//! What became of the arrivals of an open load.
//!
//! Agents count those that they served and those that they dropped because no user was idle. How many there should
//! have been follows from the plan alone, so those that nobody made (an agent was lost) show as well.

use super::warmup::Part;
use metrics::{ArrivalCounts, Histogram};
use plan::Plan;
use plan::arrivals::{Arrivals, Times};
use std::time::Duration;

/// What became of the arrivals of an open load.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArrivalTotals {
    /// Those that came in the whole run, up to the interruption if there was one.
    pub scheduled: u64,
    /// Those that were served.
    pub started: u64,
    /// Those that found every user busy.
    pub dropped: u64,
    /// Of those that came after the warm-up: all of them, and those that were dropped.
    pub measured: (u64, u64),
    /// After the warm-up, how late they were served, and how late threads woke that had none to serve.
    pub start_error: Histogram,
}

impl ArrivalTotals {
    /// Those that were neither served nor dropped.
    pub fn missing(&self) -> u64 {
        self.scheduled - self.started - self.dropped
    }
}

/// The books of a run's arrivals.
#[derive(Clone, Debug)]
pub(super) struct ArrivalBooks {
    arrivals: Arrivals,
    seed: u64,
    warmup: Duration,
    counted: ArrivalCounts,
    measured: ArrivalCounts,
}

impl ArrivalBooks {
    /// Empty books; `None` when the load is not open.
    pub(super) fn new(plan: &Plan) -> Option<ArrivalBooks> {
        let (counted, measured) = Default::default();
        let (arrivals, seed, warmup) = (plan.arrivals.clone()?, plan.seed, plan.warmup);
        Some(ArrivalBooks { arrivals, seed, warmup, counted, measured })
    }

    /// Adds those of one window.
    pub(super) fn add(&mut self, part: Part, counts: ArrivalCounts) {
        self.counted.add(counts);
        if part == Part::Measured {
            self.measured.add(counts);
        }
    }

    /// Those that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.counted.dropped
    }

    /// Those that were served so far, and those that were dropped.
    pub(super) fn so_far(&self) -> (u64, u64) {
        (self.counted.started, self.counted.dropped)
    }

    /// Arrivals per second: about how many come in second `index`, and the most in any; at least 1.
    pub(super) fn pace(&self, index: u32) -> (u32, u32) {
        let whole = |arrivals: f64| arrivals.ceil().max(1.0) as u32;
        let start = Duration::from_secs(index.into());
        let within = self.arrivals.expected_before(start + Duration::from_secs(1))
            - self.arrivals.expected_before(start);
        (whole(within), whole(self.arrivals.peak()))
    }

    /// What became of all of them in a run that ended at `end`.
    pub(super) fn finish(&self, end: Duration, start_error: Histogram) -> ArrivalTotals {
        let mut times = Times::new(&self.arrivals, self.seed);
        let before = times.count_before(self.warmup.min(end));
        // Agents hear of an interruption a little later.
        let made = self.counted.started.saturating_add(self.counted.dropped);
        let scheduled = times.count_before(end).max(made);
        ArrivalTotals {
            scheduled,
            started: self.counted.started,
            dropped: self.counted.dropped,
            measured: (scheduled.saturating_sub(before), self.measured.dropped),
            start_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::results::fixture::{Requests, Scripted, facts, plan};
    use crate::results::{AgentId, Lost, Record, Results, Verdict};
    use metrics::ArrivalCounts;
    use metrics::unit::Rate;
    use plan::Plan;
    use plan::arrivals::{Arrivals, Pattern};
    use plan::schedule::Schedule;
    use std::sync::Arc;
    use std::time::Duration;

    const EACH: &[Requests] = &[(0, 100, 0, 10)];

    /// 100 arrivals per second for 10 s, of which 2 s are warm-up, on 500 users.
    fn open() -> Plan {
        let length = Duration::from_secs(10);
        let rate = Rate { count: 100, per_ns: 1_000_000_000 };
        let mut plan = plan(&[]);
        plan.schedule = Schedule::constant(500, None, length);
        plan.arrivals = Some(Arrivals::constant(rate, length, Pattern::Even));
        plan.warmup = Duration::from_secs(2);
        plan
    }

    /// A run in which `dropped(second)` of the arrivals of each of the first `seconds` were dropped.
    fn run(
        seconds: u32,
        dropped: impl Fn(u32) -> u64,
        change: impl FnOnce(&mut crate::results::RunFacts),
    ) -> Record {
        let mut results = Results::new(Arc::new(open()));
        let mut agent = Scripted::new(0, "a");
        agent.facts.users_assigned = 500;
        results.agent_joined(AgentId(0));
        for second in 0..seconds {
            let mut window = if second == 9 { agent.last(9, 0, EACH) } else { agent.window(second, 3, EACH) };
            let dropped = dropped(second);
            window.arrivals = ArrivalCounts { started: 100 - dropped, dropped };
            results.apply(AgentId(0), &window).unwrap();
        }
        let mut told = facts(&[&agent]);
        change(&mut told);
        results.finish(&told)
    }

    fn check(record: &Record, totals: (u64, u64, u64), verdict: Verdict, reasons: &[&str]) {
        let arrivals = record.arrivals.as_ref().expect("an open load");
        assert_eq!((arrivals.scheduled, arrivals.started, arrivals.dropped), totals);
        assert_eq!(record.verdict, verdict);
        assert_eq!(record.reasons, reasons);
    }

    #[test]
    fn arrivals_that_were_dropped_are_told_and_spoil_the_run_if_they_are_many() {
        let none = "the plan states no thresholds";
        check(&run(10, |_| 0, |_| {}), (1000, 1000, 0), Verdict::Pass, &[none]);
        // What is dropped in the warm-up harms nobody.
        let cold = run(10, |second| if second < 2 { 90 } else { 0 }, |_| {});
        check(&cold, (1000, 820, 180), Verdict::Pass, &[none]);
        let few = "40 of 800 arrivals were dropped, because no user was idle; raise `max_users`";
        check(
            &run(10, |second| if second < 2 { 0 } else { 5 }, |_| {}),
            (1000, 960, 40),
            Verdict::Pass,
            &[none, few],
        );
        let many = "48 of 800 arrivals were dropped, because no user was idle: the asked load was not there; \
                    raise `max_users`";
        let record = run(10, |second| if second < 2 { 0 } else { 6 }, |_| {});
        check(&record, (1000, 952, 48), Verdict::Inconclusive, &[many]);
        assert_eq!(record.timeline[5].dropped, 6);
    }

    #[test]
    fn users_of_an_open_load_are_busy_or_idle_and_never_missing() {
        let record = run(10, |_| 0, |_| {});
        assert_eq!((record.users.target, record.users.missing), (Duration::from_secs(27), Duration::ZERO));
        assert_eq!((record.timeline[3].users, record.timeline[3].target_users), (3, 500));
    }

    #[test]
    fn arrivals_that_nobody_made_are_missing() {
        let record = run(
            6,
            |_| 0,
            |facts| {
                facts.agents[0].finished = false;
                facts.agents[0].lost = Some(Lost {
                    reason: "killed".to_owned(),
                    at: Duration::from_secs(6),
                    quiet_at: Duration::from_secs(10),
                });
            },
        );
        let arrivals = record.arrivals.as_ref().expect("an open load");
        assert_eq!((arrivals.scheduled, arrivals.started, arrivals.missing()), (1000, 600, 400));
        assert_eq!(record.verdict, Verdict::Inconclusive);
        assert_eq!(
            record.reasons[0],
            "400 of 1,000 arrivals were not made as far as anybody knows: the asked load was not there"
        );
        // 4 s of the lease at 100 arrivals a second, not 500 users' worth.
        assert_eq!(record.accounting.lost_at_most, Some(400));
    }

    #[test]
    fn an_interrupted_run_is_not_missed() {
        let record = run(6, |_| 1, |facts| facts.interrupted = Some(Duration::from_millis(5_950)));
        let arrivals = record.arrivals.as_ref().expect("an open load");
        assert_eq!((arrivals.scheduled, arrivals.started, arrivals.dropped), (600, 594, 6));
    }
}
