//! `explain` on the real binary: every candidate, why it was passed over, and the same from the ledger's file.

use keywheel::sim::lab::{Hint, Setup};
use keywheel::sim::{Persona, Script};
use serde_json::json;

use crate::e2e_rig::{Rig, chat, json_lines, said, text};

#[tokio::test]
async fn a_past_call_is_explained_by_the_gateway_and_without_it() {
    let pool = "[models.pool]\nroute = [\"lab/gpt-4o-mini\"]\nstrategy = \"least-busy\"";
    let rig = Rig::with(Setup::new(Persona::Openai), &["a", "b", "c"], |config| {
        config.more(pool).top("parking = { max_wait = \"1s\" }")
    });
    rig.lab.on("a").then(Script::throttled(Hint::Seconds(30)));
    rig.lab.on("b").then(Script::throttled(Hint::Seconds(30)));
    rig.lab.on("c").then(Script::throttled(Hint::Seconds(30)));
    let response = rig.keywheel.client().post("/v1/chat/completions", &chat("pool")).await;
    let id = response.header("x-keywheel-request-id").to_owned();
    let rows = json_lines(&rig.keywheel.run(["explain", &id[..20], "--json"]));
    let explained = &rows[0];
    assert_eq!((&explained["id"], &explained["asked"]), (&json!(id), &json!("pool")));
    let choices = explained["choices"].as_array().expect("choices");
    // three to choose from, then two, then one beside those that rest
    assert_eq!(choices.len(), 3, "{explained}");
    for (choice, count) in std::iter::zip(choices, [3, 2, 1]) {
        assert_eq!((&choice["strategy"], &choice["same_again"]), (&json!("least-busy"), &json!(true)));
        let candidates = choice["candidates"].as_array().expect("candidates");
        assert_eq!(candidates.len(), count);
        assert_eq!(candidates.iter().filter(|one| one["chosen"] == true).count(), 1);
        assert!(candidates.iter().all(|one| text(&one["why"]).contains("calls under way")), "{choice}");
    }
    let passed = choices[1]["passed_over"].as_array().expect("those that rest");
    assert!(passed.len() == 1 && text(&passed[0]["why"]).contains("until"), "{passed:?}");
    assert_eq!(explained["attempts"].as_array().map(Vec::len), Some(3));
    assert_eq!(explained["passed_over"].as_array().map(Vec::len), Some(3), "none was left in the end");
    let words = said(&rig.keywheel.run(["explain", &id]));
    assert!(words.contains("made again from the record, the choice is the same"), "{words}");
    let stopped = rig.keywheel.run(["stop"]);
    assert!(stopped.status.success());
    assert_eq!(json_lines(&rig.keywheel.run(["explain", &id, "--json"])), rows);
    let unknown = rig.keywheel.run(["explain", "ffffffffffff"]);
    assert!(!unknown.status.success());
}

#[tokio::test]
async fn waiting_giving_up_and_an_unknown_model_are_explained_in_words() {
    // with two providers an unknown name belongs to neither
    let more = "[providers.two]\nadapter = \"openai\"\nbase_url = \"http://127.0.0.1:9\"\nmodels = [\"x\"]\n\
                [[accounts]]\nid = \"t\"\nprovider = \"two\"\nsecret = { env = \"KEY_A\" }\n";
    let rig = Rig::with(Setup::new(Persona::Openai), &["a"], |config| config.more(more));
    let explained = async |model: &str| {
        let response = rig.keywheel.client().post("/v1/chat/completions", &chat(model)).await;
        (response.status, said(&rig.keywheel.run(["explain", response.header("x-keywheel-request-id")])))
    };
    rig.lab.on("a").then(Script::throttled(Hint::Millis(1500)));
    let (status, words) = explained("lab/gpt-4o-mini").await;
    assert_eq!(status, 200, "{words}");
    assert!(
        words.contains("a had the call after 1") && words.contains(" ms of waiting for an account; it completed"),
        "{words}"
    );
    assert!(words.contains("; the call waited") && words.contains("until"), "{words}");

    rig.lab.on("a").always(Script::throttled(Hint::Millis(100)));
    let (status, words) = explained("lab/gpt-4o-mini").await;
    assert_eq!(status, 429);
    assert!(words.contains("; it failed: given up after 5 attempts, the most that one call gets"), "{words}");

    let (status, words) = explained("no-such-model").await;
    assert_eq!(status, 404);
    assert!(words.contains("no account took the call, and it was refused with 404: no account can call"), "{words}");
    assert!(words.contains("\"no-such-model\""), "{words}");
}
