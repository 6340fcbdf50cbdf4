//! Drives one session: a select over everything that can happen, then whatever the core decided.

use super::clock::{Clock, SinceBoot};
use super::conversation::{Conversation, hang_up, open, unread};
use super::dial::{Connect, DialError};
use super::load::Load;
use super::report::{chore_report, report};
use crate::engine::{Engine, EngineEvent, StopMode};
use crate::session::{Entry, Exit, Input, Output, Session};
use crate::spool::{Done, Writer};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use plan::chore::SetupValues;
use plan::scope::RunFacts;
use plan::{Bundle, Plan, sha256_hex};
use proto::LinkError;
use proto::message::{FromAgent, PlanDigests, PlanRefusal, RunId, ToAgent};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tokio_stream::StreamExt as _;

/// What a session works with.
pub struct Link<L = Engine> {
    /// The agent's name, for `agent.name` in plans.
    pub name: String,
    /// How to reach the coordinator.
    pub connect: Connect,
    /// The engine.
    pub engine: L,
    /// What the engine reports.
    pub events: mpsc::UnboundedReceiver<EngineEvent>,
    /// The machine's clock.
    pub since_boot: SinceBoot,
    /// Where plans are read.
    pub reading: Reading,
    /// Takes what a person should know.
    pub note: Box<dyn Fn(&str)>,
}

/// Where plans are read. A million rows take seconds, and the coordinator takes a silent agent for lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// On a thread of its own.
    Aside,
    /// On the link's own thread, so that everything happens in one order: for simulated machines.
    Here,
}

impl Reading {
    fn begin<T: Send + 'static>(self, read: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        match self {
            Reading::Aside => tokio::task::spawn_blocking(read),
            Reading::Here => tokio::spawn(async { read() }),
        }
    }
}

/// Runs `session` until its process should end. `leave` resolves with the reason for leaving, each time the process is
/// asked to; the second time it ends at once.
pub async fn drive<L: Load>(session: Session, mut link: Link<L>, mut leave: mpsc::Receiver<String>) -> Exit {
    drive_with(session, &mut link, &mut leave, None).await
}

/// Runs `session` until it ends, with a `spool` in which what is not delivered outlives the process.
pub(crate) async fn drive_with<L: Load>(
    session: Session,
    link: &mut Link<L>,
    leave: &mut mpsc::Receiver<String>,
    mut spool: Option<Writer>,
) -> Exit {
    let exit = converse(session, link, leave, &mut spool).await;
    if let Some(spool) = spool {
        spool.finish().await;
    }
    exit
}

async fn converse<L: Load>(
    mut session: Session,
    link: &mut Link<L>,
    leave: &mut mpsc::Receiver<String>,
    spool: &mut Option<Writer>,
) -> Exit {
    let Link { name, connect, engine, events, since_boot, reading, note } = link;
    let clock = Clock::start(*since_boot);
    let mut dialling: Option<BoxFuture<'static, Result<Conversation, DialError>>> = None;
    let mut was_connected = false;
    let mut conversation: Option<Conversation> = None;
    let mut understanding: Option<JoinHandle<(RunId, Understood)>> = None;
    let mut preparing: Option<PlanDigests> = None;
    let mut asked_to_leave = false;
    loop {
        // Before anything is carried out: what runs already may have lost its lease.
        engine
            .may_load_until(session.may_load_until().map_or(Duration::ZERO, |until| clock.since_boot(until)));
        while let Some(output) = session.poll_output() {
            match output {
                Output::Keep(entry) => keep(spool, entry),
                Output::Dial => dialling = Some(open(connect)),
                Output::Send(message) => {
                    if !say(&mut conversation, spool.as_ref(), message) {
                        session.handle_input(clock.now(), unread());
                    }
                }
                Output::Hangup => {
                    dialling = None;
                    if let Some(conversation) = conversation.take() {
                        tokio::spawn(hang_up(conversation));
                    }
                }
                Output::Prepare { run, bundle, bundle_sha256 } => {
                    let understand = move || (run, understand(&bundle, &bundle_sha256));
                    understanding = Some(reading.begin(understand));
                }
                output @ (Output::Run { .. }
                | Output::StopUsers { .. }
                | Output::Chore(_)
                | Output::StopChore
                | Output::SeeSetup(_)) => instruct(engine, &clock, output),
                Output::Note(text) => note(&text),
                Output::Exit(exit) => {
                    say_goodbye(conversation.take()).await;
                    return exit;
                }
            }
        }
        let due = session.poll_timeout();
        let input = tokio::select! {
            biased;
            Some(reason) = leave.recv() => {
                if asked_to_leave {
                    return Exit::Left;
                }
                asked_to_leave = true;
                Some(Input::Leave { reason })
            }
            event = events.recv() => match event {
                Some(event) => Some(engine_input(event, &mut preparing)),
                None => return Exit::Broken("the engine ended by itself".to_owned()),
            },
            understood = async { understanding.as_mut().expect("checked").await }, if understanding.is_some() => {
                understanding = None;
                match prepare(engine, name, understood) {
                    Ok((digests, seconds)) => {
                        preparing = Some(digests);
                        Some(Input::WarmUp { seconds })
                    }
                    Err(reason) => Some(Input::Prepared(Err(PlanRefusal::Unable(reason)))),
                }
            }
            result = async { dialling.as_mut().expect("checked").await }, if dialling.is_some() => {
                dialling = None;
                match result {
                    Ok(open) => {
                        conversation = Some(open);
                        was_connected = true;
                        Some(Input::Connected)
                    }
                    // Once it was right, so it may be again.
                    Err(DialError::Final(reason)) if !was_connected => return Exit::Rejected(reason),
                    Err(error) => Some(Input::Disconnected { reason: error.to_string() }),
                }
            }
            item = async { conversation.as_mut().expect("checked").inbound.next().await }, if conversation.is_some() => {
                let input = heard(item);
                if let Input::Disconnected { .. } = input {
                    conversation = None;
                }
                Some(input)
            }
            done = async { spool.as_mut().expect("checked").next().await }, if spool.is_some() => {
                on_disk(&done, spool, &mut session, note);
                let goes_on = release(&mut conversation, spool.as_ref());
                (!goes_on).then(unread)
            }
            () = sleep_until(due.map(|due| clock.instant(due))) => None,
        };
        match input {
            Some(input) => session.handle_input(clock.now(), input),
            None => session.handle_timeout(clock.now()),
        }
    }
}

/// Says `message`, if anybody listens: a window once everything that was kept until now is in the spool. If too much waits to
/// be read, ends the conversation and gives `false`.
fn say(conversation: &mut Option<Conversation>, spool: Option<&Writer>, message: FromAgent) -> bool {
    let (given, written) = spool.map_or((0, 0), |spool| (spool.given(), spool.written()));
    let said = conversation.as_mut().is_none_or(|open| open.say(message, given, written));
    conversation.take_if(|_| !said);
    said
}

/// Says what has waited for the spool; the rest is as with [`say`].
fn release(conversation: &mut Option<Conversation>, spool: Option<&Writer>) -> bool {
    let written = spool.map_or(u64::MAX, Writer::written);
    let said = conversation.as_mut().is_none_or(|open| open.release(written));
    conversation.take_if(|_| !said);
    said
}

async fn say_goodbye(conversation: Option<Conversation>) {
    match conversation {
        Some(open) => hang_up(open).await,
        // What a Hangup just before this left to say.
        None => tokio::task::yield_now().await,
    }
}

fn keep(spool: &mut Option<Writer>, entry: Entry) {
    if let Some(spool) = spool {
        spool.keep(entry);
    }
}

/// Does what the spool's news ask for.
fn on_disk(done: &Done, spool: &mut Option<Writer>, session: &mut Session, note: &dyn Fn(&str)) {
    match done {
        Done::Written(_) => {}
        Done::Full => {
            if let (Some(spool), Some(entries)) = (spool, session.rewritten()) {
                spool.rewrite(entries);
            }
        }
        Done::Failed(why) => {
            *spool = None;
            session.keep_no_more();
            note(&format!(
                "the spool fails: {why}; the run goes on, but what is not delivered would be lost with this process (give a \
                 directory with room: --spool-dir)"
            ));
        }
    }
}

/// Has the engine do what the session decided.
fn instruct(engine: &impl Load, clock: &Clock, output: Output) {
    match output {
        Output::Run { revision, seats, t0 } => engine.run(clock.std_instant(t0), revision, seats),
        Output::StopUsers { timeout: Duration::ZERO } => engine.stop(StopMode::Now),
        Output::StopUsers { timeout } => engine.stop(StopMode::Graceful { timeout }),
        Output::Chore(kind) => engine.chore(kind),
        Output::StopChore => engine.stop_chore(),
        // What cannot be read was refused when it arrived.
        Output::SeeSetup(values) => engine.see_setup(SetupValues::from_json(&values).unwrap_or_default()),
        _ => {}
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn engine_input(event: EngineEvent, preparing: &mut Option<PlanDigests>) -> Input {
    match event {
        EngineEvent::Prepared => Input::Prepared(
            preparing.take().ok_or_else(|| "the engine prepared a plan nobody sent".to_owned().into()),
        ),
        EngineEvent::PrepareFailed(reason) => Input::Prepared(Err(PlanRefusal::Unable(reason))),
        EngineEvent::PrepareForbidden(reason) => Input::Prepared(Err(PlanRefusal::Forbidden(reason))),
        EngineEvent::Window(window) => Input::Window(report(&window, false)),
        EngineEvent::ChoreDone(outcome) => Input::ChoreDone(chore_report(*outcome)),
        EngineEvent::Finished(window) => Input::Window(report(&window, true)),
    }
}

/// What an item of the stream is, its end included.
fn heard(item: Option<Result<ToAgent, LinkError>>) -> Input {
    match item {
        Some(Ok(message)) => Input::Received(message),
        Some(Err(error)) => Input::Disconnected { reason: error.to_string() },
        None => Input::Disconnected { reason: "the coordinator ended the stream".to_owned() },
    }
}

/// Has the engine prepare what was understood; gives the digests to answer with when it is ready, and the seconds of the
/// plan's warm-up.
fn prepare(
    engine: &impl Load,
    agent: &str,
    understood: Result<(RunId, Understood), JoinError>,
) -> Result<(PlanDigests, u32), String> {
    let (run, understood) = understood.map_err(|error| format!("the plan could not be read: {error}"))?;
    let (plan, bundle, digests) = understood?;
    let warmup = u32::try_from(plan.warmup.as_secs()).unwrap_or(u32::MAX);
    engine.prepare(Arc::new(plan), Arc::new(facts(run, agent, bundle)));
    Ok((digests, warmup))
}

/// A plan, the bundle that it came in, and the digests of both; or why this build refuses it.
type Understood = Result<(Plan, Bundle, PlanDigests), String>;

/// What the bytes of a bundle mean here.
fn understand(bytes: &Bytes, expected_sha256: &str) -> Understood {
    let bundle_sha256 = sha256_hex(bytes);
    if bundle_sha256 != expected_sha256 {
        return Err(format!(
            "the plan arrived changed: sha256 {bundle_sha256:.12}…, expected {expected_sha256:.12}…"
        ));
    }
    let bundle = Bundle::from_bytes(bytes).map_err(|error| error.to_string())?;
    let plan = bundle.compile().map_err(|diagnostics| format!("this build refuses it:\n{diagnostics}"))?;
    let digests = PlanDigests { bundle_sha256, meaning_sha256: plan.meaning_sha256() };
    Ok((plan, bundle, digests))
}

fn facts(run: RunId, agent: &str, bundle: Bundle) -> RunFacts {
    RunFacts {
        run_id: run.0,
        agent_name: agent.to_owned(),
        env: bundle.settings.env,
        seed: bundle.settings.seed,
    }
}
