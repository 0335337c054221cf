//! Scripts: what a lab answers to one call instead of, or on top of, what its persona would say.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::Hint;
use crate::sim::answer::{Answer, Step};

/// One answer to come.
#[derive(Clone, Debug)]
#[must_use = "a script is played only once it is queued"]
pub struct Script {
    pub(super) base: Base,
    pub(super) edits: Vec<Edit>,
}

/// What a script starts from.
#[derive(Clone, Debug)]
pub(super) enum Base {
    Usual,
    Fixed(Answer),
    Throttled(Hint),
    BadKey,
    HangUp,
}

/// What a script changes; numbers count chunks from 0.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Header(String, String),
    After(Duration),
    Every(Duration),
    Before(usize, Duration),
    Stop(usize, Option<Step>),
    NoDone,
    LastOfConnection,
}

/// `n` counts chunks from 0.
impl Script {
    /// The persona's own answer.
    pub fn usual() -> Self {
        Self::from(Base::Usual)
    }

    /// This status, type and body, byte for byte. An unknown status becomes 500.
    pub fn reply(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::from(Base::Fixed(Answer::new(status, content_type, body)))
    }

    /// This status and JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::reply(status, "application/json", body.to_string())
    }

    /// A stream with these chunks, byte for byte, each in a write of its own.
    pub fn events<T: Into<Bytes>>(chunks: impl IntoIterator<Item = T>) -> Self {
        let steps = chunks.into_iter().map(|chunk| Step::Bytes(chunk.into())).collect();
        Self::from(Base::Fixed(Answer::events(steps)))
    }

    /// A chat stream of `n` frames of different lengths, with `[DONE]`; `Answer::bytes` of `frames(n)` are its bytes.
    pub fn chunks(n: usize) -> Self {
        Self::events(frames(n))
    }

    /// A chat completion whose JSON is at least `len` bytes long, in chunks of 64 KiB.
    pub fn huge(len: usize) -> Self {
        let message = json!({"role": "assistant", "content": "x".repeat(len)});
        let body = Bytes::from(
            json!({"id": "chatcmpl-huge", "object": "chat.completion", "created": 0, "model": "huge",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
            .to_string(),
        );
        let mut answer = Answer::new(StatusCode::OK, "application/json", Bytes::new());
        let starts = (0..body.len()).step_by(64 * 1024);
        answer.steps = starts.map(|from| Step::Bytes(body.slice(from..body.len().min(from + 64 * 1024)))).collect();
        Self::from(Base::Fixed(answer))
    }

    /// A stream that no parser can read: a line without a colon, broken JSON, a byte that is no UTF-8.
    pub fn malformed_sse() -> Self {
        let lines: [&'static [u8]; 3] = [b"nonsense\n\n", b"data: {\"choices\": [\n\n", b"data: \xff\xfe{}\n\n"];
        Self::events(lines.map(Bytes::from_static))
    }

    /// 200 and a stream whose first and only event is this error.
    pub fn error_first(error: &Value) -> Self {
        Self::events([format!("data: {error}\n\n")])
    }

    /// The vendor's 429 with this hint and no other.
    pub fn throttled(hint: Hint) -> Self {
        Self::from(Base::Throttled(hint))
    }

    /// The vendor's answer to a key that it does not take.
    pub fn bad_key() -> Self {
        Self::from(Base::BadKey)
    }

    /// The connection is closed without an answer.
    pub fn hang_up() -> Self {
        Self::from(Base::HangUp)
    }

    /// With this header.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.edit(Edit::Header(name.to_owned(), value.to_owned()))
    }

    /// With this wait before the head.
    pub fn after(self, wait: Duration) -> Self {
        self.edit(Edit::After(wait))
    }

    /// With this wait before every chunk but the first; 0.5 ms is kept too.
    pub fn every(self, wait: Duration) -> Self {
        self.edit(Edit::Every(wait))
    }

    /// With this wait before chunk `n`: a slow first byte where `n` is 0, else a stall.
    pub fn stall(self, n: usize, wait: Duration) -> Self {
        self.edit(Edit::Before(n, wait))
    }

    /// Broken off after `n` chunks: HTTP/1.1 closes inside the body, HTTP/2 resets the stream.
    pub fn cut(self, n: usize) -> Self {
        self.edit(Edit::Stop(n, Some(Step::Cut)))
    }

    /// Silent for ever after `n` chunks.
    pub fn hang(self, n: usize) -> Self {
        self.edit(Edit::Stop(n, Some(Step::Hang)))
    }

    /// Ended cleanly after `n` chunks.
    pub fn end(self, n: usize) -> Self {
        self.edit(Edit::Stop(n, None))
    }

    /// Without the frame `[DONE]`.
    pub fn without_done(self) -> Self {
        self.edit(Edit::NoDone)
    }

    /// The connection takes no more requests: `connection: close`, or GOAWAY.
    pub fn last_of_connection(self) -> Self {
        self.edit(Edit::LastOfConnection)
    }

    fn from(base: Base) -> Self {
        Self { base, edits: Vec::new() }
    }

    fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }
}

/// The frames that `Script::chunks` sends.
pub fn frames(n: usize) -> Vec<Bytes> {
    let chunk = |number: usize| {
        let delta = json!({"content": "x".repeat(number % 97)});
        let choice = json!({"index": 0, "delta": delta, "finish_reason": null});
        let chunk = json!({"id": "chatcmpl-chunks", "object": "chat.completion.chunk", "created": number,
            "model": "chunks", "choices": [choice]});
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let last = json!({"id": "chatcmpl-chunks", "object": "chat.completion.chunk", "created": n, "model": "chunks",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let ends = [format!("data: {last}\n\n").into(), Bytes::from_static(b"data: [DONE]\n\n")];
    (0..n.saturating_sub(2)).map(chunk).chain(ends).collect()
}
