//! Calls whose answer does not say what they consumed: counted here, marked, and priced.

use std::time::Duration;

use bytes::Bytes;
use keywheel::sim::lab::Setup;
use keywheel::sim::{Persona, Script};
use keywheel::wire::tokens::Vocabulary;
use serde_json::{Value, json};

use crate::e2e_rig::{Rig, json_lines, said, until};
use crate::home_support::PATIENCE;
use crate::support::Client;
use crate::support::client::End;

const MODEL: &str = "lab/gpt-4o-mini";
const WORDS: &str = "Things working well together will increase revenue. ";

/// A dollar for a million input tokens, ten for output, twenty for reasoning; a client `tight` of 3000 tokens at once.
fn rig() -> Rig {
    let rig = Rig::with(Setup::new(Persona::Openai), &["a"], |config| {
        config.more("[clients.tight]\nlimits = { tpm = 60000 }\n")
    });
    let folder = rig.keywheel.home().join("config/pricing");
    std::fs::create_dir_all(&folder).unwrap();
    let model =
        |id| format!("[[models]]\nid = \"{id}\"\nrates = [{{ input = \"1\", output = \"10\", reasoning = \"20\" }}]\n");
    let text = format!("provider = \"lab\"\n{}{}", model("gpt-4o-mini"), model("text-embedding-3-small"));
    std::fs::write(folder.join("lab.toml"), text).unwrap();
    said(&rig.keywheel.run(["reload"]));
    rig
}

fn rows(rig: &Rig) -> Vec<Value> {
    json_lines(&rig.keywheel.run(["requests", "--json"]))
}

/// Waits until the newest call is recorded with these tokens, and shows its row.
async fn counted(rig: &Rig, calls: usize, [input, output, reasoning]: [u64; 3]) -> Value {
    let usage = json!({"input": input, "cache_read": 0, "cache_write": 0, "output": output, "reasoning": reasoning});
    let so = async || rows(rig).len() == calls && rows(rig)[0]["usage"] == usage;
    let end = tokio::time::timeout(PATIENCE, async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(end.await.is_ok(), "{usage} is awaited of call {calls}: {:#?}", rows(rig)[0]);
    let row = rows(rig).remove(0);
    let pico = input * 1_000_000 + output * 10_000_000 + reasoning * 20_000_000;
    let cost = format!("0.{pico:012}");
    assert_eq!((&row["estimated"], &row["cost_usd"]), (&json!(true), &json!(cost.trim_end_matches('0'))), "{row}");
    row
}

fn chat(stream: bool) -> Value {
    json!({"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": WORDS}]})
}

/// Frames of a chat without usage: reasoning, text, a call of a tool, the end.
fn frames() -> Vec<Bytes> {
    let deltas = [
        json!({"role": "assistant", "reasoning_content": "because it is so"}),
        json!({"content": WORDS}),
        json!({"tool_calls": [{"index": 0, "id": "x", "type": "function", "function": {"name": "look", "arguments": ""}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"city\":\"Paris\"}"}}]}),
    ];
    let frame = |delta: &Value, end: Value| {
        Bytes::from(format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": end}]})))
    };
    let ends = [frame(&json!({}), json!("stop")), Bytes::from_static(b"data: [DONE]\n\n")];
    deltas.iter().map(|delta| frame(delta, Value::Null)).chain(ends).collect()
}

#[tokio::test]
async fn streams_and_whole_answers_without_usage_are_counted_and_reach_the_client_as_they_are() {
    let (rig, words) = (rig(), Vocabulary::load().unwrap());
    let client = rig.keywheel.client();
    // one message: three tokens around it, its role, its text; three more for the answer
    let input = 3 + words.count("user") + words.count(WORDS) + 3;
    let said = words.count(&format!("{WORDS}look{{\"city\":\"Paris\"}}"));
    let thought = words.count("because it is so");

    rig.lab.on("a").then(Script::events(frames()));
    let answer = client.post("/v1/chat/completions", &chat(true)).await.bytes().await;
    assert_eq!(answer, frames().concat(), "usage shown to clients is never altered");
    let row = counted(&rig, 1, [input, said, thought]).await;
    assert_eq!(row["status"], 200, "{row}");

    let message = json!({"role": "assistant", "content": WORDS, "reasoning_content": "because it is so"});
    let body = json!({"model": "gpt-4o-mini", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    rig.lab.on("a").then(Script::json(200, &body));
    let answer = client.post("/v1/chat/completions", &chat(false)).await.json().await;
    assert_eq!(answer, body);
    counted(&rig, 2, [input, words.count(WORDS), thought]).await;

    rig.lab.on("a").then(Script::json(200, &json!({"data": [{"embedding": [0.5]}], "usage": null})));
    let asked = json!({"model": "lab/text-embedding-3-small", "input": [WORDS, "hello"]});
    client.post("/v1/embeddings", &asked).await.json().await;
    counted(&rig, 3, [words.count(WORDS) + 1, 0, 0]).await;

    rig.lab.on("a").then(Script::json(200, &json!({"choices": [{"text": WORDS, "finish_reason": "stop"}]})));
    client.post("/v1/completions", &json!({"model": MODEL, "prompt": "hello"})).await.json().await;
    counted(&rig, 4, [1, words.count(WORDS), 0]).await;

    let event = |text: &str| {
        format!(
            "event: response.output_text.delta\ndata: {}\n\n",
            json!({"type": "response.output_text.delta", "delta": text})
        )
    };
    let end = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":null}}\n\n";
    rig.lab.on("a").then(Script::events([event("Things working"), event(" well"), end.to_owned()]));
    let asked = json!({"model": MODEL, "stream": true, "input": "hello"});
    client.post("/v1/responses", &asked).await.text().await;
    counted(&rig, 5, [3 + 1 + 1 + 3, words.count("Things working well"), 0]).await;
}

#[tokio::test]
async fn a_cut_stream_and_a_client_that_leaves_are_charged_for_what_arrived() {
    let (rig, words) = (rig(), Vocabulary::load().unwrap());
    let client = rig.keywheel.client();
    let input = 3 + words.count("user") + words.count(WORDS) + 3;
    let thought = words.count("because it is so");
    rig.lab.on("a").then(Script::events(frames()).cut(2));
    let (_, end) = client.post("/v1/chat/completions", &chat(true)).await.frames().await;
    assert!(!matches!(end, End::Clean), "it is not whole");
    let row = counted(&rig, 1, [input, words.count(WORDS), thought]).await;
    assert_eq!(row["status"], 200, "{row}");

    rig.lab.on("a").then(Script::events(frames()).hang(1));
    let mut leaving = client.post("/v1/chat/completions", &chat(true)).await;
    leaving.frame().await.unwrap();
    drop(leaving);
    counted(&rig, 2, [input, 0, thought]).await;
}

#[tokio::test]
async fn what_failed_is_not_counted_and_what_was_told_is_no_estimate() {
    let rig = rig();
    let client = rig.keywheel.client();
    rig.lab.on("a").then(Script::json(400, &json!({"error": {"message": "no"}})));
    assert_eq!(client.post("/v1/chat/completions", &chat(false)).await.status, 400);
    until("it is recorded", PATIENCE, async || rows(&rig).len() == 1).await;
    assert_eq!((&rows(&rig)[0]["usage"], &rows(&rig)[0]["estimated"]), (&Value::Null, &json!(false)));
    client.post("/v1/chat/completions", &chat(false)).await.json().await;
    assert_eq!(rows(&rig)[0]["estimated"], json!(false));
}

#[tokio::test]
async fn a_clients_limit_is_charged_what_was_counted() {
    let rig = rig();
    let key = rig.add_client("tight", &[]);
    let client = Client::tcp(rig.keywheel.addr()).key(&key);
    until("the key is known", PATIENCE, async || client.get("/v1/models").await.status == 200).await;
    let long = json!({"model": MODEL, "max_tokens": 2900, "messages": [{"role": "user", "content": "hello"}]});
    let body = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]});
    rig.lab.on("a").then(Script::json(200, &body));
    let answer = client.post("/v1/chat/completions", &long).await;
    let (status, said) = (answer.status, answer.text().await);
    assert_eq!(status, 200, "{said}");
    // it was charged some 2950 tokens, and took 9: there is room for another one
    counted(&rig, 1, [8, 1, 0]).await;
    rig.lab.on("a").then(Script::json(200, &body));
    assert_eq!(client.post("/v1/chat/completions", &long).await.status, 200);
}
