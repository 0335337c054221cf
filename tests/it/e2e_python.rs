//! The OpenAI Python SDK against the binary.

use keywheel::sim::{Persona, Script};
use serde_json::{Value, json};

use crate::e2e_clients::{MODEL, Program, assert_failed_over, first_throttled, next_cut, seen};
use crate::e2e_rig::{Rig, chat, stream, text};

const PROMPT: (&str, &str) = ("KW_PROMPT", "Say hello.");

fn model(name: &str) -> [(&str, &str); 2] {
    [("KW_MODEL", name), PROMPT]
}

#[test]
fn the_python_sdk_chats_streams_and_lists_models() {
    let Some(python) = Program::python() else { return };
    let rig = Rig::start(&["a"]);
    for scenario in ["chat", "stream", "azure", "azure_stream"] {
        let saw = python.sees(&rig.keywheel, scenario, &model(MODEL));
        assert_eq!((&saw["status"], &saw["text"]), (&json!(200), &json!("Say hello.")), "{saw}");
        assert_eq!((&saw["finish_reason"], &saw["error"]), (&json!("stop"), &Value::Null), "{saw}");
        assert_eq!(saw["headers"]["x-keywheel-account"], "a", "{saw}");
        assert!(saw["usage"]["total_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{saw}");
        if scenario.ends_with("stream") {
            assert_eq!(saw["clean_end"], true);
        }
    }
    let calls = rig.calls();
    assert_eq!(calls.len(), 4);
    for call in &calls {
        assert_eq!(call.path_and_query, "/v1/chat/completions", "Azure's path and version stay here");
        let body: Value = serde_json::from_slice(&call.body).expect("JSON");
        assert_eq!(body["model"], "gpt-4o-mini");
    }
    let saw = python.sees(&rig.keywheel, "models", &model(MODEL));
    let ids: Vec<&str> = saw["ids"].as_array().unwrap().iter().map(text).collect();
    assert!(ids.contains(&MODEL) && ids.contains(&"sim/echo"), "{ids:?}");
}

#[test]
fn the_python_sdk_gets_responses_whole_and_as_a_stream() {
    let Some(python) = Program::python() else { return };
    let rig = Rig::start(&["a"]);
    let saw = python.sees(&rig.keywheel, "responses", &model(MODEL));
    assert_eq!((&saw["state"], &saw["text"]), (&json!("completed"), &json!("Say hello.")), "{saw}");
    let saw = python.sees(&rig.keywheel, "responses_stream", &model(MODEL));
    assert_eq!((&saw["text"], &saw["clean_end"]), (&json!("Say hello."), &json!(true)), "{saw}");
    let events: Vec<&str> = saw["events"].as_array().unwrap().iter().map(text).collect();
    assert_eq!((events.first(), events.last()), (Some(&"response.created"), Some(&"response.completed")), "{saw}");
    assert!(saw["usage"]["total_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{saw}");
    let accounts: Vec<String> = rig.calls().into_iter().map(|call| call.path_and_query).collect();
    assert_eq!(accounts, ["/v1/responses", "/v1/responses"]);
}

#[test]
fn the_python_sdk_decodes_embeddings() {
    let Some(python) = Program::python() else { return };
    let rig = Rig::start(&["a"]);
    let saw = python.sees(&rig.keywheel, "embeddings", &model("lab/text-embedding-3-small"));
    assert_eq!(saw["count"], 2, "{saw}");
    assert!(saw["dimensions"].as_u64().is_some_and(|n| n > 0) && saw["first"][0].is_number(), "{saw}");
    let body: Value = serde_json::from_slice(&rig.calls()[0].body).expect("JSON");
    assert_eq!(body["encoding_format"], "base64", "what the SDK asked for");
}

#[test]
fn the_python_sdk_talks_to_an_azure_resource_by_azures_path() {
    let Some(python) = Program::python() else { return };
    let rig = Rig::with(keywheel::sim::lab::Setup::new(Persona::Azure), &["a"], |config| config);
    for scenario in ["azure", "azure_stream", "chat", "stream"] {
        let saw = python.sees(&rig.keywheel, scenario, &model(MODEL));
        assert_eq!((&saw["text"], &saw["finish_reason"]), (&json!("Say hello."), &json!("stop")), "{saw}");
    }
    assert!(rig.calls().iter().all(|call| call.headers.contains_key("api-key") && call.key == "a"));
}

#[test]
fn the_python_sdk_notices_nothing_of_a_429_but_the_second_account() {
    let Some(python) = Program::python() else { return };
    for scenario in ["chat", "stream", "azure"] {
        let rig = first_throttled();
        let saw = python.sees(&rig.keywheel, scenario, &model(MODEL));
        assert_eq!((&saw["text"], &saw["headers"]["x-keywheel-account"]), (&json!("Say hello."), &json!("b")), "{saw}");
        assert_eq!(saw["headers"]["x-keywheel-attempts"], "2", "{saw}");
        assert_failed_over(&rig.lab);
    }
}

#[test]
fn the_python_sdk_never_takes_a_cut_stream_for_the_whole_answer() {
    let Some(python) = Program::python() else { return };
    for after in [1, 2, 3] {
        let rig = next_cut(after);
        let saw = python.sees(&rig.keywheel, "cut_stream", &model(MODEL));
        let class = text(&saw["error"]["class"]);
        assert!(["APIError", "APIConnectionError"].contains(&class), "{after}: {saw}");
        assert_eq!(saw["clean_end"], false, "{saw}");
    }
    // cut in the middle of a frame there is no place for an event, and the connection itself must break
    let rig = Rig::start(&["a"]);
    let half = [
        "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Say\"}}]}\n\n",
        "data: {\"id\"",
    ];
    rig.lab.on("a").then(Script::events(half).cut(2));
    let saw = python.sees(&rig.keywheel, "cut_stream", &model(MODEL));
    assert_eq!((&saw["clean_end"], &saw["text"]), (&json!(false), &json!("Say")), "{saw}");
    assert!(!saw["error"].is_null(), "{saw}");
}

#[test]
fn the_python_sdk_reads_our_errors_and_needs_no_key_on_the_socket() {
    let Some(python) = Program::python() else { return };
    let rig = Rig::start(&["a"]);
    for (name, key, class, status) in [
        ("sk-wrong", "sk-wrong", "AuthenticationError", 401),
        ("nowhere/model", "", "NotFoundError", 404),
        ("lab/no-such-model", "", "NotFoundError", 404),
    ] {
        let mut env = vec![("KW_MODEL", name), PROMPT];
        if !key.is_empty() {
            env.push(("KW_KEY", key));
        }
        let saw = python.sees(&rig.keywheel, "expect_error", &env);
        assert_eq!((&saw["error"]["class"], &saw["error"]["status"]), (&json!(class), &json!(status)), "{saw}");
        assert!(text(&saw["error"]["message"]).len() > 20, "{saw}");
    }
    let saw = seen(&python.run_on_socket(&rig.keywheel, &["uds"], &model(MODEL)));
    assert_eq!(saw["text"], "Say hello.", "{saw}");
}

#[tokio::test]
async fn prometheus_own_parser_reads_the_page_of_counters() {
    let Some(parser) = Program::prometheus() else { return };
    let rig = Rig::start(&["a"]);
    for body in [chat(MODEL), stream(MODEL)] {
        drop(rig.keywheel.client().post("/v1/chat/completions", &body).await.text().await);
    }
    let file = rig.keywheel.home().join("page.txt");
    std::fs::write(&file, rig.keywheel.client().get("/metrics").await.text().await).expect("a file");
    let read = seen(&parser.run::<&str>(&rig.keywheel, &[], &[("KW_PAGE", file.to_str().expect("a path"))]));
    assert_eq!(
        (read["requests"].as_f64(), &read["types"]),
        (Some(2.0), &json!(["counter", "gauge", "histogram"])),
        "{read}"
    );
    assert!(read["families"].as_u64().is_some_and(|families| families > 15), "{read}");
}
