//! Secrets without a mark, known by what stands beside them: a field's name, a word such as `secret`.

use std::ops::Range;

use super::shape::{ALNUM, NAME, TOKEN, find, is, run_within};
use super::{Kind, Rule};

pub(super) const RULES: &[Rule] = &[
    find(
        "password-field",
        (Kind::Password, "password"),
        &["passw", "passphrase", "pwd", "_pass"],
        password,
        "{\"password\": \"tr{a6}\"}",
        "password: String, password = read_password(), \"password\": \"${PASSWORD}\"",
    ),
    find(
        "secret-field",
        (Kind::Entropy, "secret"),
        &[
            "secret",
            "token",
            "apikey",
            "api_key",
            "api-key",
            "api key",
            "accesskey",
            "access_key",
            "access-key",
            "access key",
            "accountkey",
            "account_key",
            "authkey",
            "auth_key",
            "signing_key",
            "signing key",
            "signingkey",
            "encryption_key",
            "encryption key",
            "encryptionkey",
            "private_key",
            "private key",
            "master_key",
            "master key",
            "masterkey",
            "subscription-key",
            "subscription_key",
            "subscription key",
            "functions-key",
            "credential",
            "authorization",
            "_auth",
            "session_id",
            "sessionid",
            "session_key",
            "cookie",
            "?key=",
            "&key=",
            "signature=",
            "license key",
            "license_key",
        ],
        secret,
        "CLIENT_SECRET={a32}",
        "the token count is 12345678901234567890, token = parse_token_stream_from_str",
    ),
];

/// How far a value may stand from its name.
const REACH: usize = 48;
/// A longer text is none that somebody drew.
const RANDOM: usize = 600;

/// What stands behind a name.
struct Field {
    value: Range<usize>,
    /// Whether the name is quoted or stands in a query, so that the value is data and no code.
    data: bool,
    quoted: bool,
}

fn password(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let field = field(text, &anchor)?;
    let value = &text[field.value.clone()];
    if is_template(value) || is_word(value) {
        return None;
    }
    let digit = value.iter().any(u8::is_ascii_digit);
    let letter = value.iter().any(u8::is_ascii_alphabetic);
    // `password: the_old_one_v2` is code, `DB_PASSWORD=the_old_one_v2` is none
    let code = !text[anchor.start].is_ascii_uppercase() && value.contains(&b'_') && !is_random(value);
    let sign = value.iter().any(|byte| b"!@#%^&*+=?".contains(byte));
    let counts = match (field.data, field.quoted) {
        (true, _) => value.len() >= 4 && !value.contains(&b' '),
        (false, true) => value.len() >= 6 && letter && (digit || sign) && !value.contains(&b' '),
        (false, false) => {
            value.len() >= 6 && letter && digit && !code && !value.contains(&b'.') && !value.contains(&b':')
        }
    };
    counts.then_some(field.value)
}

fn secret(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    if let Some(field) = field(text, &anchor) {
        let value = &text[field.value.clone()];
        let digit = value.iter().any(u8::is_ascii_digit);
        let letter = value.iter().any(u8::is_ascii_alphabetic);
        let enough = field.data && value.len() >= 12 && digit && letter && value.iter().all(|byte| is(*byte, ALNUM));
        return (!is_template(value) && (is_random(value) || enough)).then_some(field.value);
    }
    beside(text, anchor.end)
}

/// The value of the field whose name holds this anchor: `name = value`, `"name": "value"`, `name: Bearer value`.
fn field(text: &[u8], anchor: &Range<usize>) -> Option<Field> {
    let written_out = text[anchor.clone()].ends_with(b"=");
    let mut at = anchor.end;
    let mut data = matches!(text[anchor.start], b'?' | b'&');
    if !written_out {
        at += run_within(text, at, NAME, 32);
        let before = text[..anchor.start].iter().rev().take(32).find(|byte| !is(**byte, NAME));
        data = matches!(before, Some(b'?' | b'&'));
        let closed = quotes(text, at);
        data |= closed > 0;
        at += closed;
        at += run_of(text, at, b" \t", 4);
        at += match text.get(at..)? {
            [b':', b'=', ..] | [b'=', b'>', ..] => 2,
            [b'=' | b':', ..] => 1,
            [b'i' | b'I', b's', b' ', ..] => 3,
            _ => return None,
        };
        at += run_of(text, at, b" \t", 4);
    }
    let open = quotes(text, at);
    let quote = text[at..at + open].last().copied();
    at += open;
    for scheme in [&b"Bearer "[..], b"bearer ", b"Basic ", b"token ", b"Token "] {
        if text[at..].starts_with(scheme) {
            at += scheme.len();
        }
    }
    let rest = &text[at..(at + 512).min(text.len())];
    let stops = |byte: &u8| match quote {
        Some(quote) => *byte == quote || *byte == b'\\' || *byte == b'\n',
        None => byte.is_ascii_whitespace() || b"\"'`,;&<>(){}[]|\\".contains(byte),
    };
    let length = rest.iter().position(stops).unwrap_or(rest.len());
    (length > 0).then_some(Field { value: at..at + length, data, quoted: quote.is_some() })
}

/// A random text in the words that follow a name: `the api key I was given is …`.
fn beside(text: &[u8], from: usize) -> Option<Range<usize>> {
    let reach = (from + REACH).min(text.len());
    let mut at = from + run_within(text, from, NAME, REACH);
    while at < reach {
        let length = run_within(text, at, TOKEN, RANDOM);
        if length == 0 {
            // a sentence or a line that ends takes the meaning with it
            if matches!(text[at], b'\n' | b'{' | b'}' | b'(' | b')' | b';') {
                return None;
            }
            at += 1;
            continue;
        }
        let found = text[at..at + length].trim_ascii_end();
        let trimmed = found.iter().rev().take_while(|byte| matches!(byte, b'.' | b'-' | b'~')).count();
        let word = &found[..found.len() - trimmed];
        let uuid = word.len() == 36 && word.iter().filter(|byte| **byte == b'-').count() == 4;
        if !uuid && is_random(word) {
            return Some(at..at + word.len());
        }
        at += length;
    }
    None
}

/// Quotes at a place, escaped ones too: `"`, `\"`, `\\\"`.
fn quotes(text: &[u8], at: usize) -> usize {
    let slashes = run_of(text, at, b"\\", 7);
    match text.get(at + slashes) {
        Some(b'"' | b'\'' | b'`') => slashes + 1,
        _ => 0,
    }
}

fn run_of(text: &[u8], at: usize, set: &[u8], most: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take(most).take_while(|byte| set.contains(byte)).count()
}

/// Whether a value is a hole to be filled, and no value: `${NAME}`, `<key>`, `***`, `MY_KEY`.
pub(super) fn is_template(value: &[u8]) -> bool {
    let holds = |part: &[u8]| memchr::memmem::find(value, part).is_some();
    let same = value.iter().all(|byte| *byte == value[0]);
    let constant = value.contains(&b'_') && value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    let masked = value.iter().filter(|byte| **byte == b'*').count() >= 3;
    same || constant
        || masked
        || matches!(value.first(), Some(b'$' | b'<' | b'%' | b'{' | b'['))
        || holds(b"${")
        || holds(b"{{")
        || holds(b"...")
        || holds(b"process.env")
        || holds(b"os.environ")
}

/// Words that stand where a password would, and are none.
pub(super) fn is_word(value: &[u8]) -> bool {
    const WORDS: [&str; 18] = [
        "password",
        "passwd",
        "pass",
        "secret",
        "string",
        "null",
        "none",
        "true",
        "false",
        "undefined",
        "required",
        "optional",
        "hidden",
        "text",
        "input",
        "redacted",
        "current-password",
        "new-password",
    ];
    WORDS.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(value))
}

/// Whether a text was drawn at random: how often its characters change their kind, as those of no word or name do.
pub(in crate::redact) fn is_random(text: &[u8]) -> bool {
    if !(16..=512).contains(&text.len()) || text.starts_with(b"/") || text.starts_with(b".") {
        return false;
    }
    let (mut digits, mut lower, mut upper, mut signs, mut odd, mut seen) = (0, 0, 0, 0, 0, 0_u128);
    let mut last = b'-';
    for &byte in text {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'z' => lower += 1,
            b'A'..=b'Z' => upper += 1,
            _ => signs += 1,
        }
        let changes = (last.is_ascii_digit() && byte.is_ascii_alphabetic())
            || (last.is_ascii_alphabetic() && byte.is_ascii_digit())
            || (last.is_ascii_lowercase() && byte.is_ascii_uppercase());
        odd += usize::from(changes);
        seen |= 1 << (byte & 127);
        last = byte;
    }
    let shouted = text.windows(2).filter(|pair| pair.iter().all(u8::is_ascii_uppercase)).count();
    if seen.count_ones() < 8 || signs * 4 > text.len() {
        return false;
    }
    let part = |share: usize| odd * 100 >= text.len() * share;
    match (digits, lower.min(upper)) {
        // letters alone, of both cases: words begin with a capital, and have few
        (0, mixed) => mixed >= 4 && (odd + shouted) * 100 >= text.len() * 36,
        (1, 0) => false,
        (_, 0) => digits < text.len() && lower + upper >= 3 && if signs == 0 { part(15) } else { part(28) },
        _ => part(25),
    }
}
