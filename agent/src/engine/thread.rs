//! An engine thread: starts its users on time, closes its windows, ends its part of the run.
//!
//! The thread's main task owns the run and decides; users are tasks beside it on the same single-threaded
//! runtime. It sleeps until the next thing that is due (a start, a second's boundary, the end) and never polls.

use super::collector::{ThreadProgress, ThreadReport};
use super::deal::Hand;
use super::health::{CpuMeter, watch_lag};
use super::hub::HubInput;
use super::job::Job;
use super::limits::RESOLVER_THREADS;
use super::pacer::Pacer;
use super::reception::Reception;
use super::shared::Shared;
use super::user::User;
use super::visit::Visitor;
use super::{StopMode, chore};
use plan::chore::ChoreKind;
use plan::slot::Roll;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use system::alarm::Alarm;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// What the hub tells a thread. When the channel closes, the thread ends.
#[derive(Debug)]
pub(super) enum Command {
    /// Begins a run with these users; the first second that it reports is `first`.
    Start { job: Arc<Job>, t0: Instant, first: u32, revision: u64, hand: Hand },
    /// Goes on with these users.
    Reassign { revision: u64, hand: Hand },
    /// Ends the run.
    Stop(StopMode),
    /// Runs a chore.
    Chore { job: Arc<Job>, kind: ChoreKind },
    /// Ends the chore.
    StopChore,
}

/// Starts thread `index`; its reports go to `hub`.
pub(super) fn start(
    index: usize,
    hub: mpsc::Sender<HubInput>,
) -> io::Result<(UnboundedSender<Command>, JoinHandle<()>)> {
    let (sender, commands) = unbounded_channel();
    let (ready, started) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(format!("engine-{index}")).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(RESOLVER_THREADS)
            .build_local(tokio::runtime::LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                let _ = ready.send(Ok(()));
                runtime.block_on(EngineThread { index, hub, commands, run: None, chore: None }.serve());
                // A name resolution that hangs must not hold up the end.
                runtime.shutdown_background();
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
    })?;
    started.recv().map_err(|_| io::Error::other("an engine thread ended before it began"))??;
    Ok((sender, thread))
}

struct EngineThread {
    index: usize,
    hub: mpsc::Sender<HubInput>,
    commands: UnboundedReceiver<Command>,
    run: Option<Run>,
    /// Stops the chore.
    chore: Option<oneshot::Sender<()>>,
}

/// A thread's part of a run.
struct Run {
    shared: Rc<Shared>,
    pacer: Pacer,
    /// In an open load; the pacer then starts nobody.
    reception: Option<Reception>,
    alarm: Alarm,
    phase: Phase,
    /// The seconds below are reported, or were over before this run began here.
    closed: u32,
    /// The assignment in force.
    revision: u64,
    cpu: CpuMeter,
    lag: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Users start and stop as the schedule says.
    Scheduled,
    /// Users begin nothing new; those left at `deadline` since T0 are aborted.
    Ending { deadline: Duration },
    /// Users are being aborted.
    Aborting,
}

impl EngineThread {
    async fn serve(mut self) {
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                () = due(self.run.as_ref()) => {}
            }
            if let Some(run) = &mut self.run {
                let (clock, t0) = (Instant::now(), run.shared.tally.t0());
                let now = run.shared.tally.since_t0(clock);
                if clock >= t0 {
                    run.advance(now);
                }
                if let Some(report) = run.report(self.index, now) {
                    let finished = report.progress == ThreadProgress::Finished;
                    // The hub outlives its threads.
                    let _ = self.hub.send(HubInput::Report(report));
                    if finished {
                        self.run = None;
                    }
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match (command, &mut self.run) {
            (Command::Start { job, t0, first, revision, hand }, _) => {
                self.run = Some(Run::new(job, t0, (first, revision), &hand));
            }
            (Command::Chore { job, kind }, _) => {
                self.chore = Some(chore::start(job, kind, self.hub.clone()));
            }
            (Command::StopChore, _) => self.chore = None,
            (Command::Reassign { revision, hand }, Some(run)) => run.reassign(revision, &hand),
            (Command::Stop(mode), Some(run)) => run.stop(mode),
            // This thread's part of the run has just ended by itself.
            (Command::Reassign { .. } | Command::Stop(_), None) => {}
        }
    }
}

/// Waits until something is due.
async fn due(run: Option<&Run>) {
    let Some(run) = run else { return std::future::pending().await };
    let at = run.shared.tally.t0() + run.next_at();
    tokio::select! {
        () = run.alarm.at(at) => {}
        () = run.shared.roster.emptied.notified(), if run.phase != Phase::Scheduled => {}
    }
}

impl Run {
    fn new(job: Arc<Job>, t0: Instant, (closed, revision): (u32, u64), hand: &Hand) -> Run {
        let shared = Rc::new(Shared::new(job, t0));
        let (plan, now) = (&shared.job.plan, shared.now());
        shared.tally.dealt(now);
        let reception = Reception::new(plan, hand);
        let alarm = || if plan.arrivals.is_some() { Alarm::fine() } else { Alarm::coarse() };
        let nobody = Hand::new();
        let run = Run {
            pacer: Pacer::new(&plan.schedule, if reception.is_some() { &nobody } else { hand }, now),
            alarm: alarm(),
            phase: Phase::Scheduled,
            closed,
            revision,
            cpu: CpuMeter::of_thread(),
            lag: tokio::task::spawn_local(watch_lag(shared.tally.clone(), alarm())),
            reception,
            shared: shared.clone(),
        };
        shared.roster.retain(hand, now, run.shared.job.plan.stop_timeout);
        run.welcome(hand, now);
        run
    }

    fn reassign(&mut self, revision: u64, hand: &Hand) {
        let (now, patience) = (self.shared.now(), self.shared.job.plan.stop_timeout);
        if self.phase == Phase::Scheduled {
            self.start_due(now);
        }
        self.revision = revision;
        self.shared.roster.retain(hand, now, patience);
        if self.phase == Phase::Scheduled {
            self.shared.tally.dealt(now);
            match &mut self.reception {
                Some(reception) => reception.reassign(hand, now),
                None => self.pacer = Pacer::new(&self.shared.job.plan.schedule, hand, now),
            }
            self.welcome(hand, now);
        }
    }

    /// Lets the users of `hand` wait for arrivals, if there are any.
    fn welcome(&self, hand: &Hand, now: Duration) {
        if self.reception.is_some() {
            self.shared.lobby.welcome(hand.keys().copied(), &self.shared.job.plan.slots, now);
        }
    }

    fn stop(&mut self, mode: StopMode) {
        let now = self.shared.now();
        match mode {
            StopMode::Graceful { timeout } => {
                let timeout = timeout.min(self.shared.job.plan.stop_timeout);
                self.end_by(now, now.saturating_add(timeout));
            }
            StopMode::Now => self.abort(),
        }
    }

    /// Lets users begin nothing new from `now` on; those that still run at `deadline` are aborted. Of two
    /// deadlines the earlier holds.
    fn end_by(&mut self, now: Duration, deadline: Duration) {
        let deadline = match self.phase {
            Phase::Scheduled => deadline,
            Phase::Ending { deadline: earlier } => deadline.min(earlier),
            Phase::Aborting => return,
        };
        self.shared.roster.stop_all(now);
        self.phase = Phase::Ending { deadline };
    }

    fn abort(&mut self) {
        self.phase = Phase::Aborting;
        self.shared.roster.abort();
    }

    /// Does what is due.
    fn advance(&mut self, now: Duration) {
        self.shared.roster.abort_overdue(now);
        let plan = &self.shared.job.plan;
        let (end, stop_timeout) = (plan.schedule.end(), plan.stop_timeout);
        if now >= self.time_limit() && self.phase != Phase::Aborting {
            return self.abort();
        }
        match self.phase {
            Phase::Scheduled => {
                self.start_due(now);
                if now >= end {
                    self.end_by(end, end.saturating_add(stop_timeout));
                }
            }
            Phase::Ending { deadline } if now >= deadline => self.abort(),
            Phase::Ending { .. } | Phase::Aborting => {}
        }
    }

    fn start_due(&mut self, now: Duration) {
        self.serve_due(now);
        while let Some(start) = self.pacer.due(now) {
            if let Some(place) = self.shared.roster.admit(start.slot, start.stop, start.iteration) {
                self.shared.tally.begins(start.at, now);
                let user = User::new(self.shared.clone(), place);
                let task = tokio::task::spawn_local(user.live());
                self.shared.roster.attach(start.slot, task.abort_handle());
            }
        }
    }

    /// Has the arrivals served that are due, or counts them as dropped.
    fn serve_due(&mut self, now: Duration) {
        let shared = &self.shared;
        let (end, classes) = (shared.job.plan.schedule.end(), &shared.job.plan.slots);
        while let Some(arrival) = self.reception.as_mut().and_then(|reception| reception.due(now)) {
            let server = shared.lobby.take(arrival.home, classes);
            let Some((place, kept)) = server.and_then(|(slot, kept)| {
                // Who is not in the lobby is not in the roster either.
                Some((shared.roster.admit(slot, end, arrival.number)?, kept))
            }) else {
                shared.tally.dropped(arrival.at);
                continue;
            };
            shared.tally.arrived(arrival.at);
            let slot = place.slot;
            let visitor = kept.unwrap_or_else(|| Visitor::new(shared, &place));
            let task = tokio::task::spawn_local(visitor.serve(shared.clone(), place, arrival));
            shared.roster.attach(slot, task.abort_handle());
        }
    }

    /// The report that is due: everything if the run is over, else the seconds that are.
    fn report(&mut self, index: usize, now: Duration) -> Option<ThreadReport> {
        let seconds = u32::try_from(now.as_secs()).expect("a run is shorter than a century");
        let tally = &self.shared.tally;
        let users = self.shared.roster.len();
        let (closed, windows, progress) = if users == 0 && self.phase != Phase::Scheduled {
            (seconds + 1, tally.take_all(), ThreadProgress::Finished)
        } else if seconds > self.closed {
            (seconds, tally.take_closed(now), ThreadProgress::Running)
        } else {
            return None;
        };
        self.closed = closed;
        let ended = match progress {
            ThreadProgress::Running => self.shared.ledger.take(closed),
            ThreadProgress::Finished => self.shared.ledger.take(u32::MAX),
        };
        Some(ThreadReport {
            thread: index,
            closed,
            windows,
            ended,
            users,
            lag: tally.take_lag(),
            starts: tally.take_starts(),
            exhausted: tally.take_exhausted(),
            busy: self.cpu.cores(),
            reconnects: tally.take_reconnects(),
            held_back: tally.take_held_back(),
            connections: tally.connections.get(),
            roll: Roll { revision: self.revision, leaving: self.shared.roster.leaving(closed) },
            progress,
        })
    }

    /// When the agent ends the run, whoever says what.
    fn time_limit(&self) -> Duration {
        self.shared.job.policy.max_run_time.unwrap_or(Duration::MAX)
    }

    /// When something is due again, since T0: the next second's boundary at the latest.
    fn next_at(&self) -> Duration {
        let boundary = Duration::from_secs(u64::from(self.closed) + 1);
        let due = match self.phase {
            Phase::Scheduled => {
                let end = self.shared.job.plan.schedule.end();
                let arrival = self.reception.as_ref().and_then(Reception::next_at);
                self.pacer.next_at().or(arrival).unwrap_or(end).min(end)
            }
            Phase::Ending { deadline } => deadline.min(self.time_limit()),
            Phase::Aborting => boundary,
        };
        let overdue = self.shared.roster.next_deadline();
        boundary.min(due).min(overdue.unwrap_or(boundary))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.lag.abort();
        self.shared.roster.abort();
    }
}
