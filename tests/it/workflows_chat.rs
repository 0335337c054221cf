//! A prompt through an operator: over the home's socket and in process, streamed, whole, refused, broken.

use std::sync::Arc;
use std::time::Duration;

use keywheel::client::Remote;
use keywheel::config::Live;
use keywheel::kit::Clock;
use keywheel::ops;
use keywheel::sim::lab::Script;
use keywheel::vault::Strongbox;
use keywheel::vault::home::Home;
use keywheel::workflows::{ChatError, Piece, Prompt, bill, open};
use serde_json::{Value, json};

use crate::e2e_rig::{Rig, open_lab};

async fn remote(rig: &Rig) -> Remote {
    Remote::find(&rig.keywheel.socket()).await.unwrap()
}

fn rig() -> Rig {
    Rig::with(open_lab(), &["a"], |config| config.provider("models = [\"gpt-4o-mini\"]\nask_usage = true"))
}

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    format!(
        "data: {}\n\n",
        json!({"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]})
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_comes_back_in_pieces_with_who_answered_and_what_it_cost() {
    let rig = rig();
    let operator = remote(&rig).await;
    let prompt = Prompt::new("lab/gpt-4o-mini", "one two three").system("be brief").option("temperature", 0);
    let mut chat = open(&operator, prompt.header("x-keywheel-project", "tests")).await.unwrap();
    assert_eq!((chat.head().name().as_str(), chat.head().account.as_str()), ("lab/gpt-4o-mini", "a"));
    let mut pieces = Vec::new();
    while let Some(piece) = chat.next().await.unwrap() {
        pieces.push(piece);
    }
    assert_eq!(pieces, ["one ", "two ", "three"].map(|word| Piece::Content(word.to_owned())));
    let said = chat.said();
    assert_eq!((said.content.as_str(), said.finish.as_str()), ("one two three", "stop"));
    let bill = bill(&operator, &said.head.id).await.unwrap();
    assert_eq!((bill.usage.unwrap().output, bill.provider.as_deref()), (3, Some("lab")));

    let seen: Value = serde_json::from_slice(&rig.calls()[0].body).unwrap();
    assert_eq!((&seen["temperature"], &seen["messages"][0]["content"]), (&json!(0), &json!("be brief")));
    let row = rig.keywheel.run(["requests", &said.head.id, "--json"]);
    let row: Value = serde_json::from_slice(&row.stdout).unwrap();
    assert_eq!((&row["client"], &row["project"]), (&json!("local"), &json!("tests")));
}

#[tokio::test(flavor = "multi_thread")]
async fn thoughts_are_told_apart_and_an_answer_without_a_stream_is_read_too() {
    let rig = rig();
    let operator = remote(&rig).await;
    let think = [
        chunk(&json!({"role": "assistant", "content": ""}), None),
        chunk(&json!({"reasoning_content": "hm"}), None),
        chunk(&json!({"content": "yes"}), None),
        chunk(&json!({}), Some("stop")),
        "data: [DONE]\n\n".to_owned(),
    ];
    let message = json!({"role": "assistant", "content": "whole", "reasoning": "thought"});
    let whole = json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let _ = rig.lab.on_any().then(Script::events(think)).then(Script::json(200, &whole));
    let ask = || Prompt::new("lab/gpt-4o-mini", "?");
    let said = open(&operator, ask()).await.unwrap().whole().await.unwrap();
    assert_eq!((said.reasoning.as_str(), said.content.as_str()), ("hm", "yes"));
    let said = open(&operator, ask()).await.unwrap().whole().await.unwrap();
    assert_eq!((said.reasoning.as_str(), said.content.as_str()), ("thought", "whole"));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_words_and_a_cut_answer_is_an_error() {
    let rig = rig();
    let operator = remote(&rig).await;
    let cut = || Script::events([chunk(&json!({"content": "half"}), None), chunk(&json!({"content": " more"}), None)]);
    let refusal =
        [chunk(&json!({"refusal": "not that"}), None), chunk(&json!({}), Some("stop")), "data: [DONE]\n\n".to_owned()];
    let _ = rig.lab.on_any().then(cut().cut(1)).then(cut()).then(Script::events(refusal));

    let ask = |model: &str| Prompt::new(model, "?");
    for _ in 0..2 {
        let mut chat = open(&operator, ask("lab/gpt-4o-mini")).await.unwrap();
        let failed = loop {
            match chat.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it counts as whole"),
                Err(error) => break error,
            }
        };
        assert!(matches!(failed, ChatError::Broken(_) | ChatError::Refused { .. }), "{failed}");
        assert!(chat.said().content.starts_with("half"));
    }
    let declined = open(&operator, ask("lab/gpt-4o-mini")).await.unwrap().whole().await.unwrap_err();
    assert_eq!(declined.to_string(), "the model declined: not that");

    let missing = open(&operator, ask("nobody/nothing")).await.err().unwrap();
    let ChatError::Refused { status, code, message } = missing else { panic!("{missing}") };
    assert_eq!((status, code.as_str()), (404, "model_not_found"));
    assert!(message.contains("`nobody/nothing` does not exist"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_that_is_dropped_ends_its_call() {
    let rig = rig();
    let operator = remote(&rig).await;
    let slow = Script::chunks(50).every(Duration::from_millis(200));
    let _ = rig.lab.on_any().then(slow);
    let mut chat = open(&operator, Prompt::new("lab/gpt-4o-mini", "?")).await.unwrap();
    chat.next().await.unwrap();
    drop(chat);
    assert!(rig.lab.wait_closed(1, Duration::from_secs(10)).await.is_some());
}

/// A helm that nobody turns.
struct Moored;

impl ops::Helm for Moored {
    fn reload(&self) -> ops::Doing<'_> {
        Box::pin(async { Err("moored".to_owned()) })
    }

    fn stop(&self) {}

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_in_process_takes_the_same_prompts() {
    let rig = crate::gateway::Rig::new(&["a"], "");
    let (clock, folder) = (Clock::system(), tempfile::tempdir().unwrap());
    let settings = keywheel::config::parse("").unwrap();
    let home = Home::of(&settings.vault, folder.path(), folder.path());
    let desk = ops::Desk::new(ops::Parts {
        settings: Live::new(settings),
        pool: rig.pool.clone(),
        gateway: rig.gateway.clone(),
        ledger: rig.ledger.clone(),
        vault: Arc::new(Strongbox::new(home, clock.clone())),
        helm: Arc::new(Moored),
        doors: Vec::new(),
        started: clock.now(),
        clock,
    });
    let said = open(&desk, Prompt::new("lab/m", "here too")).await.unwrap().whole().await.unwrap();
    assert_eq!((said.content.as_str(), said.head.name().as_str()), ("here too", "lab/m"));
    assert_eq!(bill(&desk, &said.head.id).await.unwrap().provider.as_deref(), Some("lab"));
    let refused = open(&desk, Prompt::new("sim/nothing", "?")).await.err().unwrap();
    assert!(matches!(refused, ChatError::Refused { status: 404, .. }), "{refused}");
}
