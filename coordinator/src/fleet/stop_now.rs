//! An operator who does not wait: requests in flight are given up, and the run is over as soon as the agents have said so.

use super::{Agent, Cause, Fleet, Phase, SessionId};
use proto::message::ToAgent;
use std::time::Duration;

/// How long the last windows may take to arrive when the operator does not wait: an agent that is there sends its own within
/// milliseconds.
const LAST_WINDOW: Duration = Duration::from_secs(2);

impl Fleet {
    /// Stops the run at once, whether it is being stopped already or not.
    pub(super) fn stop_now(&mut self, now: Duration) {
        self.hurried = true;
        self.deliveries_over(|_| true);
        self.stop(now, Cause::Operator);
        let Phase::Running { overdue, .. } = &mut self.phase else { return };
        *overdue = (*overdue).min(now + LAST_WINDOW);
        let attached = self.live().filter(|agent| !agent.gone);
        let sessions: Vec<SessionId> = attached.map(|agent: &Agent| agent.session).collect();
        for session in sessions {
            let run = self.config.run.clone();
            self.send(session, ToAgent::Stop { run, timeout: Duration::ZERO });
        }
    }

    /// How long running iterations may take to finish when the run is stopped.
    pub(super) fn stop_timeout(&self) -> Duration {
        if self.hurried { Duration::ZERO } else { self.config.stop_timeout }
    }
}

#[cfg(test)]
mod tests;
