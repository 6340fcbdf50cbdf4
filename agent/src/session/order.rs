//! What the coordinator orders about a run.

use super::chore::Chores;
use super::keep::Entry;
use super::run::{Run, Stage};
use super::{Output, Session};
use proto::message::{FromAgent, PlanDigests, PlanRefusal, ToAgent};
use std::time::Duration;

impl Session {
    pub(super) fn prepare(&mut self, run: Run) {
        let known = self.run.as_ref().is_some_and(|old| old.id == run.id || old.is_running())
            || self.chores.is_of(&run.id);
        if !known && self.leaving.is_none() {
            // The engine's answer about a plan that is replaced must not be taken for the new one's.
            self.give_up_run();
            self.abandon_chore();
            self.run = Some(run);
            self.prepare_when_free();
        }
    }

    /// The engine serves one run at a time: a plan waits until the users of an abandoned run are gone.
    pub(super) fn prepare_when_free(&mut self) {
        if let Some(run) = self.run.as_mut()
            && !self.engine_clearing
            && let Some((bundle, bundle_sha256)) = run.take_bundle()
        {
            self.chores = Chores::default();
            self.outputs.push_back(Output::Prepare { run: run.id.clone(), bundle, bundle_sha256 });
        }
    }

    pub(super) fn prepared(&mut self, result: Result<PlanDigests, PlanRefusal>) {
        if std::mem::take(&mut self.engine_clearing) {
            // The answer belongs to a run that is no longer of interest.
            self.prepare_when_free();
            return;
        }
        let Some(run) = self.run.as_mut().filter(|run| run.preparing()) else { return };
        let id = run.id.clone();
        match &result {
            Ok(_) => {
                run.stage = Stage::Ready;
                self.chores.prepared = Some(id.clone());
            }
            Err(refusal) => {
                self.run = None;
                if let PlanRefusal::Forbidden(why) = refusal {
                    self.warn(&format!("refused run {id}: {why}"));
                }
            }
        }
        self.send(FromAgent::PlanState { run: id, state: result });
    }

    /// Orders about the run at hand; those about another run change nothing.
    pub(super) fn order(&mut self, now: Duration, order: ToAgent) {
        let Some(run) = self.run.as_mut() else { return };
        match order {
            ToAgent::Assign { run: id, seats, .. }
                if id == run.id && seats.len() > self.hello.max_users as usize =>
            {
                let (asked, accepted) = (seats.len(), self.hello.max_users);
                self.outputs.push_back(Output::Hangup);
                let reason =
                    format!("it assigned {asked} users, this agent accepts {accepted} (--max-users)");
                self.disconnected(now, &reason);
            }
            ToAgent::Assign { run: id, revision, seats } if id == run.id => {
                if run.assign(revision, seats)
                    && let Some(order) = run.users_to_run()
                {
                    self.outputs.push_back(order);
                }
                let revision = run.revision;
                let clock_error = self.clock.error(now);
                self.send(FromAgent::AssignAck { run: id, revision, clock_error });
            }
            ToAgent::Start { run: id, after, t0 }
                if id == run.id && run.stage == Stage::Ready && !self.chores.is_going_on() =>
            {
                let t0 = self.clock.here(now, t0).unwrap_or(now + after);
                run.stage = Stage::Running { t0 };
                if self.keeping {
                    run.outbox.keep();
                    self.outputs.push_back(Output::Keep(Entry::Began(run.part())));
                }
                if let Some(order) = run.users_to_run() {
                    let users = if let Output::Run { seats, .. } = &order { seats.len() } else { 0 };
                    self.outputs.push_back(Output::Note(format!("run {id} begins, {users} users")));
                    self.outputs.push_back(order);
                }
            }
            ToAgent::Stop { run: id, timeout } if id == run.id => {
                if run.makes_load() {
                    self.outputs.push_back(Output::StopUsers { timeout });
                } else if !run.is_running() {
                    self.give_up_run();
                }
            }
            ToAgent::WindowAck { run: id, seq } if id == run.id => {
                run.outbox.acknowledged(seq);
                self.keep_entries();
                if self.run.as_ref().is_some_and(|run| run.outbox.is_delivered()) {
                    self.run_over();
                } else {
                    self.send_windows();
                }
            }
            _ => {}
        }
    }
}
