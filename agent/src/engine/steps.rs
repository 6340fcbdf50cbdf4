//! The interpreter of a user's steps.
//!
//! Steps run in order. The first that fails ends the iteration (or the try of `on_start`): the steps after it
//! would work on what it did not deliver. Steps within steps are boxed, so a user that runs plain requests is
//! no larger for them.

use super::user::User;
use metrics::{ErrorKind, Failure, SeriesId};
use plan::flow::{Stop, Think, Transaction};
use plan::model::Step;
use plan::template::EvalError;
use std::time::{Duration, Instant};

/// Why the steps did not run to their end.
pub(super) enum Halt {
    /// One of them failed, which is in the books already.
    Failed(Failure),
    /// `stop: iteration`
    Iteration,
    /// `stop: user`
    User,
    /// `close`: the rest of `messages` is not for now.
    Closed,
    /// The user was told to stop while it paused. A transaction around it is not counted: with its pause cut
    /// short it would look faster than it is.
    Stopped,
}

impl User {
    /// Runs `steps` in order.
    pub(super) async fn steps(&mut self, steps: &[Step]) -> Result<(), Halt> {
        for step in steps {
            match step {
                Step::Request(_) | Step::Poll(_) if self.conversation.is_some() => {
                    Box::pin(self.beside(step)).await?;
                }
                Step::Request(request) => self.request(request).await?,
                Step::Poll(poll) => Box::pin(self.poll(poll)).await?,
                Step::Think(think) => Box::pin(self.think(think)).await?,
                Step::Set(set) => {
                    self.read_clock();
                    let applied = set.apply(&mut self.scope);
                    self.evaluated(set.failures, applied)?;
                }
                Step::If(decision) => {
                    self.read_clock();
                    let branch = decision.branch(&self.scope);
                    let branch = self.evaluated(decision.failures, branch)?;
                    Box::pin(self.steps(branch)).await?;
                }
                Step::Repeat(repeat) => {
                    self.read_clock();
                    let rounds = repeat.rounds(&self.scope);
                    let rounds = self.evaluated(repeat.failures, rounds)?;
                    Box::pin(self.rounds(rounds, &repeat.steps)).await?;
                }
                Step::Transaction(transaction) => Box::pin(self.transaction(transaction)).await?,
                Step::Call(steps) => Box::pin(self.steps(steps)).await?,
                Step::WebSocket(socket) => Box::pin(self.websocket(socket)).await?,
                Step::Message(message) => Box::pin(self.message(message)).await?,
                Step::Stop(Stop::Iteration) => return Err(Halt::Iteration),
                Step::Stop(Stop::User) => return Err(Halt::User),
                // The list of steps is open for later versions of the plan crate; this one knows them all.
                _ => unreachable!("a kind of step that the plan crate of this build does not make"),
            }
        }
        Ok(())
    }

    async fn rounds(&mut self, rounds: u32, steps: &[Step]) -> Result<(), Halt> {
        let outer = self.scope.set_round(None);
        let mut done = Ok(());
        for round in 0..rounds {
            self.scope.set_round(Some(round));
            done = self.steps(steps).await;
            if done.is_err() {
                break;
            }
            // Rounds without requests must not keep the thread from its other users.
            tokio::task::yield_now().await;
        }
        // Also where a `close` ends a conversation, after which the rounds around it go on.
        self.scope.set_round(outer);
        done
    }

    async fn think(&mut self, think: &Think) -> Result<(), Halt> {
        let pause = self.scope.pause(&think.wait, Duration::ZERO);
        let until = self.shared.now().saturating_add(pause);
        if self.conversation.is_some() {
            self.pause_in_conversation(until).await?;
        } else {
            self.rest(until).await;
        }
        if self.shared.now() >= self.place.stop.at() { Err(Halt::Stopped) } else { Ok(()) }
    }

    /// Counted as started and ended when it ends. One that is given up has no part in the books: the request
    /// that it waited for has, and is the only thing whose outcome is unknown.
    async fn transaction(&mut self, transaction: &Transaction) -> Result<(), Halt> {
        let shared = self.shared.clone();
        let began = Instant::now().checked_sub(self.late.unwrap_or_default()).unwrap_or_else(Instant::now);
        let result = self.steps(&transaction.steps).await;
        let outcome = match &result {
            Err(Halt::Stopped) => return result,
            Err(Halt::Failed(Failure { kind, message })) => {
                Err(Failure::new(*kind, format!("a step failed: {message}")))
            }
            Ok(()) | Err(Halt::Iteration | Halt::User | Halt::Closed) => Ok(()),
        };
        let ended = Instant::now();
        shared.tally.open(ended).end(transaction.series, ended, ended - began, outcome);
        result
    }

    /// Sets what `now()` gives.
    pub(super) fn read_clock(&mut self) {
        self.scope.set_now(self.shared.unix_ms(Instant::now()));
    }

    /// A value of the plan's expressions; one that has none is counted as a request that could not be made.
    pub(super) fn evaluated<T>(&self, failures: SeriesId, value: Result<T, EvalError>) -> Result<T, Halt> {
        value.map_err(|error| {
            let failure = Failure::new(ErrorKind::Template, error.to_string());
            let now = Instant::now();
            self.shared.tally.open(now).end(failures, now, Duration::ZERO, Err(failure.clone()));
            Halt::Failed(failure)
        })
    }
}
