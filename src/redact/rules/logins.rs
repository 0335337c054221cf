//! Credentials behind the words and signs that announce one: tokens, headers, addresses with a password.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::fields::{is_random, is_template, is_word};
use super::shape::{BASE64, NAME, TOKEN, begins, find, run};
use super::{Kind, Rule};

pub(super) const RULES: &[Rule] = &[
    find("jwt", (Kind::Token, "token"), &["eyj"], jwt, "eyJ{u33}.eyJ{u70}.{u43}", "eyJ{u33} is how one begins"),
    find(
        "bearer",
        (Kind::Token, "token"),
        &["bearer "],
        bearer,
        "Authorization: Bearer {a40}",
        "Bearer authentication-is-needed",
    ),
    find("basic", (Kind::Token, "token"), &["basic "], basic, "Basic dXNlcjp0aGUtcGFzc3dvcmQ=", "Basic authentication"),
    find(
        "address-password",
        (Kind::Password, "password"),
        &["://"],
        address,
        "postgres://app:h{a8}@db.internal:5432/app",
        "https://example.com:443/a@b and ssh://git@example.com/x",
    ),
];

/// Parts in base64, the first two of which are JSON objects.
fn jwt(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    if &text[anchor.clone()] != b"eyJ" || !begins(text, anchor.start) {
        return None;
    }
    let mut end = anchor.start + run(text, anchor.start, NAME);
    let mut dots = 0;
    while dots < 4 && text.get(end) == Some(&b'.') {
        let part = run(text, end + 1, NAME);
        if dots == 0 && part < 8 {
            return None;
        }
        dots += 1;
        end += 1 + part;
    }
    (dots >= 2).then_some(anchor.start..end)
}

fn bearer(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let length = run(text, anchor.end, TOKEN);
    let token = &text[anchor.end..anchor.end + length];
    (length >= 16 && is_random(token) && begins(text, anchor.start)).then_some(anchor.end..anchor.end + length)
}

/// Base64 of a name, a colon and a password.
fn basic(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let length = run(text, anchor.end, BASE64);
    let place = anchor.end..anchor.end + length;
    if !(8..=1024).contains(&length) || !begins(text, anchor.start) {
        return None;
    }
    let plain = STANDARD.decode(&text[place.clone()]).ok()?;
    let is_pair = plain.contains(&b':') && plain.iter().all(|byte| !byte.is_ascii_control());
    is_pair.then_some(place)
}

/// The password in `scheme://name:password@host`, or a token that stands there alone.
fn address(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(anchor.end..(anchor.end + 300).min(text.len()))?;
    let stop = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'`<>\\,()".contains(byte);
    let host = rest.iter().position(stop).unwrap_or(rest.len());
    let user = memchr::memrchr(b'@', &rest[..host])?;
    let (from, password) = match memchr::memchr(b':', &rest[..user]) {
        Some(colon) => (colon + 1, true),
        None => (0, false),
    };
    let word = &rest[from..user];
    let counts = if password { !word.is_empty() && !is_template(word) && !is_word(word) } else { is_random(word) };
    counts.then_some(anchor.end + from..anchor.end + user)
}
