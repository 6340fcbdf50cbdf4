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
    /// How many samples have a value, those of the warm-up included.
    #[serde(default)]
    pub samples: u64,
    /// How many have none.
    #[serde(default)]
    pub failures: u64,
    /// Why, each kind of failure once with its number.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// The lowest value.
    #[serde(default)]
    pub min: Option<f64>,
    /// The mean of the values.
    #[serde(default)]
    pub mean: Option<f64>,
    /// The highest value.
    #[serde(default)]
    pub max: Option<f64>,
    /// The last value: how it ended.
    #[serde(default)]
    pub last: Option<f64>,
    /// Its values in order of time; at most 450, of a longer run each is several samples.
    pub points: Vec<ObservedPoint>,
}

/// One value of a figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ObservedPoint {
    /// Seconds since T0.
    pub t_s: f64,
    /// The value, or the mean of several; null when the probe got none.
    pub value: Option<f64>,
    /// The lowest of several; left out for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The highest of several; left out for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}
