//! Amounts of bytes: `512B`, `64KiB`, `16MiB`.

use super::decimal::{Decimal, DecimalError, split_number};
use super::{UnitError, quoted};

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Parses `512B`, `64KiB`, `1.5MiB`, `2GiB` and the decimal `kB`, `MB`, `GB`; in bytes.
///
/// # Errors
/// A missing or unknown unit, parts of a byte, and 2^64 bytes and more.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let whole = text.trim();
    let (number, unit) = split_number(whole);
    let malformed = |remedy: String| UnitError::new(format!("{} is not a size", quoted(whole)), remedy);
    let example = "write a number and its unit, such as `512B`, `64KiB` or `16MiB`";
    let too_large = || UnitError::new(format!("{} is too large", quoted(whole)), "write at most `1GiB`");
    let amount = Decimal::parse(number).map_err(|error| match error {
        DecimalError::Malformed => malformed(example.to_owned()),
        DecimalError::TooLong => too_large(),
    })?;
    if unit.is_empty() {
        let remedy = format!("write `{number}KiB` or `{number}MiB`");
        return Err(UnitError::new(format!("{} has no unit", quoted(whole)), remedy));
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let unit = unit.trim();
        let meant = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(name, _)| *name);
        let meant = meant.or_else(|| match unit.to_ascii_lowercase().as_str() {
            "byte" | "bytes" => Some("B"),
            "k" | "ki" => Some("KiB"),
            "m" | "mi" => Some("MiB"),
            "g" | "gi" => Some("GiB"),
            _ => None,
        });
        return Err(match meant {
            Some(meant) => malformed(format!("write `{number}{meant}`")),
            None => malformed("use one of `B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`".to_owned()),
        });
    };
    let bytes = amount.times(*factor).ok_or_else(|| malformed("write whole bytes".to_owned()))?;
    u64::try_from(bytes).map_err(|_| too_large())
}

/// The shortest exact way to write `bytes` for [`parse_size`]: `16MiB`, `1000B`.
pub fn format_size(bytes: u64) -> String {
    let binary = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match binary.iter().find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let got = match parse_size(text) {
            Ok(bytes) => bytes.to_string(),
            Err(error) => format!("{}; {}", error.problem, error.remedy),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn sizes() {
        check("0B", "0");
        check("512B", "512");
        check(" 64KiB ", "65536");
        check("1.5MiB", "1572864");
        check("10kB", "10000");
        check("2GiB", "2147483648");
        check("16", "`16` has no unit; write `16KiB` or `16MiB`");
        check("16mib", "`16mib` is not a size; write `16MiB`");
        check("16 MiB", "`16 MiB` is not a size; write `16MiB`");
        check("3 bytes", "`3 bytes` is not a size; write `3B`");
        check("16x", "`16x` is not a size; use one of `B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`");
        check("0.3B", "`0.3B` is not a size; write whole bytes");
        check("-1B", "`-1B` is not a size; write a number and its unit, such as `512B`, `64KiB` or `16MiB`");
        check("99999999999999GiB", "`99999999999999GiB` is too large; write at most `1GiB`");
    }

    #[test]
    fn written_sizes_are_read_back() {
        for bytes in [0, 1, 1000, 1 << 10, 1 << 20, 3 << 30, u64::MAX] {
            assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }
        assert_eq!(format_size(16 << 20), "16MiB");
    }
}
