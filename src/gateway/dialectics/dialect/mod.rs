//! The dialects in which a dialectic can be asked. A dialect is one file: it reads a request as the chat body that the
//! legs are sent, and writes the answer; what happens in between is the same for all. A further one is a file and a row.

mod chat;
mod completions;
mod responses;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::PREFIX;
use super::minutes::Entry;
use crate::kit::{Fault, Kind, Usage};
use crate::wire::{Call, Endpoint, Json, Payload};

/// Writes one answer. Frames come in the order in which they go out; an answer that goes out whole is written by the
/// same steps, and its frames are left aside.
pub(super) trait Dialect: Send {
    /// A stretch of the minutes, as reasoning.
    fn minutes(&mut self, entry: &Entry) -> Vec<Bytes>;
    /// What the synthesis adds to the answer: the `delta` of a chat chunk, without what is empty.
    fn add(&mut self, delta: Map<String, Value>) -> Vec<Bytes>;
    /// What keeps the client waiting.
    fn wait(&mut self) -> Vec<Bytes>;
    /// The last frames of an answer that is whole.
    fn close(&mut self, end: End) -> Vec<Bytes>;
    /// The frames that tell of a failure after the first byte.
    fn fail(&mut self, fault: &Fault) -> Vec<Bytes>;
    /// The whole answer.
    fn whole(&mut self, end: End) -> Bytes;
}

/// How an answer ended.
pub(super) struct End {
    /// Chat's word for it: `stop`, `length`, `tool_calls`, `content_filter`.
    pub(super) finish: String,
    /// The usage of the synthesis alone, as its model told it in the words of chat.
    pub(super) own: Option<Value>,
    /// The same, read.
    pub(super) judged: Option<Usage>,
    /// What all legs, the plan and the synthesis took.
    pub(super) spent: Usage,
    /// What programs are told.
    pub(super) about: Value,
}

/// A request as it was read.
pub(super) struct Request {
    /// What the legs are sent, before anything is said around it: a body of `chat/completions`.
    pub(super) body: Json,
    pub(super) dialect: Box<dyn Dialect>,
    /// What no leg can be sent, and is left out: the types of tools that run at a provider.
    pub(super) left_out: Vec<String>,
}

/// What every object of an answer says of itself.
pub(super) struct Title {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
}

/// Reads a request in the dialect of its endpoint.
pub(super) fn read(call: &Call, name: &str) -> Result<Request, Fault> {
    let read = match call.endpoint {
        Endpoint::Chat => chat::read,
        Endpoint::Responses => responses::read,
        Endpoint::Completions => completions::read,
        _ => return Err(elsewhere(call, name)),
    };
    let Payload::Json(body) = &call.payload else {
        return Err(Fault::new(Kind::Invalid(400), "a dialectic needs a JSON body"));
    };
    read(body, Title { id: call.id.to_string(), created: call.at.as_secs(), model: format!("{PREFIX}{name}") })
}

fn elsewhere(call: &Call, name: &str) -> Fault {
    let words = format!(
        "{PREFIX}{name} answers POST /v1/chat/completions, /v1/responses and /v1/completions, not /v1/{}; call it there, or name another model",
        call.endpoint.path()
    );
    Fault::new(Kind::Invalid(400), words).code("unsupported_endpoint").param("model")
}

/// A refusal of what a request says.
pub(super) fn wrong(
    param: impl Into<std::borrow::Cow<'static, str>>,
    words: impl Into<std::borrow::Cow<'static, str>>,
) -> Fault {
    Fault::new(Kind::Invalid(400), words).param(param)
}

/// Whether the client asked for usage in its stream.
fn usage_wanted(body: &Json) -> bool {
    let options = body.raw("stream_options").and_then(|options| serde_json::from_slice::<Value>(options).ok());
    options.is_some_and(|options| options["include_usage"] == true)
}

/// What keeps a client waiting, where the dialect has no count of events.
fn keep_alive(endpoint: &Endpoint, title: &Title) -> Vec<Bytes> {
    endpoint.keep_alive(&title.model, title.created).map(Bytes::from).into_iter().collect()
}

/// The last frames of a stream of chunks; the usage, where the client wants it, stands in `chunk`, which says nothing else.
fn ending(last: &Value, usage: Option<Value>, mut chunk: Value) -> Vec<Bytes> {
    let mut out = vec![frame(last)];
    if let Some(usage) = usage {
        (chunk["choices"], chunk["usage"]) = (Value::Array(Vec::new()), usage);
        out.push(frame(&chunk));
    }
    out.push(Bytes::from_static(b"data: [DONE]\n\n"));
    out
}

/// An event of a stream, where the dialect has no names for events.
fn frame(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}
