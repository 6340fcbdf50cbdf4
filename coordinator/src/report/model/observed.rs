//! Figures of the target itself.

use serde::{Deserialize, Serialize};

/// One figure that a probe read from the target, over time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ObservedRow {
    /// The probe's name in the plan.
    pub probe: String,
    /// What it read.
    pub name: String,
    /// Its values in order of time.
    pub points: Vec<ObservedPoint>,
}

/// One value of a figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ObservedPoint {
    /// Seconds since T0.
    pub t_s: f64,
    /// The value; null when the probe got none.
    pub value: Option<f64>,
}
