//! Each persona refuses what its vendor refuses, in that vendor's words, and takes what it takes. The refusals stand in
//! `support/strict/VENDOR.jsonl`, as the vendors' documents and published error reports show them.

use keywheel::sim::{Lab, Persona};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::support::{Client, client::Frame};

const CHAT: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/v1/chat/completions";

/// One refusal. `{key}` in a header stands for a key that the lab gave out; without `headers` it is sent as the vendor
/// wants it. An answer that is a string is the text of the body.
#[derive(Deserialize)]
struct Row {
    headers: Option<BTreeMap<String, String>>,
    path: String,
    body: Value,
    status: u16,
    answer: Value,
}

async fn check(name: &str) {
    let (lab, client) = lab(name);
    let file = format!("{}/tests/it/support/strict/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let rows = std::fs::read_to_string(file).expect("the rows");
    for row in rows.lines().map(|line| serde_json::from_str::<Row>(line).expect("a row")) {
        let sender = row.headers.iter().flatten().fold(Client::tcp(lab.addr()), |client, (name, value)| {
            client.header(name, &value.replace("{key}", &lab.key("k1")))
        });
        let sender = if row.headers.is_some() { sender } else { client.clone() };
        let answer = sender.post(&row.path, &row.body).await;
        assert_eq!(answer.status, row.status, "{} {}", row.path, row.body);
        let text = answer.text().await;
        let found = if row.answer.is_string() { json!(text) } else { serde_json::from_str(&text).expect("JSON") };
        assert_eq!(found, row.answer, "{} {}", row.path, row.body);
    }
}

fn lab(name: &str) -> (Lab, Client) {
    let lab = Lab::start(name.parse().expect("a persona")).expect("a lab");
    let (client, key) = (Client::tcp(lab.addr()), lab.key("k1"));
    let client = if name == "azure" { client.header("api-key", &key) } else { client.key(&key) };
    (lab, client)
}

fn chat(model: &str, more: Value) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}

fn streamed() -> Value {
    json!({"stream": true, "stream_options": {"include_usage": true}})
}

async fn chunks(client: &Client, path: &str, body: &Value) -> Vec<Value> {
    let (frames, _) = client.post(path, body).await.frames().await;
    assert_eq!(frames.last().map(|frame| &frame.bytes[..]), Some(&b"data: [DONE]\n\n"[..]));
    frames.iter().map(Frame::json).filter(Value::is_object).collect()
}

#[test]
fn a_persona_is_chosen_by_name_and_a_wrong_name_is_answered_with_the_right_ones() {
    for (name, persona) in Persona::ALL {
        assert_eq!(name.parse(), Ok(persona));
    }
    let error = "opnai".parse::<Persona>().expect_err("no persona");
    assert_eq!(error, "no persona is named \"opnai\"; take one of openai, azure, xai, deepseek, generic");
}

#[tokio::test]
async fn openai_refuses_as_openai() {
    check("openai").await;
}

#[tokio::test]
async fn azure_refuses_as_azure() {
    check("azure").await;
}

#[tokio::test]
async fn xai_refuses_as_xai() {
    check("xai").await;
}

#[tokio::test]
async fn deepseek_refuses_as_deepseek() {
    check("deepseek").await;
}

#[tokio::test]
async fn a_generic_server_refuses_little() {
    check("generic").await;
}

#[tokio::test]
async fn openai_takes_each_limit_and_temperature_where_it_belongs() {
    let (_lab, client) = lab("openai");
    for (model, more) in [
        ("gpt-4o-mini", json!({"max_tokens": 5, "temperature": 0.3, "stop": "x"})),
        ("gpt-5-mini", json!({"max_completion_tokens": 5, "temperature": 1})),
        ("gpt-5-mini", json!({"temperature": 0.3, "reasoning_effort": "none"})),
    ] {
        assert_eq!(client.post(CHAT, &chat(model, more.clone())).await.status, 200, "{model} {more}");
    }
}

#[tokio::test]
async fn openai_pads_its_chunks_and_names_the_tier_it_bills() {
    let (_lab, client) = lab("openai");
    let answer = client.post(CHAT, &chat("o3", json!({}))).await;
    assert_eq!((answer.header("openai-organization"), answer.header("x-request-id")), ("org-lab", "req_sim"));
    let chunks = chunks(&client, CHAT, &chat("o3", streamed())).await;
    let (usage, spoken) = chunks.split_last().expect("chunks");
    assert!(spoken.iter().all(|chunk| chunk["obfuscation"].is_string() && chunk["service_tier"] == "default"));
    assert_eq!(usage["usage"]["completion_tokens_details"]["reasoning_tokens"], 5);
    assert_eq!(usage["usage"]["completion_tokens"], 6, "reasoning is part of the completion");
    assert!(spoken.iter().all(|chunk| chunk["choices"][0]["delta"].get("reasoning_content").is_none()));
}

#[tokio::test]
async fn azure_takes_its_v1_path_and_its_classic_one_with_key_or_token() {
    let (lab, client) = lab("azure");
    let hi = chat("gpt-4o-mini", json!({}));
    for path in [
        AZURE,
        "/openai/v1/chat/completions?api-version=preview",
        "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21",
        "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-04-01-preview",
        "/models/chat/completions?api-version=2024-05-01-preview",
    ] {
        assert_eq!(client.post(path, &hi).await.status, 200, "{path}");
    }
    let token = Client::tcp(lab.addr()).key(&lab.token("t1"));
    assert_eq!((token.post(AZURE, &hi).await.status, lab.count("t1")), (200, 1));
    let other = chat("ignored", json!({"model": null}));
    let answer = client.post("/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", &other).await;
    assert_eq!(answer.json().await["model"], "gpt-4.1", "the deployment in the path counts, not the body");
}

#[tokio::test]
async fn azure_says_which_filter_hit() {
    let (_lab, client) = lab("azure");
    let bad = chat("gpt-4o-mini", json!({"messages": [{"role": "user", "content": "[[content_filter]]"}]}));
    let answer = client.post(AZURE, &bad).await;
    assert_eq!(answer.status, 400);
    let error = answer.json().await["error"].take();
    assert_eq!((&error["code"], &error["param"]), (&json!("content_filter"), &json!("prompt")));
    assert_eq!((&error["status"], &error["innererror"]["code"]), (&json!(400), &json!("ResponsibleAIPolicyViolation")));
    let hit = json!({"filtered": true, "severity": "medium"});
    assert_eq!(error["innererror"]["content_filter_result"]["violence"], hit);
}

#[tokio::test]
async fn azure_wraps_its_streams_in_filter_results() {
    let (_lab, client) = lab("azure");
    let chunks = chunks(&client, AZURE, &chat("gpt-4o-mini", streamed())).await;
    let first = &chunks[0];
    assert_eq!((&first["choices"], &first["id"], &first["object"]), (&json!([]), &json!(""), &json!("")));
    assert_eq!((&first["model"], &first["created"]), (&json!(""), &json!(0)));
    assert!(first["prompt_filter_results"].is_array());
    let finish = chunks.iter().position(|chunk| chunk["choices"][0]["finish_reason"] == "stop").expect("a finish");
    let after = &chunks[finish + 1]["choices"][0];
    assert!(after.get("delta").is_none() && after["content_filter_offsets"]["end_offset"].is_number());
    assert_eq!((chunks.len(), &chunks[finish + 2]["usage"]["total_tokens"]), (finish + 3, &json!(2)));
}

#[tokio::test]
async fn azure_tells_waits_in_bare_seconds_and_milliseconds() {
    let (_lab, client) = lab("azure");
    let body = chat("limited", json!({}));
    for _ in 0..3 {
        assert_eq!(client.post(AZURE, &body).await.status, 200);
    }
    let answer = client.post(AZURE, &body).await;
    assert_eq!(answer.status, 429);
    let number = |name: &str| answer.header(name).parse::<u64>().expect("a bare number");
    assert!((1..=10).contains(&number("retry-after")) && (1..=10_000).contains(&number("retry-after-ms")));
    assert!((1..=10).contains(&number("x-ratelimit-reset-requests")));
    assert_eq!(answer.json().await["error"]["code"], "429");
}

#[tokio::test]
async fn xai_counts_reasoning_apart_and_bills_in_ticks() {
    let (_lab, client) = lab("xai");
    let body = chat("grok-4.7", json!({"max_tokens": 9, "unknown": 1}));
    let said = client.post(CHAT, &body).await.json().await;
    let usage = &said["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&usage["total_tokens"], &usage["completion_tokens_details"]["reasoning_tokens"]),
        (&json!(7), &json!(5))
    );
    assert_eq!(usage["cost_in_usd_ticks"], 20_000 + 6 * 100_000);
    assert_eq!(said["choices"][0]["message"]["reasoning_content"], "The user wants an answer. ");
    assert_eq!(client.get("/v1/api-key").await.json().await["team_blocked"], false);
}

#[tokio::test]
async fn xai_leaves_the_finish_of_tool_calls_empty() {
    let (_lab, client) = lab("xai");
    let mut body = chat("grok-4.7", streamed());
    body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let chunks = chunks(&client, CHAT, &body).await;
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == ""));
    assert!(chunks.iter().all(|chunk| chunk["choices"][0]["finish_reason"] != "tool_calls"));
    let last = chunks.last().expect("usage");
    assert!(last["choices"] == json!([]) && last["usage"]["cost_in_usd_ticks"].is_number());
}

#[tokio::test]
async fn xai_and_deepseek_do_not_say_how_long_to_wait() {
    for (name, path) in [("xai", CHAT), ("deepseek", "/chat/completions")] {
        let (_lab, client) = lab(name);
        for _ in 0..3 {
            assert_eq!(client.post(path, &chat("limited", json!({}))).await.status, 200);
        }
        let limited = client.post(path, &chat("limited", json!({}))).await;
        let told = (limited.header("retry-after"), limited.header("x-ratelimit-reset-requests"));
        assert_eq!((limited.status, told), (429, ("", "")), "{name}");
        let left = if name == "xai" { "0" } else { "" };
        assert_eq!(limited.header("x-ratelimit-remaining-requests"), left, "{name}");
    }
}

#[tokio::test]
async fn deepseek_takes_each_of_its_paths_and_a_blank_for_the_thoughts() {
    let (_lab, client) = lab("deepseek");
    let call = json!([{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let messages = json!([{"role": "user", "content": "x"},
        {"role": "assistant", "content": "", "tool_calls": call, "reasoning_content": " "},
        {"role": "tool", "tool_call_id": "1", "content": "y"}]);
    for path in ["/chat/completions", CHAT, "/beta/chat/completions"] {
        assert_eq!(
            client.post(path, &chat("deepseek-flash", json!({"messages": messages}))).await.status,
            200,
            "{path}"
        );
    }
    assert_eq!(client.get("/user/balance").await.json().await["balance_infos"][0]["total_balance"], "110.00");
}

#[tokio::test]
async fn deepseek_keeps_clients_waiting_with_comments_and_blank_lines() {
    let (_lab, client) = lab("deepseek");
    let mut stream = client.post("/chat/completions", &chat("deepseek-flash", streamed())).await;
    assert_eq!(&stream.frame().await.expect("a frame").bytes[..], b": keep-alive\n\n");
    let (frames, _) = stream.frames().await;
    let chunks: Vec<Value> = frames.iter().map(Frame::json).collect();
    let thoughts = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["reasoning_content"].as_str());
    assert_eq!(thoughts.collect::<String>(), "The user wants an answer. ");
    let whole = client.post("/chat/completions", &chat("deepseek-flash", json!({}))).await.text().await;
    assert!(whole.starts_with("\n\n{"));
    let whole: Value = serde_json::from_str(&whole).expect("JSON behind the blank lines");
    let usage = &whole["usage"];
    assert_eq!((&usage["prompt_cache_hit_tokens"], &usage["prompt_cache_miss_tokens"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn deepseek_knows_only_max_tokens_and_can_be_kept_from_thinking() {
    let (_lab, client) = lab("deepseek");
    let messages = json!([{"role": "user", "content": "one two"}]);
    let free = chat("deepseek-flash", json!({"max_completion_tokens": 1, "messages": messages}));
    let said = client.post("/chat/completions", &free).await.json().await;
    assert_eq!(said["choices"][0]["message"]["content"], "one two");
    let off = json!({"thinking": {"type": "disabled"}, "max_tokens": 1, "messages": messages});
    let said = client.post("/chat/completions", &chat("deepseek-flash", off)).await.json().await;
    assert!(said["choices"][0]["message"].get("reasoning_content").is_none());
    assert_eq!(said["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn a_generic_server_is_easy_going() {
    let (lab, client) = lab("generic");
    let stranger = Client::tcp(lab.addr());
    let odd = chat("any-name", json!({"unknown": 1, "max_tokens": 5, "stop": "x"}));
    for (client, path) in [(&client, CHAT), (&stranger, CHAT), (&stranger, "/chat/completions")] {
        let said = client.post(path, &odd).await.json().await;
        assert_eq!(said["choices"][0]["message"]["content"], "hi", "{path}");
    }
    let upload = stranger.header("content-type", "multipart/form-data; boundary=x");
    let upload = upload.post_bytes("/v1/files", "--x--").await;
    assert_eq!(upload.json().await, json!({"object": "receipt", "path": "files", "bytes": 5}));
}
