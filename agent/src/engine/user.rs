//! One virtual user, from its start to its stop.
//!
//! It runs its class's `on_start` steps until they succeed, then iterations: begin, pick a task, run its steps
//! in order, pause. A failed step ends its iteration (or its try of `on_start`): the steps after it would work
//! on what it did not deliver. A user that is told to stop ends a pause at once and otherwise finishes its
//! iteration; it is aborted, when that takes too long, by dropping its future.

use super::http::{BodyUse, Client};
use super::limits::ON_START_RETRY_PAUSE_MIN;
use super::outgoing::{self, Outgoing};
use super::roster::Place;
use super::shared::Shared;
use metrics::{ErrorKind, Failure, Phases, Sample};
use plan::model::{Request, Step, UserClass};
use plan::scope::Scope;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The steps did not all succeed.
struct StepFailed;

/// See the module.
pub(super) struct User {
    shared: Rc<Shared>,
    place: Place,
    scope: Scope,
    client: Client,
}

impl User {
    /// A user at `place` that has done nothing yet.
    pub(super) fn new(shared: Rc<Shared>, place: Place) -> User {
        let job = &shared.job;
        let class = job.plan.slots.of(place.slot);
        let scope = Scope::new(&job.facts, &job.plan, class, place.slot);
        let client = Client::new(job.tls.clone(), job.limits);
        User { shared, place, scope, client }
    }

    /// Lives until its stop time.
    pub(super) async fn live(mut self) {
        let shared = self.shared.clone();
        let plan = &shared.job.plan;
        let class = &plan.classes[plan.slots.of(self.place.slot).0 as usize];
        if !self.enter(class).await {
            return;
        }
        for iteration in 0.. {
            let began = shared.now();
            if began >= self.place.stop.at() {
                return;
            }
            self.scope.begin_iteration(iteration);
            let task = self.scope.pick_task(class);
            // A failure is in the books already, and ends nothing but the iteration.
            let _ = self.steps(&class.tasks[task].steps).await;
            let ended = shared.now();
            let pause = self.scope.pause(&class.wait, ended.saturating_sub(began));
            self.rest(ended.saturating_add(pause)).await;
        }
    }

    /// Runs `on_start` until it succeeds, with at least [`ON_START_RETRY_PAUSE_MIN`] in between; `false` if
    /// the user is to stop before.
    async fn enter(&mut self, class: &UserClass) -> bool {
        loop {
            let began = self.shared.now();
            if began >= self.place.stop.at() {
                return false;
            }
            if self.steps(&class.on_start).await.is_ok() {
                self.scope.keep_saved();
                return true;
            }
            let ended = self.shared.now();
            let pause =
                self.scope.pause(&class.wait, ended.saturating_sub(began)).max(ON_START_RETRY_PAUSE_MIN);
            self.rest(ended.saturating_add(pause)).await;
        }
    }

    async fn steps(&mut self, steps: &[Step]) -> Result<(), StepFailed> {
        for step in steps {
            match step {
                Step::Request(request) => self.request(request).await?,
                // A plan with such a step is refused when it is prepared.
                _ => return Err(StepFailed),
            }
        }
        Ok(())
    }

    async fn request(&mut self, request: &Request) -> Result<(), StepFailed> {
        let shared = self.shared.clone();
        let began = Instant::now();
        self.scope.set_now(shared.unix_ms(began));
        let outgoing = match self.fill_in(request) {
            Ok(outgoing) => outgoing,
            Err(failure) => {
                let open = shared.tally.open(began);
                let ended = Instant::now();
                open.close(&Sample {
                    series: request.series,
                    ended: shared.tally.since_t0(ended),
                    latency: ended - began,
                    phases: Phases::default(),
                    bytes_out: 0,
                    bytes_in: 0,
                    outcome: Err(failure),
                });
                return Err(StepFailed);
            }
        };
        let body = if request.needs_body() { BodyUse::Keep } else { BodyUse::Discard };
        let started = Instant::now();
        let open = shared.tally.open(started);
        let exchange = self.client.send(outgoing, body, started, &shared.tally).await;
        // From here to the end without `await`: the window of `ended` must not be closed in between.
        let latency = exchange.ended - started;
        let outcome = match exchange.outcome {
            Ok(reply) => shared.judge(request, &reply, latency, &mut self.scope),
            Err(failure) => Err(failure),
        };
        let sample = Sample {
            series: request.series,
            ended: shared.tally.since_t0(exchange.ended),
            latency,
            phases: exchange.phases,
            bytes_out: exchange.bytes_out,
            bytes_in: exchange.bytes_in,
            outcome,
        };
        open.close(&sample);
        sample.outcome.map_err(|_| StepFailed)
    }

    fn fill_in(&self, request: &Request) -> Result<Outgoing, Failure> {
        let job = &self.shared.job;
        let rendered = request
            .render(&job.plan.target, &self.scope)
            .map_err(|error| Failure::new(ErrorKind::Template, error.to_string()))?;
        outgoing::build(&job.target, request.method, rendered)
    }

    /// Waits until `until` since T0 or the stop time, whichever is first. Gives the thread's other users their
    /// turn even if there is nothing to wait for.
    async fn rest(&self, until: Duration) {
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
