//! What history keeps of a body: its text without secrets, also those that JSON escapes or the frames of a stream cut in
//! two, and the names of the rules that hit.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::clean::{WITHHELD, written};
use super::prompt;
use super::restore::{is_bit, stream};
use super::scan::{Hit, Unsearched, settle};
use super::walk::{Decoded, Leaf, leaves};
use super::{Known, Rule};
use crate::wire::sse::{self, Frames};

/// A body as it may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The body; the same allocation where nothing gave way.
    pub text: Bytes,
    /// The rules that hit, each once.
    pub rules: Vec<String>,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON, whole or cut off.
    Json,
    /// Server-sent events with JSON in them.
    Events,
    /// Anything else that is text.
    Text,
}

impl Known {
    /// A body without secrets: those that are known, and whatever looks like one.
    pub fn keep(&self, body: &Bytes, form: Form) -> Kept {
        let mut rules = Vec::new();
        let kept = self.without_inner(body, form, &mut rules).and_then(|inner| {
            // what stands across strings, in keys and between frames
            let hits = self.hits(&inner)?;
            note(&mut rules, &hits);
            Ok(written(&inner, inner.len(), &hits).map_or(inner, Bytes::from))
        });
        rules.sort();
        rules.dedup();
        match kept {
            Ok(text) => Kept { text, rules },
            Err(Unsearched) => Kept { text: Bytes::from_static(WITHHELD.as_bytes()), rules: vec!["withheld".into()] },
        }
    }

    /// The body without what the decoded strings of its JSON hold.
    fn without_inner(&self, body: &Bytes, form: Form, rules: &mut Vec<String>) -> Result<Bytes, Unsearched> {
        let mut cuts = Cuts::default();
        match form {
            Form::Text => return Ok(body.clone()),
            Form::Json => cuts.strings(body, 0, self, &mut None)?,
            Form::Events => cuts.events(body, self)?,
        }
        note(rules, &cuts.0);
        // one of them stands for all that meet
        settle(&mut cuts.0);
        Ok(written(body, body.len(), &cuts.0).map_or_else(|| body.clone(), Bytes::from))
    }
}

fn note(rules: &mut Vec<String>, hits: &[Hit]) {
    for hit in hits {
        if !rules.iter().any(|rule| rule == hit.id()) {
            rules.push(hit.id().to_owned());
        }
    }
}

/// What has to go, as places in the body.
#[derive(Default)]
struct Cuts(Vec<Hit>);

/// A string of a stream that is one bit of a field: where it is written, and what it says.
struct Bit {
    place: Range<usize>,
    at: usize,
}

/// The fields that arrive bit by bit, each with what it says in all.
type Fields = HashMap<String, (Vec<u8>, Vec<Bit>)>;

impl Cuts {
    /// Searches the strings of a JSON text that stands at `from`; bits of a stream's fields are put aside.
    fn strings(
        &mut self,
        text: &[u8],
        from: usize,
        known: &Known,
        fields: &mut Option<&mut Fields>,
    ) -> Result<(), Unsearched> {
        let mut done = Ok(());
        let stream = fields.as_ref().map(|_| stream(text));
        leaves(text, |place, leaf| {
            let Leaf::Text(range) = leaf else { return };
            let written = text.get(range.clone()).unwrap_or_default();
            let Some(decoded) = Decoded::of(written) else {
                // what cannot be read cannot be searched either
                return self.cut(from + range.start..from + range.end, None);
            };
            if let (Some(fields), Some(stream), true) = (fields.as_mut(), &stream, is_bit(place)) {
                let (said, bits) = fields.entry(format!("{place}{stream}")).or_default();
                bits.push(Bit { place: from + range.start..from + range.end, at: said.len() });
                said.extend_from_slice(&decoded.text);
                return;
            }
            match prompt::hits(place, &decoded.text, known) {
                None => done = Err(Unsearched),
                Some(hits) => hits.iter().for_each(|hit| {
                    let within = decoded.written(hit.start)..decoded.written(hit.end);
                    self.cut(from + range.start + within.start..from + range.start + within.end, hit.rule);
                }),
            }
        });
        done
    }

    /// Searches every frame, and then what fields say over all frames.
    fn events(&mut self, text: &[u8], known: &Known) -> Result<(), Unsearched> {
        let (mut fields, mut done, mut frames) = (Fields::new(), Ok(()), Frames::default());
        let mut look = |frame: &[u8], start: usize| {
            let Some(data) = sse::data(frame) else { return };
            let from = start + memchr::memmem::find(frame, data).unwrap_or_default();
            let found = self.strings(data, from, known, &mut Some(&mut fields));
            if found.is_err() {
                done = found;
            }
        };
        frames.push(text, &mut look);
        look(frames.rest(), text.len() - frames.rest().len());
        done?;
        fields.into_values().try_for_each(|(said, bits)| self.field(text, &said, &bits, known))
    }

    /// Searches what a field says over all its bits, and takes its part out of each.
    fn field(&mut self, text: &[u8], said: &[u8], bits: &[Bit], known: &Known) -> Result<(), Unsearched> {
        for hit in known.hits(said)? {
            let first = bits.partition_point(|bit| bit.at <= hit.start).saturating_sub(1);
            for (bit, next) in bits[first..].iter().zip(bits[first..].iter().skip(1).map(Some).chain([None])) {
                if bit.at >= hit.end {
                    break;
                }
                let end = next.map_or(said.len(), |next| next.at);
                let Some(decoded) = Decoded::of(&text[bit.place.clone()]) else { continue };
                let part = decoded.written(hit.start.max(bit.at) - bit.at)..decoded.written(hit.end.min(end) - bit.at);
                self.cut(bit.place.start + part.start..bit.place.start + part.end, hit.rule);
            }
        }
        Ok(())
    }

    fn cut(&mut self, place: Range<usize>, rule: Option<&'static Rule>) {
        if !place.is_empty() {
            self.0.push(Hit { start: place.start, end: place.end, rule });
        }
    }
}
