//! Collects what passes by of one call: references to the bytes, no copies.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::capture::{Capture, Held, Work};
use crate::config::{CaptureMode, Settings};
use crate::kit::{CallId, Time};
use crate::store::{Attempt, Entry, Outcome};
use crate::wire::{Call, Payload};

/// What was seen of a call under way.
pub struct Tap {
    capture: Capture,
    settings: Arc<Settings>,
    taken: Taken,
    /// Too much was held in all; nothing of this call is kept.
    lost: bool,
}

/// What was seen of a call.
pub(super) struct Taken {
    pub(super) id: CallId,
    pub(super) at: Time,
    pub(super) asked: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Sent,
    pub(super) answer: Option<Came>,
    pub(super) outcome: Outcome,
    pub(super) attempts: Vec<Attempt>,
    /// Of a longer body only this much is kept.
    pub(super) most: usize,
    /// What all of it weighs, given back when it is dropped.
    pub(super) held: Held,
}

/// A request's body.
pub(super) enum Sent {
    Nothing,
    Whole(Bytes),
    Streamed(Option<u64>),
}

/// What came in answer.
pub(super) struct Came {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) pieces: Vec<Bytes>,
    /// When each came, in milliseconds since the call, and how many bytes it had.
    pub(super) times: Vec<(u32, u32)>,
    pub(super) size: u64,
    pub(super) kept: usize,
}

impl Tap {
    pub(super) fn open(capture: &Capture, call: &Call, settings: &Arc<Settings>) -> Option<Box<Self>> {
        let body = match &call.payload {
            Payload::Empty => Sent::Nothing,
            Payload::Json(json) => Sent::Whole(json.bytes().clone()),
            Payload::Raw(bytes) => Sent::Whole(bytes.clone()),
            Payload::Upload(upload) => Sent::Streamed(upload.length),
        };
        let weight = if let Sent::Whole(bytes) = &body { bytes.len() } else { 0 };
        let held = capture.hold(weight)?;
        let taken = Taken {
            id: call.id,
            at: call.at,
            asked: call.model.clone().unwrap_or_default(),
            method: call.method.clone(),
            path: call.endpoint.path().to_owned(),
            query: call.query.clone(),
            headers: call.headers.clone(),
            body,
            answer: None,
            outcome: Outcome::Left,
            attempts: Vec::new(),
            most: settings.capture.max_body,
            held,
        };
        Some(Box::new(Self { capture: capture.clone(), settings: Arc::clone(settings), taken, lost: false }))
    }

    /// The answer begins.
    pub fn begins(&mut self, status: u16, headers: HeaderMap) {
        let (pieces, times) = (Vec::new(), Vec::new());
        self.taken.answer = Some(Came { status, headers, pieces, times, size: 0, kept: 0 });
    }

    /// A piece of the answer passes, so many microseconds after the call came.
    pub fn piece(&mut self, piece: &Bytes, at_us: u64) {
        let Some(came) = self.taken.answer.as_mut().filter(|_| !self.lost) else { return };
        came.size += piece.len() as u64;
        let room = self.taken.most.saturating_sub(came.kept).min(piece.len());
        if room == 0 {
            return;
        }
        if !self.taken.held.more(room) {
            self.lost = true;
            came.pieces = Vec::new();
            return;
        }
        came.kept += room;
        came.pieces.push(piece.slice(..room));
        let millis = u32::try_from(at_us / 1000).unwrap_or(u32::MAX);
        came.times.push((millis, u32::try_from(piece.len()).unwrap_or(u32::MAX)));
    }

    /// The call is over: it is handed on where calls like it are kept, and forgotten otherwise.
    pub fn ends(mut self: Box<Self>, entry: &Entry) {
        let settings = &self.settings.capture;
        let (provider, model) = (entry.provider.as_deref(), entry.model.as_deref());
        let wanted = settings.mode == CaptureMode::All || entry.outcome != Outcome::Completed;
        if !wanted || !settings.keeps(&entry.asked, provider.unwrap_or_default(), model.unwrap_or_default()) {
            return;
        }
        if self.lost {
            return self.capture.dropped("too many long bodies were under way at once");
        }
        self.taken.outcome = entry.outcome;
        self.taken.attempts.clone_from(&entry.attempts);
        self.capture.hand_on(Work::Keep(Box::new(self.taken)));
    }
}
