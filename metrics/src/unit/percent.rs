//! Shares: `99%`, `99.95%`.

use super::decimal::{Decimal, DecimalError, split_number};
use super::{UnitError, quoted};

/// How many of [`parse_percent_millionths`]' units make one percent.
pub(crate) const MILLIONTHS_PER_PERCENT: u64 = 1_000_000;

/// Parses `99%` or `99.95%` to a number of percent from 0 to 100.
///
/// # Errors
/// A missing percent sign, more than 100 %, more than six decimals.
pub fn parse_percent(text: &str) -> Result<f64, UnitError> {
    Ok(parse_percent_millionths(text)? as f64 / MILLIONTHS_PER_PERCENT as f64)
}

/// As [`parse_percent`], exact: in millionths of a percent.
pub(crate) fn parse_percent_millionths(text: &str) -> Result<u64, UnitError> {
    let text = text.trim();
    let (number, rest) = split_number(text);
    let amount = Decimal::parse(number);
    match (amount, rest) {
        (Err(DecimalError::Malformed), _) => Err(not_a_percentage(text)),
        (Ok(amount), "%") => {
            let millionths = amount.times(MILLIONTHS_PER_PERCENT).ok_or_else(|| too_fine(text))?;
            u64::try_from(millionths)
                .ok()
                .filter(|millionths| *millionths <= 100 * MILLIONTHS_PER_PERCENT)
                .ok_or_else(|| too_large(text))
        }
        (Err(DecimalError::TooLong), "%") if number.len() > 20 && number.contains('.') => Err(too_fine(text)),
        (Err(DecimalError::TooLong), "%") => Err(too_large(text)),
        (amount, "") => Err(no_unit(text, amount.ok())),
        _ => Err(not_a_percentage(text)),
    }
}

/// `0.99` most likely means 99 %, `99` surely does.
fn no_unit(text: &str, amount: Option<Decimal>) -> UnitError {
    let problem = format!("{} has no unit", quoted(text));
    let remedy = match amount.and_then(share_as_percent) {
        Some(percent) => format!("write `{percent}%`, or {} if that is meant", quoted(&format!("{text}%"))),
        None => format!("write {}", quoted(&format!("{text}%"))),
    };
    UnitError::new(problem, remedy)
}

/// A fraction such as 0.995 as the number of percent that it probably stands for.
fn share_as_percent(amount: Decimal) -> Option<String> {
    if amount.scale == 0 || !amount.at_most_one() {
        return None;
    }
    let decimals = amount.scale.saturating_sub(2);
    let divisor = 10_u64.pow(decimals);
    let digits = amount.digits * 10_u64.pow(2_u32.saturating_sub(amount.scale));
    let (whole, fraction) = (digits / divisor, digits % divisor);
    if fraction == 0 {
        return Some(whole.to_string());
    }
    let width = decimals as usize;
    Some(format!("{whole}.{fraction:0width$}"))
}

fn too_large(text: &str) -> UnitError {
    UnitError::new(
        format!("{} is more than everything", quoted(text)),
        "write a percentage from `0%` to `100%`",
    )
}

fn too_fine(text: &str) -> UnitError {
    UnitError::new(format!("{} has more than six decimals", quoted(text)), "write one such as `99.95%`")
}

fn not_a_percentage(text: &str) -> UnitError {
    if text.is_empty() {
        return UnitError::new("a percentage is missing", "write one such as `99%`");
    }
    UnitError::new(format!("{} is not a percentage", quoted(text)), "write one such as `99%` or `99.95%`")
}
