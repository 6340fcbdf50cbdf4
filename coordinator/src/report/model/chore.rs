//! What setup and teardown did, as the report has it.

use super::super::words::{self, Word};
use serde::{Deserialize, Serialize};

/// What setup or teardown did. None of it is in the totals.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChorePart {
    /// `ok`, `failed`, `lost` (with its agent, so what it did is not known) or `not_run`.
    #[serde(deserialize_with = "words::chore")]
    #[cfg_attr(test, schemars(schema_with = "words::chore_schema"))]
    pub status: Word,
    /// Why it is not `ok`.
    pub reason: Option<String>,
    /// The agent that was told to run it.
    pub agent: Option<String>,
    /// How long it took.
    pub duration_s: Option<f64>,
    /// Requests with a result.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Distinct errors.
    pub errors: Vec<ChoreErrorRow>,
}

/// One distinct error of setup or teardown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChoreErrorRow {
    /// The request's name.
    pub request: String,
    /// Which of the closed set of kinds.
    #[serde(deserialize_with = "words::error_kind")]
    #[cfg_attr(test, schemars(schema_with = "words::error_kind_schema"))]
    pub kind: Word,
    /// Details, as they came from outside.
    pub message: String,
    /// How often.
    pub count: u64,
}
