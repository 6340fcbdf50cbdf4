//! Numbers as people read them.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12345.678` with so many decimals and thousands separators: `12,345.68`.
pub(crate) fn decimal(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { "-" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// A latency with 3 significant digits and its unit: `8.21 ms`, `1.52 s`, zeros after the point left out.
pub(crate) fn latency(latency: Duration) -> String {
    milliseconds_to(latency.as_nanos() as f64 / 1e6, 3)
}

/// Milliseconds with 3 significant digits in a table, where decimals line up: `48.0 ms`.
pub(crate) fn milliseconds(ms: f64) -> String {
    scaled(ms, 3)
}

/// Milliseconds with so many significant digits, zeros after the point left out: `48 ms`.
pub(crate) fn milliseconds_to(ms: f64, digits: usize) -> String {
    let text = scaled(ms, digits);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// Two latencies in milliseconds with 3 significant digits, in the unit of the longer: `190-212 ms`.
pub(crate) fn range_of_milliseconds(low: f64, high: f64) -> String {
    let (low, high) = (milliseconds_to(low, 3), milliseconds_to(high, 3));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number}-{high}"),
        _ => format!("{low} to {high}"),
    }
}

/// A percentage with at most 2 decimals; never rounded up to 100 nor down to 0: `99.99 %`.
pub(crate) fn percent(value: f64) -> String {
    percent_to(value, 2)
}

/// A percentage with at most so many decimals; never rounded up to 100 nor down to 0.
pub(crate) fn percent_to(value: f64, decimals: usize) -> String {
    let smallest = 0.1_f64.powi(i32::try_from(decimals).unwrap_or(i32::MAX));
    let shown = format!("{value:.decimals$}");
    let shown = match shown.parse::<f64>() {
        Ok(rounded) if rounded >= 100.0 && value < 100.0 => format!("{:.decimals$}", 100.0 - smallest),
        Ok(rounded) if rounded <= 0.0 && value > 0.0 => format!("{smallest:.decimals$}"),
        _ => shown,
    };
    let trimmed = if decimals > 0 { shown.trim_end_matches('0').trim_end_matches('.') } else { &shown };
    format!("{trimmed} %")
}

/// The largest unit of which there is at least one, after rounding.
fn scaled(ms: f64, digits: usize) -> String {
    let units = [(1000.0, "µs"), (1.0, "ms"), (0.001, "s")];
    for (factor, unit) in units {
        let text = significant(ms * factor, digits);
        if unit == "s" || text.parse::<f64>().is_ok_and(|rounded| rounded < 1000.0) {
            return format!("{text} {unit}");
        }
    }
    unreachable!("seconds end the loop")
}

fn significant(value: f64, digits: usize) -> String {
    let decimals = |value: f64| {
        let magnitude = if value > 0.0 { value.log10().floor().max(0.0) as usize } else { 0 };
        digits.saturating_sub(magnitude).saturating_sub(1)
    };
    let text = format!("{value:.*}", decimals(value));
    // 9.996 rounds to 10.00, which is one digit too many.
    let rounded = text.parse().unwrap_or(value);
    format!("{rounded:.*}", decimals(rounded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_decimals() {
        let check = |n: u64, expected: &str| assert_eq!(count(n), expected);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(12_345_678, "12,345,678");
        assert_eq!(decimal(12_345.678, 1), "12,345.7");
        assert_eq!(decimal(0.0, 1), "0.0");
        assert_eq!(decimal(-1.25, 1), "-1.2");
        assert_eq!(decimal(999.96, 1), "1,000.0");
    }

    #[test]
    fn latencies_have_three_digits() {
        let check = |ms: f64, table: &str, prose: &str| {
            assert_eq!((milliseconds(ms).as_str(), milliseconds_to(ms, 3).as_str()), (table, prose), "{ms}");
        };
        check(8.214, "8.21 ms", "8.21 ms");
        check(1520.0, "1.52 s", "1.52 s");
        check(0.0, "0.00 µs", "0 µs");
        check(0.001, "1.00 µs", "1 µs");
        check(0.842, "842 µs", "842 µs");
        check(0.9996, "1.00 ms", "1 ms");
        check(9.996, "10.0 ms", "10 ms");
        check(48.0, "48.0 ms", "48 ms");
        check(212.4, "212 ms", "212 ms");
        assert!(milliseconds(f64::MAX).ends_with(" s"), "whatever stands in a file");
        check(999.4, "999 ms", "999 ms");
        check(999.6, "1.00 s", "1 s");
        check(100.0, "100 ms", "100 ms");
        check(3_600_000.0, "3600 s", "3600 s");
        assert_eq!(range_of_milliseconds(190.2, 212.4), "190-212 ms");
        assert_eq!(range_of_milliseconds(990.0, 1_520.0), "990 ms to 1.52 s");
        assert_eq!(milliseconds_to(200.319, 5), "200.32 ms");
        assert_eq!(latency(Duration::from_micros(1500)), "1.5 ms");
    }

    #[test]
    fn percentages_never_hide_a_failure() {
        let check = |value: f64, expected: &str| assert_eq!(percent(value), expected);
        check(100.0, "100 %");
        check(99.999_9, "99.99 %");
        check(99.5, "99.5 %");
        check(0.000_1, "0.01 %");
        check(0.0, "0 %");
        check(12.345, "12.35 %");
        assert_eq!(percent_to(0.01, 1), "0.1 %");
        assert_eq!(percent_to(99.6, 0), "99 %");
    }
}
