//! Walks over the strings of a JSON text without decoding it: where each stands, under which key, and how deep.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

/// Where in a JSON text the walk stands.
pub(super) struct Place<'a> {
    text: &'a [u8],
    steps: Vec<Step>,
}

enum Step {
    /// In an object, behind the key whose text stands here.
    Key(Range<usize>),
    /// In an array, with the nearest key above it.
    Index(usize, Range<usize>),
}

/// The names that say what a text is stand near the top.
const NEAR: usize = 16;
/// At most so many steps are shown at each end of a place.
const SHOWN: usize = 8;

impl Place<'_> {
    /// The nearest key, as it is written, without quotes.
    pub(super) fn key(&self) -> &[u8] {
        &self.text[self.nearest()]
    }

    // kept with every step: a text may hold as many lists in each other as it has bytes
    fn nearest(&self) -> Range<usize> {
        match self.steps.last() {
            Some(Step::Key(key) | Step::Index(_, key)) => key.clone(),
            None => 0..0,
        }
    }

    /// Whether the value is the key's own, and none in a list below it.
    pub(super) fn is_field(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Key(_)))
    }

    /// Whether one of the keys above is this one, near the top.
    pub(super) fn is_below(&self, name: &[u8]) -> bool {
        self.steps.iter().take(NEAR).any(|step| matches!(step, Step::Key(key) if &self.text[key.clone()] == name))
    }
}

/// `messages[0].content`; a key that is no plain name is not repeated.
impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (head, tail) = self.steps.split_at(self.steps.len().min(SHOWN));
        let left_out = tail.len().saturating_sub(SHOWN);
        for (at, step) in head.iter().chain(&tail[left_out..]).enumerate() {
            if at == SHOWN && left_out > 0 {
                f.write_str("[…]")?;
            }
            match step {
                Step::Index(index, _) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let name = &self.text[key.clone()];
                    let plain = name.len() <= 32 && name.iter().all(|b| b.is_ascii_lowercase() || *b == b'_');
                    if at > 0 {
                        f.write_char('.')?;
                    }
                    f.write_str(if plain { std::str::from_utf8(name).unwrap_or("…") } else { "…" })?;
                }
            }
        }
        Ok(())
    }
}

/// A value that is no object and no array.
pub(super) enum Leaf {
    /// A string: the text between its quotes.
    Text(Range<usize>),
    /// A number or a word.
    Plain(Range<usize>),
}

/// Calls `each` with every leaf, in order. Text that is no JSON leads to fewer or odd leaves, and to no harm.
pub(super) fn leaves(text: &[u8], mut each: impl FnMut(&Place<'_>, Leaf)) {
    let mut place = Place { text, steps: Vec::new() };
    let mut names = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'{' => {
                place.steps.push(Step::Key(at..at));
                names = true;
            }
            b'[' => {
                let key = place.nearest();
                place.steps.push(Step::Index(0, key));
                names = false;
            }
            b'}' | b']' => {
                place.steps.pop();
                names = false;
            }
            b',' => match place.steps.last_mut() {
                Some(Step::Index(index, _)) => *index += 1,
                Some(Step::Key(_)) => names = true,
                None => {}
            },
            b':' => names = false,
            b'"' => {
                let end = string_end(text, at);
                match place.steps.last_mut() {
                    Some(Step::Key(key)) if names => *key = at..end,
                    _ => each(&place, Leaf::Text(at..end)),
                }
                at = end + 1;
            }
            b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => {
                let rest = &text[at..];
                let length = rest.iter().position(|byte| b",]} \n\r\t\"".contains(byte)).unwrap_or(rest.len());
                each(&place, Leaf::Plain(at - 1..at + length));
                at += length;
            }
        }
    }
}

/// The place of the quote that ends a string.
fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        if text[at + found] == b'"' {
            return at + found;
        }
        at += found + 2;
    }
    text.len()
}

/// A string as it is meant, and where its parts stand in the text that was written.
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, [u8]>,
    /// Behind each escape: the place in the meaning, and the place in the writing.
    marks: Vec<(usize, usize)>,
}

impl<'a> Decoded<'a> {
    /// Decodes the text between two quotes; `None` when an escape is none.
    pub(super) fn of(written: &'a [u8]) -> Option<Self> {
        if memchr::memchr(b'\\', written).is_none() {
            return Some(Self { text: Cow::Borrowed(written), marks: Vec::new() });
        }
        let (mut text, mut marks, mut at) = (Vec::with_capacity(written.len()), Vec::new(), 0);
        while let Some(found) = memchr::memchr(b'\\', &written[at..]) {
            text.extend_from_slice(&written[at..at + found]);
            at += found;
            let (sign, length) = escape(&written[at..])?;
            text.extend_from_slice(sign.encode_utf8(&mut [0; 4]).as_bytes());
            at += length;
            marks.push((text.len(), at));
        }
        text.extend_from_slice(&written[at..]);
        Some(Self { text: Cow::Owned(text), marks })
    }

    /// Where a place of the meaning stands in the writing.
    pub(super) fn written(&self, at: usize) -> usize {
        let before = self.marks.partition_point(|(meant, _)| *meant <= at);
        before.checked_sub(1).map_or(at, |mark| self.marks[mark].1 + at - self.marks[mark].0)
    }
}

/// What an escape stands for, and its length. Half a pair stands for the replacement character.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let simple = match text.get(1)? {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => {
            let unit = |at: usize| {
                let hex = std::str::from_utf8(text.get(at..at + 4)?).ok()?;
                u32::from_str_radix(hex, 16).ok()
            };
            let high = unit(2)?;
            let low = (text.get(6..8) == Some(b"\\u")).then(|| unit(8)).flatten();
            return Some(match low {
                Some(low @ 0xDC00..=0xDFFF) if (0xD800..0xDC00).contains(&high) => {
                    let both = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                    (char::from_u32(both).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
                }
                _ => (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
            });
        }
        sign @ (b'"' | b'\\' | b'/') => char::from(*sign),
        _ => return None,
    };
    Some((simple, 2))
}

/// A text as a JSON string holds it, without the quotes.
pub(super) fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
