//! The answer of a dialectic in the client's dialect: chunks of a chat stream, or one chat completion.

use bytes::Bytes;
use serde_json::{Value, json};

use super::minutes::Entry;
use super::report::Sieve;

/// Writes one answer.
pub(super) struct Scribe {
    id: String,
    created: i64,
    model: String,
    /// Whether the client asked for usage in the stream.
    usage_wanted: bool,
    sieve: Option<Sieve>,
    begun: bool,
    finish: Option<Value>,
    /// As the synthesis reported it: clients take it for the length of their conversation.
    usage: Option<Value>,
    /// All of it, for an answer that goes out whole.
    message: Message,
}

#[derive(Default)]
struct Message {
    reasoning: String,
    content: String,
    refusal: String,
    calls: Vec<Value>,
}

impl Scribe {
    pub(super) fn new(id: &str, created: i64, model: &str, usage_wanted: bool, report: bool) -> Self {
        Self {
            id: format!("chatcmpl-{id}"),
            created,
            model: model.to_owned(),
            usage_wanted,
            sieve: report.then(Sieve::default),
            begun: false,
            finish: None,
            usage: None,
            message: Message::default(),
        }
    }

    /// A stretch of the minutes as reasoning.
    pub(super) fn minutes(&mut self, entry: &Entry) -> Bytes {
        self.message.reasoning += &entry.text;
        let delta = if entry.text.is_empty() { json!({}) } else { json!({"reasoning_content": entry.text}) };
        self.chunk(delta, None, Some(&entry.tag))
    }

    /// A chunk of the synthesis; `None` where the client gets nothing of it.
    pub(super) fn answer(&mut self, chunk: &Value) -> Option<Bytes> {
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            self.usage = Some(usage.clone());
        }
        let choice = &chunk["choices"][0];
        if choice["finish_reason"].is_string() {
            self.finish = Some(choice["finish_reason"].clone());
        }
        let mut delta = choice["delta"].as_object().cloned().unwrap_or_default();
        delta.remove("role");
        if let (Some(sieve), Some(text)) = (&mut self.sieve, delta.get("content").and_then(Value::as_str)) {
            let text = sieve.pass(text);
            delta.insert("content".to_owned(), text.into());
        }
        delta.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
        if delta.is_empty() {
            return None;
        }
        let delta = Value::Object(delta);
        self.message.take(&delta);
        Some(self.chunk(delta, None, None))
    }

    /// The last frames before `[DONE]`.
    pub(super) fn close(&mut self, mut about: Value, legs: &[&str]) -> Vec<Bytes> {
        let mut out = Vec::new();
        if let Some(sieve) = &mut self.sieve {
            let rest = sieve.rest();
            about["report"] = sieve.report(legs);
            if !rest.is_empty() {
                out.push(self.chunk(json!({"content": rest}), None, None));
            }
        }
        let finish = self.finish.clone().unwrap_or_else(|| json!("stop"));
        out.push(self.chunk(json!({}), Some(finish), Some(&about)));
        if let Some(usage) = self.usage.take().filter(|_| self.usage_wanted) {
            let mut chunk = self.object("chat.completion.chunk", json!([]));
            chunk["usage"] = usage;
            out.push(frame(&chunk));
        }
        out
    }

    /// The whole answer.
    pub(super) fn whole(&mut self, mut about: Value, legs: &[&str]) -> Bytes {
        if let Some(sieve) = &mut self.sieve {
            self.message.content += &sieve.rest();
            about["report"] = sieve.report(legs);
        }
        let Message { reasoning, content, refusal, calls } = std::mem::take(&mut self.message);
        let or_null = |text: String| if text.is_empty() { Value::Null } else { Value::from(text) };
        let mut message = json!({"role": "assistant", "content": or_null(content), "refusal": or_null(refusal),
            "reasoning_content": reasoning});
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        let finish = self.finish.take().unwrap_or_else(|| json!("stop"));
        let choice = json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}]);
        let mut body = self.object("chat.completion", choice);
        body["usage"] = self.usage.take().unwrap_or_default();
        body["keywheel"] = about;
        body.to_string().into()
    }

    fn chunk(&mut self, mut delta: Value, finish: Option<Value>, tag: Option<&Value>) -> Bytes {
        if !std::mem::replace(&mut self.begun, true) {
            delta["role"] = "assistant".into();
        }
        let choice = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        let mut chunk = self.object("chat.completion.chunk", choice);
        if let Some(tag) = tag {
            chunk["keywheel"] = tag.clone();
        }
        frame(&chunk)
    }

    fn object(&self, kind: &str, choices: Value) -> Value {
        json!({"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices})
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

fn frame(chunk: &Value) -> Bytes {
    format!("data: {chunk}\n\n").into()
}
