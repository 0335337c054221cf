//! The objects of the dialect: a response, its items, what it used.

use serde_json::{Map, Value, json};

use super::super::Title;
use super::Words;
use super::tools::Callee;
use crate::kit::Usage;

/// An item of the output while it grows.
pub(super) struct Item {
    pub(super) id: String,
    pub(super) what: What,
    /// Its text, or the arguments of the call.
    pub(super) text: String,
    /// `in_progress`, `completed`, `incomplete`.
    pub(super) status: &'static str,
}

/// What an item is.
pub(super) enum What {
    Words(Words),
    Call {
        /// Its number in the chunks of the synthesis.
        index: u64,
        call_id: String,
        callee: Callee,
    },
}

impl Item {
    /// As it stands in the output, and in the events that begin and end it.
    pub(super) fn json(&self) -> Value {
        let Self { id, what, text, status } = self;
        let empty = *status == "in_progress";
        match what {
            What::Words(kind) => {
                let parts = if empty { json!([]) } else { json!([part(*kind, text)]) };
                match kind {
                    Words::Reasoning => json!({"id": id, "type": "reasoning", "summary": parts, "status": status}),
                    Words::Text | Words::Refusal => {
                        json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": parts})
                    }
                }
            }
            What::Call { call_id, callee, .. } => {
                let said = if empty { String::new() } else { callee.said(text) };
                let (kind, member) = callee.kind();
                let mut item =
                    json!({"id": id, "type": kind, "status": status, "call_id": call_id, "name": callee.name});
                item[member] = said.into();
                if let Some(namespace) = &callee.namespace {
                    item["namespace"] = namespace.as_str().into();
                }
                item
            }
        }
    }
}

/// The part of an item that holds its text.
pub(super) fn part(kind: Words, text: &str) -> Value {
    match kind {
        Words::Reasoning => json!({"type": "summary_text", "text": text}),
        Words::Text => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
        Words::Refusal => json!({"type": "refusal", "refusal": text}),
    }
}

/// A response without output and usage; it repeats its request.
pub(super) fn response(title: &Title, asked: &Map<String, Value>, status: &str) -> Value {
    let Title { id, created, model } = title;
    let mut response = json!({"id": format!("resp_{id}"), "object": "response", "created_at": created,
        "status": status, "background": false, "error": null, "incomplete_details": null, "instructions": null,
        "max_output_tokens": null, "model": model, "output": [], "parallel_tool_calls": true,
        "previous_response_id": null, "reasoning": {"effort": null, "summary": null}, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "user": null, "metadata": {}, "usage": null});
    for (name, value) in asked {
        response[name.as_str()] = value.clone();
    }
    // whatever was asked for: nothing of it can be fetched again
    response["store"] = false.into();
    response
}

/// What calls took, in the words of this dialect.
pub(super) fn usage(spent: &Usage) -> Value {
    let [_, cached, written, _, reasoning] = spent.sums();
    json!({"input_tokens": spent.total_input(),
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": spent.total_output(), "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": spent.total()})
}
