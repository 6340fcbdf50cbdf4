//! Gives agents that came late their share of the users, a few at a time.
//!
//! A fair share is what dealing would have given: totals as even as capacities allow. In a step at most a tenth of the
//! users moves, those first that have not started yet; others are moved only while no rise is under way, because users that
//! start again never start beside one. A step is over when all its users are gone where they were and were due to start
//! again; they may be late, over a slow link.
//!
//! In an open load nothing is shared: an arrival belongs to the user whose turn it is, and between two agents it would be
//! lost. Only users that nobody has are given away there.

use super::agent::Agent;
use super::{Fleet, OnAgentJoin, Phase};
use plan::slot::Slot;
use std::time::Duration;

/// A step moves one user of so many.
const STEP: u32 = 10;

/// Users that start as soon as this are left where they are until they have: on their way to another agent they would
/// miss their start.
const SOON: Duration = Duration::from_secs(3);

/// How far sharing has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sharing {
    /// The agents among which everything was shared out, as far as that is possible.
    done_among: usize,
    /// When the next step may be, on the fleet's clock.
    next_at: Option<Duration>,
}

/// The most that each of those that take at most `rooms` gets when `total` are dealt evenly; up to one less for each.
fn fair_level(total: u64, rooms: &[u32]) -> u64 {
    let mut rooms: Vec<u64> = rooms.iter().map(|&room| u64::from(room)).collect();
    rooms.sort_unstable();
    let (mut left, mut count) = (total, rooms.len() as u64);
    for room in rooms {
        if room >= left / count {
            return left / count;
        }
        left -= room;
        count -= 1;
    }
    left
}

impl Fleet {
    /// Takes the next step, if one is due.
    pub(super) fn share(&mut self, now: Duration) {
        let Phase::Running { t0, stopped: None, .. } = self.phase else { return };
        if self.config.on_agent_join != OnAgentJoin::Share || self.sharing.next_at.is_some_and(|at| now < at)
        {
            return;
        }
        self.sharing.next_at = None;
        let is_newcomer =
            |agent: &Agent| agent.is_standby() || (agent.joined.is_some() && agent.left.is_none());
        let newcomers = self.agents.iter().filter(|a| is_newcomer(a) && a.is_live()).count();
        if newcomers <= self.sharing.done_among {
            self.sharing.done_among = newcomers;
            return;
        }
        if self.config.open {
            self.sharing.done_among = newcomers;
            let text = "the load is open (arrivals): the agent that came late gets no users of others (--on-agent-join \
                        share), but takes over those of agents that are lost or leave";
            return self.note(text.to_owned());
        }
        if self.agents.iter().any(|agent| agent.is_live() && !agent.leaving.is_empty()) {
            return;
        }
        let at = now.saturating_sub(t0);
        if let Some(&last) = self.not_before.values().max().filter(|&&last| last > at) {
            self.sharing.next_at = Some(t0 + last);
            return;
        }
        let takers = self.takers();
        let total: u64 = takers.iter().map(|&(taker, _)| self.agents[taker].slots.len() as u64).sum();
        let level = fair_level(total, &takers.iter().map(|&(_, room)| room).collect::<Vec<_>>());
        let over = |&(taker, room): &(usize, u32)| {
            let fair = usize::try_from(level.min(room.into())).unwrap_or(usize::MAX);
            (taker, self.agents[taker].slots.len(), fair)
        };
        let shares: Vec<(usize, usize, usize)> = takers.iter().map(over).collect();
        let wanted: usize = shares
            .iter()
            .filter(|(taker, ..)| is_newcomer(&self.agents[*taker]))
            .map(|&(_, held, fair)| fair.saturating_sub(held))
            .sum();
        let step = wanted.min((self.config.users / STEP).max(1) as usize);
        let calm_at = self.config.schedule.restarts(at).next().unwrap_or(at);
        let mut donors: Vec<Donor> = shares
            .iter()
            .map(|&(taker, held, fair)| self.donor(taker, held.saturating_sub(fair), at, calm_at <= at))
            .collect();
        let mut taken: Vec<(usize, Slot)> = Vec::new();
        while taken.len() < step
            && let Some(donor) = donors
                .iter_mut()
                .filter(|d| d.surplus > 0 && !d.slots.is_empty())
                .max_by_key(|d| (d.surplus, d.index))
        {
            donor.surplus -= 1;
            taken.extend(donor.slots.pop().map(|slot| (donor.index, slot)));
        }
        if !taken.is_empty() {
            return self.take_step(&taken);
        }
        if wanted > 0 && calm_at > at {
            self.sharing.next_at = Some(t0 + calm_at);
        } else {
            self.sharing.done_among = newcomers;
        }
    }

    /// What agent `index` can give; the best last.
    fn donor(&self, index: usize, surplus: usize, at: Duration, calm: bool) -> Donor {
        if surplus == 0 {
            return Donor { index, surplus, slots: Vec::new() };
        }
        let lives = |slot: Slot| self.config.schedule.lives(slot);
        let waits = |slot: Slot| lives(slot).iter().all(|life| life.stop <= at || life.start > at + SOON);
        let soon = |slot: Slot| lives(slot).iter().any(|life| life.start > at && life.start <= at + SOON);
        let slots = self.unfinished(self.agents[index].slots.clone(), at);
        let (waiting, others): (Vec<Slot>, Vec<Slot>) = slots.into_iter().partition(|&slot| waits(slot));
        let others = others.into_iter().filter(|&slot| calm && !soon(slot));
        Donor { index, surplus, slots: others.chain(waiting).collect() }
    }

    fn take_step(&mut self, taken: &[(usize, Slot)]) {
        self.revision += 1;
        let mut donors: Vec<usize> = taken.iter().map(|(donor, _)| *donor).collect();
        donors.sort_unstable();
        donors.dedup();
        self.note(format!(
            "{} users of {} agents move to who came late, each when it has ended",
            taken.len(),
            donors.len()
        ));
        for donor in donors {
            let slots: Vec<Slot> =
                taken.iter().filter(|(of, _)| *of == donor).map(|(_, slot)| *slot).collect();
            self.agents[donor].slots.retain(|slot| !slots.contains(slot));
            self.take(donor, &slots);
        }
    }

    /// When the next step may be.
    pub(super) fn next_share(&self) -> Option<Duration> {
        let Phase::Running { stopped: None, .. } = self.phase else { return None };
        self.sharing.next_at
    }
}

/// An agent that has more than its share.
struct Donor {
    index: usize,
    surplus: usize,
    slots: Vec<Slot>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fair_among_those_that_have_room() {
        let check = |total: u64, rooms: &[u32], level: u64| {
            assert_eq!(fair_level(total, rooms), level, "{total} among {rooms:?}");
        };
        check(30, &[100, 100, 100, 100], 7);
        check(30, &[100, 5, 100], 12);
        check(30, &[5, 5, 5], 15);
        check(0, &[5], 0);
        check(30, &[], 30);
        check(3, &[1, 1, 1, 1], 0);
    }
}
