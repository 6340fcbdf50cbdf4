//! Why a message was refused.

/// A peer sent what the protocol does not allow: the field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {field}: {problem}")]
pub struct Malformed {
    /// The field, as a path: `window.series[3].latency`.
    pub field: String,
    /// What is wrong with it, with the value and the limit.
    pub problem: String,
}

impl Malformed {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Malformed {
        Malformed { field: field.into(), problem: problem.into() }
    }
}
