//! The thread between the engine's handle and its engine threads: it prepares plans, deals slots, and merges what
//! the threads report. Everything that touches a run goes through its one queue, so nothing is ever out of
//! order.

use super::chore::ChoreOutcome;
use super::collector::{Collected, Collector, Second, ThreadReport};
use super::deal::Dealer;
use super::health::{CpuMeter, Health, cpu_share, memory_bytes};
use super::inspection;
use super::job::Job;
use super::permit::Permit;
use super::thread::{self, Command};
use super::tls::Authorities;
use super::{AgentWindow, EngineConfig, EngineEvent, StopMode};
use crate::host::Host;
use crate::policy::Policy;
use plan::Plan;
use plan::chore::{ChoreKind, SetupValues};
use plan::scope::RunFacts;
use plan::slot::{Roll, Seat};
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedSender;

/// What the hub handles.
#[derive(Debug)]
pub(super) enum HubInput {
    /// See [`Engine::prepare`](super::Engine::prepare).
    Prepare { plan: Arc<Plan>, facts: Arc<RunFacts> },
    /// See [`Engine::run`](super::Engine::run).
    Run { t0: Instant, revision: u64, seats: Vec<Seat> },
    /// See [`Engine::stop`](super::Engine::stop).
    Stop(StopMode),
    /// See [`Engine::chore`](super::Engine::chore).
    Chore(ChoreKind),
    /// See [`Engine::stop_chore`](super::Engine::stop_chore).
    StopChore,
    /// See [`Engine::see_setup`](super::Engine::see_setup).
    SeeSetup(SetupValues),
    /// The chore's end.
    ChoreDone(Box<ChoreOutcome>),
    /// A thread's part of some seconds.
    Report(ThreadReport),
    /// The handle is gone.
    Close,
}

/// Starts the hub and its engine threads.
pub(super) fn start(
    config: EngineConfig,
    permit: Arc<Permit>,
    events: UnboundedSender<EngineEvent>,
) -> io::Result<(mpsc::Sender<HubInput>, JoinHandle<()>)> {
    let (sender, inputs) = mpsc::channel();
    let threads =
        (0..config.threads).map(|index| thread::start(index, sender.clone())).collect::<io::Result<_>>()?;
    let authorities = Arc::new(Authorities::new(config.extra_roots));
    let policy = Arc::new(config.policy);
    let hub = Hub { threads, events, authorities, permit, policy, job: None, run: None, chore: false };
    let thread =
        std::thread::Builder::new().name("engine-hub".to_owned()).spawn(move || hub.serve(&inputs))?;
    Ok((sender, thread))
}

struct Hub {
    threads: Vec<(UnboundedSender<Command>, JoinHandle<()>)>,
    events: UnboundedSender<EngineEvent>,
    authorities: Arc<Authorities>,
    permit: Arc<Permit>,
    policy: Arc<Policy>,
    job: Option<Arc<Job>>,
    run: Option<Run>,
    /// Whether a chore is going on; it has a thread of the idle ones.
    chore: bool,
}

struct Run {
    /// The newest assignment.
    revision: u64,
    collector: Collector,
    dealer: Dealer,
    cpu: CpuMeter,
    host: Host,
    /// Memory of this process before the first user, in bytes.
    memory_at_start_bytes: u64,
}

impl Hub {
    fn serve(mut self, inputs: &mpsc::Receiver<HubInput>) {
        while let Ok(input) = inputs.recv() {
            match input {
                HubInput::Prepare { plan, facts } => self.prepare(plan, facts),
                HubInput::Run { t0, revision, seats } => self.run(t0, revision, &seats),
                HubInput::Stop(mode) => {
                    if self.run.is_some() {
                        self.command(|_| Command::Stop(mode));
                    }
                }
                HubInput::Chore(kind) => self.start_chore(kind),
                HubInput::StopChore => self.command_first(Command::StopChore),
                HubInput::SeeSetup(values) => {
                    if let Some(job) = &self.job {
                        job.see_setup(values);
                    }
                }
                HubInput::ChoreDone(outcome) => {
                    self.chore = false;
                    self.tell(EngineEvent::ChoreDone(outcome));
                }
                HubInput::Report(report) => self.collect(&report),
                HubInput::Close => break,
            }
        }
        for (commands, thread) in self.threads {
            drop(commands);
            let _ = thread.join();
        }
    }

    fn prepare(&mut self, plan: Arc<Plan>, facts: Arc<RunFacts>) {
        let prepared = match self.run {
            Some(_) => Err("a run is going on; stop it first".to_owned()),
            None if self.chore => Err("a chore is going on; stop it first".to_owned()),
            None => Job::prepare(plan, facts, &self.authorities, self.permit.clone(), self.policy.clone()),
        };
        let answer = match prepared.map(|job| inspection::inspect(&job).map(|()| job)) {
            Err(why) => EngineEvent::PrepareFailed(why),
            Ok(Err(why)) => EngineEvent::PrepareForbidden(why),
            Ok(Ok(job)) => {
                self.job = Some(Arc::new(job));
                EngineEvent::Prepared
            }
        };
        self.tell(answer);
    }

    fn run(&mut self, t0: Instant, revision: u64, seats: &[Seat]) {
        if let Some(run) = &mut self.run {
            run.revision = revision;
            let mut hands = run.dealer.deal(seats);
            self.command(|thread| Command::Reassign { revision, hand: std::mem::take(&mut hands[thread]) });
            return;
        }
        let Some(job) = self.job.clone() else {
            return self.tell(EngineEvent::PrepareFailed("no plan was prepared before the run".to_owned()));
        };
        let count = self.threads.len();
        let mut dealer = Dealer::new(count);
        let mut hands = dealer.deal(seats);
        self.permit.in_use(true);
        // A run may be well under way that begins here: what was before is not this agent's to tell.
        let first = u32::try_from(Instant::now().saturating_duration_since(t0).as_secs()).unwrap_or(u32::MAX);
        self.run = Some(Run {
            revision,
            collector: Collector::new(count, first),
            dealer,
            cpu: CpuMeter::of_process(),
            host: Host::of_this_process(),
            memory_at_start_bytes: memory_bytes(),
        });
        self.command(|thread| Command::Start {
            job: job.clone(),
            t0,
            first,
            revision,
            hand: std::mem::take(&mut hands[thread]),
        });
    }

    fn start_chore(&mut self, kind: ChoreKind) {
        let refused = |why| EngineEvent::ChoreDone(Box::new(ChoreOutcome::refused(kind, why)));
        match self.job.clone() {
            None => self.tell(refused("no plan was prepared before it")),
            Some(_) if self.run.is_some() => self.tell(refused("users are still there")),
            Some(_) if self.chore => self.tell(refused("another one is going on")),
            Some(job) => {
                self.chore = true;
                self.command_first(Command::Chore { job, kind });
            }
        }
    }

    /// Commands the thread that chores run on.
    fn command_first(&self, command: Command) {
        if let Some((commands, _)) = self.threads.first() {
            let _ = commands.send(command);
        }
    }

    fn collect(&mut self, report: &ThreadReport) {
        let Some(run) = &mut self.run else { return };
        run.collector.accept(report);
        let mut over = false;
        while let Some(collected) = run.collector.next() {
            let event = match collected {
                Collected::Second(second) => EngineEvent::Window(run.window(second)),
                Collected::Last(second) => {
                    over = true;
                    EngineEvent::Finished(run.window(second))
                }
            };
            // Nobody listens any more: the engine is about to be dropped.
            let _ = self.events.send(event);
        }
        if over {
            self.permit.in_use(false);
            self.run = None;
        }
    }

    fn command(&self, mut command: impl FnMut(usize) -> Command) {
        for (index, (commands, _)) in self.threads.iter().enumerate() {
            // A thread ends only when its channel is dropped.
            let _ = commands.send(command(index));
        }
    }

    fn tell(&self, event: EngineEvent) {
        let _ = self.events.send(event);
    }
}

impl Run {
    fn window(&mut self, second: Second) -> AgentWindow {
        let Second {
            window,
            users,
            in_flight,
            lag,
            busy,
            reconnects,
            held_back,
            starts,
            exhausted,
            connections,
            progress,
            revision,
            leaving,
        } = second;
        let host = self.host.since_last();
        let health = Health {
            cpu: cpu_share(self.cpu.cores(), busy, host.cpu_limit_permille),
            lag,
            reconnects,
            host,
            starts,
            exhausted,
            held_back,
            memory_bytes: memory_bytes(),
            memory_at_start_bytes: self.memory_at_start_bytes,
            connections,
        };
        let roll =
            Roll { revision: revision.unwrap_or(self.revision), leaving: leaving.into_iter().collect() };
        AgentWindow { window, users, in_flight, health, progress: progress.into_values().collect(), roll }
    }
}
