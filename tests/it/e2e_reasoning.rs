//! Reasoning with the real binary: policies, suffixes and headers reach the provider, and the answer says what was done.

use keywheel::sim::Persona;
use keywheel::sim::lab::Setup;
use serde_json::{Value, json};

use crate::e2e_rig::Rig;

const CHAT: &str = "/v1/chat/completions";

fn rig() -> Rig {
    Rig::with_start(
        Setup::new(Persona::Generic),
        &["a"],
        |config| {
            config.more(
                "[models.deep]\nroute = ['lab/gpt-5.1']\nreasoning = { floor = 'high' }\n\
                 [models.plain]\nroute = ['lab/gpt-5.1']\n",
            )
        },
        |start| start,
    )
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
