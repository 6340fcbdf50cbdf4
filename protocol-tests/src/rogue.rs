//! A coordinator that says what none would: bytes of the test's making, on the streams of real agents.

use crate::adversary::{PATIENCE, Plain};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use proto::message::{FromAgent, Hello, PlanDigests, RunId, ToAgent, Welcome};
use proto::raw;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::{NamedService, StreamingService};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// A coordinator on whose streams any bytes go.
pub struct Rogue {
    /// Where it listens.
    pub address: String,
    streams: mpsc::UnboundedReceiver<RogueStream>,
}

/// One agent's stream.
pub struct RogueStream {
    inbound: Streaming<Bytes>,
    outbound: mpsc::UnboundedSender<Bytes>,
}

#[derive(Clone)]
struct Service(mpsc::UnboundedSender<RogueStream>);

impl NamedService for Service {
    const NAME: &'static str = "muster.v1.Fleet";
}

impl tower::Service<http::Request<Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Plain).streaming(this, request).await) })
    }
}

impl StreamingService<Bytes> for Service {
    type Response = Bytes;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (outbound, outgoing) = mpsc::unbounded_channel();
        let _ = self.0.send(RogueStream { inbound: request.into_inner(), outbound });
        let outgoing: Self::ResponseStream = Box::pin(UnboundedReceiverStream::new(outgoing).map(Ok));
        Box::pin(async move { Ok(Response::new(outgoing)) })
    }
}

impl Rogue {
    /// Listens on a port of its own; call within a runtime.
    pub async fn listen() -> Rogue {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let (sender, streams) = mpsc::unbounded_channel();
        let server = Server::builder().add_service(Service(sender));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Rogue { address, streams }
    }

    /// The stream of the next agent, and its Hello.
    pub async fn agent(&mut self) -> (RogueStream, Hello) {
        let next = tokio::time::timeout(PATIENCE, self.streams.recv()).await;
        let mut stream = next.expect("an agent attaches").expect("the server runs");
        let Some(FromAgent::Hello(hello)) = stream.hear().await else { panic!("no Hello") };
        (stream, hello)
    }
}

impl RogueStream {
    /// Says `bytes` as one message.
    pub fn say(&self, bytes: impl Into<Bytes>) {
        // The end of the stream shows in what the agent says.
        let _ = self.outbound.send(bytes.into());
    }

    /// Says what a coordinator could say.
    pub fn say_well(&self, message: ToAgent) {
        self.say(raw::coordinator_bytes(message));
    }

    /// Lets the agent in.
    pub fn welcome(&self) {
        self.say_well(ToAgent::Welcome(Welcome {
            protocol: 1,
            build: "0.1.0".to_owned(),
            session: 1,
            renew: Duration::from_millis(200),
            resumed: None,
        }));
    }

    /// The next message; `None` at the end of the stream.
    pub async fn hear(&mut self) -> Option<FromAgent> {
        let next = tokio::time::timeout(PATIENCE, self.inbound.message()).await;
        let bytes = next.expect("the agent says something or ends the stream").ok()??;
        Some(raw::from_agent(&bytes).expect("an agent's message"))
    }

    /// The next message for which `pick` gives something, `None` if the stream ends before; renewals are answered.
    pub async fn hear_until<T>(&mut self, pick: impl Fn(&FromAgent) -> Option<T>) -> Option<T> {
        loop {
            let message = self.hear().await?;
            if let FromAgent::Renew { n, .. } = message {
                self.say_well(ToAgent::Lease { n, ttl: Duration::from_secs(4), clock: Duration::ZERO });
            }
            if let Some(picked) = pick(&message) {
                return Some(picked);
            }
        }
    }

    /// Has the agent prepare `bundle` as `run`; what it makes of it.
    pub async fn prepare(&mut self, run: &RunId, bundle: &plan::Bundle) -> PlanDigests {
        let bytes = bundle.to_bytes();
        let bundle_sha256 = plan::sha256_hex(&bytes);
        self.say_well(ToAgent::Prepare { run: run.clone(), bundle: bytes.into(), bundle_sha256 });
        let state = |m: &FromAgent| match m {
            FromAgent::PlanState { state, .. } => Some(state.clone()),
            _ => None,
        };
        self.hear_until(state).await.expect("an answer").expect("a plan that is valid")
    }
}
