//! Decimal numbers as exact integers.

/// A non-negative decimal number: `digits / 10^scale`, without trailing zeros in the fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    /// The number without its decimal point.
    pub(crate) digits: u64,
    /// How many of the digits are decimals; at most 18.
    pub(crate) scale: u32,
}

/// Why a text is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecimalError {
    /// Not `DIGITS` or `DIGITS.DIGITS`.
    Malformed,
    /// More digits than 64 bits hold, or than anybody writes.
    TooLong,
}

/// Longer numbers are refused even if they are mostly zeros, so that errors can repeat them.
const LONGEST: usize = 40;

impl Decimal {
    /// Parses `12` or `0.25`; both sides of the point are needed, signs and exponents are not known.
    pub(crate) fn parse(text: &str) -> Result<Decimal, DecimalError> {
        if text.len() > LONGEST {
            return Err(DecimalError::TooLong);
        }
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(DecimalError::Malformed),
            Some((whole, fraction)) => (whole, fraction),
            None => (text, ""),
        };
        if whole.is_empty() || !(whole.bytes().chain(fraction.bytes())).all(|byte| byte.is_ascii_digit()) {
            return Err(DecimalError::Malformed);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 18 {
            return Err(DecimalError::TooLong);
        }
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .try_fold(0_u64, |digits, byte| digits.checked_mul(10)?.checked_add(u64::from(byte - b'0')));
        let digits = digits.ok_or(DecimalError::TooLong)?;
        Ok(Decimal { digits, scale: fraction.len() as u32 })
    }

    /// The number times `factor` if that is a whole number.
    pub(crate) fn times(self, factor: u64) -> Option<u128> {
        let product = u128::from(self.digits) * u128::from(factor);
        let divisor = 10_u128.pow(self.scale);
        product.is_multiple_of(divisor).then(|| product / divisor)
    }

    /// Whether the number is below or equal to one.
    pub(crate) fn at_most_one(self) -> bool {
        u128::from(self.digits) <= 10_u128.pow(self.scale)
    }
}

/// Splits `text` after its leading number (digits and points).
pub(crate) fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    text.split_at(end.unwrap_or(text.len()))
}
