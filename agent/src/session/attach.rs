//! Streams come and go: attaching, losing the stream, attaching again.
//!
//! A run outlives its stream. Its users go on until the lease is over, and what they measured is kept until it is
//! acknowledged, over whichever stream. Only when the coordinator wants no more of it is it given up.

use super::clock::Clock;
use super::lease::Lease;
use super::run::Run;
use super::{Exit, GREETING_TIMEOUT, Output, Session, State};
use proto::message::{FromAgent, Hello, RejectCode, Resumed, Welcome};
use proto::version;
use std::time::Duration;

/// Longest pause between dials while users run on: a coordinator that is started again must be found within the lease.
const LONGEST_PAUSE_IN_A_RUN: Duration = Duration::from_millis(500);

impl Session {
    pub(super) fn connected(&mut self, now: Duration) {
        if matches!(self.state, State::Dialling) {
            self.state = State::Greeting { until: now + GREETING_TIMEOUT };
            let resume = self.run.as_ref().and_then(Run::resume);
            self.send(FromAgent::Hello(Hello { resume, ..self.hello.clone() }));
        }
    }

    pub(super) fn disconnected(&mut self, now: Duration, reason: &str) {
        if matches!(self.state, State::Left) {
            return;
        }
        self.abandon_chore();
        if self.run.as_ref().is_none_or(|run| !run.is_running()) {
            self.give_up_run();
            self.lease = None;
        }
        if self.leaving.is_some() && (self.run.is_none() || self.recovering) {
            return self.exit(Exit::Left);
        }
        self.tell_of_broken_stream(now, reason);
        let pause = self.backoff.next_pause();
        let in_a_hurry = self.run.as_ref().is_some_and(Run::makes_load);
        let pause = if in_a_hurry { pause.min(LONGEST_PAUSE_IN_A_RUN) } else { pause };
        self.state = State::Offline { dial_at: now + pause };
    }

    fn tell_of_broken_stream(&mut self, now: Duration, reason: &str) {
        let first = self.backoff.attempts() == 0;
        let coordinator = self.coordinator.clone();
        let goes_on = self.run.as_ref().filter(|run| run.is_running());
        let text = match (&self.state, goes_on, &self.lease) {
            (State::Attached { .. }, Some(run), Some(lease)) if run.makes_load() => {
                let left = lease.over_at().saturating_sub(now).as_secs_f64();
                let (id, users) = (&run.id, run.users());
                format!(
                    "warning: lost the stream to {coordinator} during run {id} ({reason}); its {users} users go on for at most \
                     {left:.1} s, dialling again"
                )
            }
            (State::Attached { .. }, Some(run), _) => {
                let (id, kept) = (&run.id, run.outbox.undelivered());
                format!(
                    "warning: lost the stream to {coordinator} during run {id} ({reason}); the results of {kept} requests are \
                     kept, dialling again"
                )
            }
            (State::Attached { .. }, None, _) => {
                format!("detached from {coordinator} ({reason}); waiting for the next run")
            }
            (State::Greeting { .. }, ..) if first => {
                format!("{coordinator} has no use for this agent now: {reason}; asking again")
            }
            (State::Dialling, None, _) if first => {
                format!("no coordinator at {coordinator} yet ({reason}); trying until there is one")
            }
            _ => return,
        };
        self.note(text);
    }

    /// The coordinator granted renewal `n` when its clock showed `theirs`.
    pub(super) fn granted(&mut self, now: Duration, n: u64, ttl: Duration, theirs: Duration) {
        let Some(lease) = &mut self.lease else { return };
        let Some(sent) = lease.granted(now, n, ttl) else { return };
        self.clock.measured(sent, now, theirs);
        // Before a run, the clock is worth a few round trips more.
        if self.clock.wants_more() && self.run.as_ref().is_none_or(|run| !run.is_running()) {
            let n = lease.renew(now);
            self.send(FromAgent::Renew { n, users: 0 });
        }
    }

    /// From now on no user may run.
    pub(super) fn lease_over(&mut self, now: Duration) {
        self.lease = None;
        if let Some(run) = self.run.as_mut().filter(|run| run.makes_load()) {
            run.fence();
            let (id, users) = (run.id.clone(), run.users());
            self.outputs.push_back(Output::StopUsers { timeout: Duration::ZERO });
            self.warn(&format!("the lease of run {id} is over: all its {users} users are stopped"));
        }
        if matches!(self.state, State::Attached { .. }) {
            self.outputs.push_back(Output::Hangup);
            self.disconnected(now, "the coordinator stopped renewing the lease");
        }
    }

    /// Nobody wants anything more of the run.
    pub(super) fn give_up_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        let (coordinator, id, kept) = (&self.coordinator, &run.id, run.outbox.undelivered());
        if self.recovering {
            let text = format!(
                "{coordinator} wants no more of run {id}: the results of {kept} requests that an earlier process left are \
                 dropped"
            );
            self.warn(&text);
        } else if run.is_running() {
            let text = format!(
                "{coordinator} wants no more of run {id}: its users are stopped, the results of {kept} requests are \
                 dropped"
            );
            self.warn(&text);
        }
        if run.is_running() {
            self.keep_over();
        }
        if run.makes_load() {
            self.outputs.push_back(Output::StopUsers { timeout: Duration::ZERO });
        }
        // The engine serves one run at a time; nothing else is prepared before it has ended this one.
        self.engine_clearing |= run.has_users() || run.preparing();
    }

    /// Nothing is left to do for a session that only delivers.
    pub(super) fn recovered(&mut self) {
        if matches!(self.state, State::Attached { .. }) {
            let reason = "it has delivered what an earlier process measured".to_owned();
            self.send(FromAgent::Goodbye { reason });
        }
        self.outputs.push_back(Output::Hangup);
        self.has_recovered();
    }

    pub(super) fn welcome(&mut self, now: Duration, welcome: &Welcome) {
        if !version::SUPPORTED.range().contains(&welcome.protocol) {
            self.outputs.push_back(Output::Hangup);
            self.exit(Exit::Rejected(format!(
                "the coordinator at {} (build {}) chose protocol version {}, this agent (build {}) speaks {}; \
                 install the same version of Muster on both",
                self.coordinator,
                welcome.build,
                welcome.protocol,
                self.hello.build,
                version::SUPPORTED
            )));
            return;
        }
        self.backoff.reset();
        self.note(format!("attached to {} as {}", self.coordinator, self.hello.name));
        self.state = State::Attached { session: welcome.session };
        match welcome.resumed {
            Some(resumed) => self.resumed(resumed),
            None => self.give_up_run(),
        }
        if matches!(self.state, State::Left) {
            return;
        }
        if self.recovering && self.run.is_none() {
            return self.recovered();
        }
        let n = if let Some(lease) = &mut self.lease {
            lease.go_on(now, welcome.renew)
        } else {
            let (lease, n) = Lease::new(now, welcome.renew);
            self.lease = Some(lease);
            // It may be another coordinator.
            self.clock = Clock::default();
            n
        };
        let users = self.run.as_ref().map_or(0, Run::users);
        self.send(FromAgent::Renew { n, users });
        self.tell_of_draining();
        self.send_windows();
        self.leave_when_done();
    }

    fn resumed(&mut self, resumed: Resumed) {
        let recovering = self.recovering;
        let Some(run) = self.run.as_mut() else { return };
        let uncertain = if recovering { run.outbox.drop_uncertain(resumed.applied) } else { 0 };
        run.outbox.rewind(resumed.applied);
        self.keep_entries();
        if uncertain > 0 {
            self.warn(&format!(
                "what was kept ends before what the coordinator has: the results of {uncertain} requests may be there \
                 already and are dropped"
            ));
        }
        let Some(run) = self.run.as_mut() else { return };
        if resumed.lost && run.makes_load() {
            run.fence();
            let id = run.id.clone();
            self.outputs.push_back(Output::StopUsers { timeout: Duration::ZERO });
            self.warn(&format!("this agent was given up in run {id}: all its users are stopped"));
        }
        if self.run.as_ref().is_some_and(|run| run.outbox.is_delivered()) {
            self.run_over();
        }
    }

    /// The agent goes on as one of its own, unless it was asked to leave meanwhile.
    fn has_recovered(&mut self) {
        self.exit(if self.leaving.is_some() { Exit::Left } else { Exit::Recovered });
    }

    pub(super) fn rejected(&mut self, now: Duration, code: RejectCode, message: &str) {
        self.outputs.push_back(Output::Hangup);
        if is_about_the_agent(code) {
            // What it has kept may be welcome when it comes with what it lacks now.
            self.keep_no_more();
        }
        // Asked to wait, it may still have its part when it asks again.
        if code != RejectCode::Wait {
            self.give_up_run();
        }
        if self.recovering && self.run.is_none() && !is_about_the_agent(code) {
            self.abandon_chore();
            return self.has_recovered();
        }
        match code {
            RejectCode::Full | RejectCode::Late | RejectCode::Over | RejectCode::Wait => {
                self.disconnected(now, message);
            }
            RejectCode::Version
            | RejectCode::Name
            | RejectCode::Protocol
            | RejectCode::Plan
            | RejectCode::Secret
            | RejectCode::Identity => {
                self.abandon_chore();
                self.exit(Exit::Rejected(message.to_owned()));
            }
        }
    }
}

/// Whether a refusal is about who the agent is, and not about its part in a run.
fn is_about_the_agent(code: RejectCode) -> bool {
    use RejectCode::{Identity, Name, Secret, Version};
    matches!(code, Version | Name | Secret | Identity)
}

#[cfg(test)]
mod tests;
