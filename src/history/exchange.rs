//! The stored bodies of a call, as they come out of history: what was asked and what was answered, without secrets.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::redact::{Form, Known};
use crate::store::{Attempt, Outcome};

/// One call's bodies and what is needed to read them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The call's id.
    pub id: String,
    /// When it came, in microseconds since the epoch.
    pub at: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// The model as the client named it.
    pub asked: String,
    /// What the client sent.
    pub request: Request,
    /// What it got; `None` where nothing was answered.
    pub answer: Option<Answer>,
    /// What was tried.
    pub attempts: Vec<Attempt>,
}

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// `POST`
    pub method: String,
    /// The path below `/v1/`.
    pub path: String,
    /// The query string.
    pub query: Option<String>,
    /// Its headers, without credentials.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Body,
}

/// What it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that were passed on.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Body,
    /// When each piece of it came, in milliseconds since the call, and how many bytes it had.
    pub pieces: Vec<(u32, u32)>,
}

/// A body, or what is left of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// Its media type; empty when none was stated.
    pub kind: String,
    /// How many bytes it had.
    pub size: u64,
    /// An HMAC of it under a key of the vault's: equal bodies have equal ones. Absent where not all of it was seen.
    pub digest: Option<String>,
    /// What of it is kept.
    pub state: State,
    /// The redaction rules that hit; empty when `text` is what was sent.
    pub rules: Vec<String>,
    /// What is kept; stored behind the record.
    #[serde(skip)]
    pub text: Bytes,
}

/// What of a body is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There was none.
    #[default]
    Empty,
    /// All of it.
    Whole,
    /// Its beginning.
    Cut,
    /// Nothing: it is no text.
    Binary,
    /// Nothing: it was passed on while it arrived.
    Streamed,
}

impl Body {
    /// How a body of this type that begins like this is written.
    pub(super) fn form(kind: &str, text: &[u8]) -> Form {
        match text.trim_ascii_start().first() {
            _ if kind.starts_with("text/event-stream") => Form::Events,
            Some(b'{' | b'[') => Form::Json,
            _ => Form::Text,
        }
    }

    /// Why there is less than was sent, in words; `None` when all of it is here.
    pub fn lacks(&self) -> Option<String> {
        let Self { size, kind, .. } = self;
        let kind = if kind.is_empty() { "unknown type" } else { kind.as_str() };
        match self.state {
            State::Empty | State::Whole => None,
            State::Cut => {
                Some(format!("only the first {} of {size} bytes are kept (capture.max_body)", self.text.len()))
            }
            State::Binary => {
                let digest = self.digest.as_ref().map(|digest| format!(", digest {digest}")).unwrap_or_default();
                Some(format!("{size} bytes of {kind}, not kept since it is no text{digest}"))
            }
            State::Streamed => Some(format!("{kind}, passed on while it arrived and not kept")),
        }
    }
}

impl Exchange {
    /// The same without the secrets that are known now.
    #[must_use]
    pub fn cleaned(mut self, known: &Known) -> Self {
        let answer = self.answer.as_mut().map(|answer| &mut answer.body);
        for body in [Some(&mut self.request.body), answer].into_iter().flatten() {
            let kept = known.keep(&body.text, Body::form(&body.kind, &body.text));
            if kept.text != body.text {
                body.rules.extend(kept.rules);
                body.text = kept.text;
            }
        }
        self
    }

    /// The header of this name, in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// From the call's arrival to the last piece of its answer.
    pub fn until_last_piece(&self) -> Duration {
        let last = self.answer.as_ref().and_then(|answer| answer.pieces.last());
        Duration::from_millis(last.map_or(0, |(at, _)| u64::from(*at)))
    }
}
