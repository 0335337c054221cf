//! A mark and a run of characters: what most issuers' keys look like, and where such a text may begin and end.

use std::ops::Range;

use super::{Kind, Rule, Shape};

/// Sets of characters, one bit each.
pub(super) const DIGIT: u8 = 1;
pub(super) const HEX: u8 = 2;
pub(super) const LOWER: u8 = 4;
pub(super) const UPPER: u8 = 8;
/// Letters and digits.
pub(super) const ALNUM: u8 = 16;
/// And `-` and `_`.
pub(super) const NAME: u8 = 32;
/// Letters, digits, `+`, `/` and `=`.
pub(super) const BASE64: u8 = 64;
/// Letters, digits, `-`, `_`, `.`, `~`, `+`, `/` and `=`.
pub(super) const TOKEN: u8 = 128;

const SETS: [u8; 256] = {
    let mut sets = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        let (digit, lower, upper) = (c.is_ascii_digit(), c.is_ascii_lowercase(), c.is_ascii_uppercase());
        let mut is = 0;
        if digit {
            is |= DIGIT;
        }
        if digit || matches!(c, b'a'..=b'f') {
            is |= HEX;
        }
        if digit || lower {
            is |= LOWER;
        }
        if digit || upper {
            is |= UPPER;
        }
        if digit || lower || upper {
            is |= ALNUM | NAME | BASE64 | TOKEN;
        }
        if matches!(c, b'-' | b'_') {
            is |= NAME | TOKEN;
        }
        if matches!(c, b'+' | b'/' | b'=') {
            is |= BASE64 | TOKEN;
        }
        if matches!(c, b'.' | b'~') {
            is |= TOKEN;
        }
        sets[byte] = is;
        byte += 1;
    }
    sets
};

/// Whether a character is in one of these sets.
pub(super) const fn is(byte: u8, set: u8) -> bool {
    SETS[byte as usize] & set != 0
}

/// No token is longer, and no key behind a mark. A text of marks alone would otherwise be read once from each of them to
/// its end.
const LONGEST: usize = 8 << 10;
const MARKED: usize = 2 << 10;

/// How many characters of a set follow from here.
pub(super) fn run(text: &[u8], from: usize, set: u8) -> usize {
    run_within(text, from, set, LONGEST)
}

/// The same, looking no further than that.
pub(super) fn run_within(text: &[u8], from: usize, set: u8, most: usize) -> usize {
    text.get(from..).unwrap_or_default().iter().take(most).take_while(|byte| is(**byte, set)).count()
}

/// An anchor, written exactly so, then a run of one set.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) set: u8,
    pub(super) least: usize,
    /// A longer run is something else.
    pub(super) most: usize,
    pub(super) anchors: &'static [&'static str],
    /// Whether the run must hold a digit, as a name made of words does not.
    pub(super) mixed: bool,
}

impl Run {
    pub(super) fn at(&self, text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
        let written = text.get(anchor.clone())?;
        if !self.anchors.iter().any(|exact| exact.as_bytes() == written) || !begins(text, anchor.start) {
            return None;
        }
        let length = run_within(text, anchor.end, self.set, self.most.saturating_add(1).min(MARKED));
        let body = &text[anchor.end..anchor.end + length];
        let fits = (self.least..=self.most).contains(&length) && (!self.mixed || looks_made(body));
        fits.then_some(anchor.start..anchor.end + length)
    }
}

/// Whether a key may begin here: behind no letter or digit, unless that is the end of an escape such as `\n` or `%3D`.
pub(super) fn begins(text: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|at| text[at]);
    let Some(last) = before(1) else { return true };
    if !last.is_ascii_alphanumeric() {
        return true;
    }
    let hex = |back: usize| before(back).is_some_and(|byte| byte.is_ascii_hexdigit());
    match last {
        b'n' | b'r' | b't' | b'b' | b'f' if before(2) == Some(b'\\') => true,
        _ if hex(1) && hex(2) => {
            matches!(before(3), Some(b'%')) || (hex(3) && hex(4) && before(5) == Some(b'u') && before(6) == Some(b'\\'))
        }
        _ => false,
    }
}

/// Whether nothing of a word or number follows.
pub(super) fn ends(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// A text that was drawn, and not written: it holds a digit within a long run without dashes.
fn looks_made(body: &[u8]) -> bool {
    let longest = body.split(|byte| !byte.is_ascii_alphanumeric()).max_by_key(|part| part.len()).unwrap_or_default();
    longest.len() >= 16 && longest.iter().any(u8::is_ascii_digit) || super::is_random(body)
}

/// A rule for keys that begin with a mark.
pub(super) const fn key(
    id: &'static str,
    anchors: &'static [&'static str],
    (set, least, most): (u8, usize, usize),
    hit: &'static str,
    miss: &'static str,
) -> Rule {
    let shape = Shape::Run(Run { set, least, most, anchors, mixed: false });
    Rule { id, kind: Kind::Key, word: "key", anchors, shape, hit, miss }
}

/// The same for marks that also begin names made of words.
pub(super) const fn mixed(
    id: &'static str,
    anchors: &'static [&'static str],
    size: (u8, usize, usize),
    hit: &'static str,
    miss: &'static str,
) -> Rule {
    let mut rule = key(id, anchors, size, hit, miss);
    if let Shape::Run(run) = &mut rule.shape {
        run.mixed = true;
    }
    rule
}

/// A rule with a function of its own.
pub(super) const fn find(
    id: &'static str,
    (kind, word): (Kind, &'static str),
    anchors: &'static [&'static str],
    find: fn(&[u8], Range<usize>) -> Option<Range<usize>>,
    hit: &'static str,
    miss: &'static str,
) -> Rule {
    Rule { id, kind, word, anchors, shape: Shape::Find(find), hit, miss }
}

/// No upper bound.
pub(super) const ANY: usize = usize::MAX;
