//! The end of a run: whether its report says what really happened.

use super::scenario::{Mode, Scenario, Weather};
use super::world::World;
use coordinator::fleet::{Cause, NotStarted, Outcome};
use coordinator::results::{
    Account, AccountStatus, AgentFacts, GaveUp, Record, RunFacts, Verdict, WhyGivenUp,
};
use jiff::Timestamp;
use proto::message::{Cumulative, RunId};
use std::time::Duration;

impl World {
    /// Writes the report and compares it with the truth.
    pub(super) fn judge(&mut self) {
        let Some((_, outcome)) = &self.coordinator.outcome else { return };
        let Some(results) = self.coordinator.results.take() else { return };
        let facts = facts(&self.scenario, outcome);
        let record = results.finish(&facts);
        if let Err(why) = self.compare(outcome, &record) {
            self.oracle.complain(why);
        }
        let tally = &mut self.oracle.tally;
        let (_, outcome) = self.coordinator.outcome.as_ref().expect("it was there a moment ago");
        tally.exact += u64::from(outcome.started.is_ok() && record.accounting.is_exact());
        tally.completed += u64::from(matches!(&outcome.stopped, Some((_, Cause::Done))));
        for agent in &outcome.agents {
            tally.lost += u64::from(agent.lost.is_some());
            tally.left += u64::from(agent.left.is_some());
            tally.moved += agent.handed_over.map_or(0, |handed| u64::from(handed.moved));
        }
    }

    fn compare(&self, outcome: &Outcome, record: &Record) -> Result<(), String> {
        let accounting = &record.accounting;
        let truth: u64 = self.oracle.processes.iter().map(|truth| truth.started).sum();
        if outcome.started.is_err() {
            return if truth == 0 {
                Ok(())
            } else {
                Err(format!("a run that never began made {truth} requests"))
            };
        }
        // Conservation: nothing counts twice, and what is missing is admitted.
        for (account, facts) in accounting.agents.iter().zip(&record.facts.agents) {
            // A process that gave up its part and joined again has two. One of which nothing was taken may be any of its
            // name.
            let all = || accounting.agents.iter().zip(&record.facts.agents);
            let is_unknown = |(other, its): (&Account, &AgentFacts)| {
                other.name == account.name && !self.oracle.knows(its.id)
            };
            let any_of_the_name = all().any(is_unknown);
            let parts = all().filter(|(other, its)| {
                self.oracle.is_same_process(facts.id, its.id) || any_of_the_name && other.name == account.name
            });
            if parts.clone().count() > 1 {
                let started = if any_of_the_name {
                    self.oracle.started_under(&account.name)
                } else {
                    self.oracle.started_by(facts.id, &account.name)
                };
                Self::compare_parts(&parts.map(|(account, _)| account).collect::<Vec<_>>(), started)?;
                continue;
            }
            let started = self.oracle.started_by(facts.id, &account.name);
            let known = account.merged + account.aborted;
            if account.started > started {
                return Err(format!(
                    "conservation: the report has {} requests of {}, which started {started}",
                    account.started, account.name
                ));
            }
            let missing = started - known;
            if account.lost_at_most.is_some_and(|bound| missing > excused(bound)) {
                return Err(format!(
                    "conservation: {missing} of {started} requests of {} are missing, the report admits at most {:?}",
                    account.name, account.lost_at_most
                ));
            }
            if account.status == AccountStatus::Exact && missing > 0 {
                return Err(format!("exact: {missing} requests of {} are missing", account.name));
            }
            if account.status == AccountStatus::Mismatch {
                return Err(format!("the books of {} do not agree: {account:?}", account.name));
            }
        }
        let known = accounting.merged + accounting.aborted;
        let missing =
            truth.checked_sub(known).ok_or_else(|| format!("the report has {known} of {truth} requests"))?;
        if accounting.is_exact() && missing > 0 {
            return Err(format!("exact: {missing} of {truth} requests are missing"));
        }
        if accounting.lost_at_most.is_some_and(|bound| missing > excused(bound)) {
            return Err(format!(
                "{missing} of {truth} requests are missing, at most {:?} admitted",
                accounting.lost_at_most
            ));
        }
        if self.scenario.mode == Mode::Stream && self.scenario.faults.are_survivable() && missing > 0 {
            return Err(format!("nobody died, but {missing} of {truth} requests are missing"));
        }
        self.compare_applied(record)?;
        self.compare_iterations(outcome, record)?;
        let stopped_early =
            matches!(outcome.stopped, Some((_, Cause::Operator | Cause::AgentLost(_) | Cause::Journal(_))));
        if record.verdict == Verdict::Pass && stopped_early {
            return Err("a run that was stopped passes".to_owned());
        }
        if self.scenario.weather == Weather::Calm {
            self.compare_calm(outcome, record)?;
        }
        Ok(())
    }

    /// The same for what `started` so many requests and had several parts in the run.
    fn compare_parts(parts: &[&Account], started: u64) -> Result<(), String> {
        let name = &parts[0].name;
        let known: u64 = parts.iter().map(|part| part.merged + part.aborted).sum();
        let missing = started
            .checked_sub(known)
            .ok_or_else(|| format!("{name} started {started}, known are {known}"))?;
        let bound = parts.iter().try_fold(0, |all, part| part.lost_at_most.map(|lost| all + lost));
        if bound.is_some_and(|bound| missing > excused(bound)) {
            return Err(format!(
                "conservation: {missing} of {started} requests of {name} are missing, not {bound:?}"
            ));
        }
        Ok(())
    }

    /// What was acknowledged is in the report.
    fn compare_applied(&self, record: &Record) -> Result<(), String> {
        let sum = |part: fn(&Cumulative) -> u64| {
            self.oracle.taken.values().map(|taken| part(&taken.sums)).sum::<u64>()
        };
        let applied = (sum(|c| c.started), sum(|c| c.ok + c.failed), sum(|c| c.aborted));
        let told = &record.accounting;
        let told = (told.started, told.merged, told.aborted);
        if applied == told {
            Ok(())
        } else {
            Err(format!("applied are {applied:?}, the report has {told:?}"))
        }
    }

    /// A run of so many iterations does exactly these, if somebody is left to do them.
    fn compare_iterations(&self, outcome: &Outcome, record: &Record) -> Result<(), String> {
        let Some((finite, done, gave_up)) = record.iterations else { return Ok(()) };
        let applied: u64 = self.oracle.progress.values().sum();
        if done != applied {
            return Err(format!("iterations: {done} in the report, {applied} applied"));
        }
        let stranded: u32 =
            outcome.agents.iter().filter_map(|agent| agent.handed_over).map(|handed| handed.stranded).sum();
        let all = done + gave_up;
        let complete = matches!(outcome.stopped, Some((_, Cause::Done))) && stranded == 0;
        if all > finite.total() || (complete && all != finite.total()) {
            return Err(format!(
                "iterations: {done} done and {gave_up} given up of {}, and nobody was left without",
                finite.total()
            ));
        }
        Ok(())
    }

    /// Nothing went wrong, so nothing may be missing.
    fn compare_calm(&self, outcome: &Outcome, record: &Record) -> Result<(), String> {
        if !record.accounting.is_exact() {
            return Err(format!("nothing went wrong, but the accounting is {:?}", record.accounting));
        }
        if let Some(lost) = outcome.agents.iter().find(|agent| agent.lost.is_some()) {
            return Err(format!("nothing went wrong, but {} is lost: {:?}", lost.name, lost.lost));
        }
        if self.scenario.shares() {
            self.compare_shares(outcome)?;
            let most = self.scenario.plan.schedule.end() * self.scenario.step();
            if record.users.missing > most {
                return Err(format!(
                    "sharing cost {:?} of users, a tenth of them is {most:?}",
                    record.users.missing
                ));
            }
        } else if record.users.missing > Duration::ZERO {
            return Err(format!("nothing went wrong, but {:?} of users is missing", record.users.missing));
        }
        Ok(())
    }
}

impl World {
    /// Who comes late gets its share, if there is time for that.
    fn compare_shares(&self, outcome: &Outcome) -> Result<(), String> {
        let (plan, Ok(t0)) = (&self.scenario.plan, &outcome.started) else { return Ok(()) };
        let late = &self.scenario.machines[self.scenario.expected as usize..];
        let [machine] = late else { return Ok(()) };
        let came = (machine.starts_at + Duration::from_millis(500)).saturating_sub(*t0);
        let calm = plan.schedule.restarts(came).next().is_some_and(|at| at == came);
        let time = plan.schedule.end().saturating_sub(came);
        // Users that the schedule takes away in the meantime are not moved any more.
        let samples = (0..=60).map(|tenth| plan.schedule.users_at(came + tenth * Duration::from_millis(100)));
        let shares = samples.min().unwrap_or(0) as usize / self.scenario.machines.len();
        let joined = outcome.agents.iter().find(|agent| agent.joined.is_some());
        if calm
            && plan.iterations.is_none()
            && shares > 0
            && time > Duration::from_secs(6)
            && joined.is_none()
        {
            return Err(format!(
                "share: who came at {came:?} got none of the {} users",
                plan.schedule.max_users()
            ));
        }
        Ok(())
    }
}

/// What may be missing where the report admits `bound`. The report takes an agent's users to have gone on at the pace of
/// the busiest second that it knows of, and those of the model vary: a few of them, over one second, by two thirds.
pub(super) fn excused(bound: u64) -> u64 {
    if bound == 0 { 0 } else { bound + bound * 2 / 3 + 5 }
}

/// As `Watch::facts` in coordinator/src/run.rs, without wall clocks.
pub(super) fn facts(scenario: &Scenario, outcome: &Outcome) -> RunFacts {
    let stopped = outcome.stopped.as_ref().map(|(at, _)| *at);
    let gave_up = match &outcome.stopped {
        Some((at, Cause::AgentLost(agent))) => {
            Some(GaveUp { at: *at, why: WhyGivenUp::AgentLost(agent.clone()) })
        }
        Some((at, Cause::Journal(why))) => Some(GaveUp { at: *at, why: WhyGivenUp::Journal(why.clone()) }),
        _ => None,
    };
    let done = stopped.filter(|_| matches!(outcome.stopped, Some((_, Cause::Done))));
    let (not_started, interrupted) = match &outcome.started {
        Ok(_) => (None, stopped.filter(|_| gave_up.is_none() && done.is_none())),
        Err(NotStarted::Agents(reason) | NotStarted::Setup(reason) | NotStarted::Journal(reason)) => {
            (Some(reason.clone()), None)
        }
        Err(NotStarted::Interrupted) => (Some("interrupted".to_owned()), Some(Duration::ZERO)),
    };
    RunFacts {
        run_id: RunId(super::scenario::RUN.to_owned()),
        plan_sha256: String::new(),
        started_at: Timestamp::UNIX_EPOCH,
        t0: Duration::ZERO,
        ended_at: Timestamp::UNIX_EPOCH,
        measured: stopped.unwrap_or(scenario.plan.schedule.end()),
        start_skew: None,
        agents: outcome.agents.iter().map(AgentFacts::from).collect(),
        interrupted,
        done,
        gave_up,
        aborted: None,
        not_started,
        setup: outcome.setup.clone(),
        teardown: outcome.teardown.clone(),
    }
}
