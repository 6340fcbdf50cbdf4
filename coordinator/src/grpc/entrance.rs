//! What happens on a stream before the fleet hears of it.

use super::connection::Peer;
use super::listen::Note;
use crate::secure::{Gate, Pass, Refused};
use proto::message::{FromAgent, Hello, RejectCode, ToAgent};
use proto::server::Inbound;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;

/// Longest wait for a Hello where agents have to be let in.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How a stream begins.
pub(super) enum First {
    /// Everybody is let in: the fleet hears of it at once.
    Unasked,
    /// An agent was let in.
    Hello(Hello, Pass),
    /// An agent was not.
    Refused(Refused),
}

/// Lets an agent in by its Hello, where that is needed; `None` when the fleet need not hear of it, because it was
/// turned away without.
pub(super) async fn enter(
    gate: &Arc<Gate>,
    peer: &Peer,
    inbound: &mut Inbound,
    outbound: &mpsc::Sender<ToAgent>,
    note: &Note,
) -> Option<First> {
    if gate.is_open() || peer.ip.is_none() {
        return Some(First::Unasked);
    }
    let reject = |code, message: String| {
        // The queue is empty; nobody there to hear it is as well.
        let _ = outbound.try_send(ToAgent::Reject { code, message });
    };
    let from = &peer.name;
    match tokio::time::timeout(HELLO_TIMEOUT, inbound.next()).await {
        Ok(Some(Ok(FromAgent::Hello(hello)))) => match admit(gate, peer, hello).await {
            Ok((hello, pass)) => {
                peer.joined();
                return Some(First::Hello(hello, pass));
            }
            Err(refused) if refused.aloud => return Some(First::Refused(refused)),
            Err(refused) => reject(refused.code, refused.message),
        },
        Ok(Some(Ok(_))) => {
            note(format!("{from} did not begin with Hello"));
            reject(RejectCode::Protocol, "the first message must be Hello".to_owned());
        }
        Ok(Some(Err(error))) => note(format!("{from} ended before its Hello: {error}")),
        Ok(None) => note(format!("{from} ended before its Hello: it closed the stream")),
        Err(_) => {
            note(format!("{from} said no Hello within {} s", HELLO_TIMEOUT.as_secs()));
            reject(RejectCode::Protocol, format!("no Hello within {} s", HELLO_TIMEOUT.as_secs()));
        }
    }
    None
}

/// Admission may wait for a file, so it has a thread of its own.
async fn admit(gate: &Arc<Gate>, peer: &Peer, mut hello: Hello) -> Result<(Hello, Pass), Refused> {
    let (gate, peer) = (gate.clone(), peer.clone());
    let admitted =
        tokio::task::spawn_blocking(move || gate.admit(&peer, &mut hello).map(|pass| (hello, pass)));
    admitted.await.unwrap_or_else(|error| {
        let message = format!("admission failed: {error}");
        Err(Refused { code: RejectCode::Wait, message, aloud: true })
    })
}
