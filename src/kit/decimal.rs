//! Decimal numbers as integers: money and rates never pass through floating point.

/// Why a text is not a usable decimal number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a decimal number.
    #[error("{0:?} is not a decimal number; write it like 0.25")]
    Syntax(String),
    /// It has more digits after the point than can be kept.
    #[error("{0} has more than {1} digits after the point; round it first")]
    TooFine(String, u32),
    /// It does not fit.
    #[error("{0} is too large")]
    TooLarge(String),
}

/// Whether every digit of a number was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The integer stands for exactly the number that was read.
    Whole,
    /// Digits beyond the last place were rounded, half to even.
    Rounded,
}

/// Reads a decimal number (`-1.5`, `2.8e-08`) times 10^`places`, exactly.
///
/// # Errors
/// When it is no number, too large, or finer than `places` digits.
pub fn exact(text: &str, places: u32) -> Result<i128, DecimalError> {
    match near(text, places)? {
        (value, Kept::Whole) => Ok(value),
        (_, Kept::Rounded) => Err(DecimalError::TooFine(text.to_owned(), places)),
    }
}

/// Reads a decimal number times 10^`places`, rounding what is finer half to even: other people's numbers went through
/// floating point and arrive as `0.0049099999999999994`.
///
/// # Errors
/// When it is no number or too large.
pub fn near(text: &str, places: u32) -> Result<(i128, Kept), DecimalError> {
    let syntax = || DecimalError::Syntax(text.to_owned());
    let too_large = || DecimalError::TooLarge(text.to_owned());
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| syntax())?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(syntax());
    }
    let mut digits: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return Err(syntax());
        }
        digits =
            digits.checked_mul(10).and_then(|sum| sum.checked_add(i128::from(byte - b'0'))).ok_or_else(too_large)?;
    }
    let fraction = i64::try_from(fraction.len()).map_err(|_| too_large())?;
    let shift = i64::from(places) + i64::from(exponent) - fraction;
    let (value, kept) = shifted(digits, shift).ok_or_else(too_large)?;
    Ok((if negative { -value } else { value }, kept))
}

/// `digits` (not negative) times 10^`shift`.
fn shifted(digits: i128, shift: i64) -> Option<(i128, Kept)> {
    if digits == 0 {
        return Some((0, Kept::Whole));
    }
    let Ok(shift) = u32::try_from(shift) else {
        let Some(divisor) = u32::try_from(-shift).ok().and_then(|shift| 10i128.checked_pow(shift)) else {
            return Some((0, Kept::Rounded));
        };
        let kept = if digits % divisor == 0 { Kept::Whole } else { Kept::Rounded };
        return Some((divided(digits, divisor), kept));
    };
    Some((digits.checked_mul(10i128.checked_pow(shift)?)?, Kept::Whole))
}

/// `value` / `divisor`, rounded half to even; the divisor is positive.
pub fn divided(value: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (value.div_euclid(divisor), value.rem_euclid(divisor));
    // compared without doubling, which could overflow
    match rest.cmp(&(divisor - rest)) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

/// `value` / 10^`places` as a decimal string without trailing zeros: the inverse of [`exact`].
pub fn text(value: i128, places: u32) -> String {
    let padded = fixed(value, places);
    if padded.contains('.') { padded.trim_end_matches('0').trim_end_matches('.').to_owned() } else { padded }
}

/// `value` / 10^`places` with all its places: `0.500000`.
pub fn fixed(value: i128, places: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let width = places as usize;
    let digits = format!("{:0>1$}", value.unsigned_abs(), width + 1);
    let (whole, fraction) = digits.split_at(digits.len() - width);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
