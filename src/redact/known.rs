//! The matcher of known secrets: whatever a provider, a proxy or a program says goes through it before it is shown.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::AhoCorasick;
use arc_swap::ArcSwapOption;
use bytes::Bytes;

use super::forms::{self, Form};
use crate::kit::{Fault, Secret};

/// What stands in the place of a secret.
const MASK: &[u8] = b"[redacted]";

/// Shorter texts are no secrets but words, and masking them would garble every message.
const SHORTEST: usize = 8;

/// Tokens that are fetched anew every hour add up; beyond this many, the one that lay idle longest is forgotten.
const MOST: usize = 1024;

/// Every secret that this process has seen. Clones share the knowledge; readers never wait, and neither does one who
/// learns what is known already, which is what happens before every call.
#[derive(Clone)]
pub struct Known(Arc<Shared>);

struct Shared {
    most: usize,
    knowledge: ArcSwapOption<Knowledge>,
    /// Held to learn something new, so that two who learn at once do not undo each other's work.
    learning: Mutex<()>,
}

struct Knowledge {
    entries: Vec<Arc<Entry>>,
    matcher: AhoCorasick,
    /// How many secrets were learnt before; the measure of age.
    age: u64,
}

struct Entry {
    /// The secret in each form, the plain one first.
    forms: Vec<Form>,
    /// The age at which it was last put to use. A key that lives for years must not be forgotten for a thousand tokens
    /// that lived for an hour.
    used: AtomicU64,
}

impl Default for Known {
    fn default() -> Self {
        Self::of_at_most(MOST)
    }
}

impl Known {
    /// A matcher that knows nothing yet, and never more than this many secrets.
    pub fn of_at_most(most: usize) -> Self {
        Self(Arc::new(Shared { most, knowledge: ArcSwapOption::empty(), learning: Mutex::new(()) }))
    }

    /// Learns a secret that is about to be used. One with under 8 characters changes nothing.
    pub fn learn(&self, secret: &Secret) {
        let text = secret.expose();
        if text.chars().count() < SHORTEST || self.touch(text) {
            return;
        }
        let _one_at_a_time = self.0.learning.lock().unwrap_or_else(PoisonError::into_inner);
        if self.touch(text) {
            return;
        }
        let old = self.0.knowledge.load();
        let age = old.as_ref().map_or(0, |old| old.age + 1);
        let mut entries = old.as_ref().map_or_else(Vec::new, |old| old.entries.clone());
        if entries.len() >= self.0.most {
            let idle = entries.iter().enumerate().min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed));
            if let Some((at, _)) = idle {
                entries.swap_remove(at);
            }
        }
        entries.push(Arc::new(Entry { forms: forms::of(text), used: AtomicU64::new(age) }));
        let patterns = entries.iter().flat_map(|entry| &entry.forms).map(|form| form.as_bytes());
        // an automaton that is too large is not built: better to miss this secret than to lose those it knows
        if let Ok(matcher) = AhoCorasick::new(patterns) {
            self.0.knowledge.store(Some(Arc::new(Knowledge { entries, matcher, age })));
        }
    }

    /// Whether a secret is known; if so, it counts as used now.
    fn touch(&self, text: &str) -> bool {
        let knowledge = self.0.knowledge.load();
        let Some(knowledge) = knowledge.as_ref() else { return false };
        let is = |entry: &&Arc<Entry>| entry.forms.first().is_some_and(|plain| plain.as_str() == text);
        let known = knowledge.entries.iter().find(is);
        known.inspect(|entry| entry.used.store(knowledge.age, Ordering::Relaxed)).is_some()
    }

    /// The text with every known secret replaced by `[redacted]`; borrowed when it holds none.
    pub fn mask<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        match self.masked(text, text.len()) {
            None => Cow::Borrowed(text),
            Some(clean) => Cow::Owned(clean),
        }
    }

    /// The same for the first `keep` bytes of a text. What follows them is read too: a secret that the cut would divide
    /// is masked whole.
    pub fn mask_head(&self, text: Bytes, keep: usize) -> Bytes {
        let keep = keep.min(text.len());
        self.masked(&text, keep).map_or_else(|| text.slice(..keep), Bytes::from)
    }

    /// The first `keep` bytes of a text, masked; `None` when they hold no secret.
    fn masked(&self, text: &[u8], keep: usize) -> Option<Vec<u8>> {
        let knowledge = self.0.knowledge.load();
        // overlapping matches are merged, so that no tail of a secret stays behind another one
        let found = knowledge.as_ref()?.matcher.find_overlapping_iter(text);
        let mut spans: Vec<(usize, usize)> =
            found.map(|found| (found.start(), found.end())).filter(|(start, _)| *start < keep).collect();
        if spans.is_empty() {
            return None;
        }
        spans.sort_unstable();
        let mut out = Vec::with_capacity(keep);
        let mut done = 0;
        for (start, end) in spans {
            if start >= done {
                out.extend_from_slice(&text[done..start]);
                out.extend_from_slice(MASK);
            }
            done = done.max(end);
        }
        out.extend_from_slice(text.get(done..keep).unwrap_or_default());
        Some(out)
    }

    /// The same for text that must stay UTF-8.
    pub fn mask_str<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.mask(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// A fault without known secrets: in its sentence, its code and field, and in what the upstream said.
    #[must_use]
    pub fn clean(&self, mut fault: Fault) -> Fault {
        for text in [Some(&mut fault.message), fault.code.as_mut(), fault.param.as_mut()].into_iter().flatten() {
            if let Cow::Owned(clean) = self.mask_str(text) {
                *text = clean.into();
            }
        }
        if let Some(said) = fault.said.as_mut()
            && let Cow::Owned(clean) = self.mask(&said.body)
        {
            said.body = Bytes::from(clean);
        }
        fault
    }
}
