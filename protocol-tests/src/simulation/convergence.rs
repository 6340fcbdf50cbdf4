//! Whether the fleet has all its users again, some time after the last thing that went wrong.
//!
//! The bound: an agent is given up when its lease is surely over; its users then start again at the plan's own pace,
//! and never beside a rise. So much later, if the agents that are left have room for everybody, nobody is missing; but for
//! a tenth of the users, if agents came late that are given a share (two tenths where messages are slow).

use super::faults::Fault;
use super::scenario::{Mode, Weather};
use super::world::{Event, World};
use coordinator::fleet::{OnAgentJoin, OnAgentLoss};
use std::time::Duration;

/// How often users are counted.
const EVERY: Duration = Duration::from_secs(1);

/// Until a lease is surely over and the loss is noticed, and then some for messages and for an agent's last iterations.
const NOTICED: Duration = Duration::from_secs(7);

/// What orders and timers may take.
const SLACK: Duration = Duration::from_millis(1500);

impl World {
    /// Counts the users, if it can be said how many there have to be.
    pub(super) fn count_users(&mut self) {
        self.push(self.now + EVERY, Event::Count);
        self.check_leases();
        if self.coordinator.outcome.is_some() || !self.coordinator.is_alive() {
            return;
        }
        let Some((since, wanted)) = self.wanted() else { return };
        let here: u64 = self.oracle.processes.iter().map(|truth| truth.users.len() as u64).sum();
        self.oracle.tally.counts += 1;
        if here < wanted {
            let text = format!(
                "convergence: {here} users are there where {wanted} are wanted, and all is well since {since:?}"
            );
            self.oracle.complain(text);
        }
    }

    /// Nobody has a request open whose lease is over, or it is stopped and cannot see that.
    fn check_leases(&mut self) {
        for (who, truth) in self.oracle.processes.iter().enumerate() {
            let over = truth.lease_until + SLACK < self.now
                && self.nodes[truth.node].paused_until + SLACK < self.now;
            if truth.alive && over && truth.open() > 0 {
                let text =
                    format!("dead man: process {who} has {} requests open without a lease", truth.open());
                return self.oracle.complain(text);
            }
        }
    }

    /// How many users there have to be at least, and since when all is well; `None` if that cannot be said.
    fn wanted(&self) -> Option<(Duration, u64)> {
        let (plan, now) = (&self.scenario.plan, self.now);
        let t0 = self.oracle.t0.filter(|t0| *t0 <= now)?;
        let skewed = |(_, fault): &(Duration, Fault)| matches!(fault, Fault::Step { .. });
        if self.coordinator.stopped_at.is_some()
            || plan.iterations.is_some()
            || self.scenario.mode == Mode::Harsh
            || self.scenario.on_agent_loss != OnAgentLoss::Rebalance
            || self.scenario.faults.events.iter().any(skewed)
        {
            return None;
        }
        let working = self.nodes.iter().filter_map(|node| Some((node, node.process.as_ref()?)));
        let working = working.filter(|(_, process)| process.engine.is_scheduled() && !process.leaving);
        let room: u64 = working.map(|(node, _)| u64::from(node.max_users)).sum();
        let users = plan.schedule.max_users();
        if room < u64::from(users) {
            return None;
        }
        let since = self.scenario.faults.calm_since(now)?;
        let handed_over = (since + NOTICED).saturating_sub(t0);
        let restarted = plan.schedule.restarts(handed_over).take(users as usize).last().unwrap_or_default();
        let elapsed = now.saturating_sub(t0);
        if !self.scenario.faults.events.is_empty() && elapsed < restarted + SLACK {
            return None;
        }
        // Agents may begin late by twice the error of their idea of the coordinator's clock.
        let error =
            self.oracle.processes.iter().filter_map(|truth| truth.clock_error).max().unwrap_or_default();
        let early = elapsed.checked_sub(2 * error + SLACK)?;
        let samples = (0..=20).map(|n| early + (elapsed + SLACK).saturating_sub(early) * n / 20);
        let wanted = samples.map(|at| plan.schedule.users_at(at)).min().unwrap_or(0);
        // A restarted agent comes late, too.
        let shared = self.scenario.on_agent_join == OnAgentJoin::Share
            && self.oracle.processes.len() > self.scenario.expected as usize;
        // Over a slow link the users of a step may be on their way when those of the next one leave.
        let steps = if self.scenario.weather == Weather::Calm { 1 } else { 2 };
        let wanted = wanted.saturating_sub(if shared { steps * self.scenario.step() } else { 0 });
        Some((since, u64::from(wanted)))
    }
}
