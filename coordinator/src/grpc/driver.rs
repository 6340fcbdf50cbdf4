//! Drives the fleet core: one select over everything that can happen, then whatever the core decided.

use super::connection::Peer;
use super::entrance::{First, enter};
use super::listen::Note;
use crate::fleet::{AgentId, Fleet, Input, Outcome, Output, SessionId};
use crate::secure::{Gate, Refused};
use plan::chore::ChoreKind;
use proto::message::{FromAgent, RejectCode, ToAgent, WindowReport};
use proto::server::{Accept, Inbound, Outbound};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

/// Events waiting for the fleet core; when it is full, streams are read more slowly.
const MAX_EVENTS: usize = 1024;

/// Messages that wait for an agent to read them; one that lets more pile up is dropped.
const MAX_UNREAD: usize = 256;

/// What happens on the streams.
#[derive(Debug)]
pub struct Event {
    session: SessionId,
    what: What,
}

#[derive(Debug)]
enum What {
    Attached { peer: String, outbound: mpsc::Sender<ToAgent> },
    Received(FromAgent),
    Refused { code: RejectCode, message: String },
    Detached(String),
}

/// Gives every new stream a number and turns it into events.
pub(super) struct Accepted {
    events: mpsc::Sender<Event>,
    sessions: AtomicU64,
    gate: Arc<Gate>,
    note: Note,
}

impl Accepted {
    pub(super) fn new(gate: Arc<Gate>, note: Note) -> (Accepted, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(MAX_EVENTS);
        (Accepted { events, sessions: AtomicU64::new(1), gate, note }, receiver)
    }
}

impl Accept for Accepted {
    type Peer = Peer;

    fn accept(&self, peer: Option<Peer>, mut inbound: Inbound) -> Outbound {
        let peer = peer.expect("every connection of this server says who is there");
        let session = SessionId(self.sessions.fetch_add(1, Ordering::Relaxed));
        let (outbound, outgoing) = mpsc::channel(MAX_UNREAD);
        let (events, gate, note) = (self.events.clone(), self.gate.clone(), self.note.clone());
        tokio::spawn(async move {
            let Some(first) = enter(&gate, &peer, &mut inbound, &outbound, &note).await else { return };
            let mut what = What::Attached { peer: peer.name, outbound };
            // Until its end, the stream speaks for the agent that was let in.
            let mut pass = match first {
                First::Unasked => None,
                First::Hello(hello, pass) => {
                    if events.send(Event { session, what }).await.is_err() {
                        return;
                    }
                    what = What::Received(FromAgent::Hello(hello));
                    Some(pass)
                }
                First::Refused(Refused { code, message, .. }) => {
                    let _ = events.send(Event { session, what }).await;
                    let _ = events.send(Event { session, what: What::Refused { code, message } }).await;
                    return;
                }
            };
            loop {
                let last = matches!(what, What::Detached(_));
                if last {
                    drop(pass.take());
                }
                if events.send(Event { session, what }).await.is_err() || last {
                    return;
                }
                what = match inbound.next().await {
                    Some(Ok(message)) => What::Received(message),
                    Some(Err(error)) => What::Detached(error.to_string()),
                    None => What::Detached("it closed the stream".to_owned()),
                };
            }
        });
        Box::pin(ReceiverStream::new(outgoing))
    }
}

/// Sees what the fleet does, as it happens.
pub trait Observer {
    /// A window to add to the results.
    fn apply(&mut self, agent: AgentId, window: &WindowReport);
    /// No more windows come from this agent.
    fn gone(&mut self, agent: AgentId);
    /// T0 of a run with these agents is `after` from now.
    fn started(&mut self, after: Duration, agents: &[AgentId]);
    /// The operator stopped the run `at` after T0.
    fn stopping(&mut self, at: Duration);
    /// A chore begins on an agent of this name, or has ended.
    fn chore(&mut self, kind: ChoreKind, agent: Option<&str>);
    /// Something a person should know.
    fn note(&mut self, text: &str);
    /// Time has passed; called about ten times a second.
    fn tick(&mut self);
}

/// Runs `fleet`, whose clock began at `origin`, to its end. Each item of `stop` is the operator's wish to stop.
pub async fn drive(
    mut fleet: Fleet,
    origin: Instant,
    mut events: mpsc::Receiver<Event>,
    mut stop: mpsc::Receiver<()>,
    observer: &mut impl Observer,
) -> Outcome {
    let mut streams: BTreeMap<SessionId, mpsc::Sender<ToAgent>> = BTreeMap::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        while let Some(output) = fleet.poll_output() {
            match output {
                Output::Send { session, message } => {
                    let Some(stream) = streams.get(&session) else { continue };
                    if let Err(TrySendError::Full(_)) = stream.try_send(message) {
                        streams.remove(&session);
                        let reason = format!("it let {MAX_UNREAD} messages pile up unread");
                        fleet.handle_input(origin.elapsed(), Input::Detached { session, reason });
                    }
                }
                Output::Close { session } => {
                    streams.remove(&session);
                }
                Output::Apply { agent, window } => observer.apply(agent, &window),
                Output::Stopping { at } => observer.stopping(at),
                Output::Gone { agent } => observer.gone(agent),
                Output::Started { after, agents } => observer.started(after, &agents),
                Output::ChoreBegan { kind, agent } => observer.chore(kind, Some(&agent)),
                Output::ChoreEnded { kind } => observer.chore(kind, None),
                Output::Note(text) => observer.note(&text),
                Output::Finished(outcome) => return outcome,
            }
        }
        let due = fleet.poll_timeout().map(|due| origin + due);
        let input = tokio::select! {
            biased;
            Some(()) = stop.recv() => Some(Input::Stop),
            Some(Event { session, what }) = events.recv() => match what {
                What::Attached { peer, outbound } => {
                    streams.insert(session, outbound);
                    Some(Input::Attached { session, peer })
                }
                What::Received(message) => Some(Input::Received { session, message }),
                What::Refused { code, message } => Some(Input::Refused { session, code, message }),
                What::Detached(reason) => {
                    streams.remove(&session);
                    Some(Input::Detached { session, reason })
                }
            },
            () = sleep_until(due) => None,
            _ = ticks.tick() => {
                observer.tick();
                continue;
            }
        };
        match input {
            Some(input) => fleet.handle_input(origin.elapsed(), input),
            None => fleet.handle_timeout(origin.elapsed()),
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
