//! Drives the fleet core: one select over everything that can happen, then whatever the core decided.

use super::connection::Peer;
use super::entrance::{First, enter};
use super::listen::Note;
use super::reader::Reader;
use crate::clock::RunClock;
use crate::fleet::{AgentId, Input, Member, Outcome, Output, SessionId};
use crate::journal::{Decided, Progress, RecordedFleet, Writer};
use crate::secure::{Gate, Refused};
use plan::chore::ChoreKind;
use proto::limits::MAX_UNREAD_MESSAGES;
use proto::message::{FromAgent, RejectCode, ToAgent, WindowReport};
use proto::server::{Accept, Inbound, Outbound};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

/// Events waiting for the fleet core; when it is full, streams are read more slowly.
const MAX_EVENTS: usize = 1024;

/// How long the journal may take to keep something; the run stops then, as if it had failed.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What happens on the streams.
#[derive(Debug)]
pub struct Event {
    pub(super) session: SessionId,
    pub(super) what: What,
    /// Given back when the fleet core has seen it: then the stream's next message may come.
    pub(super) in_hand: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
pub(super) enum What {
    Attached { peer: String, voice: Voice },
    Received(FromAgent),
    Refused { code: RejectCode, message: String },
    Broke(String),
    Detached(String),
}

/// The speaking half of a stream. Dropped, it ends the stream once what was said is on its way.
#[derive(Debug)]
pub(super) struct Voice {
    queue: mpsc::Sender<ToAgent>,
    /// Dropped, it tells the reading half.
    _open: oneshot::Sender<()>,
}

/// Gives every new stream a number and turns it into events.
pub(super) struct Accepted {
    events: mpsc::Sender<Event>,
    sessions: AtomicU64,
    gate: Arc<Gate>,
    note: Note,
}

impl Accepted {
    /// Streams are counted from the one after `before` on.
    pub(super) fn new(gate: Arc<Gate>, before: SessionId, note: Note) -> (Accepted, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(MAX_EVENTS);
        (Accepted { events, sessions: AtomicU64::new(before.0 + 1), gate, note }, receiver)
    }
}

impl Accept for Accepted {
    type Peer = Peer;

    fn accept(&self, peer: Option<Peer>, mut inbound: Inbound) -> Outbound {
        let peer = peer.expect("every connection of this server says who is there");
        let session = SessionId(self.sessions.fetch_add(1, Ordering::Relaxed));
        let (queue, outgoing) = mpsc::channel(MAX_UNREAD_MESSAGES);
        let (events, gate, note) = (self.events.clone(), self.gate.clone(), self.note.clone());
        tokio::spawn(async move {
            let Some(first) = enter(&gate, &peer, &mut inbound, &queue, &note).await else { return };
            let (open, over) = oneshot::channel();
            let what = What::Attached { peer: peer.name.clone(), voice: Voice { queue, _open: open } };
            if events.send(Event { session, what, in_hand: None }).await.is_err() {
                return;
            }
            let (hello, pass) = match first {
                First::Unasked => (None, None),
                First::Hello(hello, pass) => (Some(FromAgent::Hello(hello)), Some(pass)),
                First::Refused(Refused { code, message, .. }) => {
                    let what = What::Refused { code, message };
                    let _ = events.send(Event { session, what, in_hand: None }).await;
                    (None, None)
                }
            };
            Reader { session, peer, events, over }.read(inbound, hello, pass).await;
        });
        Box::pin(ReceiverStream::new(outgoing))
    }
}

/// Sees what the fleet does, once it is kept; `at` is when it was decided, on the run's clock.
pub trait Observer {
    /// A window to add to the results.
    fn apply(&mut self, at: Duration, agent: AgentId, window: &WindowReport);
    /// No more windows come from this agent.
    fn gone(&mut self, agent: AgentId);
    /// T0 of a run with these agents is `after` from `at`.
    fn started(&mut self, at: Duration, after: Duration, agents: &[Member]);
    /// This agent came later, and is given its first users.
    fn joined(&mut self, agent: &Member);
    /// The run was stopped `at` after T0.
    fn stopping(&mut self, at: Duration);
    /// A chore begins on an agent of this name, or has ended.
    fn chore(&mut self, kind: ChoreKind, agent: Option<&str>);
    /// Something a person should know.
    fn note(&mut self, text: &str);
    /// Time has passed; called about ten times a second.
    fn tick(&mut self, now: Duration);
    /// Whether the run should stop, because a threshold with `abort` is missed whatever comes. Said once.
    fn wants_stop(&mut self) -> bool {
        false
    }
}

/// Shows `output`, which was decided `at`, to `observer`; gives back what is not for its eyes.
pub fn observe(observer: &mut impl Observer, at: Duration, output: Output) -> Option<Output> {
    match output {
        Output::Apply { agent, window } => observer.apply(at, agent, &window),
        Output::Joined { agent, at: _ } => observer.joined(&agent),
        Output::Stopping { at } => observer.stopping(at),
        Output::Gone { agent } => observer.gone(agent),
        Output::Started { after, agents } => observer.started(at, after, &agents),
        Output::ChoreBegan { kind, agent } => observer.chore(kind, Some(&agent)),
        Output::ChoreEnded { kind } => observer.chore(kind, None),
        Output::Note(text) => observer.note(&text),
        other @ (Output::Send { .. } | Output::Close { .. } | Output::Finished(_)) => return Some(other),
    }
    None
}

/// Another coordinator goes on with the run; for a person.
#[derive(Debug, thiserror::Error)]
#[error("{0}; this one stops, and reports nothing")]
pub struct TakenOver(pub String);

/// Runs `fleet` on `clock` to its end, and keeps what happens in `journal`. Each item of `stop` is the operator's wish to
/// stop: at first users may finish, from the second on what is in flight is given up.
///
/// # Errors
/// When another coordinator has taken over.
pub async fn drive(
    mut fleet: RecordedFleet,
    clock: &RunClock,
    mut journal: Writer,
    mut events: mpsc::Receiver<Event>,
    mut stop: mpsc::Receiver<()>,
    observer: &mut impl Observer,
) -> Result<Outcome, TakenOver> {
    let mut streams: BTreeMap<SessionId, Voice> = BTreeMap::new();
    let mut wishes = 0_u32;
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        while let Some(Decided { at, output, .. }) = fleet.poll_output(clock.now()) {
            if let Output::Started { after, .. } = output
                && let Some(late) = clock.now().checked_sub(at + after)
            {
                let ms = late.as_millis();
                observer.note(&format!(
                    "the agents are told of T0 {ms} ms late: the disk of --report-dir is slow"
                ));
            }
            match observe(observer, at, output) {
                Some(Output::Send { session, message }) => {
                    let Some(voice) = streams.get(&session) else { continue };
                    if let Err(TrySendError::Full(_)) = voice.queue.try_send(message) {
                        streams.remove(&session);
                        let problem = format!("it let {MAX_UNREAD_MESSAGES} messages pile up unread");
                        fleet.handle_input(clock.now(), Input::Broke { session, problem });
                    }
                }
                Some(Output::Close { session }) => {
                    streams.remove(&session);
                }
                Some(Output::Finished(outcome)) => return Ok(outcome),
                _ => {}
            }
        }
        if observer.wants_stop() {
            fleet.handle_input(clock.now(), Input::Abort);
            continue;
        }
        if let Some(batch) = fleet.poll_records() {
            journal.write(batch);
        }
        let due = fleet.poll_timeout().map(|due| clock.instant(due));
        let input = tokio::select! {
            biased;
            Some(()) = stop.recv() => {
                wishes += 1;
                Some(if wishes == 1 { Input::Stop } else { Input::StopNow })
            }
            progress = journal.progress() => {
                match progress {
                    Progress::Kept(newest) => fleet.kept(newest),
                    Progress::Failed(reason) => fleet.fail(clock.now(), reason),
                    Progress::Fenced(reason) => return Err(TakenOver(reason)),
                }
                continue;
            }
            Some(Event { session, what, in_hand: _in_hand }) = events.recv() => match what {
                What::Attached { peer, voice } => {
                    streams.insert(session, voice);
                    Some(Input::Attached { session, peer })
                }
                What::Received(message) => Some(Input::Received { session, message }),
                What::Refused { code, message } => Some(Input::Refused { session, code, message }),
                What::Broke(problem) => Some(Input::Broke { session, problem }),
                What::Detached(reason) => {
                    streams.remove(&session);
                    Some(Input::Detached { session, reason })
                }
            },
            () = sleep_until(due) => None,
            _ = ticks.tick() => {
                let now = clock.now();
                observer.tick(now);
                if fleet.waits_since().is_some_and(|since| since + MAX_WAIT < now) {
                    journal.abandon();
                    let reason = format!("the disk has not answered for {} s", MAX_WAIT.as_secs());
                    fleet.fail(now, reason);
                }
                continue;
            }
        };
        match input {
            Some(input) => fleet.handle_input(clock.now(), input),
            None => fleet.handle_timeout(clock.now()),
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
