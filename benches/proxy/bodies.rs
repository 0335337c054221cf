//! The bytes that go to and fro: requests as clients write them, answers as providers do.

use bytes::Bytes;
use serde_json::{Value, json};

use super::work::{CHUNKS, Work};

/// The request of a kind of work. The gateway splices the model in each of them: its provider knows it without `bench/`.
pub(crate) fn request(work: Work) -> Bytes {
    match work {
        Work::Small => small(),
        Work::Large => agent(),
        Work::Burst | Work::Paced => stream(work),
    }
    .into()
}

/// Exactly 232 bytes.
fn small() -> String {
    let said = "In one short sentence: what does a reverse proxy do, and why would a person put one in front of several \
                accounts of a model provider that are theirs?";
    let body = json!({ "messages": [{ "role": "user", "content": said }], "model": "bench/small", "temperature": 0.5 });
    body.to_string()
}

fn stream(work: Work) -> String {
    let said = "Write a haiku about connections.";
    let model = format!("bench/{}", work.name());
    json!({ "messages": [{ "role": "user", "content": said }], "model": model, "stream": true }).to_string()
}

/// What a coding agent sends late in a session: a long system prompt, its tools, and turns full of escaped source text.
fn agent() -> String {
    let rule = "Prefer small changes. Read a file before you change it. Run the tests, and say what they proved.\n";
    let mut messages = vec![json!({ "role": "system", "content": rule.repeat(120) })];
    messages.push(json!({ "role": "user", "content": "Find out why the second frame of a stream arrives late." }));
    for turn in 0..30 {
        let call = format!("call_{turn:024}");
        let arguments = json!({ "path": format!("src/gateway/part_{turn}.rs"), "offset": turn * 40 }).to_string();
        let called = json!({ "id": call, "type": "function", "function": { "name": "read", "arguments": arguments } });
        messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [called] }));
        messages.push(json!({ "role": "tool", "tool_call_id": call, "content": source(turn) }));
    }
    json!({ "model": "bench/large", "max_tokens": 4096, "messages": messages, "tools": tools() }).to_string()
}

/// A piece of source text, with the quotes, tabs and line ends that JSON escapes.
fn source(turn: usize) -> String {
    let line = |at: usize| {
        let number = turn * 120 + at;
        format!("{number:05}\t\tlet part_{at} = map.get(\"key {number}\").unwrap_or(&\"none\"); // naïve\n")
    };
    (0..74).map(line).collect()
}

fn tools() -> Vec<Value> {
    let tool = |name: &str| {
        let about = format!("Use `{name}` when the task needs it; it returns text, cut after 2,000 lines. ").repeat(8);
        let path = json!({ "type": "string", "description": "An absolute path." });
        let offset = json!({ "type": "integer", "minimum": 0 });
        let parameters = json!({ "type": "object", "properties": { "path": path, "offset": offset } });
        json!({ "type": "function", "function": { "name": name, "description": about, "parameters": parameters } })
    };
    ["read", "write", "edit", "glob", "grep", "bash", "fetch", "todo", "task", "patch"].map(tool).to_vec()
}

/// The answer to small and large requests.
pub(crate) fn answer() -> Bytes {
    let said =
        "A reverse proxy stands in front of servers and passes requests on, so accounts can be chosen per request.";
    let message = json!({ "role": "assistant", "content": said, "refusal": null });
    let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" });
    let usage = json!({ "prompt_tokens": 31, "completion_tokens": 24, "total_tokens": 55 });
    json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_700_000_000, "model": "small",
        "choices": [choice], "usage": usage
    })
    .to_string()
    .into()
}

/// The frames of a streamed answer, `[DONE]` last.
pub(crate) fn frames() -> Vec<Bytes> {
    let frame = |at: usize| {
        let last = at + 1 == CHUNKS;
        let delta = if last { json!({}) } else { json!({ "content": format!(" word{at}") }) };
        let finish = if last { Value::from("stop") } else { Value::Null };
        let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        let chunk = json!({
            "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "burst",
            "system_fingerprint": "fp_bench", "choices": [choice]
        });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    (0..CHUNKS).map(frame).chain([Bytes::from_static(b"data: [DONE]\n\n")]).collect()
}
