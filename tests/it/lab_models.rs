//! The models of the offline provider answer as the README says, in every dialect.

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures_util::{StreamExt, stream};
use http::Request;
use keywheel::sim::{Answer, Engine, Step};
use serde_json::{Value, json};

fn answer(engine: &Engine, who: &str, path: &str, body: &Value) -> Answer {
    let request = Request::post(path).header("content-type", "application/json");
    engine.answer(who, request.body(Bytes::from(body.to_string())).expect("a request"))
}

fn whole(path: &str, body: &Value) -> Value {
    let answer = answer(&Engine::offline(), "me", path, body);
    assert_eq!(answer.status, 200, "{:?}", answer.bytes());
    serde_json::from_slice(&answer.bytes()).expect("JSON")
}

/// A stream's events as the SSE parser of another house reads them: name and data.
async fn events(path: &str, body: &Value) -> Vec<(String, String)> {
    let answer = answer(&Engine::offline(), "me", path, body);
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let chunks = answer.steps.into_iter().filter_map(|step| match step {
        Step::Bytes(bytes) => Some(Ok::<_, std::convert::Infallible>(bytes)),
        _ => None,
    });
    let events = stream::iter(chunks).eventsource().map(|event| event.expect("an event"));
    events.map(|event| (event.event, event.data)).collect().await
}

async fn chunks(body: &Value) -> Vec<Value> {
    let mut events = events("/v1/chat/completions", body).await;
    assert_eq!(events.pop().map(|(_, data)| data).as_deref(), Some("[DONE]"));
    events.iter().map(|(_, data)| serde_json::from_str(data).expect("JSON")).collect()
}

fn user(text: &str) -> Value {
    json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "first"},
        {"role": "assistant", "content": "yes"}, {"role": "user", "content": text}])
}

#[test]
fn echo_answers_with_the_last_words_of_the_user() {
    let body = json!({"model": "echo", "messages": user("one  two\nthree"), "temperature": 0.2, "unknown": {}});
    for path in ["/v1/chat/completions", "/chat/completions"] {
        let said = whole(path, &body);
        assert_eq!(said["object"], "chat.completion");
        assert_eq!(said["choices"][0]["message"]["content"], "one  two\nthree");
        assert_eq!(said["choices"][0]["finish_reason"], "stop");
        let usage = &said["usage"];
        assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(7), &json!(4)));
        assert_eq!(usage["total_tokens"], 11);
    }
}

#[tokio::test]
async fn echo_streams_word_by_word_and_counts_at_the_end() {
    let options = json!({"include_usage": true});
    let content = json!([{"type": "text", "text": "one two three"}, {"type": "image_url", "image_url": {}}]);
    let body = json!({"model": "echo", "stream": true, "stream_options": options,
        "messages": [{"role": "user", "content": content}]});
    let chunks = chunks(&body).await;
    let deltas: Vec<_> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(deltas, ["", "one ", "two ", "three "]);
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let (last, others) = chunks.split_last().expect("chunks");
    assert!(others.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
    assert_eq!(others.last().expect("a finish")["choices"][0]["finish_reason"], "stop");
    assert_eq!((&last["choices"], &last["usage"]["prompt_tokens"]), (&json!([]), &json!(3)));
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["model"] == "echo"));
}

#[tokio::test]
async fn without_being_asked_a_stream_holds_no_usage() {
    let chunks = chunks(&json!({"model": "echo", "stream": true, "messages": user("hi")})).await;
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn a_limit_cuts_the_answer_short() {
    for field in ["max_tokens", "max_completion_tokens"] {
        let mut body = json!({"model": "echo", "messages": user("one two three")});
        body[field] = json!(2);
        let said = whole("/v1/chat/completions", &body);
        assert_eq!(said["choices"][0]["message"]["content"], "one two ");
        assert_eq!(
            (&said["choices"][0]["finish_reason"], &said["usage"]["completion_tokens"]),
            (&json!("length"), &json!(2))
        );
    }
}

fn shell() -> Value {
    let text = json!({"type": "string"});
    let properties = json!({"command": text, "description": text, "timeout": {"type": "number"}});
    let schema = json!({"type": "object", "properties": properties, "required": ["command", "description"]});
    json!([{"type": "function", "function": {"name": "aardvark", "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "bash", "description": "run", "parameters": schema}}])
}

#[tokio::test]
async fn tools_calls_the_shell_with_valid_arguments() {
    let body = json!({"model": "tools", "stream": true, "messages": user("what is here?"), "tools": shell()});
    let chunks = chunks(&body).await;
    let calls: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    assert_eq!((&calls[0]["index"], &calls[0]["type"]), (&json!(0), &json!("function")));
    assert_eq!(calls[0]["function"]["name"], "bash");
    assert!(calls[0]["id"].as_str().is_some_and(|id| id.starts_with("call_")));
    assert!(calls[1..].iter().all(|call| call["index"] == 0 && call.get("id").is_none()));
    let arguments: String = calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
    let arguments: Value = serde_json::from_str(&arguments).expect("JSON");
    assert_eq!(arguments, json!({"command": "echo keywheel", "description": "keywheel"}));
    assert_eq!(chunks.last().expect("a finish")["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn tools_quotes_the_result_and_then_stops_calling() {
    let mut messages = user("what is here?");
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "bash", "arguments": "{}"}});
    let turns = messages.as_array_mut().expect("messages");
    turns.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
    turns.push(json!({"role": "tool", "tool_call_id": "call_1", "content": "keywheel\n"}));
    let said = whole("/v1/chat/completions", &json!({"model": "tools", "messages": messages, "tools": shell()}));
    assert_eq!(said["choices"][0]["message"]["content"], "The tool said: keywheel\n");
    assert_eq!(said["choices"][0]["finish_reason"], "stop");
    let plain = whole("/v1/chat/completions", &json!({"model": "tools", "messages": user("no tools")}));
    assert_eq!(plain["choices"][0]["message"]["content"], "no tools");
}

#[test]
fn tools_obeys_the_choice_of_tool_and_fills_odd_schemas() {
    let nested = json!({"type": "object", "required": ["deep"], "properties": {"deep": {"type": "boolean"}}});
    let schema = json!({"type": "object", "required": ["mode", "count", "list", "maybe", "inner"], "properties": {
        "mode": {"type": "string", "enum": ["fast", "slow"]}, "count": {"type": "integer", "minimum": 4},
        "list": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "maybe": {"type": ["string", "null"]}, "inner": {"anyOf": [nested, {"type": "null"}]}}});
    let mut tools = shell();
    tools
        .as_array_mut()
        .expect("tools")
        .push(json!({"type": "function", "function": {"name": "odd", "parameters": schema}}));
    let choice = json!({"type": "function", "function": {"name": "odd"}});
    let mut body = json!({"model": "tools", "messages": user("go"), "tools": tools, "tool_choice": choice});
    let said = whole("/v1/chat/completions", &body);
    let function = &said["choices"][0]["message"]["tool_calls"][0]["function"];
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().expect("text")).expect("JSON");
    let expected =
        json!({"mode": "fast", "count": 4, "list": ["keywheel"], "maybe": "keywheel", "inner": {"deep": false}});
    assert_eq!((&function["name"], arguments), (&json!("odd"), expected));
    body["tool_choice"] = json!("none");
    assert_eq!(whole("/v1/chat/completions", &body)["choices"][0]["message"]["content"], "go");
}

#[tokio::test]
async fn a_response_streams_its_events_in_the_documented_order() {
    let input = json!([{"role": "developer", "content": "be brief"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "one two"}]}]);
    let events = events("/v1/responses", &json!({"model": "echo", "stream": true, "input": input})).await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    let message = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(names, message);
    for (number, (name, data)) in events.iter().enumerate() {
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!((&data["sequence_number"], data["type"].as_str()), (&json!(number), Some(name.as_str())));
    }
    let done: Value = serde_json::from_str(&events[9].1).expect("JSON");
    assert_eq!(done["response"]["output"][0]["content"][0]["text"], "one two");
    assert_eq!(
        done["response"]["usage"],
        json!({"input_tokens": 4, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 6})
    );
}

#[tokio::test]
async fn a_response_calls_tools_too_and_reads_their_output() {
    let schema = json!({"type": "object", "properties": {"command": {"type": "array", "items": {"type": "string"}}},
        "required": ["command"]});
    let tools = json!([{"type": "web_search"}, {"type": "function", "name": "shell", "parameters": schema}]);
    let mut body = json!({"model": "tools", "stream": true, "input": "look", "tools": tools});
    let events = events("/v1/responses", &body).await;
    let done: Value = serde_json::from_str(&events.last().expect("an end").1).expect("JSON");
    let item = &done["response"]["output"][0];
    assert_eq!((&item["type"], &item["name"]), (&json!("function_call"), &json!("shell")));
    assert_eq!(item["arguments"], "{\"command\":[\"echo\",\"keywheel\"]}");
    let deltas = events.iter().filter(|(name, _)| name == "response.function_call_arguments.delta").count();
    assert!(deltas > 0 && events.iter().any(|(name, _)| name == "response.function_call_arguments.done"));
    body["stream"] = json!(false);
    body["input"] = json!([{"role": "user", "content": "look"}, item,
        {"type": "function_call_output", "call_id": item["call_id"], "output": "keywheel"}]);
    assert_eq!(whole("/v1/responses", &body)["output"][0]["content"][0]["text"], "The tool said: keywheel");
}

#[test]
fn a_whole_response_says_when_it_was_cut_short() {
    let said = whole("/v1/responses", &json!({"model": "echo", "input": "one two three", "max_output_tokens": 1}));
    assert_eq!(
        (&said["status"], &said["incomplete_details"]),
        (&json!("incomplete"), &json!({"reason": "max_output_tokens"}))
    );
    assert_eq!(said["output"][0]["content"][0]["text"], "one ");
}

#[tokio::test]
async fn completions_echo_their_prompt() {
    let said = whole("/v1/completions", &json!({"model": "echo", "prompt": "one two"}));
    assert_eq!((&said["object"], &said["choices"][0]["text"]), (&json!("text_completion"), &json!("one two")));
    assert_eq!(said["usage"]["completion_tokens"], 2);
    let mut body = json!({"model": "echo", "prompt": ["one two"], "stream": true});
    body["stream_options"] = json!({"include_usage": true});
    let events = events("/v1/completions", &body).await;
    let texts: Vec<Value> = events.iter().filter_map(|(_, data)| serde_json::from_str(data).ok()).collect();
    let said: String = texts.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!((said.as_str(), &texts.last().expect("usage")["usage"]["total_tokens"]), ("one two", &json!(4)));
    assert_eq!(events.last().map(|(_, data)| data.as_str()), Some("[DONE]"));
}

#[test]
fn embeddings_are_a_function_of_the_text_in_both_encodings() {
    let ask = |format: &str| json!({"model": "echo", "input": ["one", "two", "one"], "encoding_format": format, "dimensions": 16});
    let floats = whole("/v1/embeddings", &ask("float"));
    let rows = floats["data"].as_array().expect("rows");
    assert_eq!((rows.len(), &rows[1]["index"]), (3, &json!(1)));
    assert_eq!(rows[0]["embedding"], rows[2]["embedding"]);
    assert_ne!(rows[0]["embedding"], rows[1]["embedding"]);
    let packed = whole("/v1/embeddings", &ask("base64"));
    let text = packed["data"][0]["embedding"].as_str().expect("base64");
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    let unpacked: Vec<f32> =
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("four bytes"))).collect();
    assert_eq!((unpacked.len(), json!(unpacked)), (16, rows[0]["embedding"].clone()));
    let plain = whole("/v1/embeddings", &json!({"model": "echo", "input": "one"}));
    assert_eq!(plain["data"][0]["embedding"].as_array().map(Vec::len), Some(8));
}

#[test]
fn slow_waits_two_seconds_and_then_300_ms_between_words() {
    let engine = Engine::offline();
    let body = json!({"model": "slow", "stream": true, "messages": user("one two")});
    let answer = answer(&engine, "me", "/v1/chat/completions", &body);
    assert_eq!(answer.delay, Duration::from_secs(2));
    let waits = answer.steps.iter().filter(|step| **step == Step::Wait(Duration::from_millis(300))).count();
    let frames = answer.steps.iter().filter(|step| matches!(step, Step::Bytes(_))).count();
    assert_eq!((frames, waits), (5, 4));
}

#[tokio::test(start_paused = true)]
async fn limited_takes_three_requests_in_ten_seconds_from_each_caller() {
    let engine = Engine::offline();
    let body = json!({"model": "limited", "messages": user("hi")});
    let ask = |who| answer(&engine, who, "/v1/chat/completions", &body);
    for left in ["2", "1", "0"] {
        let answer = ask("a");
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["x-ratelimit-remaining-requests"]),
            (200, &left.parse().expect("a value"))
        );
    }
    tokio::time::advance(Duration::from_millis(2500)).await;
    let refused = ask("a");
    assert_eq!(refused.status, 429);
    let header = |name: &str| refused.headers[name].to_str().expect("text").to_owned();
    assert_eq!(header("retry-after"), "8");
    assert_eq!(header("x-ratelimit-limit-requests"), "3");
    assert_eq!(header("x-ratelimit-remaining-requests"), "0");
    assert_eq!(header("x-ratelimit-reset-requests"), "7.5s");
    assert_eq!(ask("b").status, 200, "each caller has limits of its own");
    tokio::time::advance(Duration::from_millis(7500)).await;
    assert_eq!(ask("a").status, 200);
}

#[test]
fn the_four_models_are_listed_and_no_others_are_known() {
    let engine = Engine::offline();
    let get = |path: &str| {
        let answer = engine.answer("me", Request::get(path).body(Bytes::new()).expect("a request"));
        (answer.status.as_u16(), serde_json::from_slice::<Value>(&answer.bytes()).expect("JSON"))
    };
    let (status, list) = get("/v1/models");
    let ids: Vec<&str> = list["data"].as_array().expect("rows").iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!((status, ids), (200, vec!["echo", "tools", "slow", "limited"]));
    assert_eq!(get("/models/slow").1["id"], "slow");
    assert_eq!(get("/v1/models/gpt").0, 404);
    let missing = answer(&engine, "me", "/v1/chat/completions", &json!({"model": "gpt", "messages": []}));
    assert_eq!(missing.status, 404);
}
