//! One request of a user, from its template to the books.

use super::coding;
use super::http::{BodyUse, Terms};
use super::limits::RequestLimits;
use super::outgoing::{self, Codings, Draft, Outgoing};
use super::redirect::Journey;
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

    /// Sends `request`, follows redirects, and records what `judge` says to the response, or why there is none.
    /// Each redirect is a request of its own to the target, and so it is in the books.
    pub(super) async fn exchange(
        &mut self,
        request: &Request,
        body: BodyUse,
        judge: impl FnOnce(&Response<'_>, &mut Scope) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let shared = self.shared.clone();
        let held = shared.admit().await;
        let began = Instant::now();
        let late = self.take_lateness(held);
        self.submitted.get_or_insert(began.checked_sub(late).unwrap_or(began));
        self.scope.set_now(shared.unix_ms(began));
        let (mut journey, mut outgoing) = match self.fill_in(request) {
            Ok(filled_in) => filled_in,
            Err(failure) => {
                let open = shared.tally.open(began);
                let ended = Instant::now();
                open.end(request.series, ended, ended - began, Err(failure.clone()));
                return Err(failure);
            }
        };
        let terms = self.terms(request, body);
        let mut first = Instant::now();
        // The first hop takes the lateness.
        let (mut started, mut delay) = (first, late);
        let mut judge = Some(judge);
        loop {
            let open = shared.tally.open(started);
            let exchange = self.client.send(outgoing, journey.url(), &terms, first, &shared.tally).await;
            // From here to the next request without `await`: the window of `ended` must not be closed in between.
            let (next, outcome) = match exchange.outcome {
                Err(failure) => (None, Err(failure)),
                Ok(mut reply) => match journey.next(&shared.job.target, request, &reply) {
                    Ok(Some(next)) => (Some(next), Ok(())),
                    Ok(None) => {
                        let judge = judge.take().expect("a response without a redirect is the last one");
                        let elapsed = exchange.ended - first + late;
                        let judged = coding::undo(&mut reply, &terms).and_then(|()| {
                            shared.judge(&reply, elapsed, |response| judge(response, &mut self.scope))
                        });
                        (None, judged)
                    }
                    Err(failure) => (None, Err(failure)),
                },
            };
            let delayed = std::mem::take(&mut delay);
            let sample = Sample {
                series: request.series,
                ended: shared.tally.since_t0(exchange.ended),
                latency: exchange.ended - started + delayed,
                late: delayed,
                phases: exchange.phases,
                bytes_out: exchange.bytes_out,
                bytes_in: exchange.bytes_in,
                outcome,
            };
            open.close(&sample);
            let Some(next) = next else { return sample.outcome };
            first += shared.admit().await;
            outgoing = next;
            started = Instant::now();
        }
    }

    fn terms(&self, request: &Request, body: BodyUse) -> Terms {
        let codings = Codings::of(&request.settings);
        Terms { limits: RequestLimits::of(self.client.settings(), &request.settings), body, codings }
    }

    fn fill_in(&self, request: &Request) -> Result<(Journey, Outgoing), Failure> {
        let job = &self.shared.job;
        let rendered = request
            .render(&job.plan.target, &self.scope)
            .map_err(|error| Failure::new(ErrorKind::Template, error.to_string()))?;
        let draft = Draft::new(request.method, rendered, Codings::of(&request.settings));
        let outgoing = outgoing::build(&job.target, &draft)?;
        Ok((Journey::new(draft), outgoing))
    }
}
