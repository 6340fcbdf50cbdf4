//! How many users an agent may have: what it accepts, and no more than it has while it is saturated.
//!
//! An agent is saturated after [`BAD_SECONDS`] strained seconds in a row, and fit again after [`GOOD_SECONDS`] good ones:
//! it falls fast, because every second of a saturated generator spoils what is measured, and rises slowly, because users
//! that it gets back strain it again. A saturated agent keeps the users that it has (taking them away would change the
//! load that was asked for), and gets none of those that are handed over.

use super::Fleet;
use super::agent::{Agent, Stage};
use super::strain::Strain;
use proto::message::WindowReport;

/// Strained seconds in a row after which an agent is saturated: a garbage collection next door takes one.
pub(super) const BAD_SECONDS: u32 = 3;

/// Seconds in a row without strain after which it is fit again: the stretch over which a busy processor is judged.
pub(super) const GOOD_SECONDS: u32 = 10;

/// Whether an agent can take more users, as far as its own figures go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Capacity {
    bad: u32,
    good: u32,
    /// What the last strained second showed; there only while it is saturated.
    saturated: Option<Vec<Strain>>,
}

/// What a second changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is saturated from now on, and why.
    Saturated(String),
    /// It is no longer.
    Fit,
}

impl Capacity {
    /// Takes a second in, in which these things strained the agent.
    pub(super) fn see(&mut self, strains: Vec<Strain>) -> Option<Change> {
        if strains.is_empty() {
            (self.bad, self.good) = (0, self.good.saturating_add(1));
            let recovers = self.saturated.is_some() && self.good >= GOOD_SECONDS;
            return recovers.then(|| {
                self.saturated = None;
                Change::Fit
            });
        }
        (self.bad, self.good) = (self.bad.saturating_add(1), 0);
        if self.saturated.is_some() {
            self.saturated = Some(strains);
            return None;
        }
        (self.bad >= BAD_SECONDS).then(|| {
            let why = strains.iter().map(|strain| strain.text()).collect::<Vec<_>>().join(", and ");
            self.saturated = Some(strains);
            Change::Saturated(why)
        })
    }

    /// Whether it is saturated.
    pub(super) fn is_saturated(&self) -> bool {
        self.saturated.is_some()
    }
}

impl Agent {
    /// The most users that it may have now, those that it has included. The only place where that is decided: whoever
    /// deals users asks here.
    pub(super) fn room(&self) -> u32 {
        if self.capacity.is_saturated() { 0 } else { self.most_room() }
    }

    /// The same once it is fit: none if it came late and is not ready yet, is about to leave, or is no more. Users that are
    /// leaving still take their room.
    pub(super) fn most_room(&self) -> u32 {
        let takes = match self.stage {
            Stage::Running => true,
            Stage::Finished | Stage::Lost(_) => false,
            _ => !self.late || self.is_standby(),
        };
        if takes && self.left.is_none() {
            self.hello.max_users.saturating_sub(self.leaving.len() as u32)
        } else {
            0
        }
    }
}

impl Fleet {
    /// Takes in how agent `index` fared in the time of a window that was just applied. Of several seconds it is the worst
    /// that is told, so that one strained second is known, and good ones are all of them.
    pub(super) fn see_health(&mut self, index: usize, window: &WindowReport) {
        let (second, strains) = (window.last_second(), Strain::of(&window.health, window.seconds()));
        let times = if strains.is_empty() { window.seconds().min(GOOD_SECONDS) } else { 1 };
        let agent = &mut self.agents[index];
        let mut change = None;
        for _ in 0..times {
            change = agent.capacity.see(strains.clone()).or(change);
        }
        let name = &agent.hello.name;
        match change {
            None => {}
            Some(Change::Saturated(why)) => {
                let text = format!(
                    "agent {name} is saturated {second} s into the run, for {BAD_SECONDS} s: {why}; it gets no more users \
                     until it is fit for {GOOD_SECONDS} s"
                );
                self.warn(&text);
            }
            Some(Change::Fit) => {
                let text = format!("agent {name} is fit again {second} s into the run");
                self.rooms_changed = true;
                self.note(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn see(capacity: &mut Capacity, seconds: &str) -> String {
        let second = |second| match (second, capacity.is_saturated()) {
            ('-', _) => capacity.see(vec![Strain::Busy(900)]),
            _ => capacity.see(Vec::new()),
        };
        let shown = |change| match change {
            None => '.',
            Some(Change::Saturated(_)) => 'S',
            Some(Change::Fit) => 'F',
        };
        seconds.chars().map(second).map(shown).collect()
    }

    #[test]
    fn three_bad_seconds_in_a_row_and_ten_good_ones() {
        let check = |seconds: &str, expected: &str| {
            assert_eq!(see(&mut Capacity::default(), seconds), expected, "{seconds}");
        };
        check("--+--+--", "........");
        check("---", "..S");
        check("-----", "..S..");
        check("---++++++++++", "..S.........F");
        check("---+++++++++-++++++++++", "..S...................F");
        check("---++++++++++--+---", "..S.........F.....S");
    }

    #[test]
    fn it_is_told_why() {
        let mut capacity = Capacity::default();
        let strains = || vec![Strain::Busy(1000), Strain::Steal(120)];
        assert_eq!((capacity.see(strains()), capacity.see(strains())), (None, None));
        let why = "its processor is 100 % busy (limit 85 %), and the hypervisor takes 12 % of its machine's time (limit 5 %)";
        assert_eq!(capacity.see(strains()), Some(Change::Saturated(why.to_owned())));
    }

    proptest! {
        #[test]
        fn it_changes_only_as_often_as_the_stretches_allow(seconds in prop::collection::vec(any::<bool>(), 0..200)) {
            let mut capacity = Capacity::default();
            let mut since = 0;
            for (now, &good) in seconds.iter().enumerate() {
                let strains = if good { Vec::new() } else { vec![Strain::Exhausted(1)] };
                let before = capacity.is_saturated();
                let change = capacity.see(strains);
                let run = if before { GOOD_SECONDS } else { BAD_SECONDS } as usize;
                let lately = &seconds[(now + 1).saturating_sub(run)..=now];
                let expected = lately.len() == run && lately.iter().all(|&g| g == before) && now + 1 >= since + run;
                prop_assert_eq!(change.is_some(), expected);
                if expected {
                    since = now + 1;
                }
                prop_assert_eq!(capacity.is_saturated(), before ^ expected);
            }
        }
    }
}
