//! The matcher of known secrets: whatever a provider, a proxy or a program says goes through it before it is shown.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::AhoCorasick;
use arc_swap::{ArcSwap, ArcSwapOption};

use super::forms::{self, Form};
use super::scan::{Hit, Unsearched};
use crate::config::Nation;
use crate::kit::Secret;

/// Shorter texts are no secrets but words, and masking them would garble every message.
const SHORTEST: usize = 8;

/// Tokens that are fetched anew every hour add up; beyond this many, the one that lay idle longest is forgotten.
const MOST: usize = 1024;

/// A text with more of them than this is not shown at all.
const MOST_HITS: usize = 50_000;

/// Every secret that this process has seen. Clones share the knowledge; readers never wait, and neither does one who
/// learns what is known already, which is what happens before every call.
#[derive(Clone)]
pub struct Known(Arc<Shared>);

struct Shared {
    most: usize,
    knowledge: ArcSwapOption<Knowledge>,
    /// Held to learn something new, so that two who learn at once do not undo each other's work.
    learning: Mutex<()>,
    nations: ArcSwap<Vec<Nation>>,
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
        Self(Arc::new(Shared {
            most,
            knowledge: ArcSwapOption::empty(),
            learning: Mutex::new(()),
            nations: ArcSwap::default(),
        }))
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

    /// The countries whose national numbers count as secrets.
    pub fn heed(&self, nations: &[Nation]) {
        if self.0.nations.load().as_slice() != nations {
            self.0.nations.store(Arc::new(nations.to_vec()));
        }
    }

    pub(super) fn nations(&self) -> Arc<Vec<Nation>> {
        self.0.nations.load_full()
    }

    /// Where a known secret stands, in any of its forms; places may overlap.
    pub(super) fn find(&self, text: &[u8], hits: &mut Vec<Hit>) -> Result<(), Unsearched> {
        let knowledge = self.0.knowledge.load();
        let Some(knowledge) = knowledge.as_ref() else { return Ok(()) };
        // most texts hold none, and to see that is several times as fast
        if !knowledge.matcher.is_match(text) {
            return Ok(());
        }
        for found in knowledge.matcher.find_overlapping_iter(text) {
            hits.push(Hit { start: found.start(), end: found.end(), rule: None });
            if hits.len() > MOST_HITS {
                return Err(Unsearched);
            }
        }
        Ok(())
    }
}
