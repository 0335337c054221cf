//! Check digits: what tells a number that was issued from one that was not.

/// ISO/IEC 7812: cards, Canadian numbers.
pub(in crate::redact) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(digit - b'0')) {
            (0, value) => value,
            (_, value) if value > 4 => value * 2 - 9,
            (_, value) => value * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 13616: the first four characters go to the end, letters count from 10, and the rest modulo 97 is 1.
pub(in crate::redact) fn mod97(iban: &[u8]) -> bool {
    let Some((head, body)) = iban.split_at_checked(4) else { return false };
    let rest = body.iter().chain(head).try_fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => Some((rest * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((rest * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    });
    rest == Some(1)
}

/// The sum of digits times weights.
pub(in crate::redact) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum()
}

/// ISO 7064, modulo 11,10: German tax numbers.
pub(in crate::redact) fn mod11_10(digits: &[u8]) -> bool {
    let Some((last, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, digit| {
        let sum = (u32::from(digit - b'0') + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(last - b'0')
}
