//! What logs, errors, history and exports show: texts in which every secret gave way to `[redacted]`. A text that cannot
//! be searched is withheld.

use std::borrow::Cow;

use bytes::Bytes;

use super::Known;
use super::scan::{self, Hit, Unsearched};
use crate::kit::Fault;

/// What stands in the place of a secret.
const MASK: &[u8] = b"[redacted]";
/// What stands in the place of a text that could not be searched.
pub(super) const WITHHELD: &str = "[withheld: this text could not be searched for secrets]";
/// Longer texts are searched in parts, by [`Flow`], or not at all.
const LONGEST: usize = 128 << 20;
/// A secret that is cut over chunks is found if it has no more bytes than this.
const REACH: usize = 16 << 10;

impl Known {
    /// What the rules find in a text and what of it is known to be secret, in order and without overlaps.
    pub fn hits(&self, text: &[u8]) -> Result<Vec<Hit>, Unsearched> {
        if text.len() > LONGEST {
            return Err(Unsearched);
        }
        let mut hits = Vec::new();
        self.find(text, &mut hits)?;
        scan::rules(text, &self.nations(), &mut hits)?;
        scan::settle(&mut hits);
        Ok(hits)
    }

    /// A text without secrets: those that are known, and whatever looks like one. Borrowed when it holds none.
    pub fn clean<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        match self.hits(text) {
            Ok(hits) => written(text, text.len(), &hits).map_or(Cow::Borrowed(text), Cow::Owned),
            Err(Unsearched) => Cow::Borrowed(WITHHELD.as_bytes()),
        }
    }

    /// The same for text that must stay UTF-8.
    pub fn clean_str<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.clean(text.as_bytes()) {
            Cow::Borrowed(same) if same.len() == text.len() => Cow::Borrowed(text),
            Cow::Borrowed(_) => Cow::Owned(WITHHELD.to_owned()),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The same for the first `keep` bytes of a text. What follows them is read too: a secret that the cut would divide
    /// is masked whole.
    pub fn clean_head(&self, text: Bytes, keep: usize) -> Bytes {
        let keep = keep.min(text.len());
        match self.hits(&text) {
            Ok(hits) => written(&text, keep, &hits).map_or_else(|| text.slice(..keep), Bytes::from),
            Err(Unsearched) => Bytes::from_static(WITHHELD.as_bytes()),
        }
    }

    /// A fault without secrets: in its sentence, its code and field, and in what the upstream said.
    #[must_use]
    pub fn clean_fault(&self, mut fault: Fault) -> Fault {
        for text in [Some(&mut fault.message), fault.code.as_mut(), fault.param.as_mut()].into_iter().flatten() {
            if let Cow::Owned(clean) = self.clean_str(text) {
                *text = clean.into();
            }
        }
        if let Some(said) = fault.said.as_mut() {
            said.body = self.clean_head(std::mem::take(&mut said.body), usize::MAX);
        }
        fault
    }
}

/// Cleans a text that comes in chunks, and gives it on in parts of its own: enough is held back that no secret is cut.
pub struct Flow {
    known: Known,
    held: Vec<u8>,
    /// Bytes at the front of `held` that were given on; they only say what stands before the rest.
    done: usize,
}

impl Flow {
    /// Nothing has come yet.
    pub fn new(known: Known) -> Self {
        Self { known, held: Vec::new(), done: 0 }
    }

    /// Takes a chunk; gives what is certain by now, often nothing.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(chunk);
        if self.held.len() < self.done + 4 * REACH { Vec::new() } else { self.give(self.held.len() - REACH) }
    }

    /// The rest.
    pub fn end(mut self) -> Vec<u8> {
        self.give(self.held.len())
    }

    /// Gives on what begins before `until`, and keeps a little of it to see what stands before the rest.
    fn give(&mut self, until: usize) -> Vec<u8> {
        let Ok(mut hits) = self.known.hits(&self.held) else {
            self.held.clear();
            self.done = 0;
            return WITHHELD.into();
        };
        hits.retain(|hit| hit.end > self.done);
        // a secret across the line is given on once all of it was seen
        let line = hits.iter().find(|hit| hit.start < until && hit.end > until).map_or(until, |hit| hit.start);
        let line = if line <= self.done { until } else { line };
        let (from, shift) = (self.done, |at: usize| at.saturating_sub(self.done));
        let hits: Vec<Hit> =
            hits.iter().map(|hit| Hit { start: shift(hit.start), end: shift(hit.end), ..*hit }).collect();
        let keep = line - from;
        let out = written(&self.held[from..], keep, &hits).unwrap_or_else(|| self.held[from..line].to_vec());
        let end = hits.iter().filter(|hit| hit.start < keep).map(|hit| hit.end + from).max().unwrap_or(0).max(line);
        let cut = end.saturating_sub(REACH);
        self.held.drain(..cut);
        self.done = end - cut;
        out
    }
}

/// The first `keep` bytes of a text, masked; `None` when they hold no secret.
pub(super) fn written(text: &[u8], keep: usize, hits: &[Hit]) -> Option<Vec<u8>> {
    hits.first().filter(|hit| hit.start < keep)?;
    let mut out = Vec::with_capacity(keep);
    let mut done = 0;
    for hit in hits.iter().take_while(|hit| hit.start < keep) {
        out.extend_from_slice(&text[done..hit.start.max(done)]);
        out.extend_from_slice(MASK);
        done = hit.end;
    }
    out.extend_from_slice(text.get(done..keep).unwrap_or_default());
    Some(out)
}
