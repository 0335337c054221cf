//! Masked prompts: the provider sees placeholders, the client its own words again, however the answer is cut.

use bytes::Bytes;
use keywheel::config::Redact;
use keywheel::kit::{Kind, Secret};
use keywheel::redact::{Known, Redacted, Restorer, Unsent, pass};
use keywheel::wire::{Call, Json, Payload};
use serde_json::{Value, json};

use crate::redact::plain;

/// Secrets of several kinds; the third one has to be escaped in JSON.
const MAIL: &str = "jane.doe@example.org";
const CARD: &str = "4111 1111 1111 1111";
const VAULT: &str = "kw \"vault\"\n\\ secret/é";

fn known() -> Known {
    let known = Known::default();
    known.learn(&Secret::new(VAULT));
    known
}

fn call(body: impl Into<Bytes>) -> Call {
    let body = body.into();
    let payload = Json::parse(body.clone()).map_or(Payload::Raw(body), Payload::Json);
    Call { payload, ..plain() }
}

fn masked(body: &Value) -> (Redacted, Value) {
    let call = pass(call(body.to_string()), Redact::Mask, &known()).expect("masked");
    let sent = serde_json::from_slice(&call.splice(&[]).joined()).expect("JSON");
    (call, sent)
}

fn spoken() -> String {
    format!("Write to {MAIL}, pay with {CARD} and say {VAULT}; then [once more] to {MAIL}.")
}

fn prompt() -> Value {
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": spoken()}]})
}

#[test]
fn the_same_secret_has_the_same_placeholder_and_nothing_else_changes() {
    let (_, sent) = masked(&prompt());
    let words = "Write to [email-1], pay with [card-1] and say [secret-1]; then [once more] to [email-1].";
    assert_eq!(sent, json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": words}]}));
    let written = format!("{{ \"n\":1.10, \"é\" : \"\\u00e9\\/ {MAIL}\",\n\"id\":\"{MAIL}\" }}");
    let call = pass(call(written), Redact::Mask, &known()).expect("masked");
    let sent = call.splice(&[]).joined();
    assert_eq!(sent, format!("{{ \"n\":1.10, \"é\" : \"\\u00e9\\/ [email-1]\",\n\"id\":\"{MAIL}\" }}"));
}

#[test]
fn a_placeholder_is_unlike_anything_that_the_client_wrote() {
    let (_, sent) = masked(&json!({"input": format!("[email-1] is not {MAIL}")}));
    assert_eq!(sent["input"], "[email-1] is not [email-2]");
}

#[test]
fn a_field_is_known_by_its_key() {
    let (_, sent) =
        masked(&json!({"messages": [{"input": {"password": "tr0ub4dor", "pass": "x", "city": "tr0ub4dor"}}]}));
    assert_eq!(sent["messages"][0]["input"]["password"], "[password-1]");
    assert_eq!(sent["messages"][0]["input"]["city"], "tr0ub4dor");
}

#[test]
fn arguments_of_tools_are_json_within_json_on_both_ways() {
    let inside = json!({"to": MAIL, "say": VAULT}).to_string();
    let body =
        json!({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": inside}}]}]});
    let (call, sent) = masked(&body);
    let arguments = sent["messages"][0]["tool_calls"][0]["function"]["arguments"].as_str().expect("text");
    assert_eq!(arguments, r#"{"to":"[email-1]","say":"[secret-1]"}"#);
    let answer = json!({"choices": [{"message": {"content": "[secret-1]", "tool_calls": [
        {"function": {"name": "f", "arguments": arguments}}]}}]});
    let mut restorer = Restorer::whole(call.masks().expect("masks"));
    let text = answer.to_string();
    let (head, tail) = text.split_at(text.find("et-1").expect("a placeholder"));
    let out = [restorer.push(head.as_bytes()), restorer.push(tail.as_bytes()), restorer.end()].concat();
    let back: Value = serde_json::from_slice(&out).expect("JSON");
    let message = &back["choices"][0]["message"];
    assert_eq!(message["content"], VAULT);
    let said: Value =
        serde_json::from_str(message["tool_calls"][0]["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(said, json!({"to": MAIL, "say": VAULT}));
}

/// A text in bits of so many characters.
fn bits(text: &str, size: usize) -> Vec<String> {
    text.chars().collect::<Vec<_>>().chunks(size).map(|bit| bit.iter().collect()).collect()
}

/// A stream that says these words, then calls a tool with these arguments, in two choices at once.
fn stream(words: &str, arguments: &str, size: usize) -> String {
    let frame = |index: usize, delta: Value, finish: Value| {
        let chunk = json!({"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let mut out = String::new();
    for bit in bits(words, size) {
        for index in 0..2 {
            out += &frame(index, json!({"content": bit}), Value::Null);
        }
    }
    for bit in bits(arguments, size) {
        let call = json!({"tool_calls": [{"index": 0, "function": {"arguments": bit}}]});
        out += &frame(0, call, Value::Null);
    }
    for index in 0..2 {
        out += &frame(index, json!({}), json!("stop"));
    }
    out + "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\ndata: [DONE]\n\n"
}

/// What a client makes of a stream: the words of both choices, and the arguments.
fn heard(stream: &[u8]) -> (String, String, String) {
    let text = std::str::from_utf8(stream).expect("UTF-8");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let (mut words, mut arguments) = ([String::new(), String::new()], String::new());
    for data in text.split("\n\n").filter_map(|frame| frame.strip_prefix("data: ")).filter(|data| *data != "[DONE]") {
        let chunk: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        for choice in chunk["choices"].as_array().expect("choices") {
            let index = choice["index"].as_u64().expect("an index") as usize;
            words[index] += choice["delta"]["content"].as_str().unwrap_or_default();
            arguments += choice["delta"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap_or_default();
        }
    }
    let [first, second] = words;
    (first, second, arguments)
}

#[test]
fn a_stream_is_restored_wherever_tokens_and_chunks_are_cut() {
    let (call, sent) = masked(&prompt());
    let words = sent["messages"][0]["content"].as_str().expect("text").to_owned() + " [email-";
    let arguments = json!({"to": "[email-1]", "say": "[secret-1]"}).to_string();
    let said = (spoken() + " [email-", json!({"to": MAIL, "say": VAULT}));
    let restored = |chunks: &[&[u8]]| {
        let mut restorer = Restorer::events(call.masks().expect("masks"));
        let mut out: Vec<u8> = chunks.iter().flat_map(|chunk| restorer.push(chunk)).collect();
        out.extend(restorer.end());
        let (first, second, arguments) = heard(&out);
        assert_eq!((&first, &second), (&said.0, &said.0));
        assert_eq!(serde_json::from_str::<Value>(&arguments).expect("JSON"), said.1);
    };
    for size in 1..12 {
        let stream = stream(&words, &arguments, size);
        restored(&[stream.as_bytes()]);
        restored(&stream.as_bytes().chunks(1).collect::<Vec<_>>());
    }
    let stream = stream(&words, &arguments, 7);
    for cut in 0..stream.len() {
        let (head, tail) = stream.as_bytes().split_at(cut);
        restored(&[head, tail]);
    }
}

#[test]
fn the_events_of_responses_are_restored_too() {
    let (call, _) = masked(&prompt());
    let event = |kind: &str, rest: Value| {
        let mut body = json!({"type": kind, "item_id": "i", "output_index": 0});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        format!("event: {kind}\ndata: {body}\n\n")
    };
    let mut stream: String =
        ["to [", "email", "-1]", " now"].map(|bit| event("response.output_text.delta", json!({"delta": bit}))).concat();
    stream += &["{\"a\":\"[sec", "ret-1]\"}"]
        .map(|bit| event("response.function_call_arguments.delta", json!({"delta": bit})))
        .concat();
    stream += &event("response.function_call_arguments.done", json!({"arguments": "{\"a\":\"[secret-1]\"}"}));
    stream += &event("response.output_text.done", json!({"text": "to [email-1] now"}));
    let mut restorer = Restorer::events(call.masks().expect("masks"));
    let out = [restorer.push(stream.as_bytes()), restorer.end()].concat();
    let out = String::from_utf8(out).expect("UTF-8");
    let (mut words, mut arguments, mut done) = (String::new(), String::new(), Vec::new());
    for data in out.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(data).expect("JSON");
        match event["type"].as_str().unwrap() {
            "response.output_text.delta" => words += event["delta"].as_str().unwrap(),
            "response.function_call_arguments.delta" => arguments += event["delta"].as_str().unwrap(),
            "response.output_text.done" => done.push(event["text"].clone()),
            _ => done.push(event["arguments"].clone()),
        }
    }
    let inside = json!({"a": VAULT}).to_string();
    assert_eq!((words.as_str(), arguments.as_str()), (&*format!("to {MAIL} now"), &*inside));
    assert_eq!(done, [json!(inside), json!(format!("to {MAIL} now"))]);
}

#[test]
fn what_begins_no_placeholder_waits_for_nothing() {
    let (call, _) = masked(&prompt());
    let mut restorer = Restorer::events(call.masks().expect("masks"));
    for bit in ["see ", "[", "link]", "(x)", "[em", "dash]"] {
        let frame = format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": bit}}]}));
        let out = String::from_utf8(restorer.push(frame.as_bytes())).expect("UTF-8");
        assert_eq!(out.is_empty(), bit == "[" || bit == "[em", "{bit}: {out}");
    }
    assert!(restorer.end().is_empty());
}

#[test]
fn a_blocked_call_hears_the_rule_and_the_place_and_never_the_value() {
    let body = json!({"messages": [{"content": "hi"}, {"content": [{"type": "text", "text": format!("to {MAIL}")}]}]});
    let fault = pass(call(body.to_string()), Redact::Block, &known()).err().expect("refused");
    assert_eq!((fault.kind, fault.code.as_deref()), (Kind::Invalid(400), Some("secret_in_prompt")));
    assert_eq!(fault.param.as_deref(), Some("messages[1].content[0].text"));
    assert!(fault.message.contains("email at messages[1].content[0].text"), "{fault}");
    assert!(!format!("{fault:?}").contains("jane"), "{fault:?}");
    let clean = json!({"messages": [{"content": "nothing to hide"}]});
    assert!(pass(call(clean.to_string()), Redact::Block, &known()).is_ok());
}

#[test]
fn a_body_in_which_no_placeholder_could_be_undone_is_refused_where_it_holds_a_secret() {
    for policy in [Redact::Mask, Redact::Block] {
        assert!(pass(call(format!("--form {MAIL}")), policy, &known()).is_err());
        assert!(pass(call("--form"), policy, &known()).is_ok());
    }
    let upload = keywheel::wire::call::Upload { bytes: Box::pin(futures_util::stream::empty()), length: None };
    let upload = Call { payload: Payload::Upload(upload), ..call("x") };
    assert_eq!(
        pass(upload, Redact::Mask, &known()).err().and_then(|fault| fault.code).as_deref(),
        Some("redaction_failed")
    );
}

#[test]
fn each_route_of_a_call_has_its_own_policy() {
    let written = prompt().to_string();
    let mut unsent = Unsent::new(call(written.clone()));
    for policy in [Redact::Mask, Redact::Off, Redact::Mask, Redact::Off] {
        let passed = unsent.pass(policy, &known()).expect("passed");
        let sent = String::from_utf8(passed.splice(&[]).joined().to_vec()).expect("UTF-8");
        assert_eq!(sent == written, policy == Redact::Off);
        assert_eq!(sent.contains(MAIL), policy == Redact::Off);
        assert_eq!(passed.masks().is_some(), policy == Redact::Mask);
    }
    assert!(unsent.pass(Redact::Block, &known()).is_err());
}
