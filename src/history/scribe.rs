//! The thread's work: cleans, packs, seals and writes exchanges, and deletes what is too old or too much.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::capture::Shared;
use super::exchange::{Answer, Body, Exchange, Request, State};
use super::folder::Disk;
use super::keys::{Keyed, Keys};
use super::packed;
use super::tap::{Came, Sent, Taken};
use crate::config::{Capture as Rules, CaptureMode, Live};
use crate::kit::seal::mac;
use crate::kit::{CallId, Time};
use crate::redact::Known;

/// Between two looks at the vault while something is to be kept, and while nothing is.
const LOOK: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(60);

/// Headers that carry credentials, should one ever come this far.
const CREDENTIALS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-auth-token",
];

/// What the thread works with.
pub(super) struct Scribe {
    settings: Live,
    keys: Arc<dyn Keys>,
    known: Arc<Known>,
    disk: Box<dyn Disk>,
    shared: Arc<Shared>,
    /// What lies on the disk; `None` until it was read.
    index: Option<BTreeMap<CallId, u64>>,
    total: u64,
}

impl Scribe {
    pub(super) fn new(
        settings: Live,
        keys: Arc<dyn Keys>,
        known: Arc<Known>,
        disk: impl Disk + 'static,
        shared: Arc<Shared>,
    ) -> Self {
        Self { settings, keys, known, disk: Box::new(disk), shared, index: None, total: 0 }
    }

    /// How long to wait for work before the next look.
    pub(super) fn pause(&self) -> Duration {
        if self.settings.now().capture.mode == CaptureMode::Off { IDLE } else { LOOK }
    }

    /// Sees whether something can be kept, and deletes what is too old.
    pub(super) fn look(&mut self) {
        let rules = self.settings.now();
        let refused = match rules.capture.mode {
            CaptureMode::Off => None,
            CaptureMode::Failed | CaptureMode::All => self.keys.now().err(),
        };
        self.shared.refuse(refused);
        self.prune(&rules.capture);
    }

    /// Keeps one exchange, or counts it as dropped.
    pub(super) fn keep(&mut self, taken: Taken) {
        let rules = self.settings.now();
        let id = taken.id;
        let done = self.keys.now().and_then(|keys| {
            let exchange = exchange(taken, &self.known, &keys);
            let sealed = packed::sealed(&exchange, id, &keys).map_err(|error| error.to_string())?;
            let size = sealed.len() as u64;
            if size > rules.capture.max_size {
                return Err("an exchange was larger than capture.max_size".to_owned());
            }
            self.read_index()?;
            self.disk.put(id, &sealed).map_err(|error| format!("the history folder cannot be written: {error}"))?;
            self.total += size - self.index.as_mut().and_then(|index| index.insert(id, size)).unwrap_or(0);
            Ok(())
        });
        if let Err(why) = done {
            self.shared.dropped(&why);
        }
        self.prune(&rules.capture);
    }

    fn read_index(&mut self) -> Result<(), String> {
        if self.index.is_none() {
            let found = self.disk.list().map_err(|error| format!("the history folder cannot be read: {error}"))?;
            self.total = found.values().sum();
            self.index = Some(found);
        }
        Ok(())
    }

    /// Deletes what is older than it may be, then the oldest until the rest is small enough.
    fn prune(&mut self, rules: &Rules) {
        if self.read_index().is_err() {
            return;
        }
        let Some(index) = &mut self.index else { return };
        let now = self.shared.now();
        while let Some((id, size)) = index.first_key_value().map(|(id, size)| (*id, *size)) {
            let young = now <= id.made().after(rules.keep);
            if young && self.total <= rules.max_size {
                return;
            }
            if let Err(error) = self.disk.remove(id) {
                tracing::warn!("old prompts and answers cannot be deleted: {error}");
                return;
            }
            index.remove(&id);
            self.total -= size;
        }
    }
}

/// What is kept of what was seen.
fn exchange(taken: Taken, known: &Known, keys: &Keyed) -> Exchange {
    let most = taken.most;
    let clean = |text: &str| known.clean_str(text).into_owned();
    let kind = kind(&taken.headers);
    let body = match taken.body {
        Sent::Nothing => Body::default(),
        Sent::Streamed(length) => Body { kind, size: length.unwrap_or(0), state: State::Streamed, ..Body::default() },
        Sent::Whole(bytes) => body(&bytes, kind, bytes.len() as u64, most, known, keys),
    };
    Exchange {
        id: taken.id.to_string(),
        at: Time::as_micros(taken.at),
        outcome: taken.outcome,
        asked: clean(&taken.asked),
        request: Request {
            method: taken.method.to_string(),
            path: clean(&taken.path),
            query: taken.query.as_deref().map(clean),
            headers: headers(&taken.headers, known),
            body,
        },
        answer: taken.answer.map(|came| answer(came, most, known, keys)),
        attempts: taken.attempts,
    }
}

fn answer(came: Came, most: usize, known: &Known, keys: &Keyed) -> Answer {
    let mut all = BytesMut::with_capacity(came.kept);
    came.pieces.iter().for_each(|piece| all.extend_from_slice(piece));
    Answer {
        status: came.status,
        headers: headers(&came.headers, known),
        body: body(&all.freeze(), kind(&came.headers), came.size, most, known, keys),
        pieces: came.times,
    }
}

/// What is kept of a body that had `size` bytes, of which these were seen.
fn body(seen: &Bytes, kind: String, size: u64, most: usize, known: &Known, keys: &Keyed) -> Body {
    if size == 0 {
        return Body::default();
    }
    let digest = (seen.len() as u64 == size).then(|| hex(&mac(&keys.addresses, seen)));
    let head = seen.slice(..most.min(seen.len()));
    let cut = (head.len() as u64) < size;
    if !is_text(&head, cut, &kind) {
        return Body { kind, size, digest, state: State::Binary, ..Body::default() };
    }
    let kept = known.keep(&head, Body::form(&kind, &head));
    let state = if cut { State::Cut } else { State::Whole };
    Body { kind, size, digest, state, rules: kept.rules, text: kept.text }
}

/// Whether people can read it. A cut may divide the last character.
fn is_text(bytes: &[u8], cut: bool, kind: &str) -> bool {
    let told = ["image/", "audio/", "video/", "application/octet-stream"].iter().any(|binary| kind.starts_with(binary));
    let utf8 = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => cut && error.error_len().is_none(),
    };
    !told && utf8 && memchr::memchr(0, bytes).is_none()
}

fn kind(headers: &HeaderMap) -> String {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned()
}

fn headers(headers: &HeaderMap, known: &Known) -> Vec<(String, String)> {
    let kept = headers.iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
    kept.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), known.clean_str(&value).into_owned())
    })
    .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
