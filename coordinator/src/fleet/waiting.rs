//! Users that find a place, and those that wait for one.
//!
//! Users of lost agents go to agents that have room. Those for whom only saturated agents have room wait until one of
//! these is fit again: more users on a saturated agent would not be more load on the target, but more lateness in what is
//! measured. As long as they wait they are missing, and the report says so. Users for whom nobody has room, saturated or
//! not, are stranded at once.

use super::agent::{Agent, Orphans, Stage};
use super::deal::spread;
use super::{AgentId, Fleet, Phase};
use plan::slot::Slot;
use proto::defect::{Defect, seeded};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What became of users without an agent.
#[derive(Debug, Default)]
pub(super) struct Housed {
    /// These have one now.
    pub(super) moved: BTreeSet<Slot>,
    /// So many agents have got users.
    pub(super) agents: usize,
    /// These wait; all others are stranded.
    pub(super) waiting: BTreeSet<Slot>,
}

impl Fleet {
    /// Gives `slots`, which nobody has, to agents that have room, `at` after T0.
    pub(super) fn house(&mut self, at: Duration, slots: &[Slot]) -> Housed {
        let takers: Vec<usize> =
            (0..self.agents.len()).filter(|&taker| self.agents[taker].stage == Stage::Running).collect();
        let deal = |fleet: &Fleet, slots: &[Slot], room: fn(&Agent) -> u32| {
            let agents = || takers.iter().map(|&taker| &fleet.agents[taker]);
            let held: Vec<&[Slot]> = agents().map(|agent| agent.slots.as_slice()).collect();
            let rooms: Vec<u32> = agents().map(room).collect();
            spread(slots, &fleet.config.classes, &held, &rooms)
        };
        let hands = deal(self, slots, Agent::room);
        let moved: BTreeSet<Slot> = hands.iter().flatten().copied().collect();
        self.pace(at, &moved);
        // A clock that was set back shows no later time.
        self.revision += u64::from(!moved.is_empty() && !seeded(Defect::M10));
        let mut agents = 0;
        for (&taker, hand) in takers.iter().zip(hands).filter(|(_, hand)| !hand.is_empty()) {
            agents += 1;
            let agent = &mut self.agents[taker];
            agent.slots.extend(hand);
            agent.slots.sort_unstable();
            self.send_seats(taker);
        }
        let left: Vec<Slot> = slots.iter().copied().filter(|slot| !moved.contains(slot)).collect();
        let later = deal(self, &left, |agent| agent.hello.max_users);
        let waiting: BTreeSet<Slot> = later.into_iter().flatten().collect();
        for &slot in left.iter().filter(|slot| !waiting.contains(slot)) {
            self.iterations.strand(slot);
        }
        Housed { moved, agents, waiting }
    }

    /// Looks again for room for those that wait, if there may be some that there was not before.
    pub(super) fn house_waiting(&mut self, now: Duration) {
        let Phase::Running { t0, stopped: None, .. } = self.phase else { return };
        if !std::mem::take(&mut self.rooms_changed) || self.waiting.is_empty() {
            return;
        }
        let at = now.saturating_sub(t0);
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|&slot, _| self.has_work(slot, at));
        let slots: Vec<Slot> = waiting.keys().copied().collect();
        let housed = self.house(at, &slots);
        let mut moved: BTreeMap<AgentId, u32> = BTreeMap::new();
        for slot in &housed.moved {
            *moved.entry(waiting[slot]).or_default() += 1;
        }
        for agent in &mut self.agents {
            if let (Orphans::Gone(handed_over), Some(n)) = (&mut agent.orphans, moved.get(&agent.id)) {
                handed_over.moved += n;
                handed_over.stranded -= n;
            }
        }
        if !housed.moved.is_empty() {
            let (n, agents, wait) = (housed.moved.len(), housed.agents, housed.waiting.len());
            let wait = if wait == 0 { String::new() } else { format!("; {wait} still wait") };
            self.note(format!("{n} users that waited for a fit agent go on at {agents} agents{wait}"));
        }
        waiting.retain(|slot, _| housed.waiting.contains(slot));
        self.waiting = waiting;
    }
}
