//! What the requests of a user class add up to.

use super::Totals;
use serde::Serialize;

/// One user class.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserClassRow {
    /// Its name.
    pub name: String,
    /// The requests of its users together.
    #[serde(flatten)]
    pub totals: Totals,
}
