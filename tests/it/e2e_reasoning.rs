//! Reasoning with the real binary: policies, suffixes and headers reach the provider, and the answer says what was done.

use keywheel::sim::lab::Setup;
use keywheel::sim::{Persona, Script};
use serde_json::{Value, json};

use crate::e2e_rig::{Rig, until};
use crate::support::SOON;
use crate::support::client::Client;

const CHAT: &str = "/v1/chat/completions";

fn rig() -> Rig {
    Rig::with_start(
        Setup::new(Persona::Generic),
        &["a"],
        |config| {
            config.more(
                "[models.deep]\nroute = ['lab/gpt-5.1']\nreasoning = { floor = 'high' }\n\
                 [models.plain]\nroute = ['lab/gpt-5.1']\n\
                 [models.forced]\nroute = ['lab/gpt-5.1']\nreasoning = { force = 'medium' }\n\
                 [models.capped]\nroute = ['lab/gpt-5.1']\nreasoning = { ceiling = 'low' }\n\
                 [models.usual]\nroute = ['lab/gpt-5.1']\nreasoning = { default = 'low' }\n\
                 [models.told]\nroute = ['lab/my-own']\nreasoning = { default = 'high', instruct = true }\n\
                 [clients.bounded]\nreasoning = { ceiling = 'medium' }\n\
                 [clients.shy]\nshow_reasoning = 'hide'\n[clients.brief]\nshow_reasoning = 'summary'\n",
            )
        },
        |start| start,
    )
}

/// A client with a key of its own.
async fn known(rig: &Rig, name: &str) -> Client {
    let client = rig.keywheel.client().key(&rig.add_client(name, &[]));
    until("the key is known", SOON, async || client.get("/v1/models").await.status == 200).await;
    client
}

#[tokio::test]
async fn the_level_comes_from_route_name_or_header_and_the_answer_says_what_was_sent() {
    let rig = rig();
    let client = rig.keywheel.client();
    let body =
        |model: &str| json!({"model": model, "temperature": 0.5, "messages": [{"role": "user", "content": "hi"}]});
    let cases = [
        ("deep", None, Some("high"), Some("requested=unsaid; sent=high; removed=temperature")),
        ("deep(low)", None, Some("high"), Some("requested=low; sent=high; removed=temperature")),
        ("plain(none)", None, Some("none"), Some("requested=none; sent=none")),
        (
            "lab/gpt-5.1(low)",
            Some("medium"),
            Some("medium"),
            Some("requested=medium; sent=medium; removed=temperature"),
        ),
        ("plain", None, None, None),
        ("forced(none)", Some("high"), Some("medium"), Some("requested=medium; sent=medium; removed=temperature")),
        ("capped(max)", None, Some("low"), Some("requested=max; sent=low; removed=temperature")),
        ("usual", None, Some("low"), Some("requested=unsaid; sent=low; removed=temperature")),
        ("usual(none)", None, Some("none"), Some("requested=none; sent=none")),
    ];
    for (model, header, effort, note) in cases {
        let client = header.map_or(client.clone(), |level| client.clone().header("x-keywheel-reasoning", level));
        let response = client.post(CHAT, &body(model)).await;
        assert_eq!(response.status, 200, "{model}");
        let said = Some(response.header("x-keywheel-reasoning").to_owned()).filter(|said| !said.is_empty());
        let sent: Value = serde_json::from_slice(&rig.calls().last().unwrap().body).unwrap();
        assert_eq!(sent["model"], "gpt-5.1");
        assert_eq!((sent.get("reasoning_effort").and_then(Value::as_str), said.as_deref()), (effort, note), "{model}");
        assert_eq!(sent.get("temperature").is_none(), note.is_some_and(|note| note.contains("temperature")));
    }
    let wrong = client.header("x-keywheel-reasoning", "ultra").post(CHAT, &body("plain")).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().await.contains("is no level of reasoning"), "and says which there are");
}

#[tokio::test]
async fn a_client_has_bounds_of_its_own_and_a_stream_says_what_was_sent_too() {
    let rig = rig();
    let client = known(&rig, "bounded").await;
    let body = json!({"model": "deep(max)", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let response = client.post(CHAT, &body).await;
    assert_eq!(response.status, 200);
    // a floor of the route's and a ceiling of the client's: who pays has the last word
    assert_eq!(response.header("x-keywheel-reasoning"), "requested=max; sent=medium");
    response.text().await;
    let sent: Value = serde_json::from_slice(&rig.calls().last().unwrap().body).unwrap();
    assert_eq!(sent["reasoning_effort"], "medium");
}

#[tokio::test]
async fn reasoning_reaches_a_client_whole_in_short_or_not_at_all() {
    let rig = rig();
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "c", "choices": [choice]}))
    };
    let frames = [
        chunk(json!({"role": "assistant", "reasoning_content": "First thought. More of it."}), Value::Null),
        chunk(json!({"content": "hello"}), Value::Null),
        chunk(json!({}), json!("stop")),
        "data: [DONE]\n\n".to_owned(),
    ];
    let message = json!({"role": "assistant", "content": "hello", "reasoning_content": "First thought. More of it."});
    let whole = json!({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    for (name, first, more) in [("open", true, true), ("brief", true, false), ("shy", false, false)] {
        let client = known(&rig, name).await;
        for stream in [true, false] {
            let script = if stream { Script::events(frames.clone()) } else { Script::json(200, &whole) };
            rig.lab.on("a").then(script);
            let body = json!({"model": "plain", "stream": stream, "messages": [{"role": "user", "content": "hi"}]});
            let answer = client.post(CHAT, &body).await.text().await;
            let seen = (answer.contains("First thought."), answer.contains("More of it"), answer.contains("hello"));
            assert_eq!(seen, (first, more, true), "{name}, stream {stream}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_system_prompt_in_parts_and_an_image_reach_the_provider_unharmed() {
    let rig = rig();
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}});
    let parts = json!([{"type": "text", "text": "Be  kind", "cache_control": {"type": "ephemeral"}}]);
    for (model, words) in [("told", 1), ("deep", 0)] {
        let body = json!({"model": model, "messages": [{"role": "system", "content": parts},
            {"role": "user", "content": [{"type": "text", "text": "what is it?"}, image]}]});
        let answer = rig.keywheel.client().post(CHAT, &body).await;
        let said = answer.header("x-keywheel-reasoning").to_owned();
        assert_eq!((answer.status, said.contains("sent=instructions")), (200, words == 1), "{said}");
        let sent: Value = serde_json::from_slice(&rig.calls().last().unwrap().body).unwrap();
        let system = sent["messages"][0]["content"].as_array().unwrap();
        assert_eq!((&system[0], system.len()), (&parts[0], 1 + words), "{sent}");
        assert_eq!(sent["messages"][1], body["messages"][1], "{model}");
    }
}
