//! Scripted ends: a peer that says what the test says, and shows what it hears.

use proto::LinkError;
use proto::message::{FromAgent, Hello, PlanDigests, RunId, ToAgent, WindowReport};
use proto::server::{Accept, Inbound, Outbound};
use proto::version;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::{Channel, Endpoint, Server};

/// Longest wait for a message. Never reached when all is well; a test that hangs must not hang CI.
const PATIENCE: Duration = Duration::from_secs(60);

/// A scripted agent, attached to a real coordinator.
pub struct ScriptedAgent {
    outbound: mpsc::UnboundedSender<FromAgent>,
    inbound: Pin<Box<dyn Stream<Item = Result<ToAgent, LinkError>> + Send>>,
}

impl ScriptedAgent {
    /// Opens the stream to the coordinator at `address`; says nothing yet.
    pub async fn dial(address: &str) -> ScriptedAgent {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address of ours");
        let channel = endpoint.connect().await.expect("the coordinator listens");
        ScriptedAgent::over(channel).await.expect("attached")
    }

    /// Opens the stream over `channel`; says nothing yet.
    pub async fn over(channel: Channel) -> Result<ScriptedAgent, LinkError> {
        let (outbound, outgoing) = mpsc::unbounded_channel();
        let inbound = proto::client::attach(channel, UnboundedReceiverStream::new(outgoing)).await?;
        Ok(ScriptedAgent { outbound, inbound: Box::pin(inbound) })
    }

    /// Dials and says Hello as `name`, of this version.
    pub async fn attach(address: &str, name: &str) -> ScriptedAgent {
        let agent = ScriptedAgent::dial(address).await;
        agent.say(FromAgent::Hello(hello(name)));
        agent
    }

    /// Says `message`.
    pub fn say(&self, message: FromAgent) {
        // The end of the stream shows when the answer is read.
        let _ = self.outbound.send(message);
    }

    /// The next message; `None` at the end of the stream.
    pub async fn hear(&mut self) -> Option<ToAgent> {
        let next = tokio::time::timeout(PATIENCE, self.inbound.next()).await;
        next.expect("the coordinator says something or ends the stream").and_then(Result::ok)
    }

    /// The next message for which `pick` gives something; those before it are skipped, leases among them.
    pub async fn hear_until<T>(&mut self, pick: impl Fn(&ToAgent) -> Option<T>) -> T {
        loop {
            let message = self.hear().await.expect("the stream goes on until what is waited for");
            if let Some(picked) = pick(&message) {
                return picked;
            }
        }
    }

    /// Plays an honest agent as far as Start; gives back the run and the number of users assigned.
    pub async fn start_run(&mut self) -> (RunId, usize) {
        let (run, bundle) = self
            .hear_until(|m| match m {
                ToAgent::Prepare { run, bundle, .. } => Some((run.clone(), bundle.clone())),
                _ => None,
            })
            .await;
        let plan =
            plan::Bundle::from_bytes(&bundle).expect("a bundle").compile().expect("a plan that is valid");
        let digests =
            PlanDigests { bundle_sha256: plan::sha256_hex(&bundle), meaning_sha256: plan.meaning_sha256() };
        self.say(FromAgent::PlanState { run: run.clone(), state: Ok(digests) });
        let (revision, users) = self
            .hear_until(|m| match m {
                ToAgent::Assign { revision, seats, .. } => Some((*revision, seats.len())),
                _ => None,
            })
            .await;
        self.say(FromAgent::AssignAck { run: run.clone(), revision, clock_error: None });
        self.hear_until(|m| matches!(m, ToAgent::Start { .. }).then_some(())).await;
        (run, users)
    }
}

/// The Hello of a well-behaved agent of this version, a process of its own each time.
pub fn hello(name: &str) -> Hello {
    static PROCESSES: AtomicU64 = AtomicU64::new(1);
    Hello {
        protocol: version::SUPPORTED,
        build: env!("CARGO_PKG_VERSION").to_owned(),
        name: name.to_owned(),
        incarnation: PROCESSES.fetch_add(1, Ordering::Relaxed),
        cores: 1,
        max_users: 10_000,
        caps: proto::message::Caps::default(),
        resume: None,
        join: None,
    }
}

/// A window in which nothing happened.
pub fn empty_window(run: &RunId, seq: u64, last: bool) -> WindowReport {
    let mut lag = Vec::new();
    metrics::Histogram::new().encode_v2(&mut lag);
    WindowReport {
        run: run.clone(),
        seq,
        index: seq as u32 - 1,
        earlier_users: Vec::new(),
        users: 0,
        in_flight: 0,
        started: 0,
        aborted: 0,
        arrivals: metrics::ArrivalCounts::default(),
        cumulative: proto::message::Cumulative::default(),
        series: Vec::new(),
        errors: Vec::new(),
        health: proto::message::HealthReport { lag: lag.into(), ..Default::default() },
        last,
        progress: Vec::new(),
        roll: proto::message::Roll::default(),
    }
}

/// A scripted coordinator, to which real agents attach.
pub struct ScriptedCoordinator {
    /// Where it listens.
    pub address: String,
    streams: mpsc::UnboundedReceiver<Attached>,
}

/// One agent's stream.
pub struct Attached {
    inbound: Inbound,
    outbound: mpsc::UnboundedSender<ToAgent>,
}

struct Script(mpsc::UnboundedSender<Attached>);

impl Accept for Script {
    type Peer = ();

    fn accept(&self, _peer: Option<()>, inbound: Inbound) -> Outbound {
        let (outbound, outgoing) = mpsc::unbounded_channel();
        let _ = self.0.send(Attached { inbound, outbound });
        Box::pin(UnboundedReceiverStream::new(outgoing))
    }
}

impl ScriptedCoordinator {
    /// Listens on a port of its own; call within a runtime.
    pub async fn listen() -> ScriptedCoordinator {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let (sender, streams) = mpsc::unbounded_channel();
        let service = proto::server::service(Arc::new(Script(sender)));
        tokio::spawn(
            Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)),
        );
        ScriptedCoordinator { address, streams }
    }

    /// The next agent that attaches.
    pub async fn agent(&mut self) -> Attached {
        let next = tokio::time::timeout(PATIENCE, self.streams.recv()).await;
        next.expect("an agent attaches").expect("the server runs")
    }
}

impl Attached {
    /// Says `message`.
    pub fn say(&self, message: ToAgent) {
        let _ = self.outbound.send(message);
    }

    /// The next message; `None` at the end of the stream.
    pub async fn hear(&mut self) -> Option<FromAgent> {
        let next = tokio::time::timeout(PATIENCE, self.inbound.next()).await;
        next.expect("the agent says something or ends the stream").and_then(Result::ok)
    }

    /// The next message for which `pick` gives something; renewals are answered with a lease of `ttl`.
    pub async fn hear_until<T>(&mut self, ttl: Duration, pick: impl Fn(&FromAgent) -> Option<T>) -> T {
        loop {
            let message = self.hear().await.expect("the stream goes on until what is waited for");
            if let FromAgent::Renew { n, .. } = message {
                self.say(ToAgent::Lease { n, ttl, clock: Duration::ZERO });
            }
            if let Some(picked) = pick(&message) {
                return picked;
            }
        }
    }
}
