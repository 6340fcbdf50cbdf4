//! The end of an agent that was told to leave: it drains.
//!
//! It says so at once, so that its users can go on elsewhere one by one as they end: they begin no more iterations, and
//! have the drain timeout to finish those that are running. What they did is delivered, then the agent says goodbye.
//! Without a run it leaves at once; without a stream it drains by itself, and tries for a while to deliver what it has.

use super::run::Run;
use super::{Exit, Output, Session, State};
use proto::message::FromAgent;
use std::time::Duration;

/// How long running iterations may take to finish when an agent is told to leave, unless it is said otherwise.
pub const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after that their results may take to arrive.
pub(super) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The process was asked to end.
#[derive(Debug)]
pub(super) struct Leaving {
    /// Why, for a person.
    pub(super) reason: String,
    /// When it ends, come what may.
    pub(super) until: Duration,
}

impl Session {
    pub(super) fn leave(&mut self, now: Duration, reason: String) {
        if self.leaving.is_none() {
            let timeout = self.drain_timeout;
            let drains = self.run.as_ref().is_some_and(Run::has_users);
            let ends = now + if drains { timeout } else { Duration::ZERO };
            self.leaving = Some(Leaving { reason, until: ends + DELIVERY_TIMEOUT });
            if let Some(run) = self.run.as_ref().filter(|run| run.makes_load()) {
                let (id, users, seconds) = (&run.id, run.users(), timeout.as_secs_f64());
                let text = format!(
                    "draining: the {users} users of run {id} end when they have finished their iterations, within \
                     {seconds} s (--drain-timeout); a second signal ends them at once"
                );
                self.note(text);
                self.outputs.push_back(Output::StopUsers { timeout });
            }
            self.tell_of_draining();
            self.stop_chore();
        }
        self.leave_when_done();
    }

    /// Says that the agent is about to leave, if it is and that is of interest.
    pub(super) fn tell_of_draining(&mut self) {
        if let Some(Leaving { reason, .. }) = &self.leaving
            && matches!(self.state, State::Attached { .. })
            && !self.recovering
            && self.run.as_ref().is_some_and(Run::is_running)
        {
            let reason = reason.clone();
            self.send(FromAgent::Draining { reason });
        }
    }

    /// Leaves if that is asked for, and nothing is left to end or to deliver.
    pub(super) fn leave_when_done(&mut self) {
        let Some(Leaving { reason, .. }) = &self.leaving else { return };
        // What an earlier process left waits for another one, unless it is on its way already.
        let elsewhere = self.recovering && !matches!(self.state, State::Attached { .. });
        let running = self.run.as_ref().is_some_and(Run::is_running) && !elsewhere;
        let busy = running || self.chores.is_going_on();
        if busy || matches!(self.state, State::Left) {
            return;
        }
        if matches!(self.state, State::Attached { .. }) {
            let goodbye = FromAgent::Goodbye { reason: reason.clone() };
            self.send(goodbye);
            self.outputs.push_back(Output::Hangup);
        }
        self.exit(Exit::Left);
    }

    /// Nobody took what was left to deliver.
    pub(super) fn leave_overdue(&mut self) {
        if let Some(run) = &self.run {
            let (id, kept, coordinator) = (&run.id, run.outbox.undelivered(), &self.coordinator);
            let fate = if self.keeping {
                "kept for an agent that is started with the same spool directory"
            } else {
                "dropped"
            };
            let text = format!(
                "run {id}: {coordinator} did not take the results of {kept} requests; they are {fate}"
            );
            self.note(text);
        }
        self.outputs.push_back(Output::Hangup);
        self.exit(Exit::Left);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Harness, S, assign, id, window};
    use super::super::{Input, Output};
    use super::*;
    use proto::message::ToAgent;

    fn leave() -> Input {
        Input::Leave { reason: "SIGTERM".to_owned() }
    }

    fn draining() -> Output {
        Output::Send(FromAgent::Draining { reason: "SIGTERM".to_owned() })
    }

    #[test]
    fn a_draining_agent_gives_its_users_away_as_it_is_told_and_stays_until_all_is_delivered() {
        let mut h = Harness::running();
        h.session.drain_timeout = 7 * S;
        assert_eq!(h.input(leave()), [Output::StopUsers { timeout: 7 * S }, draining()]);
        let said = h.hear(assign("r", 2, &[]));
        let ack = FromAgent::AssignAck { run: id("r"), revision: 2, clock_error: None };
        let Output::Run { revision: 2, seats, .. } = &said[0] else { panic!("{said:?}") };
        assert!(seats.is_empty(), "the engine learns whose users are to leave");
        assert_eq!(said[1..], [Output::Send(ack)]);
        assert_eq!(h.input(window(0, 5, 0, false)).len(), 1, "it goes on to tell what its users do");
        h.input(window(1, 5, 0, true));
        let said = h.hear(ToAgent::WindowAck { run: id("r"), seq: 2 });
        assert_eq!(said.last(), Some(&Output::Exit(Exit::Left)));
    }

    #[test]
    fn it_is_said_again_over_another_stream_and_not_where_nobody_is_concerned() {
        let mut h = Harness::running();
        h.input(leave());
        h.input(Input::Disconnected { reason: "reset".to_owned() });
        let resumed = proto::message::Resumed { applied: 0, lost: false };
        h.wait(S);
        h.input(Input::Connected);
        let welcome = proto::message::Welcome {
            protocol: 1,
            build: String::new(),
            session: 2,
            renew: S,
            resumed: Some(resumed),
        };
        assert!(h.hear(ToAgent::Welcome(welcome)).contains(&draining()));

        let mut offline = Harness::running();
        offline.input(window(0, 5, 0, true));
        offline.input(Input::Disconnected { reason: "reset".to_owned() });
        assert_eq!(offline.input(leave()), []);
        let said = offline.wait(DELIVERY_TIMEOUT);
        assert_eq!(said.last(), Some(&Output::Exit(Exit::Left)), "nobody takes what it has: {said:?}");

        let mut idle = Harness::attached();
        assert!(!idle.input(leave()).contains(&draining()), "it has no part in a run");
    }
}
