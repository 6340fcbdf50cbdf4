//! Users that agents give away while they live: an agent that drains gives away all, one that shares gives away some.
//!
//! Break before make. A user that is taken from an agent is `leaving`: the agent lets it finish its iteration and starts
//! no other. The agent's windows say which assignment is followed, and which users are still there without being in it;
//! only when such a window is applied, which holds all that the user did, is the user nobody's and goes to another. What
//! windows say is absolute, so nothing is lost with a stream, and nothing is counted twice.

use super::agent::Stage;
use super::waiting::Placed;
use super::{Cause, Fleet, Left, OnAgentLoss, Phase, SessionId};
use plan::slot::{Roll, Slot};
use std::time::Duration;

impl Fleet {
    /// The agent of `session` is about to leave.
    pub(super) fn draining(&mut self, now: Duration, session: SessionId, reason: &str) {
        let Phase::Running { t0, stopped, .. } = self.phase else { return };
        let Some(index) = self.agents.iter().position(|a| a.session == session) else { return };
        let agent = &mut self.agents[index];
        if agent.left.is_some() || !agent.has_begun() {
            return;
        }
        let at = now.saturating_sub(t0);
        agent.left = Some(Left { reason: reason.to_owned(), at });
        if agent.stage != Stage::Running || stopped.is_some() {
            return;
        }
        let (name, users) = (agent.hello.name.clone(), agent.slots.len());
        let text = format!("agent {name} leaves {:.1} s into the run ({reason})", at.as_secs_f64());
        match self.config.on_agent_loss {
            OnAgentLoss::Abort => {
                self.warn(&format!("{text}; stopping the run (--on-agent-loss abort)"));
                return self.stop(now, Cause::AgentLost(name));
            }
            OnAgentLoss::Hold => {
                self.warn(&format!("{text}; its {users} users do not go on (--on-agent-loss hold)"));
            }
            OnAgentLoss::Rebalance => {
                self.note(format!("{text}; its {users} users go on elsewhere, each when it has ended"));
            }
        }
        let slots = std::mem::take(&mut self.agents[index].slots);
        self.revision += 1;
        self.take(index, &slots);
    }

    /// Tells agent `index` that it is to have `slots` no more, which are its own no more. The newest assignment is the first
    /// without them.
    pub(super) fn take(&mut self, index: usize, slots: &[Slot]) {
        let revision = self.revision;
        self.agents[index].leaving.extend(slots.iter().map(|&slot| (slot, revision)));
        self.send_seats(index);
    }

    /// A window of the agent of `session`, which is applied, says which users it has.
    pub(super) fn see_roll(&mut self, now: Duration, session: SessionId, roll: &Roll) {
        let Some(index) = self.agents.iter().position(|a| a.session == session) else { return };
        let agent = &mut self.agents[index];
        if agent.leaving.is_empty() || agent.has_lost_its_users() {
            return;
        }
        let over = agent.stage == Stage::Finished;
        let is_gone = |slot: &Slot, since: &mut u64| {
            over || (*since <= roll.revision && roll.leaving.binary_search(slot).is_err())
        };
        let free: Vec<Slot> = agent.leaving.extract_if(.., is_gone).map(|(slot, _)| slot).collect();
        if !free.is_empty() {
            self.freed(now, index, free);
        }
    }

    /// Agent `index` does not have these users any more.
    fn freed(&mut self, now: Duration, index: usize, slots: Vec<Slot>) {
        let Phase::Running { t0, stopped: None, .. } = self.phase else { return };
        let at = now.saturating_sub(t0);
        let slots = self.unfinished(slots, at);
        if slots.is_empty() {
            return;
        }
        let agent = &self.agents[index];
        let (of, leaves) = (agent.id, agent.left.is_some());
        if leaves && self.config.on_agent_loss == OnAgentLoss::Hold {
            for &slot in &slots {
                self.iterations.strand(slot);
            }
            let stranded = slots.len() as u32;
            return self.agents[index].gave(at, Placed { stranded, ..Placed::default() });
        }
        let placed = self.place(at, &slots, leaves.then_some(of));
        if !leaves {
            return;
        }
        self.agents[index].gave(at, placed);
        let agent = &self.agents[index];
        if agent.leaving.is_empty()
            && let Some(all) = agent.handed_over
        {
            let left = match all.stranded {
                0 => String::new(),
                n => format!("; {n} find no room there, raise --max-users or start another agent"),
            };
            let text =
                format!("{} users of agent {} went on at other agents{left}", all.moved, agent.hello.name);
            self.note(text);
        }
    }
}
