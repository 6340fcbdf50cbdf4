//! Quantities with their units, as people write them on the command line.

use std::str::FromStr;
use std::time::Duration;

/// Why a duration or a share was refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a number with a unit of time.
    #[error(
        "`{0}` is not a duration; write a number with its unit, for instance `500us`, `20ms`, `1.5s` or `2m`"
    )]
    Duration(String),
    /// A duration beyond the limit.
    #[error("`{0}` is longer than the limit of 10 minutes; write a shorter duration")]
    TooLong(String),
    /// Not a percentage.
    #[error("`{0}` is not a share; write a percentage from `0%` to `100%`, for instance `0.5%`")]
    Share(String),
}

/// Longest duration that [`parse_duration`] accepts.
const LONGEST: Duration = Duration::from_mins(10);

/// Parses `500us`, `20ms`, `1.5s`, `2m`; at most ten minutes.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let wrong = || QuantityError::Duration(text.to_owned());
    let digits = text.find(|c: char| c != '.' && !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong())? * seconds;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(QuantityError::TooLong(text.to_owned())),
    }
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
        text.strip_suffix('%')
            .and_then(|number| number.trim_end().parse::<f64>().ok())
            .filter(|percent| (0.0..=100.0).contains(percent))
            .map(|percent| Share(percent / 100.0))
            .ok_or_else(|| QuantityError::Share(text.to_owned()))
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
        for text in ["", "20", "ms", "-5ms", "1.2.3s", "20 ms", "5h", "nans", "1e9s", ".s", "1,5s"] {
            assert_eq!(parse_duration(text), Err(QuantityError::Duration(text.to_owned())));
        }
        for text in ["11m", "601s", "99999999999999999999999s"] {
            assert_eq!(parse_duration(text), Err(QuantityError::TooLong(text.to_owned())));
        }
    }

    #[test]
    fn shares_are_percentages() {
        let check = |text: &str, expected: Option<f64>| {
            let wrong = QuantityError::Share(text.to_owned());
            assert_eq!(text.parse::<Share>(), expected.map(Share).ok_or(wrong));
        };
        check("0%", Some(0.0));
        check("1%", Some(0.01));
        check("12.5 %", Some(0.125));
        check("100%", Some(1.0));
        check("101%", None);
        check("-1%", None);
        check("NaN%", None);
        check("0.01", None);
        check("%", None);
        check("", None);
    }
}
