//! One poll of a user: requests until one of the answers decides, or the time is over.
//!
//! A poll that answers badly, or not at all, is a failed request and decides nothing. The pauses between polls
//! are not cut when the user is told to stop: that would flood the target with the rest of them.

use super::http::BodyUse;
use super::progress::text;
use super::steps::Halt;
use super::user::User;
use metrics::{ErrorKind, Failure};
use plan::flow::Poll;
use plan::judge::Progress;
use std::time::Instant;

impl User {
    /// A poll step. Its completion is measured from the first request before it that no other completion was
    /// measured from, or else from its own first request.
    pub(super) async fn poll(&mut self, poll: &Poll) -> Result<(), Halt> {
        let shared = self.shared.clone();
        let began = Instant::now();
        let submitted = self.submitted.unwrap_or(began);
        let open = shared.tally.open(began);
        let outcome = self.ask(poll, began).await;
        self.submitted = None;
        let ended = Instant::now();
        open.end(poll.completion, ended, ended - submitted, outcome.clone());
        outcome.map_err(Halt::Failed)
    }

    /// Polls until it is decided.
    async fn ask(&mut self, poll: &Poll, began: Instant) -> Result<(), Failure> {
        let body = if poll.needs_body() { BodyUse::Keep } else { BodyUse::Discard };
        let give_up = began + poll.timeout;
        loop {
            let asked = Instant::now();
            let mut progress = Progress::Pending;
            let answered = self
                .exchange(&poll.request, body, |response, scope| {
                    let (answer, decided) = poll.judge(response, scope);
                    progress = decided;
                    answer
                })
                .await;
            match (progress, answered) {
                (Progress::Done, _) => return Ok(()),
                (Progress::Failed(failure), _) => return Err(failure),
                // It would not be made a second time either.
                (Progress::Pending, Err(failure)) if failure.kind == ErrorKind::Template => {
                    return Err(failure);
                }
                (Progress::Pending, _) => {}
            }
            let next = asked + poll.every;
            tokio::time::sleep_until(next.min(give_up).into()).await;
            if Instant::now() >= give_up {
                return Err(Failure::new(
                    ErrorKind::Timeout,
                    format!("not done after {}: `{}` was not true", text(poll.timeout), poll.until.source()),
                ));
            }
        }
    }
}
