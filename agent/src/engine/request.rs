//! One request of a user, from its template to the books.

use super::http::BodyUse;
use super::outgoing::{self, Outgoing};
use super::steps::Halt;
use super::user::User;
use metrics::{ErrorKind, Failure, Sample};
use plan::judge::Response;
use plan::model::Request;
use plan::scope::Scope;
use std::time::Instant;

impl User {
    /// A request step.
    pub(super) async fn request(&mut self, request: &Request) -> Result<(), Halt> {
        let body = if request.needs_body() { BodyUse::Keep } else { BodyUse::Discard };
        self.exchange(request, body, |response, scope| request.judge(response, scope))
            .await
            .map_err(Halt::Failed)
    }

    /// Sends `request` and records what `judge` says to the response, or why there is none.
    pub(super) async fn exchange(
        &mut self,
        request: &Request,
        body: BodyUse,
        judge: impl FnOnce(&Response<'_>, &mut Scope) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let shared = self.shared.clone();
        let began = Instant::now();
        let late = std::mem::take(&mut self.late);
        self.submitted.get_or_insert(began.checked_sub(late).unwrap_or(began));
        self.scope.set_now(shared.unix_ms(began));
        let outgoing = match self.fill_in(request) {
            Ok(outgoing) => outgoing,
            Err(failure) => {
                let open = shared.tally.open(began);
                let ended = Instant::now();
                open.end(request.series, ended, ended - began, Err(failure.clone()));
                return Err(failure);
            }
        };
        let started = Instant::now();
        let open = shared.tally.open(started);
        let exchange = self.client.send(outgoing, body, started, &shared.tally).await;
        // From here to the end without `await`: the window of `ended` must not be closed in between.
        let latency = exchange.ended - started + late;
        let outcome = match exchange.outcome {
            Ok(reply) => shared.judge(&reply, latency, |response| judge(response, &mut self.scope)),
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
        sample.outcome
    }

    fn fill_in(&self, request: &Request) -> Result<Outgoing, Failure> {
        let job = &self.shared.job;
        let rendered = request
            .render(&job.plan.target, &self.scope)
            .map_err(|error| Failure::new(ErrorKind::Template, error.to_string()))?;
        outgoing::build(&job.target, request.method, rendered)
    }
}
