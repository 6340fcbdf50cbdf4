//! The agent's end of the stream.

use crate::limits::{MAX_AGENT_MESSAGE, MAX_COORDINATOR_MESSAGE};
use crate::message::{FromAgent, ToAgent};
use crate::{LinkError, decode, encode, wire};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Channel;

/// Opens the one stream of an agent over `channel`. `outbound` is what the agent says, Hello first; what comes
/// back is what the coordinator says. A message that breaks the protocol ends the stream with an error.
pub async fn attach(
    channel: Channel,
    outbound: impl Stream<Item = FromAgent> + Send + 'static,
) -> Result<impl Stream<Item = Result<ToAgent, LinkError>> + Send + Unpin, LinkError> {
    let mut client = wire::fleet_client::FleetClient::new(channel)
        .max_decoding_message_size(MAX_COORDINATOR_MESSAGE)
        .max_encoding_message_size(MAX_AGENT_MESSAGE);
    let inbound =
        client.attach(outbound.map(encode::from_agent)).await.map_err(LinkError::from)?.into_inner();
    Ok(inbound.map(|message| Ok(decode::to_agent(message?)?)))
}
