//! Money per hour: `0.12 USD`.

use super::decimal::{Decimal, DecimalError, split_number};
use super::{UnitError, quoted};
use std::fmt;
use std::time::Duration;

/// Millionths of one of a currency, in which all money is counted.
pub const MICROS: u64 = 1_000_000;

/// The most that an hour may cost.
const MOST: u64 = 1_000_000;

const MS_PER_HOUR: u128 = 3_600_000;

/// A currency by its code of three capital letters (ISO 4217), whether or not there is one of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code.
    pub fn parse(text: &str) -> Option<Currency> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Currency(code))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).expect("they are ASCII letters"))
    }
}

/// What an hour of something costs, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Millionths of the currency; at least 1, at most 10^12.
    pub micros: u64,
    /// In which money.
    pub currency: Currency,
}

impl Price {
    /// What so much time costs, in millionths of the currency: counted in whole milliseconds, and rounded once, to the nearest.
    pub fn of(self, time: Duration) -> u64 {
        rounded(self.product(time), MS_PER_HOUR)
    }

    /// What each million of `count` costs that this time was for; `None` of nothing.
    pub fn of_each_million(self, time: Duration, count: u64) -> Option<u64> {
        let millions = self.product(time).saturating_mul(1_000_000);
        (count > 0).then(|| rounded(millions, MS_PER_HOUR * u128::from(count)))
    }

    fn product(self, time: Duration) -> u128 {
        u128::from(self.micros).saturating_mul(time.as_millis())
    }
}

fn rounded(amount: u128, divisor: u128) -> u64 {
    u64::try_from(amount.saturating_add(divisor / 2) / divisor).unwrap_or(u64::MAX)
}

impl fmt::Display for Price {
    /// As [`parse_price`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.micros / MICROS, self.micros % MICROS);
        let decimals = format!("{part:06}");
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{whole}{point}{decimals} {}", self.currency)
    }
}

/// Parses `0.12 USD`: a number with at most 6 decimals, and the currency's code.
///
/// # Errors
/// A missing or unknown currency, zero, less than zero, more than a million, and parts of a millionth.
pub fn parse_price(text: &str) -> Result<Price, UnitError> {
    let text = text.trim();
    let (number, rest) = split_number(text);
    let code = rest.trim();
    let not_a_price = || {
        let problem = if text.is_empty() {
            "a price is missing".to_owned()
        } else {
            format!("{} is not a price", quoted(text))
        };
        UnitError::new(problem, "write a number and the code of its currency, such as `0.12 USD` or `3 EUR`")
    };
    if text.starts_with('-') {
        return Err(UnitError::new(
            format!("{} is negative", quoted(text)),
            "write a price above zero, such as `0.12 USD`",
        ));
    }
    let too_large =
        || UnitError::new(format!("{} is too large", quoted(text)), format!("write at most `{MOST} USD`"));
    let amount = match Decimal::parse(number) {
        Ok(amount) => amount,
        Err(DecimalError::TooLong) => return Err(too_large()),
        Err(DecimalError::Malformed) => return Err(not_a_price()),
    };
    let Some(currency) = Currency::parse(code) else {
        return Err(no_currency(text, number, code).unwrap_or_else(not_a_price));
    };
    let Some(micros) = amount.times(MICROS) else {
        let problem = format!("{} has more than 6 decimals", quoted(text));
        return Err(UnitError::new(
            problem,
            format!("write it with 6 decimals, such as `0.000125 {currency}`"),
        ));
    };
    match u64::try_from(micros) {
        Ok(0) => Err(UnitError::new(
            format!("the price {} is zero", quoted(text)),
            "write a price above zero, such as `0.12 USD`, or none at all",
        )),
        Ok(micros) if micros <= MOST * MICROS => Ok(Price { micros, currency }),
        _ => Err(too_large()),
    }
}

/// What is said of a number that no code of a currency follows, if it is clear what was meant.
fn no_currency(text: &str, number: &str, code: &str) -> Option<UnitError> {
    let meant = match code {
        "" => {
            let problem = format!("{} has no currency", quoted(text));
            return Some(UnitError::new(problem, format!("write for instance `{number} USD`")));
        }
        "$" => "USD".to_owned(),
        "€" => "EUR".to_owned(),
        "£" => "GBP".to_owned(),
        _ => Some(code.to_ascii_uppercase()).filter(|code| Currency::parse(code).is_some())?,
    };
    let problem = format!("{} has the unknown currency {}", quoted(text), quoted(code));
    Some(UnitError::new(problem, format!("write `{number} {meant}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        parse_price(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn prices_are_read_exactly_and_written_again() {
        for (text, micros, again) in [
            ("0.12 USD", 120_000, "0.12 USD"),
            (" 3 EUR ", 3_000_000, "3 EUR"),
            ("3.50EUR", 3_500_000, "3.5 EUR"),
            ("0.000001 XTS", 1, "0.000001 XTS"),
            ("1000000 IDR", 1_000_000_000_000, "1000000 IDR"),
        ] {
            let price = price(text);
            assert_eq!((price.micros, price.to_string().as_str()), (micros, again), "{text}");
            assert_eq!(parse_price(&price.to_string()), Ok(price));
        }
    }

    #[test]
    fn what_is_no_price_is_refused_with_a_remedy() {
        let example = "write a number and the code of its currency, such as `0.12 USD` or `3 EUR`";
        for (text, problem, remedy) in [
            ("", "a price is missing", example),
            ("0.12", "`0.12` has no currency", "write for instance `0.12 USD`"),
            ("0.12 usd", "`0.12 usd` has the unknown currency `usd`", "write `0.12 USD`"),
            ("0.12 $", "`0.12 $` has the unknown currency `$`", "write `0.12 USD`"),
            ("0.12€", "`0.12€` has the unknown currency `€`", "write `0.12 EUR`"),
            ("$0.12", "`$0.12` is not a price", example),
            ("0,12 USD", "`0,12 USD` is not a price", example),
            ("0.12 USD/h", "`0.12 USD/h` is not a price", example),
            ("12 dollars", "`12 dollars` is not a price", example),
            ("1e3 USD", "`1e3 USD` is not a price", example),
            ("-0.12 USD", "`-0.12 USD` is negative", "write a price above zero, such as `0.12 USD`"),
            (
                "0.00 USD",
                "the price `0.00 USD` is zero",
                "write a price above zero, such as `0.12 USD`, or none at all",
            ),
            (
                "0.0000001 EUR",
                "`0.0000001 EUR` has more than 6 decimals",
                "write it with 6 decimals, such as `0.000125 EUR`",
            ),
            ("1000000.01 USD", "`1000000.01 USD` is too large", "write at most `1000000 USD`"),
            (
                "99999999999999999999999 USD",
                "`99999999999999999999999 USD` is too large",
                "write at most `1000000 USD`",
            ),
        ] {
            let error = parse_price(text).expect_err(text);
            assert_eq!((error.problem.as_str(), error.remedy.as_str()), (problem, remedy));
        }
    }

    #[test]
    fn time_costs_what_arithmetic_says() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(price("0.12 USD").of(hour), 120_000);
        assert_eq!(price("0.12 USD").of(3 * hour / 2), 180_000);
        // 0.12 * 16.667 s / 3600 s = 0.000555566...
        assert_eq!(price("0.12 USD").of(Duration::from_micros(16_667_000)), 556);
        assert_eq!(price("0.12 USD").of(Duration::ZERO), 0);
        // 0.12 USD for 250,000 requests.
        assert_eq!(price("0.12 USD").of_each_million(hour, 250_000), Some(480_000));
        assert_eq!(price("0.12 USD").of_each_million(hour, 0), None);
        // It is rounded once: a million of what costs a third of a millionth each.
        assert_eq!(price("0.000001 USD").of_each_million(hour, 3_000_000), Some(0));
        assert_eq!(price("0.000002 USD").of_each_million(hour, 3_000_000), Some(1));
        // Ten thousand agents for 400 days, at the highest price, for one request.
        let most = 400 * 24 * 10_000 * hour;
        assert_eq!(price("1000000 USD").of_each_million(most, 1), Some(u64::MAX));
    }
}
