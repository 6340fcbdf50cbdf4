//! The engine model behind the interface that the link knows, on the host's own clock.

use super::stage::{Stage, now};
use crate::simulation::engine::{Engine, Said, Scene};
use crate::simulation::oracle::Who;
use agent::engine::{AgentWindow, ChoreOutcome, EngineEvent, Health, StopMode};
use agent::link::Load;
use metrics::{Histogram, SeriesStats, Window};
use plan::Plan;
use plan::chore::{ChoreKind, SetupValues};
use plan::scope::RunFacts;
use plan::slot::Seat;
use proto::message::{ChoreReport, WindowReport};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A window's memory figure says which process it is of: so much plus its number.
const MEMORY: u64 = 1 << 30;

/// See the module.
pub(super) struct StandIn(UnboundedSender<Order>);

enum Order {
    Prepare,
    Run { t0: Duration, revision: u64, seats: Vec<Seat> },
    Stop(Duration),
    Chore(ChoreKind),
    StopChore,
}

impl StandIn {
    /// Begins on the current host; what it reports comes out of the channel.
    pub(super) fn start(stage: Stage, who: Who) -> (StandIn, UnboundedReceiver<EngineEvent>) {
        let (orders, inbox) = unbounded_channel();
        let (reports, events) = unbounded_channel();
        tokio::task::spawn_local(work(stage, who, inbox, reports));
        (StandIn(orders), events)
    }

    fn order(&self, order: Order) {
        // It ends only with this handle.
        let _ = self.0.send(order);
    }
}

impl Load for StandIn {
    fn may_load_until(&self, _since_boot: Duration) {
        // The model looks at no permit, so the session has to stop it in time: the oracle sees whether it does.
    }

    fn prepare(&self, _plan: Arc<Plan>, _facts: Arc<RunFacts>) {
        self.order(Order::Prepare);
    }

    fn run(&self, t0: Instant, revision: u64, seats: Vec<Seat>) {
        let here = tokio::time::Instant::now().into_std();
        let t0 =
            (now() + t0.saturating_duration_since(here)).saturating_sub(here.saturating_duration_since(t0));
        self.order(Order::Run { t0, revision, seats });
    }

    fn stop(&self, mode: StopMode) {
        self.order(Order::Stop(match mode {
            StopMode::Now => Duration::ZERO,
            StopMode::Graceful { timeout } => timeout,
        }));
    }

    fn chore(&self, kind: ChoreKind) {
        self.order(Order::Chore(kind));
    }

    fn stop_chore(&self) {
        self.order(Order::StopChore);
    }

    fn see_setup(&self, _values: SetupValues) {}
}

/// The engine's own thread, so to speak.
async fn work(
    stage: Stage,
    who: Who,
    mut orders: UnboundedReceiver<Order>,
    reports: UnboundedSender<EngineEvent>,
) {
    let mut engine = Engine::new(stage.scenario.clone());
    loop {
        let due = engine.due();
        let order = tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => Some(order),
                None => return,
            },
            () = sleep_until(due) => None,
        };
        for said in carry_out(&stage, who, &mut engine, order) {
            let _ = reports.send(event(who, said));
        }
    }
}

fn carry_out(stage: &Stage, who: Who, engine: &mut Engine, order: Option<Order>) -> Vec<Said> {
    let (now, mut inside) = (now(), stage.inside());
    match &order {
        Some(Order::Run { seats, .. }) => {
            inside.trace.line(now, format_args!("p{} runs {} users", who.0, seats.len()));
        }
        Some(Order::Stop(timeout)) => {
            inside.trace.line(now, format_args!("p{} stops its users within {timeout:?}", who.0));
        }
        _ => {}
    }
    let mut scene = Scene { now, local: now, who, oracle: &mut inside.oracle };
    match order {
        None => engine.advance(&mut scene),
        Some(Order::Prepare) => engine.prepare(),
        Some(Order::Run { t0, revision, seats }) => engine.run(&mut scene, revision, &seats, t0),
        Some(Order::Stop(timeout)) => engine.stop(&mut scene, timeout),
        Some(Order::Chore(kind)) => engine.chore(&mut scene, kind),
        Some(Order::StopChore) => engine.stop_chore(&mut scene),
    }
    engine.said()
}

async fn sleep_until(due: Option<Duration>) {
    match due {
        Some(due) => tokio::time::sleep(due.saturating_sub(now())).await,
        None => std::future::pending().await,
    }
}

fn event(who: Who, said: Said) -> EngineEvent {
    match said {
        Said::Prepared(Ok(())) => EngineEvent::Prepared,
        Said::Prepared(Err(why)) => EngineEvent::PrepareFailed(why),
        Said::Window(report) if report.last => EngineEvent::Finished(window(who, &report)),
        Said::Window(report) => EngineEvent::Window(window(who, &report)),
        Said::ChoreDone(report) => EngineEvent::ChoreDone(Box::new(outcome(*report))),
    }
}

/// What the link makes a report of again.
fn window(who: Who, report: &WindowReport) -> AgentWindow {
    let mut window = Window::new(report.index);
    (window.started, window.aborted) = (report.started, report.aborted);
    for series in &report.series {
        let mut latency = Histogram::new();
        latency.merge_v2(&series.latency).expect("the model encodes histograms");
        let stats = SeriesStats { ok: series.ok, failed: series.failed, latency, ..SeriesStats::default() };
        window.series.insert(series.series, stats);
    }
    AgentWindow {
        window,
        users: report.users,
        in_flight: report.in_flight,
        health: Health { memory_bytes: MEMORY + u64::from(who.0), ..Health::default() },
        progress: report.progress.clone(),
        roll: report.roll.clone(),
    }
}

/// The process whose window this is.
pub(super) fn sender(window: &WindowReport) -> Who {
    Who((window.health.memory_bytes - MEMORY) as u32)
}

fn outcome(report: ChoreReport) -> ChoreOutcome {
    ChoreOutcome {
        kind: report.chore,
        values: report.values.to_vec(),
        failed: report.failed,
        took: report.took,
        requests: report.requests,
        failures: report.failures,
        aborted: report.aborted,
        errors: report.errors,
    }
}
