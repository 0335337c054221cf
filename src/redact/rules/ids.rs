//! National numbers of persons, looked for only in the countries that the settings name.

use std::ops::Range;

use super::shape::{DIGIT, UPPER, begins, ends, find, is};
use super::sums::{luhn, mod11_10, weighted};
use super::{Kind, Rule};
pub(in crate::redact) use crate::config::Nation;

/// The rules, in the order of [`Nation`].
pub(in crate::redact) const RULES: &[Rule] = &[
    national("brazil-cpf", brazil, "529.982.247-25", "529.982.247-24"),
    national("canada-sin", canada, "046 454 286", "046 454 287"),
    national("germany-tax-id", germany, "86095742719", "86095742718"),
    national("spain-dni", spain, "12345678Z", "12345678A"),
    national("france-nir", france, "2 55 08 14 168 025 38", "2 55 08 14 168 025 39"),
    national("netherlands-bsn", netherlands, "111222333", "111222334"),
    national("poland-pesel", poland, "44051401359", "44051401358"),
    national("us-ssn", america, "536-90-4399", "666-90-4399"),
];

const fn national(
    id: &'static str,
    by: fn(&[u8], Range<usize>) -> Option<Range<usize>>,
    hit: &'static str,
    miss: &'static str,
) -> Rule {
    find(id, (Kind::National, "id"), &[], by, hit, miss)
}

/// The rule of a country.
pub(in crate::redact) fn of(nation: Nation) -> &'static Rule {
    let at = match nation {
        Nation::Br => 0,
        Nation::Ca => 1,
        Nation::De => 2,
        Nation::Es => 3,
        Nation::Fr => 4,
        Nation::Nl => 5,
        Nation::Pl => 6,
        Nation::Us => 7,
    };
    &RULES[at]
}

/// So many digits from here, with single signs of this set between them.
fn digits(text: &[u8], from: usize, count: usize, signs: &[u8]) -> Option<(Vec<u8>, usize)> {
    if !begins(text, from) || from.checked_sub(1).is_some_and(|at| matches!(text[at], b'.' | b'-' | b'_')) {
        return None;
    }
    let (mut found, mut end, mut sign) = (Vec::with_capacity(count), from, false);
    while found.len() < count {
        let byte = *text.get(end)?;
        if is(byte, DIGIT) {
            found.push(byte);
            sign = false;
        } else if signs.contains(&byte) && !sign {
            sign = true;
        } else {
            return None;
        }
        end += 1;
    }
    Some((found, end))
}

fn checked(
    text: &[u8],
    at: &Range<usize>,
    count: usize,
    signs: &[u8],
    is_one: impl Fn(&[u8]) -> bool,
) -> Option<Range<usize>> {
    let (found, end) = digits(text, at.start, count, signs)?;
    let same = found.iter().all(|digit| *digit == found[0]);
    (ends(text, end) && !same && is_one(&found)).then_some(at.start..end)
}

fn brazil(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    checked(text, &at, 11, b".-", |found| {
        let last = |count: u32| {
            let weights: Vec<u32> = (2..=count + 1).rev().collect();
            (weighted(found, &weights) * 10 % 11 % 10) as u8 + b'0'
        };
        found[9] == last(9) && found[10] == last(10)
    })
}

fn canada(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    checked(text, &at, 9, b" -", luhn)
}

fn germany(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    checked(text, &at, 11, b" ", |found| found[0] != b'0' && mod11_10(found))
}

/// Eight digits and a letter that follows from them.
fn spain(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let (found, end) = digits(text, at.start, 8, b"")?;
    let end = if text.get(end) == Some(&b'-') { end + 1 } else { end };
    let number = found.iter().fold(0_usize, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    let letter = text.get(end).filter(|byte| is(**byte, UPPER))?;
    (*letter == LETTERS[number % 23] && ends(text, end + 1)).then_some(at.start..end + 1)
}

/// Thirteen digits and a key: 97 less the rest modulo 97.
fn france(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    checked(text, &at, 15, b" ", |found| {
        let number = |digits: &[u8]| digits.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        matches!(found[0], b'1' | b'2') && 97 - number(&found[..13]) % 97 == number(&found[13..])
    })
}

fn netherlands(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    checked(text, &at, 9, b".", |found| {
        (weighted(found, &[9, 8, 7, 6, 5, 4, 3, 2]) + 11 * 11 - u32::from(found[8] - b'0')).is_multiple_of(11)
    })
}

fn poland(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    checked(text, &at, 11, b"", |found| {
        (10 - weighted(found, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == u32::from(found[10] - b'0')
    })
}

/// Three, two and four digits; some numbers were never given (SSA, "randomization").
fn america(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let shape = text.get(at.start..at.start + 11)?;
    if shape[3] != b'-' || shape[6] != b'-' {
        return None;
    }
    checked(text, &at, 9, b"-", |found| {
        let area = &found[..3];
        area != b"000" && area != b"666" && area[0] != b'9' && &found[3..5] != b"00" && &found[5..] != b"0000"
    })
}
