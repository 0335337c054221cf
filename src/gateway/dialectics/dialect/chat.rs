//! `chat/completions`: what the legs say is `reasoning_content`, the synthesis `content`.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Dialect, End, Request, Title, ending, frame, keep_alive, usage_wanted};
use crate::gateway::dialectics::minutes::Entry;
use crate::kit::Fault;
use crate::wire::{Endpoint, Json, error};

/// What a piece of a stream calls itself.
const CHUNK: &str = "chat.completion.chunk";

/// The chunks of a stream, or one chat completion.
struct Chat {
    title: Title,
    /// Whether the client asked for usage in the stream.
    usage_wanted: bool,
    begun: bool,
    message: Message,
}

#[derive(Default)]
struct Message {
    reasoning: String,
    content: String,
    refusal: String,
    calls: Vec<Value>,
}

/// The body goes to the legs as it came.
pub(super) fn read(body: &Json, title: Title) -> Result<Request, Fault> {
    let dialect = Box::new(Chat { title, usage_wanted: usage_wanted(body), begun: false, message: Message::default() });
    Ok(Request { body: body.clone(), dialect, left_out: Vec::new() })
}

impl Dialect for Chat {
    fn minutes(&mut self, entry: &Entry) -> Vec<Bytes> {
        self.message.reasoning += &entry.text;
        let delta = if entry.text.is_empty() { json!({}) } else { json!({"reasoning_content": entry.text}) };
        vec![frame(&self.chunk(delta, None, Some(&entry.tag)))]
    }

    fn add(&mut self, delta: Map<String, Value>) -> Vec<Bytes> {
        let delta = Value::Object(delta);
        self.message.take(&delta);
        vec![frame(&self.chunk(delta, None, None))]
    }

    fn wait(&mut self) -> Vec<Bytes> {
        keep_alive(&Endpoint::Chat, &self.title)
    }

    fn close(&mut self, end: End) -> Vec<Bytes> {
        let last = self.chunk(json!({}), Some(end.finish.into()), Some(&end.about));
        ending(&last, end.own.filter(|_| self.usage_wanted), self.object(CHUNK, json!([])))
    }

    fn fail(&mut self, fault: &Fault) -> Vec<Bytes> {
        vec![error::event(&Endpoint::Chat, fault)]
    }

    fn whole(&mut self, end: End) -> Bytes {
        let Message { reasoning, content, refusal, calls } = std::mem::take(&mut self.message);
        let or_null = |text: String| if text.is_empty() { Value::Null } else { Value::from(text) };
        let mut message = json!({"role": "assistant", "content": or_null(content), "refusal": or_null(refusal),
            "reasoning_content": reasoning});
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        let choice = json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": end.finish}]);
        let mut body = self.object("chat.completion", choice);
        // the synthesis' own: clients take it for the length of their conversation
        body["usage"] = end.own.unwrap_or_default();
        body["keywheel"] = end.about;
        body.to_string().into()
    }
}

impl Chat {
    fn chunk(&mut self, mut delta: Value, finish: Option<Value>, tag: Option<&Value>) -> Value {
        if !std::mem::replace(&mut self.begun, true) {
            delta["role"] = "assistant".into();
        }
        let choice = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        let mut chunk = self.object(CHUNK, choice);
        if let Some(tag) = tag {
            chunk["keywheel"] = tag.clone();
        }
        chunk
    }

    fn object(&self, kind: &str, choices: Value) -> Value {
        let Title { id, created, model } = &self.title;
        json!({"id": format!("chatcmpl-{id}"), "object": kind, "created": created, "model": model, "choices": choices})
    }
}

impl Message {
    fn take(&mut self, delta: &Value) {
        let text = |name: &str| delta[name].as_str().unwrap_or_default();
        self.reasoning += text("reasoning_content");
        self.content += text("content");
        self.refusal += text("refusal");
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let at = call["index"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(0).min(127);
            while self.calls.len() <= at {
                self.calls.push(json!({"id": "", "type": "function", "function": {"name": "", "arguments": ""}}));
            }
            let own = &mut self.calls[at];
            if let Some(id) = call["id"].as_str() {
                own["id"] = id.into();
            }
            for part in ["name", "arguments"] {
                let longer = own["function"][part].as_str().unwrap_or_default().to_owned();
                own["function"][part] = (longer + call["function"][part].as_str().unwrap_or_default()).into();
            }
        }
    }
}
