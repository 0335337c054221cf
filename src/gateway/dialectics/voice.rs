//! One model's answer as it is heard: the chunks of its chat stream, and in one word why there are none.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http::StatusCode;
use serde_json::Value;

use crate::gateway::Inner;
use crate::gateway::answer::Bytestream;
use crate::kit::Usage;
use crate::wire::error::Words;
use crate::wire::sse::{self, Frames};
use crate::wire::usage::Meter;
use crate::wire::{Call, Endpoint};

/// After its last event a stream is given so long to end, so that its connection can be used again.
const TAIL: Duration = Duration::from_millis(200);

/// Why a model gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Absence {
    /// The word for it: `late`, `rate_limited`, `refused`, `failed`, `broke_off`, `empty`.
    pub(super) reason: &'static str,
    /// The same for people, free of secrets.
    pub(super) words: String,
    /// The HTTP status that tells it best.
    pub(super) status: u16,
}

impl Absence {
    /// It had not ended in time.
    pub(super) fn late(after: Duration) -> Self {
        Self { reason: "late", words: format!("it had not answered after {} s", after.as_secs_f32()), status: 504 }
    }

    /// It ended without a word.
    pub(super) fn empty() -> Self {
        Self { reason: "empty", words: "its answer was empty".to_owned(), status: 502 }
    }

    fn refused(status: StatusCode, body: &[u8]) -> Self {
        let status = status.as_u16();
        let reason = match status {
            429 | 503 | 529 => "rate_limited",
            400..500 => "refused",
            _ => "failed",
        };
        Self { reason, words: Words::read(body).message, status }
    }

    fn broke(words: String) -> Self {
        Self { reason: "broke_off", words, status: 502 }
    }
}

/// An answer under way. Dropping it ends the call.
pub(super) struct Voice {
    body: Bytestream,
    frames: Frames,
    chunks: VecDeque<Value>,
    meter: Meter,
    done: bool,
}

impl Voice {
    /// Places the call; from here on it is one like any other.
    pub(super) async fn open(inner: &Arc<Inner>, call: Call) -> Result<Self, Absence> {
        let answer = Arc::clone(inner).answer(call).await;
        if answer.status.is_success() {
            let provider = answer.headers.get("x-keywheel-provider").and_then(|name| name.to_str().ok());
            let meter = Meter::new(inner.books.till.metering(provider.unwrap_or_default()));
            let (frames, chunks) = (Frames::default(), VecDeque::new());
            return Ok(Self { body: answer.body, frames, chunks, meter, done: false });
        }
        let mut body = answer.body;
        let mut all = Vec::new();
        while let Some(Ok(chunk)) = body.next().await {
            all.extend_from_slice(&chunk);
        }
        Err(Absence::refused(answer.status, &all))
    }

    /// The next chunk; `None` once the answer is whole.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Absence> {
        loop {
            if let Some(chunk) = self.chunks.pop_front() {
                return match chunk.get("error") {
                    Some(error) if !error.is_null() => {
                        Err(Absence::broke(Words::read(chunk.to_string().as_bytes()).message))
                    }
                    _ => Ok(Some(chunk)),
                };
            }
            if self.done {
                // what is still to come is nobody's affair, but a connection that ended cleanly can be used again
                let rest = async { while self.body.next().await.is_some() {} };
                drop(tokio::time::timeout(TAIL, rest).await);
                return Ok(None);
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.read(&bytes),
                Some(Err(error)) => return Err(Absence::broke(error.to_string())),
                None => {
                    let rest = self.frames.rest().to_vec();
                    self.take(&rest);
                    self.done = true;
                }
            }
        }
    }

    /// What it took, as far as its model has told.
    pub(super) fn spent(&self) -> Option<Usage> {
        self.meter.report().usage
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut found = Vec::new();
        self.frames.push(bytes, |frame, _| found.push(frame.to_vec()));
        found.iter().for_each(|frame| self.take(frame));
    }

    fn take(&mut self, frame: &[u8]) {
        self.done |= Endpoint::Chat.mark(frame) == crate::wire::endpoint::Mark::Last;
        self.meter.frame(frame);
        let chunk = sse::data(frame).and_then(|data| serde_json::from_slice(data).ok());
        self.chunks.extend(chunk.filter(Value::is_object));
    }
}

/// The text that a chunk adds to the answer; a refusal is one.
pub(super) fn text(chunk: &Value) -> Option<&str> {
    let delta = &chunk["choices"][0]["delta"];
    ["content", "refusal"].into_iter().find_map(|name| delta[name].as_str().filter(|text| !text.is_empty()))
}

/// Whether a chunk settles who answers: it says something, calls a tool, or tells of a content filter, past which no
/// other model is asked.
pub(super) fn settles(chunk: &Value) -> bool {
    let choice = &chunk["choices"][0];
    let calls = choice["delta"]["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
    text(chunk).is_some() || calls || choice["finish_reason"] == "content_filter"
}

/// The calls of tools that a leg would make, put together from its chunks.
#[derive(Default)]
pub(super) struct Wanted(Vec<(String, String)>);

impl Wanted {
    pub(super) fn take(&mut self, chunk: &Value) {
        for call in chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let at = call["index"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(0).min(63);
            while self.0.len() <= at {
                self.0.push((String::new(), String::new()));
            }
            self.0[at].0 += call["function"]["name"].as_str().unwrap_or_default();
            self.0[at].1 += call["function"]["arguments"].as_str().unwrap_or_default();
        }
    }

    /// As text for the synthesis.
    pub(super) fn said(&self) -> String {
        self.0.iter().map(|(name, arguments)| format!("[would call the tool {name} with {arguments}]")).collect()
    }
}
