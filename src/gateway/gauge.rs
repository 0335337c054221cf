//! Reads what an answer consumed while its bytes pass by.

use bytes::Bytes;

use crate::kit::usage::Metering;
use crate::wire::usage::{Meter, Report, read};

/// Whole answers over this size are not kept for reading; what they consumed stays unknown.
const MOST: usize = 16 << 20;

/// A reader beside the stream; nothing that it does changes a byte.
pub(super) enum Gauge {
    /// Frames are looked at as they come.
    Frames(Box<Meter>),
    /// A whole JSON answer is read at its end; its chunks are shared, not copied.
    Whole { metering: Metering, kept: Vec<Bytes>, size: usize },
    /// Nothing in it can be read.
    Blind,
}

impl Gauge {
    /// A gauge for an answer: of events, of one JSON document, or of something else.
    pub(super) fn new(metering: Metering, events: bool, json: bool) -> Self {
        match (events, json) {
            (true, _) => Self::Frames(Box::new(Meter::new(metering))),
            (false, true) => Self::Whole { metering, kept: Vec::new(), size: 0 },
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
        if let Self::Whole { kept, size, .. } = self {
            *size += piece.len();
            if *size > MOST {
                *self = Self::Blind;
            } else {
                kept.push(piece.clone());
            }
        }
    }

    /// What was said so far.
    pub(super) fn report(&self) -> Report {
        match self {
            Self::Frames(meter) => meter.report(),
            Self::Whole { metering, kept, .. } => match kept.as_slice() {
                [one] => read(one, metering),
                several => read(&several.concat(), metering),
            },
            Self::Blind => Report::default(),
        }
    }
}
