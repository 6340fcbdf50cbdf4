//! Accounting: every request that was started is merged, given up, or named as missing.
//!
//! What a lost agent took with it is bounded, not guessed: the requests that were open at the end of its last
//! window, and those that it may have started unseen after it. It may have run unseen until its lease was surely
//! over, and started nothing once running iterations had to be over. One that came back and delivered its last
//! window is not missing anything. Per second it is taken to have started as many as in the busiest of its last windows, scaled up to all its users where
//! some of them had not started yet. An agent that was lost before it had settled is taken to have been as
//! fast per user as the fastest of the others, if that is more; without any window, the bound is unknown.

use super::AgentId;
use super::agent_totals::AgentTotals;
use super::arrivals::ArrivalBooks;
use super::facts::{AgentFacts, RunFacts};
use crate::fleet::LEASE;
use proto::message::Cumulative;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where every request of the run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounting {
    /// Requests started, by all applied windows.
    pub started: u64,
    /// Requests with a result, merged.
    pub merged: u64,
    /// Requests given up without a result because the run was stopped.
    pub aborted: u64,
    /// At most so many requests are in none of these numbers; 0 when the accounting is exact, `None` when there
    /// is no bound.
    pub lost_at_most: Option<u64>,
    /// At most so many requests that would have counted after the warm-up have an outcome that nobody knows:
    /// lost with an agent, or given up because they did not end in time. A target that never answers must not
    /// look better than one that answers badly. `None` when there is no bound.
    pub unknown: Option<u64>,
    /// Windows that cover several seconds: their counts are exact, the timeline shows the mean of their seconds.
    pub coalesced_windows: u64,
    /// Each agent's part.
    pub agents: Vec<Account>,
}

/// One agent's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The agent's name.
    pub name: String,
    /// The most users it was given at once.
    pub users: u32,
    /// When it was given its first users, since T0, if the run had begun without it.
    pub joined: Option<Duration>,
    /// Requests started.
    pub started: u64,
    /// Requests merged.
    pub merged: u64,
    /// Requests given up.
    pub aborted: u64,
    /// Windows applied.
    pub windows: u64,
    /// Whether that is all.
    pub status: AccountStatus,
    /// At most so many requests are missing; `None` when there is no bound.
    pub lost_at_most: Option<u64>,
}

/// Whether an agent's account is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// It finished, and its own totals equal what was merged.
    Exact,
    /// It was lost.
    Lost,
    /// The run ended without its last window.
    Unfinished,
    /// It finished, but its own totals differ from what was merged.
    Mismatch,
}

impl AccountStatus {
    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            AccountStatus::Exact => "exact",
            AccountStatus::Lost => "lost",
            AccountStatus::Unfinished => "unfinished",
            AccountStatus::Mismatch => "mismatch",
        }
    }
}

impl Accounting {
    /// Balances the books; no request starts from `last_start` on, and what ended before `warmup` was left out. In
    /// an open load, `arrivals` set the pace.
    pub(super) fn new(
        facts: &RunFacts,
        totals: &BTreeMap<AgentId, AgentTotals>,
        last_start: Duration,
        warmup: Duration,
        arrivals: Option<&ArrivalBooks>,
    ) -> Accounting {
        let none = AgentTotals::default();
        let fastest = |users| totals.values().filter_map(|agent| agent.peak_rate(users)).max();
        let mut unknown = Some(totals.values().map(|agent| agent.aborted_measured).sum::<u64>());
        let agents: Vec<Account> = facts
            .agents
            .iter()
            .map(|agent| {
                let measured = totals.get(&agent.id).unwrap_or(&none);
                let users = arrivals.map_or(agent.users_assigned, |arrivals| arrivals.pace(0).1);
                let own = measured.peak_rate(users);
                let rate = if measured.has_settled(users) { own } else { own.max(fastest(users)) };
                let unheard = || facts.stopped().unwrap_or(facts.measured).saturating_add(LEASE);
                let quiet_at = agent.lost.as_ref().map_or_else(unheard, |lost| lost.quiet_at);
                let unseen = match facts.not_started {
                    Some(_) => Unseen { rate: None, until: Duration::ZERO },
                    None => Unseen { rate, until: quiet_at.min(last_start) },
                };
                let account = account(agent, measured, &unseen);
                // Whatever an agent did that was over within the warm-up would have been left out.
                if unseen.until > warmup || account.status == AccountStatus::Mismatch {
                    unknown = unknown.zip(account.lost_at_most).map(|(all, lost)| all.saturating_add(lost));
                }
                account
            })
            .collect();
        let sum = |part: fn(&Cumulative) -> u64| totals.values().map(|agent| part(&agent.applied)).sum();
        Accounting {
            started: sum(|c| c.started),
            merged: sum(|c| c.ok.saturating_add(c.failed)),
            aborted: sum(|c| c.aborted),
            lost_at_most: agents
                .iter()
                .try_fold(0_u64, |all, agent| agent.lost_at_most.map(|lost| all.saturating_add(lost))),
            unknown,
            coalesced_windows: totals.values().map(|agent| agent.coalesced).sum(),
            agents,
        }
    }

    /// Whether nothing is missing and nothing is counted twice.
    pub fn is_exact(&self) -> bool {
        let all_there = self.agents.iter().all(|agent| agent.status == AccountStatus::Exact);
        all_there && self.started == self.merged.saturating_add(self.aborted)
    }
}

/// What an agent may have done that nobody saw.
struct Unseen {
    /// Requests per second at most.
    rate: Option<u64>,
    /// Since T0.
    until: Duration,
}

fn account(facts: &AgentFacts, totals: &AgentTotals, unseen: &Unseen) -> Account {
    let (applied, said) = (&totals.applied, &facts.last_cumulative);
    let (merged, results) = (done(applied), done(said));
    let windows_differ = totals.windows != facts.windows_applied;
    let differs = windows_differ || applied != said || applied.started != results;
    let ran = !unseen.until.is_zero() || totals.windows > 0;
    let status = match (&facts.lost, facts.finished) {
        _ if !ran => AccountStatus::Exact,
        (Some(_), false) => AccountStatus::Lost,
        (None, false) => AccountStatus::Unfinished,
        (_, true) if differs => AccountStatus::Mismatch,
        (_, true) => AccountStatus::Exact,
    };
    let open = said.started.max(applied.started).saturating_sub(merged);
    let lost_at_most = match status {
        AccountStatus::Exact => Some(0),
        AccountStatus::Mismatch => Some(open.max(said.started.abs_diff(merged)).max(1)),
        AccountStatus::Lost | AccountStatus::Unfinished => {
            let seen = totals.newest.map_or(facts.joined.unwrap_or_default(), |second| {
                Duration::from_secs(u64::from(second) + 1)
            });
            unseen
                .started_after(seen, facts.users_assigned)
                .map(|started| started.saturating_add(open.max(totals.in_flight)))
        }
    };
    Account {
        name: facts.name.clone(),
        users: facts.users_assigned,
        joined: facts.joined,
        started: applied.started,
        merged: applied.ok.saturating_add(applied.failed),
        aborted: applied.aborted,
        windows: totals.windows,
        status,
        lost_at_most,
    }
}

impl Unseen {
    /// The most requests started after `seen` by an agent of so many users.
    fn started_after(&self, seen: Duration, users: u32) -> Option<u64> {
        let span = self.until.saturating_sub(seen);
        if users == 0 || span.is_zero() {
            return Some(0);
        }
        let started = (u128::from(self.rate?) * span.as_millis()).div_ceil(1000);
        Some(u64::try_from(started).unwrap_or(u64::MAX))
    }
}

fn done(c: &Cumulative) -> u64 {
    c.ok.saturating_add(c.failed).saturating_add(c.aborted)
}
