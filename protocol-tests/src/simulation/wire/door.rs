//! The coordinator's host: the real server and the real driver, with the fleet core and the results behind them.

use super::stage::{Stage, now};
use super::{COORDINATOR, stand_in};
use coordinator::clock::RunClock;
use coordinator::fleet::{AgentId, Fleet, Member, SessionId};
use coordinator::grpc::{Listener, Observer, Port, Wire, drive, serve};
use coordinator::journal::{RecordedFleet, Writer};
use coordinator::secure::Gate;
use futures_util::future::BoxFuture;
use plan::chore::ChoreKind;
use proto::message::WindowReport;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use turmoil::net::TcpListener;

/// How long agents may take to read what was said last, as in `coordinator/src/run.rs`.
const FAREWELL: Duration = Duration::from_secs(2);

/// A whole run.
pub(super) async fn coordinator(stage: Stage) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", COORDINATOR.1)).await?;
    let port = Port { listener: Box::new(Ears(listener)), tls: None, gate: Arc::new(Gate::open()) };
    let (stop_serving, serving_stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = serving_stopped.await;
    };
    let note = {
        let stage = stage.clone();
        move |text: String| stage.say(format_args!("the port says: {text}"))
    };
    let (network, server) = serve(Some(port), SessionId(0), stopped, note);
    let (operator, stop) = mpsc::channel(1);
    stage.operated_by(operator);
    let fleet = Fleet::new(stage.scenario.fleet_config(), Duration::ZERO);
    let (fleet, clock) = (RecordedFleet::new(fleet, 0), RunClock::start_on(now));
    let mut watch = Watch(stage.clone());
    let outcome = drive(fleet, &clock, Writer::forgetful(), network.events, stop, &mut watch).await;
    stage.finished(outcome.expect("there is no other coordinator"));
    let _ = stop_serving.send(());
    let _ = tokio::time::timeout(FAREWELL, server).await;
    Ok(())
}

struct Ears(TcpListener);

impl Listener for Ears {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Wire>, SocketAddr)>> {
        Box::pin(async {
            let (stream, address) = self.0.accept().await?;
            Ok((Box::new(stream) as Box<dyn Wire>, address))
        })
    }
}

struct Watch(Stage);

impl Observer for Watch {
    fn apply(&mut self, _at: Duration, agent: AgentId, window: &WindowReport) {
        let (now, mut inside) = (now(), self.0.inside());
        inside.trace.line(now, format_args!("applied: window {} of agent {}", window.seq, agent.0));
        inside.oracle.said.insert(0, stand_in::sender(window));
        inside.oracle.applied(0, agent, window);
        let applied = inside.results.as_mut().map(|results| results.apply(agent, window));
        if let Some(Err(why)) = applied {
            inside.oracle.complain(format!("the results refuse window {}: {why}", window.seq));
        }
    }

    fn gone(&mut self, agent: AgentId) {
        self.0.inside().results.iter_mut().for_each(|results| results.agent_gone(agent));
    }

    fn started(&mut self, _at: Duration, after: Duration, agents: &[Member]) {
        let (now, mut inside) = (now(), self.0.inside());
        inside.trace.line(now, format_args!("the run starts after {after:?}"));
        inside.oracle.t0 = Some(now + after);
        inside.oracle.tally.begun += 1;
        for agent in agents {
            inside.results.iter_mut().for_each(|results| results.agent_joined(agent.id));
        }
    }

    fn joined(&mut self, agent: &Member) {
        self.0.inside().results.iter_mut().for_each(|results| results.agent_joined(agent.id));
    }

    fn stopping(&mut self, at: Duration) {
        self.0.say(format_args!("stopping at {at:?}"));
        self.0.inside().results.iter_mut().for_each(|results| results.interrupted(at));
    }

    fn chore(&mut self, kind: ChoreKind, agent: Option<&str>) {
        self.0.say(format_args!("{} on {agent:?}", kind.name()));
    }

    fn note(&mut self, text: &str) {
        self.0.say(format_args!("coordinator says: {text}"));
    }

    fn tick(&mut self, _now: Duration) {}
}
