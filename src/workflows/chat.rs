//! A prompt becomes a chat call, and its answer comes back in pieces: what every workflow is built on.
//!
//! ```text
//! let prompt = Prompt::new("lab/gpt-4o-mini", "why is the sky blue?").system("answer in one line").option("temperature", 0);
//! let mut chat = open(operator, prompt).await?;          // the gateway has answered; `chat.head()` says who
//! while let Some(piece) = chat.next().await? { … }       // Piece::Content, Piece::Reasoning, as they arrive
//! let said = chat.said();                                // or at once: open(…).await?.whole().await?
//! let bill = bill(operator, &said.head.id).await;        // what the ledger knows: usage, cost, the model that answered
//! ```
//!
//! `operator` is the running gateway (`client::Remote`) or one in this process (`ops::Desk`). Dropping a `Chat` ends its
//! call. Nothing here has a time limit: whoever is in a hurry wraps these futures in a `tokio::time::timeout`. An answer
//! that is not whole is an error, however much of it arrived; `said()` still holds what did.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::operator::{Ask, Given, Operator, Placed, Refusal, Reply, Tokens};
use crate::wire::error::Words;
use crate::wire::sse::{self, Frames};

/// An error answer is read no further than this.
const LONGEST_ERROR: usize = 256 << 10;
/// An answer that came whole although a stream was asked for.
const LONGEST_WHOLE: usize = 64 << 20;

/// What is asked of a model.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The model, as any client would write it.
    model: String,
    /// Who speaks, and what is said.
    messages: Vec<Value>,
    /// Further members of the body.
    options: Map<String, Value>,
    /// Headers of the call.
    headers: HeaderMap,
}

impl Prompt {
    /// A question to a model.
    pub fn new(model: impl Into<String>, user: impl Into<String>) -> Self {
        let messages = vec![json!({"role": "user", "content": user.into()})];
        Self { model: model.into(), messages, options: Map::new(), headers: HeaderMap::new() }
    }

    /// With what goes before the question.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.messages.insert(0, json!({"role": "system", "content": text.into()}));
        self
    }

    /// With a member of the body: `temperature`, `max_completion_tokens`, `response_format`, …
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options.insert(name.to_owned(), value.into());
        self
    }

    /// With a header: `x-keywheel-project`. One that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// The model that is asked.
    pub fn model(&self) -> &str {
        &self.model
    }

    fn placed(self) -> Placed {
        let mut body = self.options;
        body.insert("model".to_owned(), self.model.into());
        body.insert("messages".to_owned(), self.messages.into());
        body.insert("stream".to_owned(), true.into());
        let body = Bytes::from(Value::Object(body).to_string());
        Placed { path: "chat/completions".to_owned(), headers: self.headers, body }
    }
}

/// Why there is no answer, or not all of one. The words are for people and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The gateway could not be reached.
    #[error("{0}")]
    Unreachable(Refusal),
    /// The gateway, or the provider through it, said no.
    #[error("{message}")]
    Refused {
        /// The HTTP status; 200 where the error came inside the stream.
        status: u16,
        /// `error.code`, else `error.type`; may be empty.
        code: String,
        /// What was said.
        message: String,
    },
    /// The model would not answer.
    #[error("the model declined: {0}")]
    Declined(String),
    /// The answer is not whole.
    #[error("the answer broke off{0}; ask again")]
    Broken(String),
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Of what the model says.
    Content(String),
    /// Of what it thinks, where its provider shows that.
    Reasoning(String),
}

/// Who answers: known before the first piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The call's id, by which `keywheel requests` finds it.
    pub id: String,
    /// The provider; empty where the gateway does not say.
    pub provider: String,
    /// The account; empty where the gateway does not say.
    pub account: String,
    /// The model, as its provider calls it.
    pub model: String,
}

impl Head {
    /// `provider/model`.
    pub fn name(&self) -> String {
        if self.provider.is_empty() { self.model.clone() } else { format!("{}/{}", self.provider, self.model) }
    }
}

/// What was said, all of it when the answer is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Who answered.
    pub head: Head,
    /// The answer.
    pub content: String,
    /// The thoughts.
    pub reasoning: String,
    /// Why it ended: `stop`, `length`, …; empty when it did not say.
    pub finish: String,
}

/// An answer that arrives.
pub struct Chat {
    body: Option<Body>,
    frames: Frames,
    ready: VecDeque<Piece>,
    said: Said,
    refusal: String,
    done: bool,
}

type Body = std::pin::Pin<Box<dyn futures_util::Stream<Item = std::io::Result<Bytes>> + Send>>;

/// What a call consumed and cost, from the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Bill {
    /// The provider that answered.
    pub provider: Option<String>,
    /// The model that was asked at its provider.
    pub model: String,
    /// The model that the answer names, where that is another one: a router's choice, a dated name.
    #[serde(default)]
    pub answered: Option<String>,
    /// Tokens, where the answer told them.
    pub usage: Option<Tokens>,
    /// USD as a decimal string; `None` when the call is unpriced.
    pub cost_usd: Option<String>,
    /// Whether a count or a rate in it stands for one that is not known.
    #[serde(default)]
    pub estimated: bool,
}

/// Places a prompt as a streamed chat. Comes back when the gateway has begun to answer; an error answer is an error.
pub async fn open(operator: &dyn Operator, prompt: Prompt) -> Result<Chat, ChatError> {
    let given = operator.call(prompt.placed()).await.map_err(ChatError::Unreachable)?;
    let text =
        |name: &str| given.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let head = Head {
        id: text("x-keywheel-request-id"),
        provider: text("x-keywheel-provider"),
        account: text("x-keywheel-account"),
        model: text("x-keywheel-model"),
    };
    if !given.status.is_success() {
        return Err(refused(given).await);
    }
    let streamed = text("content-type").starts_with("text/event-stream");
    let said = Said { head, ..Said::default() };
    let mut chat = Chat {
        body: Some(given.body),
        frames: Frames::default(),
        ready: VecDeque::new(),
        said,
        refusal: String::new(),
        done: false,
    };
    if !streamed {
        chat.read_whole().await?;
    }
    Ok(chat)
}

/// What the ledger knows of a call; an answer's last frame leaves after its entry is written. `None` when it knows nothing.
pub async fn bill(operator: &dyn Operator, id: &str) -> Option<Bill> {
    match operator.ask(Ask::Request { id: id.to_owned() }).await.ok()? {
        Reply::Request(record) => serde_json::from_value(record).ok(),
        _ => None,
    }
}

impl Chat {
    /// Who answers.
    pub const fn head(&self) -> &Head {
        &self.said.head
    }

    /// The next piece; `None` when the answer is whole.
    pub async fn next(&mut self) -> Result<Option<Piece>, ChatError> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            if self.done {
                return Ok(None);
            }
            let chunk = match &mut self.body {
                Some(body) => body.next().await,
                None => None,
            };
            match chunk {
                Some(Ok(chunk)) => self.take(&chunk)?,
                Some(Err(error)) => return Err(ChatError::Broken(format!(": {error}"))),
                None => self.end()?,
            }
        }
    }

    /// What was said so far.
    pub fn said(self) -> Said {
        self.said
    }

    /// All of it.
    pub async fn whole(mut self) -> Result<Said, ChatError> {
        while self.next().await?.is_some() {}
        Ok(self.said)
    }

    /// The stream is over. One that names no end was cut, even where its connection closed in order.
    fn end(&mut self) -> Result<(), ChatError> {
        self.body = None;
        if self.said.finish.is_empty() && !self.done {
            return Err(ChatError::Broken(String::new()));
        }
        self.done = true;
        if self.said.content.is_empty() && !self.refusal.is_empty() {
            return Err(ChatError::Declined(std::mem::take(&mut self.refusal)));
        }
        Ok(())
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), ChatError> {
        let mut frames = Vec::new();
        self.frames.push(chunk, |frame, _| frames.extend(sse::data(frame).map(<[u8]>::to_vec)));
        for data in frames {
            match data.trim_ascii() {
                b"[DONE]" => {
                    self.done = true;
                    return self.end();
                }
                data => self.chunk(&serde_json::from_slice(data).unwrap_or_default(), "delta")?,
            }
        }
        Ok(())
    }

    /// Reads one object: a chunk of a stream, whose text is under `delta`, or a whole answer, under `message`.
    fn chunk(&mut self, object: &Value, at: &str) -> Result<(), ChatError> {
        if object.get("error").is_some_and(|error| !error.is_null()) {
            return Err(said_no(200, object.to_string().as_bytes()));
        }
        // several choices come only to those who ask for them
        let Some(choice) = object["choices"].get(0) else { return Ok(()) };
        let text = |name: &str| choice[at][name].as_str().filter(|text| !text.is_empty());
        if let Some(text) = text("reasoning_content").or_else(|| text("reasoning")) {
            self.said.reasoning += text;
            self.ready.push_back(Piece::Reasoning(text.to_owned()));
        }
        if let Some(text) = text("content") {
            self.said.content += text;
            self.ready.push_back(Piece::Content(text.to_owned()));
        }
        self.refusal += text("refusal").unwrap_or_default();
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.said.finish = finish.to_owned();
        }
        Ok(())
    }

    /// A provider that does not stream answers with one body.
    async fn read_whole(&mut self) -> Result<(), ChatError> {
        let Some(body) = self.body.take() else { return Ok(()) };
        let body = collect(body, LONGEST_WHOLE).await.map_err(|error| ChatError::Broken(format!(": {error}")))?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        self.chunk(&answer, "message")?;
        self.end()
    }
}

pub(super) async fn refused(given: Given) -> ChatError {
    let status = given.status.as_u16();
    let body = collect(given.body, LONGEST_ERROR).await.unwrap_or_default();
    said_no(status, &body)
}

pub(super) fn said_no(status: u16, body: &[u8]) -> ChatError {
    let Words { message, code, kind, .. } = Words::read(body);
    let message = if message.trim().is_empty() { format!("the gateway answered HTTP {status}") } else { message };
    ChatError::Refused { status, code: if code.is_empty() { kind } else { code }, message }
}

/// The bytes of a body, at most so many.
async fn collect(mut body: Body, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > most {
            bytes.truncate(most);
            break;
        }
    }
    Ok(bytes)
}
