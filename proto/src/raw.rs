//! Messages from bytes and back, without a stream around them: what a journal, a spool, a fuzzer and a debugger need.

use crate::message::{FromAgent, ToAgent};
use crate::{decode, encode, wire};
use prost::Message as _;

/// What an agent's bytes say, checked as on a stream; an error says what is wrong with them.
pub fn from_agent(bytes: &[u8]) -> Result<FromAgent, String> {
    let message = wire::AgentMessage::decode(bytes).map_err(|error| error.to_string())?;
    decode::from_agent(message).map_err(|malformed| malformed.to_string())
}

/// What a coordinator's bytes say, checked as on a stream; an error says what is wrong with them.
pub fn to_agent(bytes: &[u8]) -> Result<ToAgent, String> {
    let message = wire::CoordinatorMessage::decode(bytes).map_err(|error| error.to_string())?;
    decode::to_agent(message).map_err(|malformed| malformed.to_string())
}

/// The bytes of what a coordinator says, in one message whatever its size: what [`to_agent`] reads back.
pub fn coordinator_bytes(message: ToAgent) -> Vec<u8> {
    encode::to_agent(message).encode_to_vec()
}

/// The bytes of what an agent says: what [`from_agent`] reads back, to the microsecond in its times.
pub fn agent_bytes(message: FromAgent) -> Vec<u8> {
    encode::from_agent(message).encode_to_vec()
}
