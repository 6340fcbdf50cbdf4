//! When something is due, and where an agent stands: both without a look at every agent for every message.
//!
//! Agents by the thousand renew their leases and send windows each second. Neither brings anything forward: what is due is at
//! the earliest when it was due before. So the time is reckoned anew only after everything else, and when it has come.

use super::{Fleet, Input, Output, Phase, SessionId};
use proto::message::{FromAgent, ToAgent};
use std::time::Duration;

impl Fleet {
    /// Whether `input` is what every agent says each second of a run.
    pub(super) fn is_routine(&self, input: &Input) -> bool {
        let Input::Received { message, .. } = input else { return false };
        let routine = match message {
            FromAgent::Renew { .. } => true,
            FromAgent::Window(window) => !window.last,
            _ => false,
        };
        // Agents that come late are looked after with every input.
        routine && !self.has_late && matches!(self.phase, Phase::Running { .. })
    }

    /// Reckons when something is due, unless an input was `routine` and nothing but routine was said since output number
    /// `from`: what an agent did wrong, or what ended with a window, is always told.
    pub(super) fn reckon(&mut self, routine: bool, from: usize) {
        let is_answer = |output: &Output| {
            matches!(
                output,
                Output::Apply { .. }
                    | Output::Send { message: ToAgent::Lease { .. } | ToAgent::WindowAck { .. }, .. }
            )
        };
        if !routine || !self.outputs.iter().skip(from).all(is_answer) {
            self.due = self.next_due();
        }
    }

    /// Whether something is due at `now`.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// The agent whose stream is `session`: where it stood last, or wherever it stands now.
    pub(super) fn whereabouts(&mut self, session: SessionId) -> Option<usize> {
        let known = self.places.get(&session).copied();
        let there = |place: &usize| self.agents.get(*place).is_some_and(|agent| agent.is_on(session));
        if let Some(place) = known.filter(there) {
            return Some(place);
        }
        let place = self.agents.iter().position(|agent| agent.is_on(session))?;
        self.places.insert(session, place);
        Some(place)
    }
}
