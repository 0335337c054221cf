//! Reads from an answer how many tokens it took, where a limit counts them; its bytes are left alone.

use bytes::{Bytes, BytesMut};

use crate::kit::Usage;
use crate::kit::usage::Metering;
use crate::wire::usage::{self, Meter};

/// A whole answer that is larger is not read again; its estimate stands.
const LARGEST: usize = 8 << 20;

/// What an answer said of its tokens so far.
pub(super) enum Gauge {
    /// Nobody asks.
    Off,
    Events(Box<Meter>),
    /// The chunks of a whole answer, which is read at its end.
    Whole(Vec<Bytes>, usize),
}

impl Gauge {
    pub(super) fn new(asked: bool, events: bool) -> Self {
        match (asked, events) {
            (false, _) => Self::Off,
            (true, true) => Self::Events(Box::new(Meter::new(Metering::default()))),
            (true, false) => Self::Whole(Vec::new(), 0),
        }
    }

    /// A frame of a stream.
    pub(super) fn frame(&mut self, frame: &[u8]) {
        if let Self::Events(meter) = self {
            meter.frame(frame);
        }
    }

    /// A chunk of a whole answer.
    pub(super) fn chunk(&mut self, chunk: &Bytes) {
        if let Self::Whole(chunks, size) = self {
            *size += chunk.len();
            if *size <= LARGEST {
                chunks.push(chunk.clone());
            } else {
                *self = Self::Off;
            }
        }
    }

    /// The tokens of both directions; `None` when the answer did not say.
    pub(super) fn tokens(&self) -> Option<u64> {
        let total = |usage: Usage| usage.total_input().saturating_add(usage.total_output());
        match self {
            Self::Off => None,
            Self::Events(meter) => meter.report().usage.map(total),
            Self::Whole(chunks, size) => {
                let mut all = BytesMut::with_capacity(*size);
                chunks.iter().for_each(|chunk| all.extend_from_slice(chunk));
                usage::read(&all, &Metering::default()).usage.map(total)
            }
        }
    }
}
