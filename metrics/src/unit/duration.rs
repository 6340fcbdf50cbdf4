//! Lengths of time: `500us`, `1.5s`, `1h30m`.

use super::decimal::{Decimal, DecimalError, split_number};
use super::{UnitError, quoted};
use std::fmt::Write;
use std::time::Duration;

const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// Parses `500us`, `250ms`, `1.5s`, `5m`, `1h`, `2d` and compounds in falling order such as `1h30m`.
///
/// Exact to the nanosecond; zero is allowed with a unit. `µs` is another spelling of `us`.
///
/// # Errors
/// A missing or unknown unit, compounds out of order, anything finer than 1 ns, and durations of more than
/// 2^64 - 1 ns (584 years).
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let whole = text.trim();
    let mut rest = whole;
    let mut total: u64 = 0;
    let mut previous: Option<&(&str, u64)> = None;
    let mut fraction_seen = false;
    loop {
        let (number, after) = split_number(rest);
        let length = after.find(|character: char| character.is_ascii_digit() || character == '.');
        let (unit_text, after) = after.split_at(length.unwrap_or(after.len()));
        let amount = Decimal::parse(number).map_err(|error| bad_number(whole, error))?;
        if unit_text.is_empty() {
            return Err(no_unit(whole, number, previous));
        }
        let unit = find_unit(unit_text).ok_or_else(|| unknown_unit(whole, number, unit_text))?;
        if previous.is_some_and(|larger| larger.1 <= unit.1) || fraction_seen {
            return Err(UnitError::new(
                format!("{} does not name its units in falling order", quoted(whole)),
                "write whole numbers of the larger units first, such as `1h30m` or `1m0.5s`",
            ));
        }
        let nanoseconds = amount.times(unit.1).ok_or_else(|| {
            UnitError::new(
                format!("{} is finer than a nanosecond", quoted(whole)),
                "write at most three decimals of a `us`",
            )
        })?;
        total = u64::try_from(nanoseconds)
            .ok()
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| bad_number(whole, DecimalError::TooLong))?;
        fraction_seen = amount.scale > 0;
        previous = Some(unit);
        rest = after;
        if rest.is_empty() {
            return Ok(Duration::from_nanos(total));
        }
    }
}

/// The shortest exact way to write `duration` for [`parse_duration`]: `1m30s`, `200ms`, `1.5s`, `0s`.
///
/// Below one minute it is one number with decimals; from one minute on, days to minutes are whole and seconds
/// carry the fraction.
pub fn format_duration(duration: Duration) -> String {
    let (seconds, fraction) = (duration.as_secs(), duration.subsec_nanos());
    if seconds == 0 {
        return match fraction {
            0 => "0s".to_owned(),
            1..1_000_000 => format!("{}us", decimal(u64::from(fraction / 1_000), fraction % 1_000, 3)),
            _ => format!("{}ms", decimal(u64::from(fraction / 1_000_000), fraction % 1_000_000, 6)),
        };
    }
    let mut text = String::new();
    for (unit, amount) in [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60)] {
        if amount > 0 {
            write!(text, "{amount}{unit}").expect("writing to a string cannot fail");
        }
    }
    if seconds % 60 > 0 || fraction > 0 {
        write!(text, "{}s", decimal(seconds % 60, fraction, 9)).expect("writing to a string cannot fail");
    }
    text
}

/// `whole.fraction` where the fraction has `width` decimals; trailing zeros are left out.
fn decimal(whole: u64, fraction: u32, width: usize) -> String {
    let text = format!("{whole}.{fraction:0width$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn find_unit(text: &str) -> Option<&'static (&'static str, u64)> {
    // U+00B5 is the micro sign of keyboards, U+03BC the Greek letter; they look the same.
    let text = if matches!(text, "\u{b5}s" | "\u{3bc}s") { "us" } else { text };
    UNITS.iter().find(|(name, _)| *name == text)
}

fn no_unit(whole: &str, number: &str, previous: Option<&(&str, u64)>) -> UnitError {
    let remedy = if previous.is_some() {
        let compound = whole.strip_suffix(number).unwrap_or_default();
        let next = UNITS.iter().skip_while(|unit| Some(*unit) != previous).nth(1);
        format!("write `{compound}{number}{}`", next.map_or("us", |unit| unit.0))
    } else {
        format!("write `{number}ms` or `{number}s`")
    };
    UnitError::new(format!("{} has no unit", quoted(whole)), remedy)
}

fn bad_number(whole: &str, error: DecimalError) -> UnitError {
    if error == DecimalError::TooLong {
        return UnitError::new(
            format!("{} is too long to be measured in nanoseconds", quoted(whole)),
            "write at most `200000d`",
        );
    }
    let (problem, remedy) = if whole.is_empty() {
        ("a duration is missing".to_owned(), "write one such as `500ms` or `2s`".to_owned())
    } else if whole.starts_with('-') {
        (
            format!("{} is negative", quoted(whole)),
            "write a duration of zero or more, such as `2s`".to_owned(),
        )
    } else if whole.contains(char::is_whitespace) {
        let closed = whole.split_whitespace().collect::<String>();
        let remedy = match parse_duration(&closed) {
            Ok(_) => format!("write {}", quoted(&closed)),
            Err(_) => "write one such as `500ms` or `1h30m`".to_owned(),
        };
        (format!("{} has spaces in it", quoted(whole)), remedy)
    } else {
        let problem = format!("{} is not a duration", quoted(whole));
        (problem, "write a number and its unit, such as `500ms`, `1.5s` or `1h30m`".to_owned())
    };
    UnitError::new(problem, remedy)
}

fn unknown_unit(whole: &str, number: &str, unit: &str) -> UnitError {
    if whole.contains(char::is_whitespace) {
        return bad_number(whole, DecimalError::Malformed);
    }
    let meant = match unit.to_lowercase().as_str() {
        "usec" | "usecs" | "micros" | "microsecond" | "microseconds" | "us" => "us",
        "msec" | "msecs" | "milli" | "millis" | "millisecond" | "milliseconds" | "ms" => "ms",
        "sec" | "secs" | "second" | "seconds" | "s" => "s",
        "min" | "mins" | "minute" | "minutes" | "m" => "m",
        "hr" | "hrs" | "hour" | "hours" | "h" => "h",
        "day" | "days" | "d" => "d",
        _ => "",
    };
    let remedy = if meant.is_empty() {
        "use one of `us`, `ms`, `s`, `m`, `h`, `d`".to_owned()
    } else {
        format!("write {}", quoted(&format!("{number}{meant}")))
    };
    UnitError::new(format!("{} has the unknown unit {}", quoted(whole), quoted(unit)), remedy)
}
