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
