//! Quantities with their units, as people write them on the command line.

use metrics::unit::{UnitError, parse_percent};
use std::str::FromStr;
use std::time::Duration;

/// Why a duration or a share was refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}; {}", .0.problem, .0.remedy)]
pub struct QuantityError(#[from] pub UnitError);

/// Longest duration that [`parse_duration`] accepts.
const LONGEST: Duration = Duration::from_mins(10);

/// Parses `500us`, `20ms`, `1.5s`, `2m`; at most ten minutes.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let duration = metrics::unit::parse_duration(text)?;
    if duration > LONGEST {
        let problem = format!("`{text}` is longer than the limit of 10 minutes");
        return Err(QuantityError(UnitError { problem, remedy: "write a shorter duration".to_owned() }));
    }
    Ok(duration)
}

/// A share of requests, from none to all.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// No request at all.
    pub const NONE: Share = Share(0.0);
    /// Every request.
    pub const ALL: Share = Share(1.0);

    /// Whether a request at `point`, uniform in `[0, 1)`, is among them.
    pub(crate) fn contains(self, point: f64) -> bool {
        point < self.0
    }
}

impl FromStr for Share {
    type Err = QuantityError;

    /// Parses `1%` or `0.5%`.
    fn from_str(text: &str) -> Result<Share, QuantityError> {
        Ok(Share(parse_percent(text)? / 100.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        let check = |text: &str, micros: u64| {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(micros)), "{text}");
        };
        check("500us", 500);
        check("20ms", 20_000);
        check("0.5ms", 500);
        check("1.5s", 1_500_000);
        check("10m", 600_000_000);
        check("0s", 0);
    }

    #[test]
    fn wrong_durations_are_refused() {
        for (text, problem) in
            [("20", "no unit"), ("11m", "longer than the limit of 10 minutes"), ("-5ms", "-5ms")]
        {
            let error = parse_duration(text).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("write"), "{error}");
        }
    }

    #[test]
    fn shares_are_percentages() {
        let check = |text: &str, expected: Option<f64>| {
            assert_eq!(text.parse::<Share>().ok(), expected.map(Share), "{text}");
        };
        check("0%", Some(0.0));
        check("1%", Some(0.01));
        check("12.5%", Some(0.125));
        check("100%", Some(1.0));
        check("101%", None);
        check("-1%", None);
        check("NaN%", None);
        check("0.01", None);
        check("", None);
    }
}
