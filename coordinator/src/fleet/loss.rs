//! What happens to the users of an agent that is lost.
//!
//! They are nobody's until its lease is surely over: until then it may run them. Then only they move, to the agents
//! that have room, and start again at the plan's own pace, each with the iteration after the last one that is in
//! the statistics. Iterations of which nobody heard are run again.

use super::agent::{Agent, Delivery, Orphans, Stage};
use super::reattach::DELIVERY;
use super::waiting::Placed;
use super::{Cause, EARLY, Fleet, Lost, Output, Phase, SILENCE, SessionId};
use plan::slot::{Seat, Slot};
use proto::message::ToAgent;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// What to do when an agent is lost during a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnAgentLoss {
    /// Its users go on at the other agents.
    #[default]
    Rebalance,
    /// The run goes on without its users.
    Hold,
    /// The run is stopped.
    Abort,
}

/// Whether an agent that is no more can still make load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// It has said that its users are gone.
    Stopped,
    /// Nobody knows: it may run them until its lease is over. It may come back.
    Silent,
    /// It may run them until its lease is over, but nothing that it says counts any more.
    Barred,
}

/// What became of the users of an agent that was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandedOver {
    /// When the first of them could, since T0.
    pub at: Duration,
    /// How many go on at other agents.
    pub moved: u32,
    /// How many would have gone on, but found no room or were not to move.
    pub stranded: u32,
    /// How many waited for a while, or still do, because the agents that had room were saturated.
    pub waited: u32,
}

impl Fleet {
    /// Nothing more comes over `session`. Before the start its agent is forgotten; after it, it is lost.
    pub(super) fn lose(&mut self, now: Duration, session: SessionId, reason: &str, parting: Parting) {
        let here = |agent: &Agent| agent.is_on(session) && (!agent.gone || agent.is_live());
        let Some(index) = self.agents.iter().position(here) else { return };
        let (was_live, leased) = (self.agents[index].is_live(), self.agents[index].leased);
        self.agents[index].gone = true;
        self.lose_chore(session, leased, reason);
        if parting == Parting::Barred {
            self.agents[index].delivery = Delivery::Closed;
        }
        if !was_live {
            if parting == Parting::Stopped {
                self.has_no_more(index);
            }
            return;
        }
        match self.phase {
            Phase::Running { .. } if !self.agents[index].has_begun() => {
                let agent = self.agents.remove(index);
                self.note(format!("agent {}, which had no users yet, is gone: {reason}", agent.hello.name));
            }
            Phase::Mustering { .. } => {
                let agent = self.agents.remove(index);
                self.note(format!("agent {} is gone: {reason}", agent.hello.name));
                for other in &mut self.agents {
                    if matches!(other.stage, Stage::Assigned | Stage::Armed) {
                        other.stage = Stage::Ready;
                    }
                }
            }
            Phase::Running { t0, .. } => {
                if parting != Parting::Stopped {
                    self.chores.wait_for_lease(leased);
                }
                let agent = &mut self.agents[index];
                agent.delivery = match parting {
                    Parting::Silent => Delivery::Open { awaited: Some(now + DELIVERY) },
                    Parting::Stopped | Parting::Barred => Delivery::Closed,
                };
                let at = agent.broken.take().map_or(now, |(_, at)| at).saturating_sub(t0);
                let quiet_at = match parting {
                    Parting::Stopped => now,
                    Parting::Silent | Parting::Barred => now.max(leased + SILENCE),
                };
                let quiet_at = quiet_at.saturating_sub(t0);
                agent.stage = Stage::Lost(Lost { reason: reason.to_owned(), at, quiet_at });
                self.rooms_changed = true;
                let agent = &mut self.agents[index];
                let (id, name, users) = (agent.id, agent.hello.name.clone(), agent.all_slots().len());
                self.outputs.push_back(Output::Gone { agent: id });
                self.warn(&format!(
                    "agent {name} with {users} users was lost {:.1} s into the run: {reason}",
                    at.as_secs_f64()
                ));
                self.orphan(now, index, parting);
            }
            Phase::TearingDown | Phase::Over => {}
        }
    }

    /// An agent may end its users by itself, long before the schedule does. All that it measured is in.
    pub(super) fn ended_early(&mut self, now: Duration, session: SessionId) {
        let Phase::Running { t0, stopped: None, .. } = self.phase else { return };
        self.rooms_changed = true;
        let left = (t0 + self.config.schedule.end()).saturating_sub(now);
        if let Some(index) = self.agents.iter().position(|a| a.session == session)
            && left > EARLY
            && self.agents[index].left.is_none()
            && !self.agents[index].slots.is_empty()
        {
            let (name, users) = (&self.agents[index].hello.name, self.agents[index].slots.len());
            let text = format!("agent {name} ended its {users} users {:.1} s early", left.as_secs_f64());
            self.note(text);
            self.orphan(now, index, Parting::Stopped);
        }
    }

    /// Agent `index` of a run that goes on will do no more.
    pub(super) fn orphan(&mut self, now: Duration, index: usize, parting: Parting) {
        let Phase::Running { t0, stopped: None, .. } = self.phase else { return };
        let agent = &mut self.agents[index];
        if agent.slots.is_empty() && agent.leaving.is_empty() {
            return;
        }
        let free_at = match parting {
            Parting::Stopped => now,
            Parting::Silent | Parting::Barred => now.max(agent.leased + SILENCE),
        };
        match self.config.on_agent_loss {
            OnAgentLoss::Rebalance => agent.orphans = Orphans::FreeAt(free_at),
            OnAgentLoss::Hold => {
                let at = now.saturating_sub(t0);
                let left = self.unfinished(self.agents[index].all_slots(), at);
                for &slot in &left {
                    self.iterations.strand(slot);
                }
                let stranded = left.len() as u32;
                self.agents[index].orphans = Orphans::Gone;
                self.agents[index].gave(at, Placed { stranded, ..Placed::default() });
            }
            OnAgentLoss::Abort => {
                let name = agent.hello.name.clone();
                self.warn(&format!(
                    "stopping the run, because agent {name} was lost (--on-agent-loss abort)"
                ));
                self.stop(now, Cause::AgentLost(name));
            }
        }
    }

    /// Hands over the users that are free at `now`.
    pub(super) fn hand_over_due(&mut self, now: Duration) {
        let Phase::Running { t0, stopped: None, .. } = self.phase else { return };
        for index in 0..self.agents.len() {
            if matches!(self.agents[index].orphans, Orphans::FreeAt(at) if at <= now) {
                self.hand_over(now.saturating_sub(t0), index);
            }
        }
    }

    /// When the next users are free.
    pub(super) fn next_hand_over(&self) -> Option<Duration> {
        let Phase::Running { stopped: None, .. } = self.phase else { return None };
        let free_at = |agent: &Agent| if let Orphans::FreeAt(at) = agent.orphans { Some(at) } else { None };
        self.agents.iter().filter_map(free_at).min()
    }

    fn hand_over(&mut self, at: Duration, index: usize) {
        let orphans = self.unfinished(self.agents[index].all_slots(), at);
        if orphans.is_empty() {
            self.agents[index].orphans = Orphans::None;
            return;
        }
        let agent = &mut self.agents[index];
        agent.orphans = Orphans::Gone;
        agent.leaving.clear();
        let (id, name) = (agent.id, agent.hello.name.clone());
        let placed = self.place(at, &orphans, Some(id));
        self.agents[index].gave(at, placed);
        let Placed { moved, agents, .. } = placed;
        let text =
            format!("{moved} users of agent {name} go on at {agents} other agents{}", placed.left_behind());
        self.note(text);
    }

    /// Tells agent `index` its users.
    pub(super) fn send_seats(&mut self, index: usize) {
        let agent = &mut self.agents[index];
        agent.most_users = agent.most_users.max((agent.slots.len() + agent.leaving.len()) as u32);
        let agent = &self.agents[index];
        let seat = |&slot: &Slot| Seat {
            slot,
            iteration: self.iterations.next(slot),
            not_before: self.not_before.get(&slot).copied().unwrap_or_default(),
        };
        let seats = agent.slots.iter().map(seat).collect();
        let (run, revision, session) = (self.config.run.clone(), self.revision, agent.session);
        self.send(session, ToAgent::Assign { run, revision, seats });
    }

    /// Those of `slots` whose users have something left to do `at` after T0.
    pub(super) fn unfinished(&self, slots: Vec<Slot>, at: Duration) -> Vec<Slot> {
        slots.into_iter().filter(|&slot| self.has_work(slot, at)).collect()
    }

    /// Whether user `slot` has something left to do `at` after T0.
    pub(super) fn has_work(&self, slot: Slot, at: Duration) -> bool {
        self.iterations.left(slot) != Some(0)
            && self.config.schedule.lives(slot).iter().any(|life| life.stop > at)
    }

    /// Sets when those of `moved` start that should exist `at` after T0: one after the other at the plan's own pace,
    /// after those that moved before them. The others start when the schedule says.
    pub(super) fn pace(&mut self, at: Duration, moved: &BTreeSet<Slot>) {
        let schedule = &self.config.schedule;
        let last = self.not_before.values().copied().max();
        // Also where users come one by one: the next one starts no sooner after the last than the pace has it.
        let after = last.and_then(|last| schedule.restarts(last).nth(1)).filter(|&next| next > at);
        let mut restarts = schedule.restarts(after.unwrap_or(at));
        for &slot in moved {
            if schedule.lives(slot).iter().any(|life| life.start <= at && at < life.stop)
                && let Some(start) = restarts.next()
            {
                self.not_before.insert(slot, whole_micros(start));
            }
        }
    }
}

/// As it travels; never sooner.
fn whole_micros(at: Duration) -> Duration {
    Duration::from_micros(u64::try_from(at.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX))
}
