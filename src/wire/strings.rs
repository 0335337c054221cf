//! The strings of a JSON value with the keys they stand under, found without decoding any, also where the text is cut.

use memchr::{memchr, memchr2};

/// What a walk meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met<'a> {
    /// A key, and how deep in the value it stands.
    Key(&'a [u8], i64),
    /// A string that is a value: the key before it, and what is written between its quotes, escapes and all.
    Value(&'a [u8], &'a [u8]),
}

/// Walks over the value with which a text begins, to its end or to that of the text.
pub(super) fn walk<'a>(text: &'a [u8], mut met: impl FnMut(Met<'a>)) {
    let (mut key, mut depth, mut at): (&[u8], i64, usize) = (b"", 0, 0);
    while at < text.len() {
        let quote = memchr(b'"', &text[at..]).map_or(text.len(), |found| at + found);
        for byte in &text[at..quote] {
            depth += match byte {
                b'{' | b'[' => 1,
                b'}' | b']' => -1,
                _ => continue,
            };
            if depth <= 0 {
                return;
            }
        }
        if quote == text.len() {
            return;
        }
        let inside = &text[quote + 1..];
        let end = end(inside);
        let string = &inside[..end.unwrap_or(inside.len())];
        at = quote + 1 + string.len() + usize::from(end.is_some());
        if text[at..].trim_ascii_start().starts_with(b":") {
            key = string;
            met(Met::Key(key, depth));
        } else if end.is_some() || matches!(text[..quote].trim_ascii_end().last(), Some(b':' | b'[')) {
            met(Met::Value(key, string));
        }
        if depth == 0 {
            return;
        }
    }
}

/// Where a string ends, from its first byte on.
fn end(inside: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', inside.get(at..)?)?;
        if inside[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(text: &str) -> Vec<String> {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut all = Vec::new();
        walk(text.as_bytes(), |met| {
            all.push(match met {
                Met::Key(key, depth) => format!("{}:{depth}", text_of(key)),
                Met::Value(key, value) => format!("{}={}", text_of(key), text_of(value)),
            });
        });
        all
    }

    #[test]
    fn strings_are_found_under_their_keys_and_nothing_behind_the_value_is() {
        let text = r#"{"a":"x\"}","b":[1,"y","z"],"c":{"d" : "é"}},"e":"no"}"#;
        assert_eq!(met(text), ["a:1", "a=x\\\"}", "b:1", "b=y", "b=z", "c:1", "d:2", "d=é"]);
        assert_eq!(met("\"alone\",\"no\""), ["=alone"]);
        assert!(met("12,\"no\"").len() <= 1 && met("").is_empty() && met("null}").is_empty());
    }

    #[test]
    fn a_cut_value_is_kept_as_far_as_it_came_and_a_cut_key_is_not() {
        assert_eq!(met(r#"{"a":"xy"#), ["a:1", "a=xy"]);
        assert_eq!(met(r#"{"a":"xy\"#), ["a:1", "a=xy\\"]);
        assert_eq!(met(r#"{"a":"x","be"#), ["a:1", "a=x"]);
        let whole = r#"{"a":"x\"}","b":[1,"y"],"c":{"d":"é"}}"#;
        (0..whole.len()).for_each(|end| walk(&whole.as_bytes()[..end], |_| {}));
    }
}
