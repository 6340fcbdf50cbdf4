//! An open stream to the coordinator, and what waits to be said over it.

use super::dial::{Connect, DialError};
use crate::session::Input;
use futures_util::future::BoxFuture;
use proto::LinkError;
use proto::message::{FromAgent, ToAgent};
use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};

/// Most messages that wait for the coordinator to read them. At most eight of them are windows; the others are renewals,
/// one each second until the lease is over, and answers: more than these wait only for one that orders and does not read.
const MOST_UNREAD: usize = 256;

/// How long what was said last may take to leave before the process ends.
const FAREWELL: Duration = Duration::from_secs(2);

type Inbound = Pin<Box<dyn Stream<Item = Result<ToAgent, LinkError>> + Send>>;

/// Both directions of an open stream.
pub(super) struct Conversation {
    outbound: mpsc::Sender<FromAgent>,
    pub(super) inbound: Inbound,
    /// Windows that go out once so many entries are in the spool.
    held: VecDeque<(u64, FromAgent)>,
}

impl Conversation {
    /// Says `message`; a window once `after` entries are in the spool, of which `written` are. `false` if too much waits to be
    /// read.
    pub(super) fn say(&mut self, message: FromAgent, after: u64, written: u64) -> bool {
        let waits = matches!(message, FromAgent::Window(_)) && (after > written || !self.held.is_empty());
        if waits {
            self.held.push_back((after, message));
            return true;
        }
        has_room(&self.outbound, message)
    }

    /// Says what waited for so many entries to be in the spool.
    pub(super) fn release(&mut self, written: u64) -> bool {
        while let Some((_, message)) = self.held.pop_front_if(|(after, _)| *after <= written) {
            if !has_room(&self.outbound, message) {
                return false;
            }
        }
        true
    }
}

/// The end of a stream whose other end reads nothing.
pub(super) fn unread() -> Input {
    Input::Disconnected { reason: format!("it reads nothing, {MOST_UNREAD} messages wait for it") }
}

/// Opens a stream.
pub(super) fn open(connect: &Connect) -> BoxFuture<'static, Result<Conversation, DialError>> {
    let connecting = connect();
    Box::pin(async move {
        let channel = connecting.await?;
        let (outbound, outgoing) = mpsc::channel(MOST_UNREAD);
        let inbound = proto::client::attach(channel, ReceiverStream::new(outgoing))
            .await
            .map_err(|error| DialError::of_stream(&error.to_string()))?;
        Ok(Conversation { outbound, inbound: Box::pin(inbound), held: VecDeque::new() })
    })
}

/// Says `message` without waiting; `false` if too many wait already. One that cannot be said because the stream is over is
/// followed by the end of `inbound`.
fn has_room(outbound: &mpsc::Sender<FromAgent>, message: FromAgent) -> bool {
    !matches!(outbound.try_send(message), Err(mpsc::error::TrySendError::Full(_)))
}

/// Ends the agent's direction and waits, a little, until the coordinator has taken everything and ended its own.
pub(super) async fn hang_up(conversation: Conversation) {
    let Conversation { outbound, mut inbound, held: _ } = conversation;
    drop(outbound);
    let _ = tokio::time::timeout(FAREWELL, async { while let Some(Ok(_)) = inbound.next().await {} }).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_wait_for_the_disk_and_nothing_else_does() {
        let (outbound, mut outgoing) = mpsc::channel(MOST_UNREAD);
        let inbound: Inbound = Box::pin(tokio_stream::empty());
        let mut open = Conversation { outbound, inbound, held: VecDeque::new() };
        let window = |index| FromAgent::Window(crate::spool::a_window(index, 1));
        let renew = |n| FromAgent::Renew { n, users: 0 };
        assert!(open.say(window(0), 2, 1) && open.say(renew(1), 2, 1) && open.say(window(1), 2, 2));
        assert_eq!(outgoing.try_recv(), Ok(renew(1)));
        assert!(outgoing.try_recv().is_err());
        assert!(open.release(2));
        assert_eq!(
            (outgoing.try_recv(), outgoing.try_recv()),
            (Ok(window(0)), Ok(window(1))),
            "in their order"
        );
        assert!(open.say(window(2), 2, 2));
        assert_eq!(outgoing.try_recv(), Ok(window(2)));
    }

    #[test]
    fn a_coordinator_that_does_not_read_is_not_waited_for() {
        let (outbound, outgoing) = mpsc::channel(MOST_UNREAD);
        let said = (0..1000).take_while(|&n| has_room(&outbound, FromAgent::Renew { n, users: 0 })).count();
        assert_eq!(said, MOST_UNREAD);
        drop(outgoing);
        assert!(
            has_room(&outbound, FromAgent::Renew { n: 1, users: 0 }),
            "its end is told by the other direction"
        );
    }
}
