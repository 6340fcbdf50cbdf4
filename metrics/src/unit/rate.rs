//! Events per time: `10/s`, `600/m`.

use super::decimal::{Decimal, DecimalError, split_number};
use super::{UnitError, quoted};

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

/// Parses `10/s`, `0.5/s`, `600/m` (or `600/min`), `36000/h`.
///
/// The rate keeps the unit that was written (`600/m` is 600 per 60 s); a fraction is reduced to whole events
/// (`0.5/s` is 1 per 2 s), so nothing is rounded.
///
/// # Errors
/// A missing or unknown unit, zero, and rates that do not fit in 64-bit counts and nanoseconds.
pub fn parse_rate(text: &str) -> Result<Rate, UnitError> {
    let text = text.trim();
    let (number, rest) = split_number(text);
    let amount = match Decimal::parse(number) {
        Ok(amount) => amount,
        Err(DecimalError::TooLong) => return Err(out_of_range(text)),
        Err(DecimalError::Malformed) => return Err(not_a_rate(text)),
    };
    let period_ns: u64 = match rest {
        "/s" => 1_000_000_000,
        "/m" | "/min" => 60_000_000_000,
        "/h" => 3_600_000_000_000,
        _ => return Err(bad_unit(text, number, rest)),
    };
    if amount.digits == 0 {
        return Err(UnitError::new(
            format!("the rate {} is zero", quoted(text)),
            "write a rate above zero, such as `10/s` or `0.5/s`",
        ));
    }
    let divisor = 10_u64.pow(amount.scale);
    let common = greatest_common_divisor(amount.digits, divisor);
    let per_ns = period_ns.checked_mul(divisor / common).ok_or_else(|| out_of_range(text))?;
    Ok(Rate { count: amount.digits / common, per_ns })
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn bad_unit(text: &str, number: &str, rest: &str) -> UnitError {
    if rest.is_empty() {
        return UnitError::new(format!("{} has no unit", quoted(text)), format!("write `{number}/s`"));
    }
    let unit = rest.trim_start().trim_start_matches('/').trim_start();
    let meant = match unit.to_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" | "rps" | "qps" | "hz" => "s",
        "m" | "min" | "minute" | "minutes" | "rpm" => "m",
        "h" | "hr" | "hour" | "hours" => "h",
        _ => return not_a_rate(text),
    };
    UnitError::new(
        format!("{} has the unknown unit {}", quoted(text), quoted(rest.trim())),
        format!("write {}", quoted(&format!("{number}/{meant}"))),
    )
}

fn not_a_rate(text: &str) -> UnitError {
    let remedy = "write a number per `s`, `m` or `h`, such as `10/s` or `600/m`";
    if text.is_empty() {
        return UnitError::new("a rate is missing", remedy);
    }
    UnitError::new(format!("{} is not a rate", quoted(text)), remedy)
}

fn out_of_range(text: &str) -> UnitError {
    UnitError::new(
        format!("the rate {} has too many digits", quoted(text)),
        "write it with fewer digits, such as `10/s` or `3/h`",
    )
}
