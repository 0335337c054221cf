//! How hard a model is told to think: the exact fields of every family, instructions in words, and what clients see.

use bytes::Bytes;
use keywheel::adapter::reasoning::{Enforced, Order, Veil, enforce, summarise};
use keywheel::catalog::reasoning::{Family, Level, Policy, Show};
use keywheel::wire::{Endpoint, Json};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    provider: String,
    model: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    asked: Option<Level>,
    #[serde(default)]
    policy: Policy,
    body: String,
    out: String,
    note: String,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

fn parse(text: impl Into<String>) -> Json {
    Json::parse(Bytes::from(text.into())).unwrap()
}

fn order<'a>(model: &'a str, endpoint: &'a Endpoint, policy: Policy) -> Order<'a> {
    Order { own: &[], provider: "lab", model, endpoint, policy, asked: None }
}

fn applied(body: &Json, done: &Enforced) -> Value {
    serde_json::from_slice(&body.splice(&done.edits).joined()).unwrap()
}

#[test]
fn every_family_is_told_in_its_own_fields() {
    let cases: Cases = toml::from_str(include_str!("reasoning/families.toml")).unwrap();
    assert!(cases.case.len() >= 45);
    for case in cases.case {
        let name = format!("{}/{} {}", case.provider, case.model, case.body);
        let endpoint = Endpoint::from_path(case.path.as_deref().unwrap_or("chat/completions"));
        let body = parse(case.body);
        let order = Order { provider: &case.provider, asked: case.asked, ..order(&case.model, &endpoint, case.policy) };
        let done = enforce(&order, &body).unwrap_or_else(|| panic!("{name}: nothing is done"));
        assert_eq!(applied(&body, &done), serde_json::from_str::<Value>(&case.out).unwrap(), "{name}");
        assert_eq!(done.note, case.note, "{name}");
    }
}

#[test]
fn nothing_changes_where_nobody_wants_anything() {
    let body = parse(r#"{"model":"gpt-5.1","messages":[]}"#);
    assert_eq!(enforce(&order("gpt-5.1", &Endpoint::Chat, Policy::default()), &body), None);
    let high = Policy { force: Some(Level::High), ..Policy::default() };
    assert_eq!(enforce(&order("text-embedding-4", &Endpoint::Embeddings, high), &body), None);
}

#[test]
fn a_users_own_families_go_before_those_that_are_shipped() {
    let own: Vec<Family> = vec![
        serde_json::from_value(json!({"models": ["gpt-5*"], "control": "think", "levels": ["none", "low"]})).unwrap(),
    ];
    let order = Order { own: &own, asked: Some(Level::Max), ..order("gpt-5.1", &Endpoint::Chat, Policy::default()) };
    let body = parse("{}");
    assert_eq!(applied(&body, &enforce(&order, &body).unwrap()), json!({"think": "low"}));
}

#[test]
fn a_model_without_a_field_is_asked_in_words_beside_what_the_client_wrote() {
    const IMAGE: &str = r#"{"type":"image_url", "image_url":{"url":"data:image/png;base64,AAAA"}}"#;
    let policy = Policy { default: Some(Level::Medium), instruct: true, ..Policy::default() };
    let told = |path: &str, text: String| {
        let body = parse(text);
        let done = enforce(&order("plain-model", &Endpoint::from_path(path), policy), &body).unwrap();
        assert_eq!(done.note, "requested=unsaid; sent=instructions");
        String::from_utf8(body.splice(&done.edits).joined().to_vec()).unwrap()
    };
    const WORDS: &str = "Before you answer, think step by step about what is asked, and check your result.";
    let cases = [
        // parts keep their bytes, an image among them
        (
            "chat/completions",
            format!(
                r#"{{"messages":[{{"role":"system","content":[ {{"type":"text","text":"Be  kind", "cache_control":{{"type":"ephemeral"}}}} ]}},{{"role":"user","content":[{IMAGE}]}}]}}"#
            ),
            format!(
                r#"{{"messages":[{{"role":"system","content":[ {{"type":"text","text":"Be  kind", "cache_control":{{"type":"ephemeral"}}}} ,{{"text":"{WORDS}","type":"text"}}]}},{{"role":"user","content":[{IMAGE}]}}]}}"#
            ),
        ),
        (
            "chat/completions",
            r#"{"messages":[{"role":"developer","content":"Be kind"},{"role":"system","content":"x"}]}"#.to_owned(),
            format!(
                r#"{{"messages":[{{"role":"developer","content":"Be kind\n\n{WORDS}"}},{{"role":"system","content":"x"}}]}}"#
            ),
        ),
        (
            "chat/completions",
            format!(r#"{{"messages":[ {{"role":"user","content":[{IMAGE}]}}]}}"#),
            format!(
                r#"{{"messages":[{{"content":"{WORDS}","role":"system"}}, {{"role":"user","content":[{IMAGE}]}}]}}"#
            ),
        ),
        ("responses", r#"{"input":"hi"}"#.to_owned(), format!(r#"{{"input":"hi","instructions":"{WORDS}"}}"#)),
        (
            "messages",
            r#"{"system":[{"type":"text","text":"a"}]}"#.to_owned(),
            format!(r#"{{"system":[{{"type":"text","text":"a"}},{{"text":"{WORDS}","type":"text"}}]}}"#),
        ),
    ];
    for (path, sent, expected) in cases {
        let out = told(path, sent.clone());
        // the order of members in what we add is ours
        let plain = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(plain(&out), plain(&expected), "{sent}");
        let kept = if sent.contains(IMAGE) { IMAGE } else { "" };
        assert!(out.contains(kept), "an image keeps its bytes");
        let cached = r#"{"type":"text","text":"Be  kind", "cache_control":{"type":"ephemeral"}}"#;
        assert_eq!(out.contains(cached), sent.contains(cached), "a part keeps its bytes");
    }
    let silent = Policy { instruct: false, ..policy };
    let body = parse(r#"{"messages":[]}"#);
    let done = enforce(&order("plain-model", &Endpoint::Chat, silent), &body).unwrap();
    assert_eq!((done.edits.len(), done.note.as_str()), (0, "requested=unsaid; sent=unsupported"));
}

#[test]
fn a_summary_is_asked_for_where_the_client_asked_for_none() {
    let out = |text: &str| {
        let body = parse(text);
        let edits = summarise(&body, Vec::new());
        serde_json::from_slice::<Value>(&body.splice(&edits).joined()).unwrap()
    };
    assert_eq!(out("{}"), json!({"reasoning": {"summary": "auto"}}));
    assert_eq!(out(r#"{"reasoning":{"effort":"low"}}"#), json!({"reasoning": {"effort": "low", "summary": "auto"}}));
    assert_eq!(out(r#"{"reasoning":{"summary":"detailed"}}"#), json!({"reasoning": {"summary": "detailed"}}));
}

fn frames(texts: &[Value]) -> String {
    texts.iter().map(|text| format!("data: {text}\n\n")).collect::<String>() + "data: [DONE]\n\n"
}

fn bit(delta: Value) -> Value {
    json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

/// What a client sees of a stream that arrives in pieces of every size.
fn seen(show: Show, stream: &str) -> String {
    let mut all = Vec::new();
    for size in [1, 2, 7, 64, stream.len()] {
        let mut veil = Veil::events(show);
        let mut out: Vec<u8> = stream.as_bytes().chunks(size).flat_map(|piece| veil.push(piece)).collect();
        out.extend(veil.end());
        all.push(String::from_utf8(out).unwrap());
    }
    assert!(all.windows(2).all(|two| two[0] == two[1]), "however the stream is cut");
    all.remove(0)
}

#[test]
fn reasoning_is_hidden_or_shortened_in_streams_and_the_answer_stays() {
    let stream = frames(&[
        bit(json!({"role": "assistant", "content": null})),
        bit(json!({"reasoning_content": "First thought. More of it"})),
        bit(json!({"reasoning_content": ".\n\nSecond thought. And more."})),
        bit(json!({"content": "Hello", "reasoning_content": ""})),
        bit(json!({"content": " you"})),
        json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        json!({"id": "c", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 9}}),
    ]);
    let hidden = seen(Show::Hide, &stream);
    assert!(!hidden.contains("thought") && !hidden.contains("reasoning"), "{hidden}");
    for kept in ["assistant", "\"Hello\"", " you", "\"stop\"", "\"usage\"", "[DONE]"] {
        assert!(hidden.contains(kept), "{kept}: {hidden}");
    }
    assert_eq!(hidden.matches("data:").count(), 6, "frames of nothing but reasoning are left out: {hidden}");
    let short = seen(Show::Summary, &stream);
    assert!(short.contains("First thought.") && short.contains("Second thought."), "{short}");
    assert!(!short.contains("More of it") && !short.contains("And more"), "{short}");

    let inline = frames(&[
        bit(json!({"content": "<thi"})),
        bit(json!({"content": "nk>secret</th"})),
        bit(json!({"content": "ink>\n\nHi"})),
    ]);
    let hidden = seen(Show::Hide, &inline);
    assert!(hidden.contains("\"Hi\"") && !hidden.contains("secret") && !hidden.contains("think"), "{hidden}");
}

#[test]
fn reasoning_is_hidden_in_whole_answers_and_in_the_responses_dialect() {
    let whole = |show, text: &str| {
        let mut veil = Veil::whole(show);
        assert!(veil.push(text.as_bytes()).is_empty());
        serde_json::from_slice::<Value>(&veil.end()).unwrap()
    };
    let chat = r#"{"choices":[{"index":0,"message":{"content":"a","reasoning_content":"Hm. Well."}},{"index":1,"message":{"content":"<think>x</think>b"}}],"usage":{"total_tokens":3}}"#;
    let expected = json!({"choices": [{"index": 0, "message": {"content": "a"}}, {"index": 1, "message": {"content": "b"}}],
        "usage": {"total_tokens": 3}});
    assert_eq!(whole(Show::Hide, chat), expected);
    assert_eq!(whole(Show::Summary, chat)["choices"][0]["message"]["reasoning_content"], "Hm.");

    let item = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "secret"}],
        "content": [{"type": "reasoning_text", "text": "secret"}], "encrypted_content": "kept"});
    let response = json!({"id": "r", "output": [item, {"type": "message", "content": []}]});
    let hidden = whole(Show::Hide, &response.to_string());
    assert_eq!(
        hidden["output"][0],
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": [], "encrypted_content": "kept"})
    );
    let stream = frames(&[
        json!({"type": "response.output_item.added", "item": item}),
        json!({"type": "response.reasoning_summary_text.delta", "delta": "secret"}),
        json!({"type": "response.reasoning_text.delta", "delta": "secret"}),
        json!({"type": "response.output_text.delta", "delta": "hello"}),
        json!({"type": "response.completed", "response": response}),
    ]);
    let hidden = seen(Show::Hide, &stream);
    assert!(
        !hidden.contains("secret") && hidden.contains("hello") && hidden.contains("response.completed"),
        "{hidden}"
    );
    let summary = seen(Show::Summary, &stream);
    assert!(
        summary.contains("response.reasoning_summary_text.delta") && !summary.contains("reasoning_text.delta\",\"d"),
        "{summary}"
    );
}
