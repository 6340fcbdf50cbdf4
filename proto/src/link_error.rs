//! How a stream ends when it does not end well.

use crate::Malformed;

/// Why nothing more comes over a stream.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The peer broke the protocol; it is dropped, the run goes on.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The connection broke or was refused.
    #[error("{0}")]
    Broken(String),
}

impl From<tonic::Status> for LinkError {
    fn from(status: tonic::Status) -> LinkError {
        // A status made of a broken connection hides the reason in its innermost source; what wraps it repeats
        // it with less.
        let mut innermost: Option<&dyn std::error::Error> = std::error::Error::source(&status);
        while let Some(source) = innermost.and_then(std::error::Error::source) {
            innermost = Some(source);
        }
        LinkError::Broken(innermost.map_or_else(|| status.message().to_owned(), ToString::to_string))
    }
}

impl LinkError {
    /// What ended the reading of a stream, where `status` was made at this end: bytes that are no message, and messages that
    /// are too large, are the peer's fault.
    pub(crate) fn of_inbound(status: tonic::Status) -> LinkError {
        let made_here = std::error::Error::source(&status).is_none();
        let text = status.message();
        match status.code() {
            tonic::Code::OutOfRange if made_here => {
                let limit = crate::limits::MAX_AGENT_MESSAGE;
                let problem = match text.split_once("found ").and_then(|(_, rest)| rest.split_once(' ')) {
                    Some((found, _)) => format!("has {found} bytes, over the limit of {limit}"),
                    None => format!("is over the limit of {limit} bytes"),
                };
                LinkError::Malformed(Malformed::new("message", problem))
            }
            tonic::Code::Internal if made_here && text.starts_with(UNDECODABLE) => {
                let problem = text.trim_start_matches(UNDECODABLE).trim_start_matches(": ");
                LinkError::Malformed(Malformed::new("message", format!("is not of the protocol ({problem})")))
            }
            _ => status.into(),
        }
    }
}

/// How prost begins what it says of bytes that are no message.
const UNDECODABLE: &str = "failed to decode Protobuf message";
