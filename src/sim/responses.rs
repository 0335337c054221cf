//! The responses dialect: the object, and the events that lead to it, in the order OpenAI documents.

use bytes::Bytes;
use serde_json::{Value, json};

use super::chat::Head;
use super::model::{ToolCall, Turn, words};

/// The finished response.
pub(crate) fn whole(head: &Head, turn: &Turn) -> Value {
    let item = match &turn.call {
        Some(call) => call_item(head, call, Stage::Done),
        None => message_item(head, &turn.text, Stage::Done),
    };
    let mut response = object(head, if turn.cut_short { "incomplete" } else { "completed" });
    response["output"] = json!([item]);
    if turn.cut_short {
        response["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
    let output = turn.usage.visible + turn.usage.reasoning;
    response["usage"] = json!({"input_tokens": turn.usage.prompt, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output, "output_tokens_details": {"reasoning_tokens": turn.usage.reasoning},
        "total_tokens": turn.usage.prompt + output});
    response
}

/// The events of a stream, each as one frame.
pub(crate) fn events(head: &Head, turn: &Turn) -> Vec<Bytes> {
    let begun = object(head, "in_progress");
    let mut events = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
    ];
    match &turn.call {
        Some(call) => call_events(head, call, &mut events),
        None => message_events(head, &turn.text, &mut events),
    }
    let end = if turn.cut_short { "response.incomplete" } else { "response.completed" };
    events.push(json!({"type": end, "response": whole(head, turn)}));
    let numbered = events.into_iter().enumerate().map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()).into()
    });
    numbered.collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Begun,
    Done,
}

impl Stage {
    const fn word(self) -> &'static str {
        match self {
            Self::Begun => "in_progress",
            Self::Done => "completed",
        }
    }
}

fn object(head: &Head, status: &str) -> Value {
    json!({"id": format!("resp_sim{}", head.number), "object": "response", "created_at": head.created,
        "status": status, "background": false, "error": null, "incomplete_details": null, "instructions": null,
        "max_output_tokens": null, "model": head.model, "output": [], "parallel_tool_calls": true,
        "previous_response_id": null, "reasoning": {"effort": null, "summary": null}, "store": false,
        "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": null, "user": null, "metadata": {}})
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn message_item(head: &Head, text: &str, stage: Stage) -> Value {
    let content = if stage == Stage::Done { json!([text_part(text)]) } else { json!([]) };
    json!({"id": format!("msg_sim{}", head.number), "type": "message", "status": stage.word(), "role": "assistant",
        "content": content})
}

fn call_item(head: &Head, call: &ToolCall, stage: Stage) -> Value {
    let arguments = if stage == Stage::Done { call.arguments.as_str() } else { "" };
    json!({"id": format!("fc_sim{}", head.number), "type": "function_call", "status": stage.word(),
        "call_id": head.call_id(), "name": call.name, "arguments": arguments})
}

fn message_events(head: &Head, text: &str, events: &mut Vec<Value>) {
    let place = |kind: &str| json!({"type": kind, "item_id": format!("msg_sim{}", head.number), "output_index": 0, "content_index": 0});
    let with = |kind: &str, key: &str, value: Value| {
        let mut event = place(kind);
        event[key] = value;
        event
    };
    events.push(item_event("added", message_item(head, text, Stage::Begun)));
    events.push(with("response.content_part.added", "part", text_part("")));
    events.extend(words(text).into_iter().map(|word| {
        let mut event = with("response.output_text.delta", "delta", json!(word));
        event["logprobs"] = json!([]);
        event
    }));
    let mut done = with("response.output_text.done", "text", json!(text));
    done["logprobs"] = json!([]);
    events.push(done);
    events.push(with("response.content_part.done", "part", text_part(text)));
    events.push(item_event("done", message_item(head, text, Stage::Done)));
}

fn call_events(head: &Head, call: &ToolCall, events: &mut Vec<Value>) {
    let id = format!("fc_sim{}", head.number);
    events.push(item_event("added", call_item(head, call, Stage::Begun)));
    events.extend(words(&call.arguments).into_iter().map(|piece| {
        json!({"type": "response.function_call_arguments.delta", "item_id": id, "output_index": 0, "delta": piece})
    }));
    events.push(json!({"type": "response.function_call_arguments.done", "item_id": id, "output_index": 0,
        "name": call.name, "arguments": call.arguments}));
    events.push(item_event("done", call_item(head, call, Stage::Done)));
}

fn item_event(step: &str, item: Value) -> Value {
    json!({"type": format!("response.output_item.{step}"), "output_index": 0, "item": item})
}
