//! The agent's end of the stream.

use crate::limits::{MAX_AGENT_MESSAGE, MAX_COORDINATOR_MESSAGE};
use crate::message::{FromAgent, ToAgent};
use crate::parts::Whole;
use crate::{LinkError, encode, wire};
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
    let mut whole = Whole::default();
    Ok(inbound.filter_map(move |message| match message {
        Ok(message) => whole.take(message).map(|message| message.map_err(LinkError::from)),
        Err(status) => Some(Err(status.into())),
    }))
}
