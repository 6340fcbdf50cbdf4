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
        // A status made of a broken connection hides the reason in its source.
        let mut reason = status.message().to_owned();
        let mut source = std::error::Error::source(&status);
        while let Some(error) = source {
            let text = error.to_string();
            if !reason.contains(&text) {
                reason = format!("{reason}: {text}");
            }
            source = error.source();
        }
        LinkError::Broken(reason)
    }
}
