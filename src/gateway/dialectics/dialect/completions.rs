//! `completions`, the old one: a prompt is one turn, the synthesis is its text. It has no place for what the legs say.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Dialect, End, Request, Title, ending, frame, keep_alive, usage_wanted, wrong};
use crate::gateway::dialectics::minutes::Entry;
use crate::kit::{Fault, Kind};
use crate::wire::{Edit, Endpoint, Json, error};

/// What chat does not know.
const OTHERS: [&str; 6] = ["prompt", "suffix", "echo", "best_of", "logprobs", "stream_options"];

/// The chunks of a stream, or one completion.
struct Completions {
    title: Title,
    usage_wanted: bool,
    text: String,
}

/// Reads a request.
pub(super) fn read(body: &Json, title: Title) -> Result<Request, Fault> {
    let get = |name: &str| serde_json::from_slice::<Value>(body.raw(name).unwrap_or(b"null")).unwrap_or_default();
    for (name, plain) in [("suffix", json!("")), ("echo", json!(false)), ("best_of", json!(1))] {
        let value = get(name);
        if !value.is_null() && value != plain {
            return Err(wrong(name, format!("a dialectic gives one answer to one prompt; leave `{name}` out")));
        }
    }
    let prompt = match get("prompt") {
        Value::Array(mut one) if one.len() == 1 => one.remove(0),
        other => other,
    };
    let Value::String(prompt) = prompt else {
        return Err(wrong("prompt", "a dialectic needs `prompt`, one text"));
    };
    let usage_wanted = usage_wanted(body);
    let mut edits: Vec<Edit> = OTHERS.iter().map(|name| Edit::Drop((*name).into())).collect();
    edits.push(Edit::Set("messages".into(), json!([{"role": "user", "content": prompt}]).to_string()));
    let chat =
        Json::parse(body.splice(&edits).joined()).map_err(|error| Fault::new(Kind::Invalid(400), error.to_string()))?;
    let dialect = Box::new(Completions { title, usage_wanted, text: String::new() });
    Ok(Request { body: chat, dialect, left_out: Vec::new() })
}

impl Dialect for Completions {
    fn minutes(&mut self, _: &Entry) -> Vec<Bytes> {
        Vec::new()
    }

    fn add(&mut self, delta: Map<String, Value>) -> Vec<Bytes> {
        let text = ["content", "refusal"].into_iter().filter_map(|name| delta.get(name)?.as_str()).collect::<String>();
        if text.is_empty() {
            return Vec::new();
        }
        self.text += &text;
        vec![frame(&self.object(&text, Value::Null))]
    }

    fn wait(&mut self) -> Vec<Bytes> {
        keep_alive(&Endpoint::Completions, &self.title)
    }

    fn close(&mut self, end: End) -> Vec<Bytes> {
        let mut last = self.object("", end.finish.into());
        last["keywheel"] = end.about;
        ending(&last, end.own.filter(|_| self.usage_wanted), self.object("", Value::Null))
    }

    fn fail(&mut self, fault: &Fault) -> Vec<Bytes> {
        vec![error::event(&Endpoint::Completions, fault)]
    }

    fn whole(&mut self, end: End) -> Bytes {
        let mut body = self.object(&self.text, end.finish.into());
        body["usage"] = end.own.unwrap_or_default();
        body["keywheel"] = end.about;
        body.to_string().into()
    }
}

impl Completions {
    fn object(&self, text: &str, finish: Value) -> Value {
        let Title { id, created, model } = &self.title;
        let choice = json!([{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}]);
        json!({"id": format!("cmpl-{id}"), "object": "text_completion", "created": created, "model": model,
            "choices": choice})
    }
}
