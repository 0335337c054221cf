//! What names a person: mail addresses, telephone numbers, cards, accounts.

use std::borrow::Cow;
use std::ops::Range;

use super::cloud::alone;
use super::shape::{DIGIT, UPPER, find, is, run};
use super::sums::{luhn, mod97};
use super::{Kind, Rule};

pub(super) const RULES: &[Rule] = &[EMAIL, PHONE, CARD, IBAN];

/// Found by the sign between name and host.
pub(in crate::redact) const EMAIL: Rule = find(
    "email",
    (Kind::Person, "email"),
    &["%40"],
    email,
    "jane.doe+x@mail.example.org",
    "icon@2x.png, git@example.com:x",
);
/// Found by a plus, or by the last four digits.
pub(in crate::redact) const PHONE: Rule =
    find("phone", (Kind::Person, "phone"), &[], phone, "+49 30 901820-33", "1e+1234567890, +1 055 123 4567");
/// Found by digits.
pub(in crate::redact) const CARD: Rule =
    find("card", (Kind::Person, "card"), &[], card, "4111 1111 1111 1111", "4111 1111 1111 1112");
/// Found by digits.
pub(in crate::redact) const IBAN: Rule =
    find("iban", (Kind::Person, "iban"), &[], iban, "DE89 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00");

/// Ends of file names that look like a host's.
const FILES: [&str; 16] = [
    "png", "jpg", "jpeg", "gif", "svg", "webp", "js", "ts", "css", "scss", "json", "html", "tsx", "jsx", "mjs", "lock",
];

fn email(text: &[u8], sign: Range<usize>) -> Option<Range<usize>> {
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let name = text[..sign.start].iter().rev().take(64).take_while(|byte| of_name(byte)).count();
    let mut start = sign.start - name;
    // behind an escape such as \n the letter is no part of it
    if start > 0 && text[start - 1] == b'\\' && matches!(text[start], b'n' | b'r' | b't') {
        start += 1;
    }
    start += text[start..sign.start].iter().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    let local = &text[start..sign.start];
    if local.is_empty() || local == b"git" || in_address(text, start) {
        return None;
    }
    let of_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    let length = text[sign.end..].iter().take(253).take_while(|byte| of_host(byte)).count();
    let host = &text[sign.end..sign.end + length];
    let tail = host.iter().rev().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    let host = &host[..host.len() - tail];
    let dot = memchr::memrchr(b'.', host)?;
    let top = &host[dot + 1..];
    let is_top = (2..=24).contains(&top.len()) && top.iter().all(u8::is_ascii_alphabetic);
    let file = FILES.iter().any(|file| file.as_bytes().eq_ignore_ascii_case(top));
    let labels = host[0].is_ascii_alphanumeric() && dot > 0 && memchr::memmem::find(host, b"..").is_none();
    (is_top && !file && labels).then_some(start..sign.end + host.len())
}

/// Whether a place belongs to the name and password of an address.
fn in_address(text: &[u8], at: usize) -> bool {
    let from = at.saturating_sub(128);
    let before = &text[from..at];
    let word = before.iter().rposition(|byte| byte.is_ascii_whitespace() || b"\"'<>(".contains(byte));
    let before = &before[word.map_or(0, |at| at + 1)..];
    memchr::memmem::rfind(before, b"://").is_some_and(|found| !before[found + 3..].iter().any(|b| b"/?#".contains(b)))
}

/// An international number behind its plus, or a North American one by its last four digits.
fn phone(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    if text[at.start] == b'+' { international(text, at.start) } else { american(text, &at) }
}

fn international(text: &[u8], plus: usize) -> Option<Range<usize>> {
    if !super::shape::begins(text, plus) || !is(*text.get(plus + 1)?, DIGIT) {
        return None;
    }
    let (mut digits, mut end, mut signs) = (Vec::with_capacity(16), plus + 1, 0);
    for (at, &byte) in text.iter().enumerate().skip(plus + 1).take(28) {
        match byte {
            b'0'..=b'9' => {
                digits.push(byte);
                (end, signs) = (at + 1, 0);
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' if signs < 2 => signs += 1,
            _ => break,
        }
    }
    let north = |digits: &[u8]| digits.len() == 11 && digits[1] > b'1' && digits[4] > b'1';
    let fits = match digits.first() {
        Some(b'1') => north(&digits),
        Some(b'2'..=b'9') => (9..=15).contains(&digits.len()),
        _ => false,
    };
    (fits && super::shape::ends(text, end)).then_some(plus..end)
}

/// `(415) 555-0132`, `415-555-0132`, `415.555.0132`
fn american(text: &[u8], last: &Range<usize>) -> Option<Range<usize>> {
    let three = |end: usize| {
        let start = end.checked_sub(3)?;
        let digits = &text[start..end];
        (digits.iter().all(|byte| is(*byte, DIGIT)) && digits[0] > b'1').then_some(start)
    };
    if last.len() != 4 || !alone(text, last) {
        return None;
    }
    let sign = *text.get(last.start.checked_sub(1)?)?;
    if !matches!(sign, b'-' | b'.' | b' ') {
        return None;
    }
    let middle = three(last.start - 1)?;
    let before = middle.checked_sub(1)?;
    let (area, open) = match text[before] {
        b' ' if before > 0 && text[before - 1] == b')' => (three(before - 1)?, true),
        b')' => (three(before)?, true),
        // groups apart by blanks alone are numbers in a table
        same if same == sign && sign != b' ' => (three(before)?, false),
        _ => return None,
    };
    let start = if open { area.checked_sub(1).filter(|at| text[*at] == b'(')? } else { area };
    let free =
        start == 0 || !(text[start - 1].is_ascii_alphanumeric() || matches!(text[start - 1], b'-' | b'.' | b'_'));
    let after = text.get(last.end).is_none_or(|byte| *byte != b'-');
    (free && after).then_some(start..last.end)
}

/// A card by its first group of digits.
fn card(text: &[u8], first: Range<usize>) -> Option<Range<usize>> {
    let start = first.start;
    if !free(text, start) {
        return None;
    }
    let mut digits = Cow::Borrowed(&text[first.clone()]);
    let mut end = first.end;
    if first.len() == 4 {
        let sign = *text.get(end)?;
        if !matches!(sign, b' ' | b'-') {
            return None;
        }
        while text.get(end) == Some(&sign) && digits.len() < 19 {
            let group = run(text, end + 1, DIGIT);
            if group == 0 || group > 6 {
                break;
            }
            digits.to_mut().extend_from_slice(&text[end + 1..end + 1 + group]);
            end += 1 + group;
        }
        let groups = end - start - digits.len();
        if !matches!((groups, digits.len()), (3, 16) | (2, 14 | 15) | (4, 19)) {
            return None;
        }
    }
    let after = text.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let fraction = text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(u8::is_ascii_digit);
    (after && !fraction && is_issued(&digits) && luhn(&digits)).then_some(start..end)
}

/// Whether a number may begin here: not within a word, a fraction or a longer number.
fn free(text: &[u8], at: usize) -> bool {
    let Some(last) = at.checked_sub(1).map(|at| text[at]) else { return true };
    let joins = matches!(last, b'.' | b'_' | b'-' | b' ') && at >= 2 && text[at - 2].is_ascii_digit();
    !joins && super::shape::begins(text, at) && last != b'.' && last != b'_'
}

/// The beginnings that card companies have, with their lengths (ISO/IEC 7812 registry).
fn is_issued(digits: &[u8]) -> bool {
    let head = |count: usize| digits[..count].iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    if digits.len() < 13 {
        return false;
    }
    matches!(
        (head(1), head(2), head(4), digits.len()),
        (4, _, _, 13 | 16)
            | (_, 51..=55, _, 16)
            | (_, _, 2221..=2720, 16)
            | (_, 34 | 37, _, 15)
            | (_, 36 | 38 | 39, _, 14)
            | (_, _, 3000..=3059, 14)
            | (_, 65, _, 16)
            | (_, _, 6011 | 6440..=6499, 16)
            | (_, _, 3528..=3589, 16)
            | (_, 62, _, 16..=19)
    )
}

/// Lengths by country (the SWIFT registry of IBAN formats).
const LENGTHS: &[u8] = b"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18\
FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31\
MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20";

/// An account by any of its groups of digits.
fn iban(text: &[u8], group: Range<usize>) -> Option<Range<usize>> {
    let head = |at: usize| {
        let head = text.get(at..at + 4)?;
        // most groups of digits have no country before them
        let fits = head[..2].iter().all(u8::is_ascii_uppercase) && head[2..].iter().all(u8::is_ascii_digit);
        let row = fits.then(|| LENGTHS.chunks_exact(4).find(|row| row[..2] == head[..2])).flatten()?;
        Some(usize::from(row[2] - b'0') * 10 + usize::from(row[3] - b'0'))
    };
    let back = text[..group.start].iter().rev().take(31).take_while(|byte| is(**byte, UPPER)).count();
    let mut start = group.start - back;
    // in groups of four, up to the country
    for _ in 0..9 {
        if let Some(length) = head(start)
            && let Some(found) = of_length(text, start, length)
        {
            return Some(found);
        }
        let sign = start.checked_sub(1).map(|at| text[at]);
        let four = start.checked_sub(5)?;
        if !matches!(sign, Some(b' ' | b'-')) || !text[four..start - 1].iter().all(|byte| is(*byte, UPPER)) {
            return None;
        }
        start = four;
    }
    None
}

fn of_length(text: &[u8], start: usize, length: usize) -> Option<Range<usize>> {
    let mut found = Vec::with_capacity(34);
    let mut end = start;
    while found.len() < length {
        match *text.get(end)? {
            byte if is(byte, UPPER) => found.push(byte),
            b' ' | b'-' if found.len() % 4 == 0 => {}
            _ => return None,
        }
        end += 1;
    }
    let alone = super::shape::begins(text, start) && super::shape::ends(text, end);
    (alone && mod97(&found)).then_some(start..end)
}
