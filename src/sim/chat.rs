//! Chat and plain completions, written as OpenAI documents them; personas add to them.

use serde_json::{Value, json};

use super::model::{Turn, Usage, words};

/// What stands at the top of every object of one answer.
pub(crate) struct Head {
    /// The number of the answer; ids are made of it.
    pub number: u64,
    /// Seconds since the Unix epoch.
    pub created: i64,
    /// The model that answers.
    pub model: String,
}

impl Head {
    /// The id of the one tool call in this answer.
    pub(crate) fn call_id(&self) -> String {
        format!("call_sim{}", self.number)
    }

    /// A chunk with these choices.
    pub(crate) fn chunk(&self, choices: Value) -> Value {
        json!({"id": format!("chatcmpl-sim{}", self.number), "object": "chat.completion.chunk",
            "created": self.created, "model": self.model, "choices": choices})
    }

    fn delta(&self, delta: Value, finish: Option<&str>) -> Value {
        self.chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]))
    }
}

/// Why the turn ended.
pub(crate) fn finish(turn: &Turn) -> &'static str {
    match (&turn.call, turn.cut_short) {
        (Some(_), _) => "tool_calls",
        (None, true) => "length",
        (None, false) => "stop",
    }
}

/// The chunks of a stream up to the one with the finish reason.
pub(crate) fn chunks(head: &Head, turn: &Turn) -> Vec<Value> {
    let opening = if turn.call.is_some() { Value::Null } else { json!("") };
    let mut chunks = vec![head.delta(json!({"role": "assistant", "content": opening}), None)];
    let thoughts = turn.thoughts.iter().flat_map(|text| words(text));
    chunks.extend(thoughts.map(|word| head.delta(json!({"reasoning_content": word}), None)));
    chunks.extend(words(&turn.text).into_iter().map(|word| head.delta(json!({"content": word}), None)));
    if let Some(call) = &turn.call {
        let begun = json!({"index": 0, "id": head.call_id(), "type": "function",
            "function": {"name": call.name, "arguments": ""}});
        chunks.push(head.delta(json!({"tool_calls": [begun]}), None));
        chunks.extend(
            words(&call.arguments)
                .into_iter()
                .map(|piece| head.delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), None)),
        );
    }
    chunks.push(head.delta(json!({}), Some(finish(turn))));
    chunks
}

/// The whole answer.
pub(crate) fn whole(head: &Head, turn: &Turn, usage: &Value) -> Value {
    let content = if turn.call.is_some() { Value::Null } else { json!(turn.text) };
    let mut message = json!({"role": "assistant", "content": content, "refusal": null});
    if let Some(thoughts) = &turn.thoughts {
        message["reasoning_content"] = json!(thoughts);
    }
    if let Some(call) = &turn.call {
        let function = json!({"name": call.name, "arguments": call.arguments});
        message["tool_calls"] = json!([{"id": head.call_id(), "type": "function", "function": function}]);
    }
    json!({"id": format!("chatcmpl-sim{}", head.number), "object": "chat.completion", "created": head.created,
        "model": head.model, "usage": usage,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(turn)}]})
}

/// Usage as OpenAI counts: reasoning is part of the completion.
pub(crate) fn usage(usage: Usage) -> Value {
    let completion = usage.visible + usage.reasoning;
    json!({"prompt_tokens": usage.prompt, "completion_tokens": completion, "total_tokens": usage.prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
}

/// The same answer in the older completions dialect: whole, or as the chunks of a stream.
pub(crate) mod plain {
    use super::{Head, Turn, Value, finish, json, words};

    fn object(head: &Head, text: &str, finish: Option<&str>) -> Value {
        json!({"id": format!("cmpl-sim{}", head.number), "object": "text_completion", "created": head.created,
            "model": head.model,
            "choices": [{"text": text, "index": 0, "logprobs": null, "finish_reason": finish}]})
    }

    /// The chunks of a stream.
    pub(crate) fn chunks(head: &Head, turn: &Turn) -> Vec<Value> {
        let spoken = words(&turn.text).into_iter().map(|word| object(head, word, None));
        spoken.chain([object(head, "", Some(finish(turn)))]).collect()
    }

    /// The whole answer.
    pub(crate) fn whole(head: &Head, turn: &Turn, usage: &Value) -> Value {
        let mut answer = object(head, &turn.text, Some(finish(turn)));
        answer["usage"] = usage.clone();
        answer
    }
}
