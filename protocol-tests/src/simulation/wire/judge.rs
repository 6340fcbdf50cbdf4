//! Whether the end of the run says what really happened.

use super::stage::Stage;
use crate::simulation::judge::{excused, facts};
use coordinator::fleet::Outcome;
use coordinator::results::{AccountStatus, Record};

impl Stage {
    /// Writes the report and compares it with the truth.
    pub(super) fn judge(&self) -> Result<(), String> {
        let (outcome, results) = {
            let mut inside = self.inside();
            (inside.outcome.clone(), inside.results.take())
        };
        let (Some(outcome), Some(results)) = (outcome, results) else {
            return Err("the coordinator ended without an outcome".to_owned());
        };
        let record = results.finish(&facts(&self.scenario, &outcome));
        self.count(&outcome, &record);
        self.compare(&outcome, &record)
    }

    fn count(&self, outcome: &Outcome, record: &Record) {
        let mut inside = self.inside();
        let tally = &mut inside.oracle.tally;
        tally.exact += u64::from(outcome.started.is_ok() && record.accounting.is_exact());
        for agent in &outcome.agents {
            tally.lost += u64::from(agent.lost.is_some());
            tally.moved += agent.handed_over.map_or(0, |handed| u64::from(handed.moved));
        }
    }

    fn compare(&self, outcome: &Outcome, record: &Record) -> Result<(), String> {
        let inside = self.inside();
        let truth: u64 = inside.oracle.processes.iter().map(|truth| truth.started).sum();
        let accounting = &record.accounting;
        let missing = |truth: u64, known: u64, whose: &str| {
            truth
                .checked_sub(known)
                .ok_or_else(|| format!("the report has {known} of {truth} requests{whose}"))
        };
        for (account, facts) in accounting.agents.iter().zip(&record.facts.agents) {
            let whose = format!(" of {}", account.name);
            let started = inside.oracle.started_by(facts.id, &account.name);
            let missing = missing(started, account.merged + account.aborted, &whose)?;
            let bound = account.lost_at_most.map_or(u64::MAX, excused);
            if missing > bound || (account.status == AccountStatus::Exact && missing > 0) {
                return Err(format!(
                    "conservation: {missing} of {started} requests{whose} are missing: {account:?}"
                ));
            }
        }
        let missing = missing(truth, accounting.merged + accounting.aborted, "")?;
        let bound = accounting.lost_at_most.map_or(u64::MAX, excused);
        if missing > bound || (accounting.is_exact() && missing > 0) {
            return Err(format!("conservation: {missing} of {truth} requests are missing: {accounting:?}"));
        }
        if !self.faults().harmless || outcome.started.is_err() {
            return Ok(());
        }
        match outcome.agents.iter().find(|agent| agent.lost.is_some()) {
            Some(lost) => Err(format!("nobody died, but {} is lost: {:?}", lost.name, lost.lost)),
            None if !accounting.is_exact() => {
                Err(format!("nobody died, but the accounting is {accounting:?}"))
            }
            None => Ok(()),
        }
    }
}
