//! An engine, a plan for it, and what it reported.

use crate::server::Server;
use agent::engine::{AgentWindow, Engine, EngineConfig, EngineEvent, StopMode};
use agent::policy::Policy;
use metrics::{ErrorKind, SeriesStats};
use plan::schedule::Schedule;
use plan::scope::RunFacts;
use plan::slot::{Seat, Slot};
use plan::{Bundle, Plan, Settings};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Compiles `text`; `TARGET` in it becomes `target`.
pub(crate) fn plan(text: &str, target: &str) -> Arc<Plan> {
    let bundle = Bundle {
        file: "test.yaml".to_owned(),
        source: text.replace("TARGET", target),
        settings: Settings { seed: 7, ..Settings::default() },
    };
    Arc::new(bundle.compile().unwrap_or_else(|e| panic!("{e:?}")))
}

/// The address of `server` as a target.
pub(crate) fn http(server: &Server) -> String {
    format!("http://{}", server.address)
}

/// An engine with two threads and its events. Every wait has a generous deadline, so that a bug shows as a
/// failure and not as a test that never ends.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    events: UnboundedReceiver<EngineEvent>,
    windows: Vec<AgentWindow>,
}

impl Rig {
    /// Long enough for any machine.
    const PATIENCE: Duration = Duration::from_mins(1);

    pub(crate) fn start(extra_roots: Vec<CertificateDer<'static>>) -> Rig {
        Rig::allowing(Policy::open(1_000_000), extra_roots)
    }

    /// With an engine that does not do all that it can.
    pub(crate) fn allowing(policy: Policy, extra_roots: Vec<CertificateDer<'static>>) -> Rig {
        let (sender, events) = unbounded_channel();
        let engine =
            Engine::start(EngineConfig { threads: 2, extra_roots, policy }, sender).expect("threads");
        Rig { engine, events, windows: Vec::new() }
    }

    /// Starts an engine and runs `plan` with slots `0..users`.
    pub(crate) async fn running(plan: &Arc<Plan>, users: u32) -> Rig {
        let mut rig = Rig::start(Vec::new());
        rig.begin(plan, (0..users).map(Slot).collect()).await;
        rig
    }

    /// Runs `plan` with slots `0..users`, each of which begins with a request and has one iteration, until those
    /// are over. However slow the machine is, every user has its turn.
    pub(crate) async fn once(mut self, plan: &Arc<Plan>, users: u32) -> Outcome {
        self.begin(plan, (0..users).map(Slot).collect()).await;
        let mut started = 0;
        while started < u64::from(users) {
            started += self.window().await.window.started;
        }
        self.stop(StopMode::Graceful { timeout: Duration::from_hours(1) }).await
    }

    /// Prepares `plan` and runs it with `slots`.
    pub(crate) async fn begin(&mut self, plan: &Arc<Plan>, slots: Vec<Slot>) {
        self.prepare(plan).await.expect("a plan that can be run");
        self.engine.run(Instant::now(), 1, slots.into_iter().map(Seat::fresh).collect());
    }

    pub(crate) async fn prepare(&mut self, plan: &Arc<Plan>) -> Result<(), String> {
        let facts = RunFacts {
            run_id: "run-1".to_owned(),
            agent_name: "agent-1".to_owned(),
            env: BTreeMap::new(),
            seed: plan.seed,
        };
        self.engine.prepare(plan.clone(), Arc::new(facts));
        match self.event().await {
            EngineEvent::Prepared => Ok(()),
            EngineEvent::PrepareFailed(why) | EngineEvent::PrepareForbidden(why) => Err(why),
            other => panic!("expected an answer to prepare, not {other:?}"),
        }
    }

    pub(crate) async fn event(&mut self) -> EngineEvent {
        let event = tokio::time::timeout(Rig::PATIENCE, self.events.recv()).await;
        event.expect("an event within the test's patience").expect("an engine that lives")
    }

    /// Waits for the next window of a run that goes on.
    pub(crate) async fn window(&mut self) -> &AgentWindow {
        match self.event().await {
            EngineEvent::Window(window) => self.windows.push(window),
            other => panic!("expected a window, not {other:?}"),
        }
        self.windows.last().expect("it has just been pushed")
    }

    pub(crate) async fn stop(self, mode: StopMode) -> Outcome {
        self.engine.stop(mode);
        self.finish().await
    }

    /// Waits for the end, and checks what holds for every run.
    pub(crate) async fn finish(mut self) -> Outcome {
        loop {
            match self.event().await {
                EngineEvent::Window(window) => self.windows.push(window),
                EngineEvent::Finished(window) => {
                    self.windows.push(window);
                    break;
                }
                other => panic!("expected a window, not {other:?}"),
            }
        }
        Outcome::of(self)
    }
}

/// A whole run.
pub(crate) struct Outcome {
    pub(crate) rig: Rig,
    pub(crate) windows: Vec<AgentWindow>,
    pub(crate) started: u64,
    pub(crate) aborted: u64,
    pub(crate) reconnects: u64,
    pub(crate) total: SeriesStats,
    /// Failures by kind, and a message of each.
    pub(crate) failures: BTreeMap<ErrorKind, (u64, String)>,
}

impl Outcome {
    fn of(mut rig: Rig) -> Outcome {
        let windows = std::mem::take(&mut rig.windows);
        let (mut total, mut failures) = (SeriesStats::default(), BTreeMap::new());
        let (mut started, mut aborted, mut reconnects) = (0, 0, 0);
        for (index, AgentWindow { window, in_flight, health, .. }) in windows.iter().enumerate() {
            assert_eq!(window.index as usize, index, "every second once and in order");
            started += window.started;
            aborted += window.aborted;
            reconnects += health.reconnects;
            window.series.values().for_each(|series| total.merge(series));
            for row in window.errors.rows() {
                let entry = failures.entry(row.kind).or_insert((0, row.message.clone()));
                entry.0 += row.count;
            }
            assert_eq!(
                started,
                total.ok + total.failed + aborted + in_flight,
                "at the end of second {index}"
            );
            assert!((0.0..=1.0).contains(&health.cpu), "{}", health.cpu);
        }
        let last = windows.last().expect("the last window");
        assert_eq!((last.users, last.in_flight), (0, 0));
        assert_eq!(failures.values().map(|(count, _)| count).sum::<u64>(), total.failed);
        assert_eq!(total.latency.count(), total.ok + total.failed);
        Outcome { rig, windows, started, aborted, reconnects, total, failures }
    }

    /// Checks that users existed when `schedule` says, half a second more or less: threads look when they
    /// wake after the second's boundary, and a user that is to stop finishes its iteration.
    pub(crate) fn users_follow(&self, schedule: &Schedule) {
        for (window, boundary) in self.windows.iter().zip(1_u64..) {
            let around = [0, 500, 1000].map(|ms| Duration::from_millis(boundary * 1000 - 500 + ms));
            let users = around.map(|at| schedule.users_at(at));
            let expected = users.iter().min()..=users.iter().max();
            assert!(
                expected.contains(&Some(&window.users)),
                "second {boundary}: {} not in {users:?}",
                window.users
            );
        }
    }
}
