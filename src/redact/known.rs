//! The matcher of known secrets: whatever a provider, a proxy or a program says goes through it before it is shown.

use std::borrow::Cow;
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

/// Tokens that are fetched anew every hour add up; the oldest are forgotten beyond this many.
const MOST: usize = 1024;

/// Every secret that this process has seen. Clones share the knowledge; readers never wait.
#[derive(Clone, Default)]
pub struct Known(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// In the order learnt, each with its forms, the plain one first. A std mutex: it is taken only to learn, never across an await.
    secrets: Mutex<Vec<Vec<Form>>>,
    matcher: ArcSwapOption<AhoCorasick>,
}

impl Known {
    /// Learns a secret. One that is known, or has under 8 characters, changes nothing.
    pub fn learn(&self, secret: &Secret) {
        let text = secret.expose();
        if text.chars().count() < SHORTEST {
            return;
        }
        let mut secrets = self.0.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets.iter().any(|forms| forms.first().is_some_and(|plain| plain.as_str() == text)) {
            return;
        }
        if secrets.len() == MOST {
            secrets.remove(0);
        }
        secrets.push(forms::of(text));
        match AhoCorasick::new(secrets.iter().flatten().map(|form| form.as_bytes())) {
            Ok(matcher) => self.0.matcher.store(Some(Arc::new(matcher))),
            // the automaton is full: better to forget this one than to lose those it knows
            Err(_) => drop(secrets.pop()),
        }
    }

    /// The text with every known secret replaced by `[redacted]`; borrowed when it holds none.
    pub fn mask<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let matcher = self.0.matcher.load();
        let Some(matcher) = matcher.as_ref() else { return Cow::Borrowed(text) };
        // overlapping matches are merged, so that no tail of a secret stays behind another one
        let mut spans: Vec<(usize, usize)> =
            matcher.find_overlapping_iter(text).map(|found| (found.start(), found.end())).collect();
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        spans.sort_unstable();
        let mut out = Vec::with_capacity(text.len());
        let mut done = 0;
        for (start, end) in spans {
            if start >= done {
                out.extend_from_slice(&text[done..start]);
                out.extend_from_slice(MASK);
            }
            done = done.max(end);
        }
        out.extend_from_slice(&text[done..]);
        Cow::Owned(out)
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
