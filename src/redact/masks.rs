//! Placeholders of one call and what stands behind them: the same text has the same placeholder.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::scan::Hit;
use super::walk::escaped;

/// A placeholder is shorter: a word and a number.
const LONGEST: usize = 64;
/// A number that a client wrote is stepped over where it has no more digits.
const DIGITS: usize = 12;

/// The placeholders of one call.
#[derive(Default)]
pub struct Masks {
    /// By placeholder: `[email-1]`.
    texts: BTreeMap<String, String>,
    by_text: HashMap<String, String>,
    counts: HashMap<&'static str, usize>,
    /// How many were made for each rule.
    rules: BTreeMap<&'static str, usize>,
}

/// How a text is written where it is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nesting {
    /// In a string.
    Plain,
    /// In a string of a JSON text that is itself a string: the arguments of a tool.
    Json,
}

/// A text in which placeholders were undone.
pub(super) struct Undone<'a> {
    pub(super) text: Cow<'a, str>,
    /// What its end holds back, since it may be the beginning of a placeholder.
    pub(super) tail: &'a str,
}

impl Masks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The rules that asked for them, each with how many texts it found.
    pub fn rules(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.rules.iter().map(|(rule, texts)| (*rule, *texts))
    }

    /// The placeholder for a text; a new one is unlike anything that the client itself wrote.
    pub(super) fn place(&mut self, text: &str, hit: &Hit, written: &[u8]) -> String {
        if let Some(known) = self.by_text.get(text) {
            return known.clone();
        }
        let word = hit.word();
        *self.rules.entry(hit.id()).or_default() += 1;
        let open = format!("[{word}-");
        let count = self.counts.entry(word).or_insert_with(|| highest(written, open.as_bytes()));
        *count += 1;
        let name = format!("{open}{count}]");
        self.texts.insert(name.clone(), text.to_owned());
        self.by_text.insert(text.to_owned(), name.clone());
        name
    }

    /// Puts back what the placeholders of a text stand for.
    pub(super) fn undo<'a>(&self, text: &'a str, nesting: Nesting) -> Undone<'a> {
        let (mut out, mut done, mut at) = (String::new(), 0, 0);
        while let Some(found) = memchr::memchr(b'[', &text.as_bytes()[at..]) {
            let start = at + found;
            at = start + 1;
            let rest = &text[start..];
            if let Some(close) = rest.bytes().take(LONGEST).position(|byte| byte == b']')
                && let Some(original) = self.texts.get(&rest[..=close])
            {
                out += &text[done..start];
                match nesting {
                    Nesting::Plain => out += original,
                    Nesting::Json => out += &escaped(original),
                }
                done = start + close + 1;
                at = done;
            } else if self.begins_one(rest) {
                let kept = &text[done..start];
                let text = if done == 0 { Cow::Borrowed(kept) } else { Cow::Owned(out + kept) };
                return Undone { text, tail: rest };
            }
        }
        let text = if done == 0 { Cow::Borrowed(text) } else { Cow::Owned(out + &text[done..]) };
        Undone { text, tail: "" }
    }

    /// Whether a text is the beginning of a placeholder, and not all of one.
    fn begins_one(&self, text: &str) -> bool {
        let next = self.texts.range::<str, _>((std::ops::Bound::Excluded(text), std::ops::Bound::Unbounded)).next();
        next.is_some_and(|(name, _)| name.starts_with(text))
    }
}

/// The highest number behind `open` in what the client wrote; it was read once, so a thousand secrets cost no more.
fn highest(written: &[u8], open: &[u8]) -> usize {
    let numbers = memchr::memmem::find_iter(written, open).map(|at| {
        let digits = written[at + open.len()..].iter().take_while(|byte| byte.is_ascii_digit()).take(DIGITS + 1);
        let digits = digits.copied().collect();
        // a longer number is none of ours
        String::from_utf8(digits).ok().filter(|text| text.len() <= DIGITS)?.parse::<usize>().ok()
    });
    numbers.flatten().max().unwrap_or_default()
}

/// Shows how many there are, and none of them.
impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} placeholders", self.texts.len())
    }
}
