//! Dialectics over `/v1/responses`, and the old `/v1/completions`: what of a request the legs and the judge are sent, and what becomes of their words.
//! What is the same in every dialect stands in `e2e_dialectics`.

use std::time::Duration;

use keywheel::sim::Script;
use keywheel::sim::lab::Seen;
use serde_json::{Value, json};

use crate::dialectics_rig::{QUESTION, RESPONSES, Trio, WAYS, Way, body, read, speech, spoken};
use crate::e2e_rig::text;
use crate::support::client::{End, Frame};

const COMPLETIONS: &str = "/v1/completions";
const STREAM: Way = Way { path: RESPONSES, stream: true };

/// The body of the only call of a lab.
fn sent(calls: &[Seen]) -> Value {
    assert_eq!(calls.len(), 1);
    serde_json::from_slice(&calls[0].body).expect("JSON")
}

/// A judge's stream of these deltas.
fn judged(deltas: &[Value], finish: &str) -> Script {
    let chunk = |delta: &Value, finish: Value| {
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "finish_reason": finish, "delta": delta}]}))
    };
    let mut frames: Vec<String> = deltas.iter().map(|delta| chunk(delta, Value::Null)).collect();
    frames.extend([chunk(&json!({}), json!(finish)), "data: [DONE]\n\n".to_owned()]);
    Script::events(frames)
}

/// A list of so many namespaces, each with so many tools.
fn crowd(namespaces: usize, tools: usize) -> Value {
    let tool = |at: usize| json!({"type": "function", "name": format!("t{at}"), "parameters": {}});
    let tools: Vec<Value> = (0..tools).map(tool).collect();
    let namespace = |at: usize| json!({"type": "namespace", "name": format!("n{at}"), "tools": tools});
    (0..namespaces).map(namespace).collect::<Vec<_>>().into()
}

/// What an agent sends in the middle of its work: tools of every sort, pictures, a turn with calls and their results.
fn an_agents_request() -> Value {
    let mut asked = body("duel", STREAM);
    asked["instructions"] = json!("be brief");
    asked["reasoning"] = json!({"effort": "high", "summary": "auto"});
    asked["max_output_tokens"] = json!(500);
    asked["temperature"] = json!(0.5);
    asked["include"] = json!(["reasoning.encrypted_content"]);
    asked["client_metadata"] = json!({"folder": "/home/me"});
    asked["store"] = json!(false);
    asked["text"] =
        json!({"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": true}});
    asked["input"] = json!([
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "what is this?"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "let me look"}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "namespace": "eyes", "arguments": "{\"at\":1}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** a"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "a cloud"},
            {"type": "input_image", "image_url": "data:image/png;base64,BBBB"}]},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "done"},
    ]);
    asked["tools"] = json!([
        {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": false},
        {"type": "namespace", "name": "eyes", "tools": [{"type": "function", "name": "look", "parameters": {}}]},
        {"type": "custom", "name": "patch", "description": "edits", "format": {"type": "grammar", "syntax": "lark",
            "definition": "start: A"}},
        {"type": "web_search", "external_web_access": true},
    ]);
    asked["tool_choice"] = json!({"type": "function", "name": "weather"});
    asked
}

#[tokio::test]
async fn a_request_with_pictures_and_the_results_of_tools_reaches_every_leg_in_the_words_of_chat() {
    for (lines, legs_have_tools) in [("", false), ("tools = \"all\"", true)] {
        let trio = Trio::start(lines);
        trio.say("a cloud", "a sheep", "a cloud like a sheep", Duration::ZERO);
        let answer = trio.keywheel.client().post(RESPONSES, &an_agents_request()).await;
        assert_eq!((answer.status, answer.header("x-keywheel-left-out")), (200, "web_search"));
        let response = spoken(answer).await;
        assert_eq!((&response["instructions"], &response["store"]), (&json!("be brief"), &json!(false)));
        let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        let picture = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
        let mut seen = picture("data:image/png;base64,AAAA");
        seen["image_url"]["detail"] = json!("low");
        let expected = json!([
            {"role": "system", "content": "be brief"},
            {"role": "system", "content": "rules"},
            {"role": "user", "content": [{"type": "text", "text": "what is this?"}, seen]},
            {"role": "assistant", "content": "let me look", "tool_calls":
                [call("c1", "eyes__look", "{\"at\":1}"), call("c2", "patch", "{\"input\":\"*** a\"}")]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cloud"},
            {"role": "tool", "tool_call_id": "c2", "content": "done"},
            {"role": "user", "content": [{"type": "text", "text": "This came with the results of the tools:"},
                picture("data:image/png;base64,BBBB")]},
        ]);
        for (lab, judges) in [(&trio.one, false), (&trio.two, false), (&trio.judge, true)] {
            let sent = sent(&Trio::calls(lab));
            let messages = sent["messages"].as_array().expect("messages");
            let around = usize::from(judges);
            assert_eq!(json!(messages[1..messages.len() - around]), expected, "between the brief and the material");
            assert_eq!(sent["temperature"], 0.5);
            assert_eq!((&sent["max_completion_tokens"], &sent["reasoning_effort"]), (&json!(500), &json!("high")));
            for gone in ["input", "instructions", "include", "client_metadata", "store", "text", "reasoning"] {
                assert!(sent[gone].is_null(), "{gone}");
            }
            assert_eq!(sent["response_format"]["json_schema"]["name"].is_string(), judges);
            assert_eq!(sent["tools"].is_array(), judges || legs_have_tools);
        }
        let sent = sent(&Trio::calls(&trio.judge));
        let tools = sent["tools"].as_array().expect("tools");
        let names: Vec<&str> = tools.iter().map(|tool| text(&tool["function"]["name"])).collect();
        assert_eq!(names, ["weather", "eyes__look", "patch"]);
        assert!(text(&tools[2]["function"]["description"]).contains("start: A"), "{tools:?}");
        assert_eq!(sent["tool_choice"], json!({"type": "function", "function": {"name": "weather"}}));
    }
}

#[tokio::test]
async fn of_many_tools_that_no_leg_can_be_sent_the_first_kinds_are_named() {
    let trio = Trio::start("");
    trio.say("yes", "no", "well", Duration::ZERO);
    let mut asked = body("duel", STREAM);
    let kinds: Vec<String> = (0..512).map(|at| format!("hosted_{at}\n{}", "x".repeat(at))).collect();
    asked["tools"] = kinds.iter().map(|kind| json!({"type": kind})).collect::<Vec<_>>().into();
    let answer = trio.keywheel.client().post(RESPONSES, &asked).await;
    let named = answer.header("x-keywheel-left-out");
    assert_eq!((answer.status, named.split(", ").count(), named.len() < 1200), (200, 16, true), "{named}");
    assert!(named.starts_with("hosted_0, hosted_1x, "), "{named}");
    assert!(sent(&Trio::calls(&trio.one))["tools"].is_null());
}

#[tokio::test]
async fn what_a_turn_says_between_its_calls_and_their_results_stands_beside_the_calls() {
    let trio = Trio::start("");
    trio.say("yes", "no", "well", Duration::ZERO);
    let mut asked = body("duel", STREAM);
    let say = |text: &str| json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]});
    asked["input"] = json!([
        {"role": "user", "content": "look"},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        say("I look"),
        say("closely"),
        {"type": "function_call_output", "call_id": "c1", "output": "a cloud"},
        say("it is a cloud"),
    ]);
    let answer = trio.keywheel.client().post(RESPONSES, &asked).await;
    assert_eq!(answer.status, 200);
    spoken(answer).await;
    let call = json!({"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}});
    let messages = sent(&Trio::calls(&trio.one))["messages"].as_array().expect("messages").clone();
    assert_eq!(
        json!(messages[1..]),
        json!([
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": "I look\nclosely", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cloud"},
            {"role": "assistant", "content": "it is a cloud"},
        ])
    );
}

#[tokio::test]
async fn a_call_begins_with_its_whole_name_and_without_arguments_it_has_an_empty_object() {
    let trio = Trio::start("");
    let part = |index: u64, more: Value| json!({"tool_calls": [{"index": index, "function": more}]});
    let deltas = [
        part(0, json!({"arguments": ""})),
        part(0, json!({"name": "eyes__"})),
        part(0, json!({"name": "look"})),
        part(0, json!({"arguments": "{\"at\""})),
        part(0, json!({"arguments": ":1}"})),
        part(1, json!({"name": "weather", "arguments": ""})),
    ];
    trio.one.on("one").then(speech("a cloud"));
    trio.two.on("two").then(speech("a sheep"));
    trio.judge.on("judge").then(judged(&deltas, "tool_calls"));
    let response = spoken(trio.keywheel.client().post(RESPONSES, &an_agents_request()).await).await;
    let called = |at: usize| ["name", "namespace", "arguments"].map(|name| response["output"][at][name].clone());
    assert_eq!(called(1), [json!("look"), json!("eyes"), json!("{\"at\":1}")], "{response}");
    assert_eq!(called(2), [json!("weather"), Value::Null, json!("{}")], "{response}");
}

#[tokio::test]
async fn the_calls_of_the_synthesis_are_items_of_the_tools_that_the_client_knows() {
    let trio = Trio::start("");
    let part = |index: u64, id: Value, name: Value, arguments: &str| {
        json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": arguments}}]})
    };
    let deltas = [
        json!({"reasoning_content": "hm"}),
        json!({"content": "I look "}),
        json!({"content": "twice"}),
        part(0, json!("c7"), json!("eyes__look"), "{\"a"),
        part(1, json!("c8"), json!("patch"), "{\"input\":"),
        part(0, Value::Null, Value::Null, "t\":1}"),
        part(1, Value::Null, Value::Null, "\"*** b\"}"),
    ];
    for stream in [true, false] {
        trio.one.on("one").then(speech("a cloud"));
        trio.two.on("two").then(speech("a sheep"));
        trio.judge.on("judge").then(judged(&deltas, "tool_calls"));
        let mut asked = an_agents_request();
        asked["stream"] = json!(stream);
        let answer = trio.keywheel.client().post(RESPONSES, &asked).await;
        let response = if stream { spoken(answer).await } else { answer.json().await };
        assert_eq!(response["status"], "completed");
        let items = response["output"].as_array().expect("items");
        let kinds: Vec<&str> = items.iter().map(|item| text(&item["type"])).collect();
        assert_eq!(kinds, ["reasoning", "message", "function_call", "custom_tool_call"]);
        assert!(text(&items[0]["summary"][0]["text"]).ends_with("hm"), "{}", items[0]);
        assert_eq!(items[1]["content"][0]["text"], "I look twice");
        let of = |item: &Value, names: [&str; 4]| names.map(|name| item[name].clone());
        assert_eq!(
            of(&items[2], ["call_id", "name", "namespace", "arguments"]),
            [json!("c7"), json!("look"), json!("eyes"), json!("{\"at\":1}")]
        );
        assert_eq!(
            of(&items[3], ["call_id", "name", "namespace", "input"]),
            [json!("c8"), json!("patch"), Value::Null, json!("*** b")]
        );
    }
}

#[tokio::test]
async fn an_answer_that_was_cut_short_or_refused_says_so() {
    for (deltas, finish, status, why) in [
        (json!({"content": "half of"}), "length", "incomplete", json!({"reason": "max_output_tokens"})),
        (json!({"content": "so"}), "content_filter", "incomplete", json!({"reason": "content_filter"})),
        (json!({"content": ""}), "content_filter", "incomplete", json!({"reason": "content_filter"})),
        (json!({"content": "", "refusal": "I will not"}), "stop", "completed", Value::Null),
    ] {
        let trio = Trio::start("");
        trio.one.on("one").then(speech("yes"));
        trio.two.on("two").then(speech("no"));
        trio.judge.on("judge").then(judged(std::slice::from_ref(&deltas), finish));
        let response = spoken(trio.ask("duel", STREAM).await).await;
        assert_eq!((&response["status"], &response["incomplete_details"]), (&json!(status), &why), "{response}");
        let kind = match (deltas["refusal"].is_string(), &deltas["content"] == "") {
            (true, _) => json!("refusal"),
            (false, false) => json!("output_text"),
            (false, true) => Value::Null,
        };
        assert_eq!(response["output"][1]["content"][0]["type"], kind, "{response}");
        assert_eq!(trio.all_calls(), 3, "no other model is asked past a refusal");
    }
}

#[tokio::test]
async fn a_synthesis_that_breaks_off_ends_as_a_failed_response_and_a_reset() {
    let trio = Trio::start("");
    trio.one.on("one").then(speech("yes"));
    trio.two.on("two").then(speech("no"));
    trio.judge.on("judge").always(speech("take an umbrella").cut(2));
    let (frames, end) = trio.ask("duel", STREAM).await.frames().await;
    assert_ne!(end, End::Clean);
    let events: Vec<Value> = frames.iter().map(Frame::json).collect();
    let [.., failed, error] = &events[..] else { panic!("too few events: {events:?}") };
    assert_eq!((&failed["type"], &failed["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert!(failed["response"]["error"]["message"].is_string());
    let said = &failed["response"]["output"][1];
    assert_eq!((&said["status"], &said["content"][0]["text"]), (&json!("incomplete"), &json!("take an ")));
    assert!(events.iter().any(|event| event["type"] == "response.output_item.done" && event["item"] == *said));
    assert_eq!((&error["type"], error["error"]["message"].is_string()), (&json!("error"), true));
    assert!(events.iter().enumerate().all(|(number, event)| event["sequence_number"] == number));
    assert_eq!(trio.record()["outcome"], "broken");
}

#[tokio::test]
async fn a_waiting_client_gets_keep_alives_that_are_events_and_are_numbered() {
    let trio = Trio::with("", "header_after = \"1s\"\nkeep_alive = \"1s\"");
    trio.one.on("one").then(speech("yes").after(Duration::from_millis(3500)));
    trio.two.on("two").then(speech("no").after(Duration::from_millis(3500)));
    trio.judge.on("judge").then(speech("well"));
    let (frames, end) = trio.ask("duel", STREAM).await.frames().await;
    assert_eq!(end, End::Clean);
    let events: Vec<Value> = frames.iter().map(Frame::json).collect();
    assert_eq!(events[0]["type"], "response.created", "an SDK wants it before anything else");
    let kept = events.iter().filter(|event| event["type"] == "keepalive").count();
    assert!(kept >= 2, "{kept}");
    assert!(events.iter().enumerate().all(|(number, event)| event["sequence_number"] == number));
}

#[tokio::test]
async fn a_client_that_is_shown_no_reasoning_gets_the_answer_alone() {
    let trio = Trio::with("", "[clients.default]\nshow_reasoning = \"hide\"");
    for way in WAYS {
        trio.say("yes", "no", "take an umbrella", Duration::ZERO);
        let read = read(trio.ask("duel", way).await, way).await;
        assert_eq!((&*read.reasoning, &*read.content), ("", "take an umbrella"), "{way:?}");
    }
}

#[tokio::test]
async fn when_no_leg_answers_after_the_head_has_gone_out_the_response_has_failed() {
    let trio = Trio::with("", "header_after = \"1s\"\nkeep_alive = \"1s\"");
    for (lab, key) in [(&trio.one, "one"), (&trio.two, "two")] {
        let no = Script::json(400, &json!({"error": {"message": "this is too long"}}));
        lab.on(key).always(no.after(Duration::from_millis(2500)));
    }
    let answer = trio.ask("duel", STREAM).await;
    assert_eq!(answer.status, 200, "the head does not wait for ever");
    let (frames, end) = answer.frames().await;
    assert_ne!(end, End::Clean);
    let events: Vec<Value> = frames.iter().map(Frame::json).collect();
    let failed = events.iter().find(|event| event["type"] == "response.failed").expect("it failed");
    assert_eq!(failed["response"]["error"]["code"], "no_leg_answered", "{failed}");
    assert_eq!(events[0]["type"], "response.created");
}

#[tokio::test]
async fn what_cannot_be_put_before_several_models_is_refused_by_name() {
    let trio = Trio::start("");
    for (member, value, param) in [
        ("input", json!([]), "input"),
        ("input", json!(7), "input"),
        ("input", json!(["hi"]), "input[0]"),
        ("input", json!([{"type": "item_reference", "id": "msg_1"}]), "input[0]"),
        ("input", json!([{"role": "user", "content": "a"}, {"type": "shell_call", "id": "x"}]), "input[1]"),
        ("input", json!([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]), "input[0]"),
        ("previous_response_id", json!("resp_1"), "previous_response_id"),
        ("conversation", json!({"id": "c"}), "conversation"),
        ("prompt", json!({"id": "p"}), "prompt"),
        ("background", json!(true), "background"),
        ("tools", json!("all"), "tools"),
        ("tools", crowd(1, 512), "tools"),
        ("tools", crowd(513, 0), "tools"),
        ("tool_choice", json!({"type": "web_search"}), "tool_choice"),
        ("tool_choice", json!({"type": "function", "name": "nobody"}), "tool_choice"),
    ] {
        let mut asked = body("duel", STREAM);
        asked[member] = value;
        let answer = trio.keywheel.client().post(RESPONSES, &asked).await;
        assert_eq!(answer.status, 400, "{asked}");
        let error = answer.json().await["error"].clone();
        assert_eq!(error["param"], param, "{error}");
    }
    assert_eq!(trio.all_calls(), 0);
}

#[tokio::test]
async fn an_old_completion_is_the_answer_of_a_dialectic_to_one_prompt() {
    let trio = Trio::start("");
    let mut asked = json!({"model": "dialectics/duel", "prompt": QUESTION, "max_tokens": 100, "echo": false});
    for stream in [true, false] {
        trio.say("yes", "no", "take an umbrella", Duration::ZERO);
        asked["stream"] = json!(stream);
        let answer = trio.keywheel.client().post(COMPLETIONS, &asked).await;
        let chunks = if stream {
            let (frames, end) = answer.frames().await;
            assert_eq!(end, End::Clean);
            assert!(frames.last().expect("frames").bytes.ends_with(b"[DONE]\n\n"));
            frames[..frames.len() - 1].iter().map(Frame::json).collect()
        } else {
            vec![answer.json().await]
        };
        let said: String = chunks.iter().map(|chunk| text(&chunk["choices"][0]["text"])).collect();
        assert_eq!(said, "take an umbrella");
        let last = chunks.last().expect("chunks");
        assert_eq!(
            (&last["object"], &last["choices"][0]["finish_reason"]),
            (&json!("text_completion"), &json!("stop"))
        );
        assert_eq!(last["keywheel"]["synthesis"], "judge/m");
    }
    let sent: Value = serde_json::from_slice(&Trio::calls(&trio.one)[0].body).expect("JSON");
    assert_eq!(sent["messages"][1], json!({"role": "user", "content": QUESTION}));
    assert!(sent["prompt"].is_null() && sent["max_tokens"] == 100);
    for (member, value) in [("prompt", json!(["a", "b"])), ("prompt", json!([1, 2])), ("suffix", json!("x"))] {
        let mut asked = asked.clone();
        asked[member] = value;
        let refused = trio.keywheel.client().post(COMPLETIONS, &asked).await;
        assert_eq!(refused.status, 400, "{member}");
        assert_eq!(refused.json().await["error"]["param"], member);
    }
}
