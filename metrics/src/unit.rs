//! Quantities with their units, as people write them in plans and on command lines.

use std::time::Duration;

/// Why a quantity was refused: what was wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct UnitError {
    /// What is wrong with the text.
    pub problem: String,
    /// How to write it, for instance ``write `500ms` or `2s` ``.
    pub remedy: String,
}

/// Something per time, exact: `10/s`, `0.5/s`, `600/m`, `3/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Events per `per`; at least 1.
    pub count: u64,
    /// The period in nanoseconds; at least 1.
    pub per_ns: u64,
}

impl Rate {
    /// Events per second.
    pub fn per_second(self) -> f64 {
        self.count as f64 * 1e9 / self.per_ns as f64
    }
}

/// Parses `500us`, `250ms`, `1.5s`, `5m`, `1h`, `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let _ = text;
    todo!()
}

/// Parses `10/s`, `0.5/s`, `600/m`, `36000/h`.
pub fn parse_rate(text: &str) -> Result<Rate, UnitError> {
    let _ = text;
    todo!()
}
