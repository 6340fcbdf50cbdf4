//! Users that find a place, and those that wait for one.
//!
//! Users that nobody has go to agents that have room. Those for whom only saturated agents have room wait until one of
//! these is fit again: more users on a saturated agent would not be more load on the target, but more lateness in what is
//! measured. As long as they wait they are missing, and the report says so. Users for whom nobody has room, saturated or
//! not, are stranded at once; an agent that comes later takes them.

use super::agent::{Agent, Stage};
use super::deal::spread;
use super::{AgentId, Fleet, Phase};
use plan::slot::Slot;
use proto::defect::{Defect, seeded};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What became of users that nobody had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) moved: u32,
    /// How many agents have got users.
    pub(super) agents: u32,
    pub(super) waiting: u32,
    pub(super) stranded: u32,
}

impl Placed {
    /// What became of those that did not move, for a person.
    pub(super) fn left_behind(self) -> String {
        let mut text = String::new();
        if self.waiting > 0 {
            text = format!("; {} wait until one of the saturated agents is fit again", self.waiting);
        }
        match self.stranded {
            0 => text,
            n => format!("{text}; {n} find no room there, raise --max-users or start another agent"),
        }
    }
}

impl Fleet {
    /// The agents that may be given users, and the most users that each may have.
    pub(super) fn takers(&self) -> Vec<(usize, u32)> {
        self.agents.iter().map(Agent::room).enumerate().filter(|(_, room)| *room > 0).collect()
    }

    /// Gives `slots`, which nobody has, to agents that have room, to start again at the plan's own pace, `at` after T0. The
    /// others wait or are stranded; they were the users of agent `of`.
    pub(super) fn place(&mut self, at: Duration, slots: &[Slot], of: Option<AgentId>) -> Placed {
        for slot in slots {
            self.not_before.remove(slot);
        }
        let hands = self.deal_out(slots, Agent::room);
        let moved: BTreeSet<Slot> = hands.iter().flatten().copied().collect();
        self.pace(at, &moved);
        // A clock that was set back shows no later time.
        self.revision += u64::from(!moved.is_empty() && !seeded(Defect::M10));
        let mut agents = 0;
        for (taker, hand) in hands.into_iter().enumerate().filter(|(_, hand)| !hand.is_empty()) {
            agents += 1;
            let agent = &mut self.agents[taker];
            agent.slots.extend(hand);
            agent.slots.sort_unstable();
            if agent.stage == Stage::Running { self.send_seats(taker) } else { self.begin_late(taker, at) }
        }
        let left: Vec<Slot> = slots.iter().copied().filter(|slot| !moved.contains(slot)).collect();
        let later: BTreeSet<Slot> = self.deal_out(&left, Agent::most_room).into_iter().flatten().collect();
        for &slot in &left {
            if later.contains(&slot) {
                self.waiting.insert(slot, of);
            } else {
                self.iterations.strand(slot);
                self.stranded.insert(slot, of);
            }
        }
        let (moved, waiting) = (moved.len() as u32, later.len() as u32);
        Placed { moved, agents, waiting, stranded: slots.len() as u32 - moved - waiting }
    }

    /// What each agent gets of `slots` on top of what it has.
    fn deal_out(&self, slots: &[Slot], room: fn(&Agent) -> u32) -> Vec<Vec<Slot>> {
        let held: Vec<&[Slot]> = self.agents.iter().map(|agent| agent.slots.as_slice()).collect();
        let rooms: Vec<u32> = self.agents.iter().map(room).collect();
        spread(slots, &self.config.classes, &held, &rooms)
    }

    /// Looks again for room for those that wait or are stranded, if there may be some that there was not before.
    pub(super) fn house_waiting(&mut self, now: Duration) {
        let Phase::Running { t0, stopped: None, .. } = self.phase else { return };
        if !std::mem::take(&mut self.rooms_changed) || (self.waiting.is_empty() && self.stranded.is_empty()) {
            return;
        }
        let at = now.saturating_sub(t0);
        let waiting = std::mem::take(&mut self.waiting);
        let stranded = std::mem::take(&mut self.stranded);
        for &slot in stranded.keys() {
            self.iterations.unstrand(slot);
        }
        let mut of: BTreeMap<Slot, Option<AgentId>> = waiting.into_iter().chain(stranded).collect();
        of.retain(|&slot, _| self.has_work(slot, at));
        let slots: Vec<Slot> = of.keys().copied().collect();
        let placed = self.place(at, &slots, None);
        // Whose they were is still to be known.
        for (slot, left) in self.waiting.iter_mut().chain(&mut self.stranded) {
            *left = of[slot];
        }
        let is_left = |slot: &Slot| self.waiting.contains_key(slot) || self.stranded.contains_key(slot);
        let mut moved: BTreeMap<AgentId, u32> = BTreeMap::new();
        for agent in of.iter().filter(|(slot, _)| !is_left(slot)).filter_map(|(_, agent)| *agent) {
            *moved.entry(agent).or_default() += 1;
        }
        for agent in &mut self.agents {
            if let (Some(handed_over), Some(n)) = (&mut agent.handed_over, moved.get(&agent.id)) {
                handed_over.moved += n;
                handed_over.stranded = handed_over.stranded.saturating_sub(*n);
            }
        }
        if placed.moved > 0 {
            let Placed { moved, agents, .. } = placed;
            let wait = match placed.waiting {
                0 => String::new(),
                n => format!("; {n} still wait"),
            };
            self.note(format!("{moved} users that waited for a fit agent go on at {agents} agents{wait}"));
        }
    }
}
