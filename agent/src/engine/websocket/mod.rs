//! WebSocket conversations of a user.
//!
//! A conversation has a connection of its own, made and counted as a request's is (`dial.rs`). The user's steps
//! run as they do outside (`steps.rs`); those of `messages` find the connection in [`User::conversation`]. While
//! the user pauses, or makes a request beside it, the connection is listened to, so that pings are answered and
//! what arrives is counted, checked and kept for the next `receive`.

mod close;
mod connection;
mod failure;
mod handshake;
mod hostile;
mod message;
mod receive;

pub(super) use connection::Conversation;
pub(super) use hostile::{heard, refused};

use super::limits::RequestLimits;
use super::outgoing::{self, Codings, Draft, Outgoing};
use super::progress::Progress;
use super::steps::Halt;
use super::user::User;
use connection::Guard;
use metrics::{ErrorKind, Failure, Sample};
use plan::model::Step;
use plan::template::EvalError;
use plan::websocket::WebSocket;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

impl User {
    /// A `websocket` step. The session is counted when it ends, as a transaction is; one that is cut short
    /// because the user is told to stop is not.
    pub(super) async fn websocket(&mut self, step: &WebSocket) -> Result<(), Halt> {
        let shared = self.shared.clone();
        let held = shared.admit().await;
        let began = Instant::now();
        let mut result = match self.connect(step, began, held).await {
            Ok(conversation) => {
                self.conversation = Some(conversation);
                self.steps(&step.steps).await
            }
            Err(failure) => Err(Halt::Failed(failure)),
        };
        let mut conversation = self.conversation.take();
        if let (false, Some(conversation)) = (matches!(result, Err(Halt::Failed(_))), &mut conversation)
            && let Err(failure) = conversation.close().await
        {
            result = Err(Halt::Failed(failure));
        }
        let outcome = match &result {
            Err(Halt::Failed(failure)) => Some(Err(failure.clone())),
            Err(Halt::Stopped) => None,
            Ok(()) | Err(Halt::Iteration | Halt::User | Halt::Closed) => Some(Ok(())),
        };
        let ended = Instant::now();
        let foreign = conversation.as_ref().map(|conversation| conversation.foreign.clone());
        // One that got nothing of others until it was cut short has shown nothing.
        if let (Some(series), Some(foreign)) = (step.isolated, foreign)
            && (outcome.is_some() || foreign.is_some())
        {
            shared.tally.open(ended).end(series, ended, ended - began, foreign.map_or(Ok(()), Err));
        }
        if let Some(outcome) = outcome {
            shared.tally.open(ended).end(step.session, ended, ended - began, outcome);
        }
        if let Some(mut conversation) = conversation {
            conversation.leave().await;
        }
        if let Err(Halt::Closed) = result { Ok(()) } else { result }
    }

    /// The handshake, which is a request in the books.
    async fn connect(
        &mut self,
        step: &WebSocket,
        began: Instant,
        held: Duration,
    ) -> Result<Box<Conversation>, Failure> {
        let shared = self.shared.clone();
        let series = step.request.series;
        let late = self.take_lateness(held);
        self.submitted.get_or_insert(began.checked_sub(late).unwrap_or(began));
        self.scope.set_now(shared.unix_ms(began));
        let (outgoing, url, guard) = match self.prepare(step) {
            Ok(prepared) => prepared,
            Err(failure) => {
                let open = shared.tally.open(began);
                let ended = Instant::now();
                open.end(series, ended, ended - began, Err(failure.clone()));
                return Err(failure);
            }
        };
        let started = Instant::now();
        let open = shared.tally.open(started);
        let progress = Progress::default();
        let limits = RequestLimits::of(self.client.settings(), &step.request.settings);
        let limits = RequestLimits { connect: step.timeout, request: step.timeout, ..limits };
        let subprotocols = &step.subprotocols;
        let connected = self.client.upgrade(outgoing, &url, subprotocols, started, &progress, &limits).await;
        let ended = Instant::now();
        if connected.is_err() && progress.exhausted.get() {
            shared.tally.exhausted();
        }
        let (bytes_in, bytes_out) = progress.bytes();
        let sample = Sample {
            series,
            ended: shared.tally.since_t0(ended),
            latency: ended - started + late,
            late,
            phases: progress.phases.get(),
            bytes_out,
            bytes_in,
            outcome: connected.as_ref().map(|_| ()).map_err(Clone::clone),
        };
        open.close(&sample);
        Ok(Box::new(Conversation::new(connected?, ended, series, shared.tally.clone(), guard).await))
    }

    fn prepare(&self, step: &WebSocket) -> Result<(Outgoing, String, Option<Guard>), Failure> {
        let failed = |error: EvalError| Failure::new(ErrorKind::Template, error.to_string());
        let job = &self.shared.job;
        let rendered = step.render(&job.plan.target, &self.scope).map_err(failed)?;
        let draft = Draft::new(step.request.method, rendered, Codings::None);
        let outgoing = outgoing::build(&job.target, &draft)?;
        let guard = match &step.isolation {
            Some(isolation) => {
                let own = isolation.own(&self.scope).map_err(failed)?;
                Some(Guard { isolation: isolation.clone(), own })
            }
            None => None,
        };
        Ok((outgoing, draft.url, guard))
    }

    /// A step that has nothing to do with the conversation around it, which is listened to meanwhile.
    pub(super) async fn beside(&mut self, step: &Step) -> Result<(), Halt> {
        let mut conversation = self.conversation.take().expect("only steps in a conversation run beside it");
        let result = attend(&mut conversation, async {
            match step {
                Step::Request(request) => self.request(request).await,
                Step::Poll(poll) => self.poll(poll).await,
                _ => unreachable!("other steps find the conversation themselves"),
            }
        })
        .await;
        self.conversation = Some(conversation);
        result
    }
}

/// Listens to `conversation` until `work` is done.
pub(super) async fn attend<T>(conversation: &mut Conversation, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        // Its end, if it comes to that, is found by the next step that needs it.
        let _ = conversation.poll_listen(cx);
        match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
