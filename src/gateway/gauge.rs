//! Reads what an answer consumed while its bytes pass by.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::kit::usage::Metering;
use crate::wire::usage::{Meter, Report, read};

/// Of whole answers over this size only the end is kept: that is where usage stands.
const MOST: usize = 1 << 20;
/// How much of the end.
const TAIL: usize = 64 << 10;

/// A reader beside the stream; nothing that it does changes a byte.
pub(super) enum Gauge {
    /// Frames are looked at as they come.
    Frames(Box<Meter>),
    /// A whole JSON answer is read at its end.
    Whole(Metering, Kept),
    /// Nothing in it can be read.
    Blind,
}

/// The pieces of a whole answer, shared and not copied.
#[derive(Default)]
pub(super) struct Kept {
    pieces: VecDeque<Bytes>,
    size: usize,
    /// Whether its beginning has been let go.
    cut: bool,
}

impl Gauge {
    /// A gauge for an answer: of events, of one JSON document, or of something else.
    pub(super) fn new(metering: Metering, events: bool, json: bool) -> Self {
        match (events, json) {
            (true, _) => Self::Frames(Box::new(Meter::new(metering))),
            (false, true) => Self::Whole(metering, Kept::default()),
            (false, false) => Self::Blind,
        }
    }

    /// A frame has passed.
    pub(super) fn frame(&mut self, frame: &[u8]) {
        if let Self::Frames(meter) = self {
            meter.frame(frame);
        }
    }

    /// A piece of a whole answer has passed.
    pub(super) fn piece(&mut self, piece: &Bytes) {
        if let Self::Whole(_, kept) = self {
            kept.push(piece);
        }
    }

    /// A whole answer, where all of it was kept.
    pub(super) fn whole(&self) -> Option<Bytes> {
        match self {
            Self::Whole(_, kept) if !kept.cut => Some(kept.text()),
            _ => None,
        }
    }

    /// What was said so far.
    pub(super) fn report(&self) -> Report {
        match self {
            Self::Frames(meter) => meter.report(),
            Self::Whole(metering, kept) => kept.report(metering),
            Self::Blind => Report::default(),
        }
    }
}

impl Kept {
    fn push(&mut self, piece: &Bytes) {
        self.size += piece.len();
        self.pieces.push_back(piece.clone());
        self.cut |= self.size > MOST;
        while let Some(first) = self.pieces.front().filter(|first| self.cut && self.size - first.len() >= TAIL) {
            self.size -= first.len();
            self.pieces.pop_front();
        }
    }

    /// All that was kept, in one piece.
    fn text(&self) -> Bytes {
        match self.pieces.len() {
            1 => self.pieces[0].clone(),
            _ => self.pieces.iter().flatten().copied().collect(),
        }
    }

    fn report(&self, metering: &Metering) -> Report {
        let text = self.text();
        if !self.cut {
            return read(&text, metering);
        }
        last_usage(&text).map(|usage| read(format!("{{\"usage\":{usage}}}").as_bytes(), metering)).unwrap_or_default()
    }
}

/// The object behind the last `"usage"` of a text whose beginning is missing.
fn last_usage(text: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"usage\"";
    let at = memchr::memmem::rfind(text, KEY)? + KEY.len();
    let value = text[at..].trim_ascii_start().strip_prefix(b":")?;
    let value: &RawValue = serde_json::Deserializer::from_slice(value).into_iter().next()?.ok()?;
    Some(value.get()).filter(|usage| usage.starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_the_end_of_an_answer_that_is_too_large_to_keep() {
        let mut gauge = Gauge::new(Metering::default(), false, true);
        gauge.piece(&Bytes::from_static(b"{\"data\":[{\"embedding\":["));
        let numbers = Bytes::from("0.125,".repeat(10_000));
        (0..100).for_each(|_| gauge.piece(&numbers));
        gauge.piece(&Bytes::from_static(b"0]}],\"usage\": {\"prompt_tokens\":7,\"total_tokens\":7}, \"model\":\"m\"}"));
        assert_eq!(gauge.report().usage.map(|usage| usage.input), Some(7));
        let Gauge::Whole(_, kept) = &gauge else { panic!("a whole answer") };
        assert!(kept.size < TAIL + numbers.len(), "{} bytes are kept", kept.size);
    }
}
