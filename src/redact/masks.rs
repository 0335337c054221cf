//! Placeholders of one call and what stands behind them: the same text has the same placeholder.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::walk::escaped;

/// The placeholders of one call.
#[derive(Default)]
pub struct Masks {
    /// By placeholder: `[email-1]`.
    texts: BTreeMap<String, String>,
    by_text: HashMap<String, String>,
    counts: HashMap<&'static str, usize>,
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// The placeholder for a text; a new one is unlike anything that the client itself wrote.
    pub(super) fn place(&mut self, text: &str, word: &'static str, written: &[u8]) -> String {
        if let Some(known) = self.by_text.get(text) {
            return known.clone();
        }
        let open = format!("[{word}-");
        let taken = memchr::memmem::find(written, open.as_bytes()).is_some();
        let count = self.counts.entry(word).or_default();
        let name = loop {
            *count += 1;
            let name = format!("{open}{count}]");
            if !taken || memchr::memmem::find(written, name.as_bytes()).is_none() {
                break name;
            }
        };
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
            if let Some(close) = rest.find(']')
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

/// Shows how many there are, and none of them.
impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} placeholders", self.texts.len())
    }
}
