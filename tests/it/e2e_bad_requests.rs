//! Requests that are wrong: the right status, a sentence that says what to do, and no account punished.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use keywheel::sim::Persona;
use keywheel::sim::lab::Setup;
use serde_json::Value;

use crate::e2e_rig::{Rig, chat, text};
use crate::support::Client;

const MODEL: &str = "lab/gpt-4o-mini";
const CHAT: &str = "/v1/chat/completions";

fn rig() -> Rig {
    Rig::with(Setup::new(Persona::Openai), &["a", "b"], |config| config.top("body_limit = \"64KiB\""))
}

fn check(rig: &mut Rig, what: &str) {
    rig.assert_untouched(what);
    assert_eq!(rig.calls().len(), 0, "{what}: nothing reached the lab");
    assert!(rig.keywheel.runs(), "{what}: {}", rig.keywheel.words());
    assert!(!rig.keywheel.words().contains("panicked"), "{what}: {}", rig.keywheel.words());
}

/// The error of an answer: its code and its sentence.
fn error(what: &str, body: &[u8]) -> (String, String) {
    let json: Value = serde_json::from_slice(body)
        .unwrap_or_else(|error| panic!("{what}: {error}: {}", String::from_utf8_lossy(body)));
    let error = &json["error"];
    for key in ["message", "type", "param", "code"] {
        assert!(error.get(key).is_some(), "{what}: {key} is missing in {json}");
    }
    (text(&error["code"]).to_owned(), text(&error["message"]).to_owned())
}

#[tokio::test]
async fn a_wrong_body_is_a_400_that_says_what_is_wrong_with_it() {
    let mut rig = rig();
    let long = format!(r#"{{"model":"lab/{}","messages":[]}}"#, "m".repeat(600));
    for (body, code, words) in [
        (long.as_str(), "invalid_value", "512 bytes"),
        (r#"{"model":"lab/\u001b[2Jred","messages":[]}"#, "invalid_value", "control characters"),
        (r#"{"model":"lab/gpt-4o-mini","messages":["#, "invalid_json", "JSON"),
        ("hello", "invalid_json", "JSON"),
        ("", "invalid_request", "send a JSON object"),
        ("[]", "invalid_json", "object"),
        ("null", "invalid_json", "object"),
        ("{} {}", "invalid_json", ""),
        (r#"{"model":"lab/gpt-4o-mini",}"#, "invalid_json", ""),
        ("{\"model\":\"lab/\u{0}\"}", "invalid_json", ""),
        (r#"{"model":"lab/a","model":"lab/b","messages":[]}"#, "invalid_json", "model"),
        (r#"{"model":"lab/a","\u006dodel":"lab/b","messages":[]}"#, "invalid_json", "model"),
        (r#"{"messages":[]}"#, "model_missing", "GET /v1/models"),
        (r#"{"model":null,"messages":[]}"#, "model_missing", "GET /v1/models"),
        (r#"{"model":5,"messages":[]}"#, "invalid_type", "a string"),
        (r#"{"model":"lab/gpt-4o-mini","stream":"yes"}"#, "invalid_type", "true or false"),
    ] {
        let response = rig.keywheel.client().post_bytes(CHAT, body.to_owned()).await;
        assert_eq!(response.status, 400, "{body}");
        assert!(!response.header("x-keywheel-request-id").is_empty(), "{body}");
        let (found, sentence) = error(body, &response.bytes().await);
        assert_eq!(found, code, "{body}: {sentence}");
        assert!(sentence.contains(words) && sentence.len() > 10, "{body}: {sentence}");
    }
    check(&mut rig, "wrong bodies");
}

#[tokio::test]
async fn bytes_that_are_no_text_and_bottomless_nesting_are_survived() {
    let mut rig = rig();
    let response = rig.keywheel.client().post_bytes(CHAT, b"{\"model\":\"lab/\xff\xfe\"}".to_vec()).await;
    assert_eq!(response.status, 400);
    for depth in [1_000, 15_000] {
        let nested = format!(r#"{{"model":"{MODEL}","messages":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let response = rig.keywheel.client().post_bytes(CHAT, nested).await;
        assert!((400..500).contains(&response.status), "{depth}: {}", response.status);
    }
    rig.assert_untouched("nesting");
    assert!(rig.keywheel.runs());
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_however_it_is_sent() {
    let mut rig = rig();
    let mut large = chat(MODEL);
    large["messages"][0]["content"] = Value::from("x".repeat(70_000));
    let stated = rig.keywheel.client().post(CHAT, &large).await;
    assert_eq!(stated.status, 413);
    let (_, sentence) = error("stated", &stated.bytes().await);
    assert!(sentence.contains("body_limit"), "{sentence}");

    let key = rig.keywheel.key();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let chunked = [head.as_bytes(), chunk.as_bytes(), chunk.as_bytes(), b"0\r\n\r\n"].concat();
    let heard = rig.keywheel.client().raw(&chunked, Duration::from_secs(20)).await.expect("an answer");
    assert!(heard.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&heard));
    check(&mut rig, "a large body");
}

#[tokio::test]
async fn wrong_paths_methods_and_encodings_say_what_there_is() {
    let mut rig = rig();
    let client = rig.keywheel.client();
    let body = || Bytes::from(chat(MODEL).to_string());
    let none = Bytes::new;
    for (method, path, body, status, words) in [
        (Method::POST, "/v1/nothing", body(), 404, "nothing"),
        (Method::POST, "/v1/chat/completion", body(), 404, "chat/completion"),
        (Method::POST, "/chat/completions", body(), 404, "/v1"),
        (Method::POST, "/v2/chat/completions", body(), 404, "/v1"),
        (Method::POST, "/v1/../chat/completions", body(), 404, "/v1"),
        (Method::GET, "/", none(), 404, "/v1"),
        (Method::GET, "/v1", none(), 404, "/v1"),
        (Method::GET, CHAT, none(), 405, "POST"),
        (Method::DELETE, "/v1/embeddings", none(), 405, "POST"),
        (Method::POST, "/healthz", body(), 405, "POST"),
        (Method::GET, "/v1/models/lab%2Fno-such-model", none(), 404, "GET /v1/models"),
        (Method::POST, "/keywheel/ask", Bytes::from("\"status\""), 404, "nothing"),
    ] {
        let response = client.send(method.clone(), path, body).await.expect("an answer");
        assert_eq!(response.status, status, "{method} {path}");
        let (_, sentence) = error(path, &response.bytes().await);
        assert!(sentence.contains(words), "{method} {path}: {sentence}");
    }
    let zipped = client.clone().header("content-encoding", "gzip").post_bytes(CHAT, body()).await;
    assert_eq!(zipped.status, 415);
    let form = client.clone().header("content-type", "multipart/form-data; boundary=x").post_bytes(CHAT, body()).await;
    assert_eq!(form.status, 415);
    let upgrade = client.header("connection", "upgrade").header("upgrade", "websocket").get("/v1/responses").await;
    assert_eq!(upgrade.status, 426);
    check(&mut rig, "wrong paths");
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_a_401_that_says_where_keys_come_from() {
    let mut rig = rig();
    let key = rig.keywheel.key();
    let bare = Client::tcp(rig.keywheel.addr());
    let cut = &key[..key.len() - 1];
    for (name, value) in [
        ("x-nothing", String::new()),
        ("authorization", "Bearer sk-of-somebody-else".to_owned()),
        ("authorization", format!("Bearer {cut}")),
        ("authorization", format!("Bearer {key}x")),
        ("authorization", format!("Basic {key}")),
        ("authorization", key.clone()),
        ("x-api-key", cut.to_owned()),
        ("api-key", "kw-".to_owned()),
        ("cookie", key.clone()),
    ] {
        let client = bare.clone().header(name, &value);
        for path in [CHAT, "/v1/nothing", "/openai/deployments/x/chat/completions"] {
            let response = client.post(path, &chat(MODEL)).await;
            assert_eq!(response.status, 401, "{name} {path}");
            assert_eq!(response.header("www-authenticate"), "Bearer");
            let (_, sentence) = error(path, &response.bytes().await);
            assert!(sentence.contains("keywheel client add"), "{sentence}");
            assert!(!sentence.contains(cut), "a key is never repeated");
        }
        assert_eq!(client.get("/v1/models").await.status, 401);
    }
    for name in ["x-api-key", "api-key", "x-goog-api-key"] {
        assert_eq!(bare.clone().header(name, &key).get("/v1/models").await.status, 200, "{name}");
    }
    assert_eq!(bare.get("/healthz").await.status, 200, "whether it lives is no secret");
    check(&mut rig, "wrong keys");
}

#[tokio::test]
async fn what_is_no_http_is_answered_or_hung_up_on_and_never_hangs() {
    let mut rig = rig();
    let client = rig.keywheel.client();
    let large_head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-large: {}\r\n\r\n", "x".repeat(100_000));
    let rows: [(&[u8], &str); 6] = [
        (b"NONSENSE\r\n\r\n", "HTTP/1.1 400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HTTP/1.1 400"),
        (large_head.as_bytes(), "HTTP/1.1 431"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n", "HTTP/1.1 400"),
        (b"GET /healthz HTTP/9.9\r\nhost: localhost\r\n\r\n", "HTTP/1.1 400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame at all, but long enough to be read as one", ""),
    ];
    for (bytes, answer) in rows {
        let heard = client.raw(bytes, Duration::from_secs(20)).await.unwrap_or_default();
        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(heard.starts_with(answer), "{}: {heard}", String::from_utf8_lossy(&bytes[..20.min(bytes.len())]));
    }
    assert_eq!(client.get("/healthz").await.status, 200);
    check(&mut rig, "no HTTP");
}

#[tokio::test]
async fn no_word_of_a_provider_reaches_the_terminal_as_an_order() {
    let rig = rig();
    let red = "\u{1b}[31mred\u{7}\u{9b}2J";
    let words = serde_json::json!({"error": {"message": red, "type": red, "param": red, "code": red}});
    for status in [400, 401, 429] {
        rig.lab.on("a").then(keywheel::sim::Script::json(status, &words));
        drop(rig.keywheel.client().post(CHAT, &chat(MODEL)).await);
    }
    let rows = crate::e2e_rig::json_lines(&rig.keywheel.run(["requests", "--json"]));
    let ids: Vec<&str> = rows.iter().map(|row| text(&row["id"])).collect();
    let shown = ids.iter().map(|id| vec!["requests", id]);
    for args in shown.chain([vec!["account", "list"], vec!["requests"], vec!["status"], vec!["account", "show", "a"]]) {
        let said = crate::e2e_rig::said(&rig.keywheel.run(&args));
        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{args:?}: {said:?}");
    }
    let log = rig.keywheel.words();
    assert!(!log.contains('\u{1b}') && !log.contains('\u{9b}'), "{log:?}");
}
