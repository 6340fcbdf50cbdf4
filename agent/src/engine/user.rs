//! One virtual user, from its start to its stop.
//!
//! It runs its class's `on_start` steps until they succeed, then iterations: begin, pick a task, run its steps
//! (`steps.rs`), pause. A user that is told to stop ends a pause at once and otherwise finishes its iteration;
//! it is aborted, when that takes too long, by dropping its future.

use super::http::Client;
use super::job::ClassConnections;
use super::ledger::Line;
use super::limits::{ON_START_RETRY_PAUSE_MIN, TIMER_ERROR};
use super::roster::Place;
use super::shared::Shared;
use super::steps::Halt;
use super::websocket::Conversation;
use plan::model::UserClass;
use plan::scope::Scope;
use plan::slot::Progress;
use plan::template::EvalError;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// See the module.
pub(super) struct User {
    pub(super) shared: Rc<Shared>,
    pub(super) place: Place,
    pub(super) scope: Scope,
    pub(super) client: Client,
    /// When the first request since the iteration's start, or since its last completed poll, was started.
    pub(super) submitted: Option<Instant>,
    /// How late an iteration began that was to begin at a certain time; its first request takes it, because its latency
    /// counts from the intended start. What delays a user is not to hide what the target made it wait.
    pub(super) late: Option<Duration>,
    /// Its newest line in the ledger.
    line: Option<Line>,
    /// The WebSocket conversation that is going on.
    pub(super) conversation: Option<Box<Conversation>>,
}

impl User {
    /// A user at `place` that has done nothing yet.
    pub(super) fn new(shared: Rc<Shared>, place: Place) -> User {
        let (scope, client) = User::parts(&shared, &place);
        User::with(shared, place, scope, client)
    }

    /// What a user at `place` begins with.
    pub(super) fn parts(shared: &Shared, place: &Place) -> (Scope, Client) {
        let job = &shared.job;
        let class = job.plan.slots.of(place.slot);
        let mut scope = Scope::new(&job.facts, &job.plan, class, place.slot);
        scope.see_setup(&job.setup());
        let connections = &job.connections[class.0 as usize];
        (scope, Client::new(connections, job.target.clone(), place.slot))
    }

    /// One that sees `scope` and connects as `connections` say.
    pub(super) fn with_scope(
        shared: Rc<Shared>,
        place: Place,
        scope: Scope,
        connections: &ClassConnections,
    ) -> User {
        let client = Client::new(connections, shared.job.target.clone(), place.slot);
        User::with(shared, place, scope, client)
    }

    /// A user at `place` with these parts.
    pub(super) fn with(shared: Rc<Shared>, place: Place, scope: Scope, client: Client) -> User {
        User { shared, place, scope, client, submitted: None, late: None, line: None, conversation: None }
    }

    /// Gives up its place; its parts may serve another user of the slot.
    pub(super) fn leave(self) -> (Scope, Client) {
        (self.scope, self.client)
    }

    /// Lives until its stop time.
    pub(super) async fn live(mut self) {
        let shared = self.shared.clone();
        let plan = &shared.job.plan;
        let class = &plan.classes[plan.slots.of(self.place.slot).0 as usize];
        let share = plan.iterations.map_or(u64::MAX, |finite| finite.share(self.place.slot));
        if self.place.iteration.get() >= share || self.place.gave_up.get() {
            return;
        }
        if self.is_out_of_rows() {
            return self.give_up(shared.now()).await;
        }
        shared.job.permit.wait().await;
        if !self.enter(class).await {
            return;
        }
        // Iterations that take longer than their period delay those after them: nothing is caught up.
        let mut intended = None;
        // When its pause is over.
        let mut due = None;
        loop {
            let began = shared.now();
            if began >= self.place.stop.at() {
                return;
            }
            if let Some(due) = due.take() {
                shared.tally.begins(due, began);
            }
            self.scope.begin_iteration(self.place.iteration.get());
            if self.is_out_of_rows() {
                return self.give_up(began).await;
            }
            self.submitted = None;
            self.late = intended.take().map(|intended| lateness(intended, began));
            let task = self.scope.pick_task(class);
            let result = self.steps(&class.tasks[task].steps).await;
            let ended = shared.now();
            // A failure is in the books already, and ends nothing but the iteration.
            match result {
                Err(Halt::Stopped) => {
                    self.place.pass_iteration();
                    continue;
                }
                Err(Halt::User) => {
                    self.end_iteration(ended);
                    return self.give_up(ended).await;
                }
                Ok(()) | Err(Halt::Failed(_) | Halt::Iteration | Halt::Closed) => self.end_iteration(ended),
            }
            if self.place.iteration.get() >= share {
                return;
            }
            let pause = self.scope.pause(&class.wait, ended.saturating_sub(began));
            intended = class.wait.period().map(|period| (began.saturating_add(period), ended));
            due = Some(ended.saturating_add(pause));
            self.rest(ended.saturating_add(pause)).await;
        }
    }

    /// How late the request is that begins now, after the agent's own cap has held it back for so long. Zero if it had no
    /// certain time to begin at.
    pub(super) fn take_lateness(&mut self, held: Duration) -> Duration {
        self.late.take().map_or(Duration::ZERO, |late| late + held)
    }

    /// Puts down that the iteration at hand is done.
    fn end_iteration(&mut self, ended: Duration) {
        self.place.pass_iteration();
        self.tell(ended);
    }

    fn tell(&mut self, at: Duration) {
        let second = u32::try_from(at.as_secs()).expect("a run is shorter than a century");
        let (slot, iteration) = (self.place.slot, self.place.iteration.get());
        let progress = Progress { slot, iteration, gave_up: self.place.gave_up.get() };
        self.place.told.set(second);
        self.shared.ledger.ended(progress, second, &mut self.line);
    }

    /// Does nothing more. In a run of so many iterations nobody waits for those that are left to it; in any other
    /// it stays, as one of the users that are wanted.
    async fn give_up(&mut self, now: Duration) {
        let finite = self.shared.job.plan.iterations.is_some();
        self.place.gave_up.set(finite);
        if finite {
            self.tell(now);
        } else {
            self.rest(Duration::MAX).await;
        }
    }

    /// Whether no row of its data is left for this user, so that it does nothing more; counted as a failure if
    /// the plan says so.
    pub(super) fn is_out_of_rows(&self) -> bool {
        let Some(data) = self.scope.exhausted() else { return false };
        if let Some(failures) = data.failures {
            let problem = format!("no row of the data source `{}` is left", data.source.name);
            let counted: Result<(), Halt> = self.evaluated(failures, Err(EvalError(problem)));
            drop(counted);
        }
        true
    }

    /// Runs `on_start` until it succeeds, with at least [`ON_START_RETRY_PAUSE_MIN`] in between; `false` if
    /// the user is to stop before.
    async fn enter(&mut self, class: &UserClass) -> bool {
        loop {
            let began = self.shared.now();
            if began >= self.place.stop.at() {
                return false;
            }
            self.submitted = None;
            match self.steps(&class.on_start).await {
                Ok(()) => {
                    self.scope.keep_saved();
                    return true;
                }
                Err(Halt::User) => {
                    self.give_up(self.shared.now()).await;
                    return false;
                }
                Err(Halt::Failed(_) | Halt::Iteration | Halt::Closed | Halt::Stopped) => {}
            }
            let ended = self.shared.now();
            let pause =
                self.scope.pause(&class.wait, ended.saturating_sub(began)).max(ON_START_RETRY_PAUSE_MIN);
            self.rest(ended.saturating_add(pause)).await;
        }
    }

    /// Waits until `until` since T0 or the stop time, whichever is first. Gives the thread's other users their
    /// turn even if there is nothing to wait for.
    pub(super) async fn rest(&self, until: Duration) {
        let stop = &self.place.stop;
        loop {
            let wake = until.min(stop.at());
            if self.shared.now() >= wake {
                return tokio::task::yield_now().await;
            }
            let wake = self.shared.tally.t0() + wake;
            tokio::select! {
                () = tokio::time::sleep_until(wake.into()) => {}
                () = stop.moved.notified() => {}
            }
        }
    }
}

/// How late an iteration is that `began` then: `intended` says when it was to begin, and when its user was free.
/// A user that was free in time is late only by more than the timer's own error.
fn lateness((intended, free): (Duration, Duration), began: Duration) -> Duration {
    let late = began.saturating_sub(intended);
    if free <= intended && late <= TIMER_ERROR { Duration::ZERO } else { late }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_timers_own_error_is_forgiven() {
        let check = |intended: (u64, u64), began: u64, late: u64| {
            let ms = Duration::from_millis;
            let intended = (ms(intended.0), ms(intended.1));
            assert_eq!(lateness(intended, ms(began)), ms(late), "{intended:?} {began}");
        };
        check((100, 50), 100, 0);
        check((100, 50), 102, 0);
        check((100, 50), 103, 3);
        check((100, 101), 101, 1);
        check((100, 700), 701, 601);
    }
}
