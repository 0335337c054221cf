//! What the lab receives is what the client sent, and what the client receives is what the lab sent, byte for byte.

use bytes::Bytes;
use keywheel::sim::lab::frames;
use keywheel::sim::{Persona, Script};
use serde_json::Value;

use crate::e2e_rig::Rig;
use crate::support::Client;
use crate::support::client::End;

/// A body as no serializer would write it: odd spacing, unknown fields, numbers beyond any float, escapes, 200 KB.
fn odd_body(model: &str, tail: &str) -> String {
    let context = "The quick brown fox \\u00e9\\n\\\"quoted\\\" \\/ ü 漢字 🦀 ".repeat(4000);
    assert!(context.len() > 200_000);
    format!(
        "{{ \"zeta\" :\t{{\"nested\": [1,2 ,  3],\"model\":\"not me\"}},\r\n  \"model\" : {model}  ,\n\"big\": \
         123456789012345678901234567890.000100, \"exp\":1E+400,\"neg\":-0.0,\
         \"messages\":[ {{\"role\":\"user\",\"content\":\"{context}\"}} ] ,\"empty\":{{ }},\"seed\":18446744073709551616{tail}}}\n"
    )
}

fn lab_rig(more: &str) -> Rig {
    Rig::with(keywheel::sim::lab::Setup::new(Persona::Generic), &["a"], |config| config.provider(more))
}

/// Sends a body by each door and protocol; gives what the lab received.
async fn received(rig: &Rig, path: &str, body: &str) -> Vec<Bytes> {
    // the lab's own reader would refuse a number that no float can hold
    rig.lab.on("a").always(Script::json(200, &serde_json::json!({"ok": true})));
    let port = rig.keywheel.client();
    let socket = Client::unix(rig.keywheel.socket());
    for client in [port.clone(), port.http2(), socket.clone(), socket.http2()] {
        let response = client.post_bytes(path, body.to_owned()).await;
        let status = response.status;
        assert_eq!(status, 200, "{}", response.text().await);
    }
    rig.calls().into_iter().map(|call| call.body).collect()
}

#[tokio::test]
async fn an_odd_body_reaches_the_lab_with_only_its_model_changed() {
    let rig = lab_rig("");
    let expected = odd_body("\"odd\"", "");
    for body in received(&rig, "/v1/chat/completions", &odd_body("\"lab/odd\"", "")).await {
        assert!(body == expected, "{} bytes arrived, {} were sent", body.len(), expected.len());
    }
    assert_eq!(rig.calls().len(), 4);
}

#[tokio::test]
async fn a_body_whose_model_needs_no_change_is_not_touched_at_all() {
    let rig = lab_rig("models = [\"odd\"]");
    let body = odd_body("\"odd\"", "");
    for received in received(&rig, "/v1/chat/completions", &body).await {
        assert!(received == body);
    }
}

#[tokio::test]
async fn the_rules_of_provider_and_client_change_only_what_they_name() {
    let rules = "body = { set = { user = \"kw\" }, default = { seed = 1, temperature = 0.5 }, drop = [\"zeta\"] }";
    let rig = lab_rig(rules);
    let sent = odd_body("\"lab/odd\"", ", \"user\" :  \"me\"");
    for received in received(&rig, "/v1/chat/completions", &sent).await {
        let text = std::str::from_utf8(&received).expect("UTF-8");
        let json: Value = serde_json::from_str(&text.replace("1E+400", "0")).expect("still JSON");
        assert_eq!((&json["user"], &json["temperature"], json.get("zeta")), (&"kw".into(), &0.5.into(), None));
        assert!(text.contains("\"seed\":18446744073709551616"), "a default does not replace");
        let untouched = sent.split_once("\"big\"").unwrap().1.split_once(" ,\"empty\"").unwrap().0;
        assert!(text.contains(untouched), "the rest is as it was");
    }
}

#[tokio::test]
async fn a_file_passes_as_it_is() {
    let rig = lab_rig("");
    let boundary = "x".repeat(30);
    let file: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut body = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--{boundary}\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(&file);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={boundary}");
    let client = rig.keywheel.client().header("content-type", &kind).header("x-keywheel-provider", "lab");
    let response = client.post_bytes("/v1/files", body.clone()).await;
    let status = response.status;
    assert_eq!(status, 200, "{}", response.text().await);
    let call = &rig.calls()[0];
    assert_eq!(
        (call.path_and_query.as_str(), call.headers["content-type"].to_str().unwrap()),
        ("/v1/files", kind.as_str())
    );
    assert!(call.body == body, "{} of {} bytes", call.body.len(), body.len());
}

#[tokio::test]
async fn ten_thousand_chunks_arrive_byte_for_byte() {
    let rig = lab_rig("");
    let expected = frames(10_000).concat();
    let port = rig.keywheel.client();
    let socket = Client::unix(rig.keywheel.socket());
    for client in [port.clone(), port.http2(), socket] {
        rig.lab.on("a").then(Script::chunks(10_000));
        let response =
            client.post_bytes("/v1/chat/completions", r#"{"model":"lab/x","stream":true,"messages":[]}"#).await;
        assert_eq!((response.status, response.header("content-type")), (200, "text/event-stream"));
        let (body, end) = response.read().await;
        assert_eq!((body.len(), end), (expected.len(), End::Clean));
        assert!(body == expected);
    }
    rig.assert_untouched("long streams");
}

#[tokio::test]
async fn keep_alives_blank_lines_and_odd_endings_of_a_provider_pass_as_they_are() {
    let rig = lab_rig("");
    let done = "data: [DONE]\n\n";
    let finish = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    for chunks in [
        vec![": keep-alive\n\n", "\n", "data: {\"choices\":[]}\n\n", finish, done],
        vec!["data: {\"choices\":[]}\r\n\r\n", "data:{\"no\":\"space\"}\r\n\r\n", "data: [DONE]\r\n\r\n"],
        vec!["data: {\"a\"", ":1}\n", "\ndata: {\"b\":2}\n\n", "event: x\nid: 7\ndata: 1\ndata: 2\n\n", finish, done],
        vec!["data: {\"choices\":[]}\n\n", finish],
        vec!["data: {\"choices\":[]}\n\n", finish, done, "data: {\"cost\":1}\n\n", ": after\n\n"],
    ] {
        let expected = chunks.concat();
        rig.lab.on("a").then(Script::events(chunks));
        let client = rig.keywheel.client();
        let response =
            client.post_bytes("/v1/chat/completions", r#"{"model":"lab/x","stream":true,"messages":[]}"#).await;
        let (body, end) = response.read().await;
        assert_eq!((String::from_utf8_lossy(&body).as_ref(), end), (expected.as_str(), End::Clean));
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let rig = lab_rig("");
    rig.lab.on("a").then(Script::huge(20 << 20));
    let response = rig.keywheel.client().post_bytes("/v1/chat/completions", r#"{"model":"lab/x","messages":[]}"#).await;
    let (body, end) = response.read().await;
    assert_eq!(end, End::Clean);
    let json: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(json["choices"][0]["message"]["content"].as_str().map(str::len), Some(20 << 20));
}
