//! The coordinator's end of the streams.

use crate::limits::{MAX_AGENT_MESSAGE, MAX_COORDINATOR_MESSAGE};
use crate::message::{FromAgent, ToAgent};
use crate::parts::Parted;
use crate::{LinkError, decode, wire};
use std::pin::Pin;
use std::sync::Arc;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

/// What an agent says on one stream; an error is the last item.
pub type Inbound = Pin<Box<dyn Stream<Item = Result<FromAgent, LinkError>> + Send>>;

/// What the coordinator says on one stream; its end ends the stream.
pub type Outbound = Pin<Box<dyn Stream<Item = ToAgent> + Send>>;

/// Takes the agents' streams in.
pub trait Accept: Send + Sync + 'static {
    /// What the connection's IO tells of the other end
    /// ([`Connected::ConnectInfo`](tonic::transport::server::Connected::ConnectInfo)).
    type Peer: Clone + Send + Sync + 'static;

    /// A new stream from `peer`, if the connection tells. Must not wait.
    fn accept(&self, peer: Option<Self::Peer>, inbound: Inbound) -> Outbound;
}

/// The gRPC service, to be added to a [`tonic::transport::Server`].
pub fn service(
    accept: Arc<impl Accept>,
) -> impl tonic::codegen::Service<
    http::Request<tonic::body::Body>,
    Response = http::Response<tonic::body::Body>,
    Error = std::convert::Infallible,
    Future = impl Send + 'static,
> + tonic::server::NamedService
+ Clone
+ Send
+ Sync
+ 'static {
    wire::fleet_server::FleetServer::new(Fleet { accept })
        .max_decoding_message_size(MAX_AGENT_MESSAGE)
        .max_encoding_message_size(MAX_COORDINATOR_MESSAGE)
}

struct Fleet<A> {
    accept: Arc<A>,
}

#[tonic::async_trait]
impl<A: Accept> wire::fleet_server::Fleet for Fleet<A> {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<wire::CoordinatorMessage, Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<wire::AgentMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let peer = request.extensions().get::<A::Peer>().cloned();
        let inbound = request
            .into_inner()
            .map(|message| Ok(decode::from_agent(message.map_err(LinkError::of_inbound)?)?));
        let outbound = self.accept.accept(peer, Box::pin(inbound));
        Ok(Response::new(Box::pin(Parted::new(outbound).map(Ok))))
    }
}
