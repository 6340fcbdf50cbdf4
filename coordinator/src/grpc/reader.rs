//! The reading half of a stream: what an agent says, one message at a time, until one end has had enough.
//!
//! Of each stream one message at most waits for the fleet core, so that what all agents together can make wait is bounded
//! by their number. Who says too much, or what cannot be, is not read any further. Once the core has ended a stream, its
//! connection ends too, by itself or after a moment: somebody who does not read what was said last keeps nothing alive.

use super::connection::Peer;
use super::driver::{Event, What};
use super::pace::Pace;
use crate::fleet::SessionId;
use crate::secure::Pass;
use proto::LinkError;
use proto::message::FromAgent;
use proto::server::Inbound;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::StreamExt as _;

/// How long what was said last may take to leave, once a stream is over.
const LINGER: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Reader {
    pub(super) session: SessionId,
    pub(super) peer: Peer,
    pub(super) events: mpsc::Sender<Event>,
    /// Resolves when nobody listens any more.
    pub(super) over: oneshot::Receiver<()>,
}

impl Reader {
    /// Reads until the stream is over. `hello` was read already; until the end, the stream speaks for the agent that `pass`
    /// let in.
    pub(super) async fn read(mut self, mut inbound: Inbound, hello: Option<FromAgent>, pass: Option<Pass>) {
        let hand = Arc::new(Semaphore::new(1));
        let mut pace = Pace::new(Instant::now());
        let mut next = hello.map(What::Received);
        loop {
            if let Some(what) = next.take() {
                let last = !matches!(what, What::Received(_));
                let Some(in_hand) = self.free(&hand).await else { break };
                let event = Event { session: self.session, what, in_hand: Some(in_hand) };
                if self.events.send(event).await.is_err() || last {
                    break;
                }
            }
            next = tokio::select! {
                biased;
                _ = &mut self.over => break,
                message = inbound.next() => Some(self.what(message, &mut pace)),
            };
        }
        drop((inbound, pass));
        tokio::time::sleep(LINGER).await;
        self.peer.cut();
    }

    /// Waits until the core has taken the message before; `None` if it wants no more.
    async fn free(&mut self, hand: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            _ = &mut self.over => None,
            permit = hand.clone().acquire_owned() => permit.ok(),
        }
    }

    fn what(&self, message: Option<Result<FromAgent, LinkError>>, pace: &mut Pace) -> What {
        match message {
            Some(Ok(message)) => {
                self.peer.joined();
                match pace.take(Instant::now()) {
                    Ok(()) => What::Received(message),
                    Err(problem) => What::Broke(problem),
                }
            }
            Some(Err(LinkError::Malformed(malformed))) => What::Broke(malformed.to_string()),
            Some(Err(LinkError::Broken(reason))) => What::Detached(reason),
            None => What::Detached("it closed the stream".to_owned()),
        }
    }
}
