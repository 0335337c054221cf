//! `responses`: what the legs say is the summary of a reasoning item, the synthesis a message, its tools call items.

mod items;
mod object;
mod output;
mod request;
mod tools;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Dialect, End, Title};
use crate::gateway::dialectics::minutes::Entry;
use crate::kit::Fault;
use crate::wire::error;
use output::Output;
pub(super) use request::read;
use tools::Tools;

/// The events of a stream, or one response.
struct Responses {
    title: Title,
    /// What a response repeats of its request.
    asked: Map<String, Value>,
    tools: Tools,
    /// The number of the next event.
    number: u64,
    begun: bool,
    output: Output,
}

/// What is added to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    Reasoning,
    Text,
    Refusal,
}

impl Dialect for Responses {
    fn minutes(&mut self, entry: &Entry) -> Vec<Bytes> {
        let events = self.output.write(Words::Reasoning, &entry.text, Some(&entry.tag));
        self.numbered(events)
    }

    fn add(&mut self, delta: Map<String, Value>) -> Vec<Bytes> {
        let mut events = Vec::new();
        let text = |name: &str| delta.get(name).and_then(Value::as_str);
        if let Some(thought) = text("reasoning_content") {
            events.extend(self.output.write(Words::Reasoning, thought, None));
        }
        for (name, kind) in [("content", Words::Text), ("refusal", Words::Refusal)] {
            if let Some(text) = text(name) {
                events.extend(self.output.write(kind, text, None));
            }
        }
        for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            events.extend(self.output.call(call, &self.tools));
        }
        if events.is_empty() { Vec::new() } else { self.numbered(events) }
    }

    fn wait(&mut self) -> Vec<Bytes> {
        // the SDKs want `response.created` before anything else
        self.numbered(vec![json!({"type": "keepalive"})])
    }

    fn close(&mut self, end: End) -> Vec<Bytes> {
        let mut events = self.output.close(cut_short(&end.finish).is_none(), &self.tools);
        let response = self.ended(end);
        let kind = format!("response.{}", response["status"].as_str().unwrap_or("completed"));
        events.push(json!({"type": kind, "response": response}));
        self.numbered(events)
    }

    fn fail(&mut self, fault: &Fault) -> Vec<Bytes> {
        let said: Value = serde_json::from_slice(&error::body(fault)).unwrap_or_default();
        let said = &said["error"];
        let mut events = self.output.break_off();
        let mut response = self.object("failed");
        response["error"] = json!({"code": said["code"], "message": said["message"]});
        response["output"] = self.output.items().into();
        // agents read the first, SDKs raise at the second
        let error = json!({"type": "error", "code": said["code"], "message": said["message"], "param": said["param"],
            "error": said});
        events.extend([json!({"type": "response.failed", "response": response}), error]);
        self.numbered(events)
    }

    fn whole(&mut self, end: End) -> Bytes {
        drop(self.output.close(cut_short(&end.finish).is_none(), &self.tools));
        self.ended(end).to_string().into()
    }
}

impl Responses {
    /// The events as frames; the first ones of a stream come with those that open it.
    fn numbered(&mut self, events: Vec<Value>) -> Vec<Bytes> {
        let mut all = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            let begun = self.object("in_progress");
            all.extend(
                ["response.created", "response.in_progress"].map(|kind| json!({"type": kind, "response": begun})),
            );
        }
        all.extend(events);
        let frame = |mut event: Value| {
            event["sequence_number"] = self.number.into();
            self.number += 1;
            format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()).into()
        };
        all.into_iter().map(frame).collect()
    }

    fn object(&self, status: &str) -> Value {
        object::response(&self.title, &self.asked, status)
    }

    /// The response at its end.
    fn ended(&self, end: End) -> Value {
        let short = cut_short(&end.finish);
        let mut response = self.object(if short.is_some() { "incomplete" } else { "completed" });
        if let Some(why) = short {
            response["incomplete_details"] = json!({"reason": why});
        }
        response["output"] = self.output.items().into();
        // the synthesis' own: clients take it for the length of their conversation
        response["usage"] = end.judged.as_ref().map(object::usage).into();
        response["keywheel"] = end.about;
        response["keywheel"]["usage"] = object::usage(&end.spent);
        response
    }
}

/// Why an answer is not all that the synthesis would have said, in the words of this dialect.
fn cut_short(finish: &str) -> Option<&'static str> {
    match finish {
        "length" => Some("max_output_tokens"),
        "content_filter" => Some("content_filter"),
        _ => None,
    }
}
