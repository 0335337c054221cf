//! What becomes of a good request: the call that the gateway sees.

use std::time::Duration;

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use keywheel::serve::KeyOptions;

use crate::serve_support::{LONG, Version, exchange, house, open};

#[tokio::test]
async fn a_chat_request_becomes_a_call_with_its_bytes_untouched() {
    let house = house();
    let body = "{ \"model\": \"m\",\n \"seed\":9007199254740993, \"stream\": true, \"x\":[1.10] }";
    let request = house
        .request("POST", "/v1/chat/completions?trace=1")
        .header("content-type", "application/json; charset=utf-8")
        .header("x-api-key", "another")
        .header("cookie", "a=b")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("x-custom", "kept")
        .header("x-stainless-read-timeout", "600.0");
    let got = house.send(request, body).await;
    assert_eq!((got.status, got.body.as_ref()), (200, b"ok".as_slice()));
    let seen = house.only();
    assert_eq!(seen.body, Ok(body.as_bytes().to_vec()));
    assert_eq!((seen.endpoint.as_str(), seen.method.as_str(), seen.kind), ("chat/completions", "POST", "json"));
    assert_eq!((seen.model.as_deref(), seen.stream, seen.caller.as_str()), (Some("m"), true, "tester"));
    assert_eq!(seen.query.as_deref(), Some("trace=1"));
    assert_eq!(seen.patience, Some(Duration::from_secs(600)));
    assert_eq!(got.headers["x-keywheel-request-id"], seen.id.as_str());
    let names: Vec<&str> = seen.headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(seen.headers["x-custom"], "kept");
    for gone in ["authorization", "x-api-key", "cookie", "connection", "x-hop", "host", "content-length"] {
        assert!(!names.contains(&gone), "{gone} in {names:?}");
    }
}

#[tokio::test]
async fn a_whole_answer_is_waited_for_280_seconds_and_a_stream_as_long_as_it_lives() {
    let house = house();
    house.chat(r#"{"model":"m"}"#).await;
    house.chat(r#"{"model":"m","stream":true}"#).await;
    house.chat(r#"{"model":"m","stream":null}"#).await;
    let seen = house.seen.lock().expect("no panic").clone();
    let patience: Vec<_> = seen.iter().map(|seen| seen.patience.map(|wait| wait.as_secs())).collect();
    assert_eq!(patience, [Some(280), None, Some(280)]);
}

#[tokio::test]
async fn azure_paths_name_the_model_and_keep_their_version_to_themselves() {
    let house = house();
    let key = house.key.expose();
    for (path, body, model) in [
        ("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", r#"{"model":null}"#, "gpt-4o"),
        ("/openai/deployments/lab%2Fgpt/chat/completions?api-version=1&a=2", r#"{"model":"other"}"#, "lab/gpt"),
        ("/openai/v1/chat/completions?api-version=preview", r#"{"model":"m"}"#, "m"),
    ] {
        let request = http::Request::post(path).header("host", house.addr()).header("api-key", key);
        assert_eq!(house.send(request, body).await.status, 200, "{path}");
        let seen = house.seen.lock().expect("no panic").pop().expect("a call");
        assert_eq!((seen.model.as_deref(), seen.endpoint.as_str()), (Some(model), "chat/completions"), "{path}");
        assert_eq!(seen.query.as_deref(), path.ends_with("a=2").then_some("a=2"), "{path}");
        assert!(!seen.headers.contains_key("api-key"));
    }
}

#[tokio::test]
async fn every_header_in_which_clients_send_a_key_is_read() {
    let house = house();
    let key = house.key.expose();
    for name in ["x-api-key", "api-key", "x-goog-api-key"] {
        let request = http::Request::get("/v1/files").header("host", house.addr()).header(name, key);
        let request = request.header("authorization", "Bearer DUMMY_KEY");
        assert_eq!(house.send(request, "").await.status, 200, "{name}");
    }
    let request =
        http::Request::get("/v1/files").header("host", house.addr()).header("authorization", format!("bearer {key}"));
    assert_eq!(house.send(request, "").await.status, 200, "a scheme's case does not count");
    let seen = house.seen.lock().expect("no panic").clone();
    assert!(seen.iter().all(|seen| seen.kind == "empty" && seen.method == "GET" && seen.endpoint == "files"));
}

#[tokio::test]
async fn models_are_listed_by_what_the_key_may_use_and_shown_one_by_one() {
    let house = house();
    let list = house.send(house.request("GET", "/v1/models"), "").await;
    assert_eq!(list.status, 200);
    assert_eq!(list.json()["object"], "list");
    assert_eq!(list.json()["data"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        list.json()["data"][0],
        serde_json::json!({"id": "deepseek/v4", "object": "model", "created": 7, "owned_by": "deepseek",
            "provider": "deepseek"})
    );
    for (path, provider) in [
        ("/v1/models/lab/org/model-a", "lab"),
        ("/v1/models/lab%2Forg%2Fmodel-a", "lab"),
        ("/v1/models/lab/fast", "lab"),
        ("/openai/v1/models/deepseek/v4", "deepseek"),
    ] {
        let got = house.send(house.request("GET", path), "").await;
        assert_eq!((got.status, got.json()["provider"].as_str()), (200, Some(provider)), "{path}");
    }
    let missing = house.send(house.request("GET", "/v1/models/no/such"), "").await;
    assert_eq!((missing.status, missing.error()["code"].as_str()), (404, Some("model_not_found")));

    let options = KeyOptions { models: vec!["deepseek/*".into()], ..KeyOptions::default() };
    let scoped = house.keys.add("scoped", options).expect("a key");
    let request = http::Request::get("/v1/models").header("host", house.addr()).header("x-api-key", scoped.expose());
    let list = house.send(request, "").await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["data"][0]["id"], "deepseek/v4");
}

#[tokio::test]
async fn health_needs_no_key() {
    let house = house();
    for path in ["/healthz", "/readyz"] {
        let got = house.send(http::Request::get(path).header("host", "localhost"), "").await;
        assert_eq!(got.status, 200, "{path}");
        assert!(got.headers.contains_key("x-keywheel-request-id"));
    }
}

#[tokio::test]
async fn a_small_body_that_is_no_json_is_held_and_a_large_one_passes_while_it_arrives() {
    let house = house();
    let form = |size: usize| {
        let file = "x".repeat(size);
        format!(
            "--B\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nlab/whisper\r\n\
             --B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n{file}\r\n--B--\r\n"
        )
    };
    let post = || {
        house
            .request("POST", "/v1/audio/transcriptions")
            .header("content-type", "multipart/form-data; boundary=B")
            .header("x-keywheel-model", "unused")
    };
    for (size, kind) in [(10, "raw"), (200_000, "upload")] {
        let body = form(size);
        assert_eq!(house.send(post(), body.clone()).await.status, 200);
        let seen = house.seen.lock().expect("no panic").pop().expect("a call");
        assert_eq!((seen.kind, seen.model.as_deref()), (kind, Some("lab/whisper")));
        assert_eq!(seen.body, Ok(body.clone().into_bytes()), "what was read ahead was put back");
        assert_eq!(seen.length, (kind == "upload").then_some(body.len() as u64));
        assert!(!seen.headers.contains_key("x-keywheel-model"));
    }
    let request = house.request("POST", "/v1/files").header("content-type", "application/octet-stream");
    let request = request.header("x-keywheel-model", "lab/m");
    assert_eq!(house.send(request, "abc").await.status, 200);
    assert_eq!(house.seen.lock().expect("no panic").pop().expect("a call").model.as_deref(), Some("lab/m"));
}

#[tokio::test]
async fn an_upload_without_a_length_is_cut_at_the_limit() {
    let house = house();
    let chunks = stream::iter((0..50).map(|_| Ok::<_, std::io::Error>(Frame::data(vec![b'x'; 10_000].into()))));
    let request = house.request("POST", "/v1/files").header("content-type", "application/octet-stream");
    let request = request.body(StreamBody::new(chunks)).expect("a request");
    exchange(house.tcp().await, Version::One, request).await;
    let seen = house.only();
    assert_eq!((seen.kind, seen.length, seen.body), ("upload", None, Err(std::io::ErrorKind::FileTooLarge)));
}

#[tokio::test]
async fn http_2_with_prior_knowledge_and_the_socket_serve_the_same_calls() {
    let house = house();
    let body = || http_body_util::Full::new(bytes::Bytes::from_static(br#"{"model":"count","stream":true}"#));
    let request = || {
        let uri = format!("http://{}/v1/chat/completions", house.addr());
        http::Request::post(uri).header("x-api-key", house.key.expose()).body(body()).expect("a request")
    };
    let got = exchange(house.tcp().await, Version::Two, request()).await;
    let expected: String = (0..1000).map(|n| format!("data: {n}\n\n")).collect();
    assert_eq!((got.status, got.body.as_ref()), (200, expected.as_bytes()));

    for version in [Version::One, Version::Two] {
        let request = http::Request::post("http://socket/v1/chat/completions").header("host", "anything");
        let got = exchange(house.unix().await, version, request.body(body()).expect("a request")).await;
        assert_eq!((got.status, got.body.as_ref()), (200, expected.as_bytes()), "{version:?}");
        let seen = house.seen.lock().expect("no panic").pop().expect("a call");
        assert_eq!(seen.caller, "local", "the owner needs no key");
    }
}

#[tokio::test]
async fn what_was_sent_before_an_answer_breaks_reaches_the_client_and_the_end_is_not_clean() {
    let house = house();
    for version in [Version::One, Version::Two] {
        let body = http_body_util::Full::new(bytes::Bytes::from_static(br#"{"model":"broken","stream":true}"#));
        let uri = format!("http://{}/v1/chat/completions", house.addr());
        let request = http::Request::post(uri).header("host", house.addr()).header("x-api-key", house.key.expose());
        let response = open(house.tcp().await, version, request.body(body).expect("a request")).await;
        let mut body = response.expect("an answer").into_body();
        let first = tokio::time::timeout(LONG, body.frame()).await.expect("in time").expect("a frame");
        assert_eq!(first.expect("data").into_data().expect("data").as_ref(), b"data: 1\n\n", "{version:?}");
        let end = tokio::time::timeout(LONG, body.frame()).await.expect("in time");
        assert!(matches!(end, Some(Err(_))), "{version:?}: {end:?}");
    }
}

#[tokio::test]
async fn a_broken_answer_resets_an_http_1_0_client_whose_end_of_stream_would_look_whole() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let house = house();
    let body = r#"{"model":"broken","stream":true}"#;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.0\r\nx-api-key: {}\r\ncontent-length: {}\r\n\r\n{body}",
        house.key.expose(),
        body.len()
    );
    let mut client = house.tcp().await;
    client.write_all(head.as_bytes()).await.expect("sent");
    let mut said = Vec::new();
    let end = tokio::time::timeout(LONG, client.read_to_end(&mut said)).await.expect("in time");
    assert!(String::from_utf8_lossy(&said).ends_with("data: 1\n\n"), "{said:?}");
    assert_eq!(end.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn the_operator_answers_on_the_socket_and_nowhere_else() {
    let house = house();
    let ask = |body: &'static str| {
        let request = http::Request::post("/keywheel/ask").header("host", "localhost");
        request.body(http_body_util::Full::new(bytes::Bytes::from_static(body.as_bytes()))).expect("a request")
    };
    let got = exchange(house.unix().await, Version::One, ask("\"stop\"")).await;
    assert_eq!((got.status, got.json()), (200, serde_json::json!({"Ok": {"done": "stopped"}})));
    let got = exchange(house.unix().await, Version::One, ask("\"accounts\"")).await;
    assert_eq!(got.json()["Err"]["message"], "not Accounts");
    let got = exchange(house.unix().await, Version::One, ask("\"a_newer_question\"")).await;
    assert!(got.json()["Err"]["message"].as_str().is_some_and(|said| said.contains("another version")));
    let got = exchange(house.tcp().await, Version::One, ask("\"stop\"")).await;
    assert_eq!((got.status, got.error()["code"].as_str()), (404, Some("unknown_endpoint")));
}
