//! Undoes placeholders in an answer while it passes: whole bodies, and streams in which one may be cut anywhere, by the
//! network and by the model's own tokens.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::masks::{Masks, Nesting};
use super::walk::{Decoded, Leaf, Place, escaped, leaves};
use crate::wire::sse::{self, Frames};

/// Frames that wait at most for the rest of a placeholder, which is a few tokens long.
const WAITING: usize = 64;
/// A whole answer that is longer is passed on with its placeholders.
const LONGEST: usize = 64 << 20;

/// Fields in which an answer arrives bit by bit.
const BITS: [&[u8]; 8] =
    [b"content", b"reasoning_content", b"reasoning", b"refusal", b"text", b"arguments", b"delta", b"partial_json"];

/// Undoes placeholders in one answer.
pub struct Restorer {
    masks: Arc<Masks>,
    shape: Shape,
}

enum Shape {
    Events(Box<Events>),
    /// The body so far; `None` once it was too long to be kept.
    Whole(Option<Vec<u8>>),
}

#[derive(Default)]
struct Events {
    frames: Frames,
    waiting: VecDeque<Waiting>,
    /// Frames that have left: the number of the first that waits.
    left: usize,
    open: HashMap<String, Open>,
}

/// A frame, and what changes in it.
struct Waiting {
    bytes: Vec<u8>,
    edits: Vec<Edit>,
}

struct Edit {
    place: Range<usize>,
    text: String,
}

/// A string that is one bit of a field.
struct Bit {
    place: Range<usize>,
    /// The field, and which stream within the stream it belongs to.
    key: String,
    nesting: Nesting,
    /// The numbers of its frame and, if anything changes, of its edit.
    at: (usize, usize),
}

/// A field whose last bit ended in what may begin a placeholder.
struct Open {
    tail: String,
    frame: usize,
    edit: usize,
}

impl Restorer {
    /// For a stream of events.
    pub fn events(masks: Arc<Masks>) -> Self {
        Self { masks, shape: Shape::Events(Box::default()) }
    }

    /// For a body of JSON.
    pub const fn whole(masks: Arc<Masks>) -> Self {
        Self { masks, shape: Shape::Whole(Some(Vec::new())) }
    }

    /// Takes a chunk of the answer; gives what can be passed on by now.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        match &mut self.shape {
            Shape::Events(events) => events.push(chunk, &self.masks),
            Shape::Whole(None) => chunk.to_vec(),
            Shape::Whole(kept @ Some(_)) => {
                let held = kept.as_mut().map_or(0, |kept| {
                    kept.extend_from_slice(chunk);
                    kept.len()
                });
                if held > LONGEST { kept.take().unwrap_or_default() } else { Vec::new() }
            }
        }
    }

    /// The rest, when the answer has ended, however it ended.
    pub fn end(&mut self) -> Vec<u8> {
        match &mut self.shape {
            Shape::Events(events) => events.end(&self.masks),
            Shape::Whole(kept) => {
                let body = kept.replace(Vec::new()).unwrap_or_default();
                let (mut edits, delta_is) = (Vec::new(), of_delta(&body));
                let masks = &*self.masks;
                leaves(&body, |place, leaf| edits.extend(whole(&body, 0, &leaf, nesting(place, delta_is), masks)));
                Waiting { bytes: body, edits }.written()
            }
        }
    }
}

impl Events {
    fn push(&mut self, chunk: &[u8], masks: &Masks) -> Vec<u8> {
        let (mut frames, mut out) = (std::mem::take(&mut self.frames), Vec::new());
        frames.push(chunk, |frame, _| {
            self.frame(frame, masks);
            self.leave(&mut out);
        });
        self.frames = frames;
        out
    }

    fn end(&mut self, masks: &Masks) -> Vec<u8> {
        let frames = std::mem::take(&mut self.frames);
        if !frames.rest().is_empty() {
            self.frame(frames.rest(), masks);
        }
        self.settle();
        let mut out = Vec::new();
        self.leave(&mut out);
        out
    }

    fn frame(&mut self, frame: &[u8], masks: &Masks) {
        let mut edits = Vec::new();
        let data = sse::data(frame).unwrap_or_default();
        let from = memchr::memmem::find(frame, data).unwrap_or_default();
        let (stream, delta_is) = (stream(data), of_delta(data));
        let (mut bits, mut telling) = (false, false);
        leaves(data, |place, leaf| {
            telling |= place.key() == b"finish_reason" && matches!(leaf, Leaf::Text(_));
            let Leaf::Text(range) = &leaf else { return };
            if !is_bit(place) {
                return edits.extend(whole(data, from, &leaf, nesting(place, delta_is), masks));
            }
            bits |= !range.is_empty();
            let bit = Bit {
                place: from + range.start..from + range.end,
                key: format!("{place}{stream}"),
                nesting: nesting(place, delta_is),
                at: (self.left + self.waiting.len(), edits.len()),
            };
            let edit = self.bit(frame, bit, masks);
            edits.extend(edit);
        });
        // what says something else, and no next bit, ends every field
        let idle = data.is_empty() || memchr::memmem::find(data, b"\"ping\"").is_some();
        self.waiting.push_back(Waiting { bytes: frame.to_vec(), edits });
        if telling || (!bits && !idle) || self.waiting.len() > WAITING {
            self.settle();
        }
    }

    /// The next bit of a field: what is carried over from the last one goes in front.
    fn bit(&mut self, frame: &[u8], bit: Bit, masks: &Masks) -> Option<Edit> {
        let Bit { place, key, nesting, at: (at, edit) } = bit;
        let decoded = Decoded::of(&frame[place.clone()])?;
        let said = String::from_utf8_lossy(&decoded.text);
        // an empty bit ends nothing
        let carried = if said.is_empty() { None } else { self.open.remove(&key) };
        let text = carried.map(|open| open.tail).unwrap_or_default() + &said;
        let undone = masks.undo(&text, nesting);
        let cut = !undone.tail.is_empty();
        if cut {
            self.open.insert(key, Open { tail: undone.tail.to_owned(), frame: at, edit });
        }
        let changed = cut || undone.text != said;
        changed.then(|| Edit { place, text: undone.text.into_owned() })
    }

    /// No more bits come: what was held back is said where it stood.
    fn settle(&mut self) {
        for open in std::mem::take(&mut self.open).into_values() {
            if let Some(frame) = open.frame.checked_sub(self.left).and_then(|at| self.waiting.get_mut(at)) {
                frame.edits[open.edit].text += &open.tail;
            }
        }
    }

    /// Frames in front that wait for nothing.
    fn leave(&mut self, out: &mut Vec<u8>) {
        let waits_for = self.open.values().map(|open| open.frame).min().unwrap_or(usize::MAX);
        while self.left < waits_for
            && let Some(frame) = self.waiting.pop_front()
        {
            self.left += 1;
            out.extend(frame.written());
        }
    }
}

impl Waiting {
    fn written(self) -> Vec<u8> {
        if self.edits.is_empty() {
            return self.bytes;
        }
        let (mut out, mut done) = (Vec::with_capacity(self.bytes.len() + 64), 0);
        for edit in &self.edits {
            out.extend_from_slice(&self.bytes[done..edit.place.start]);
            out.extend_from_slice(escaped(&edit.text).as_bytes());
            done = edit.place.end;
        }
        out.extend_from_slice(&self.bytes[done..]);
        out
    }
}

/// A string that stands whole in a frame or body.
fn whole(text: &[u8], from: usize, leaf: &Leaf, nesting: Nesting, masks: &Masks) -> Option<Edit> {
    let Leaf::Text(range) = leaf else { return None };
    let written = &text[range.clone()];
    memchr::memchr2(b'[', b'\\', written)?;
    let decoded = Decoded::of(written)?;
    let said = std::str::from_utf8(&decoded.text).ok()?;
    let undone = masks.undo(said, nesting);
    let text = undone.text.into_owned() + undone.tail;
    (text != said).then(|| Edit { place: from + range.start..from + range.end, text })
}

/// Whether a string is one bit of many: it stands in a delta.
pub(super) fn is_bit(place: &Place<'_>) -> bool {
    let key = place.key();
    let chat = place.is_below(b"delta") || (place.is_below(b"choices") && !place.is_below(b"message"));
    place.is_field() && BITS.contains(&key) && (key == b"delta" || chat)
}

/// Whether a string holds JSON: the arguments of a tool.
fn nesting(place: &Place<'_>, delta_is: Nesting) -> Nesting {
    match place.key() {
        b"arguments" | b"partial_json" => Nesting::Json,
        b"delta" => delta_is,
        _ => Nesting::Plain,
    }
}

/// What a `delta` holds in this event, as its type says.
fn of_delta(data: &[u8]) -> Nesting {
    let told = memchr::memmem::find(data, b"_arguments.delta\"").is_some();
    if told { Nesting::Json } else { Nesting::Plain }
}

/// What tells the streams within a stream apart: choices, tools, items.
pub(super) fn stream(data: &[u8]) -> String {
    let mut name = String::new();
    leaves(data, |place, leaf| {
        let (Leaf::Text(range) | Leaf::Plain(range)) = leaf;
        let key = place.key();
        if matches!(key, b"index" | b"output_index" | b"content_index" | b"summary_index" | b"item_id")
            || (key == b"type" && !place.is_below(b"delta") && !place.is_below(b"choices"))
        {
            name.push('/');
            name += &String::from_utf8_lossy(&data[range]);
        }
    });
    name
}
