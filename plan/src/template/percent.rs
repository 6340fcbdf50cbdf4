//! The filter `percent`: a share as a percentage, exactly.

use super::environment::invalid;
use minijinja::Error;

/// `0.99`, a share from 0 to 1, as `99%`; what is a percentage already stays as it is. The digits are moved, not multiplied:
/// 0.57 is `57%`, which it is not in floating point.
pub(super) fn percent(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.ends_with('%') {
        return Ok(text.to_owned());
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_share = match whole {
        "0" => true,
        "1" => fraction.bytes().all(|byte| byte == b'0'),
        _ => false,
    };
    if !is_share || !digits(fraction) {
        return Err(invalid(format!(
            "`{text}` is neither a share from 0 to 1 nor a percentage; write for instance `0.99` or `99%`"
        )));
    }
    let (hundredths, rest) = fraction.split_at(fraction.len().min(2));
    let shifted = format!("{whole}{hundredths:0<2}");
    let whole = match shifted.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    Ok(match rest.trim_end_matches('0') {
        "" => format!("{whole}%"),
        rest => format!("{whole}.{rest}%"),
    })
}
