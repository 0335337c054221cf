//! Bad input: the right status and a sentence that says what to do; the gateway behind is not bothered.

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use keywheel::serve::KeyOptions;
use tokio::io::AsyncWriteExt;

use crate::serve_support::{LONG, Version, exchange, house, open, raw};

#[tokio::test]
async fn a_body_that_two_parsers_could_read_differently_is_refused_with_what_is_wrong() {
    let house = house();
    for (body, code, words) in [
        ("", "invalid_request", "empty"),
        ("{", "invalid_json", "line 1 column 1"),
        ("{\"model\":\"m\",}", "invalid_json", "line 1 column 14"),
        ("[1]", "invalid_json", "not a JSON object"),
        ("{\"model\":\"a\",\"model\":\"b\"}", "invalid_json", "\"model\" twice"),
        ("{\"model\":\"m\"} trailing", "invalid_json", "trailing"),
        ("{\"messages\":[]}", "model_missing", "/v1/models"),
        ("{\"model\":null}", "model_missing", "/v1/models"),
        ("{\"model\":\"\"}", "model_missing", "/v1/models"),
        ("{\"model\":7}", "invalid_type", "a string"),
        ("{\"model\":\"m\",\"stream\":\"yes\"}", "invalid_type", "true or false"),
    ] {
        let got = house.chat(body).await;
        let error = got.error();
        assert_eq!((got.status, error["code"].as_str()), (400, Some(code)), "{body}");
        assert!(error["message"].as_str().is_some_and(|said| said.contains(words)), "{body}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
    }
    assert_eq!(house.chat("{\"model\":7}").await.error()["param"], "model");
    assert_eq!(house.chat("{\"model\":\"m\",\"stream\":1}").await.error()["param"], "stream");
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_that_the_client_can_read_although_it_sends_on() {
    let house = house();
    let request = || house.request("POST", "/v1/chat/completions").header("content-type", "application/json");
    // far more than socket buffers hold, so that the client is still sending when it is answered
    let large = Bytes::from(vec![b' '; 8_000_000]);
    let stated = house.send(request(), large.clone()).await;
    assert_eq!((stated.status, stated.error()["code"].as_str()), (413, Some("body_too_large")));
    for version in [Version::One, Version::Two] {
        let chunks = stream::iter(
            large
                .chunks(100_000)
                .map(|chunk| Ok::<_, std::io::Error>(Frame::data(large.slice_ref(chunk))))
                .collect::<Vec<_>>(),
        );
        let request = request().uri(format!("http://{}/v1/chat/completions", house.addr()));
        let got = exchange(house.tcp().await, version, request.body(StreamBody::new(chunks)).expect("a request")).await;
        assert_eq!(got.status, 413, "{version:?}");
    }
    let upload = house.request("POST", "/v1/files").header("content-type", "application/octet-stream");
    assert_eq!(house.send(upload, large.clone()).await.status, 413);
    let wrong = http::Request::post("/v1/chat/completions").header("host", "localhost").header("x-api-key", "kw-no");
    assert_eq!(house.send(wrong, large.clone()).await.status, 401, "refused before it is read, and still heard");
    let early = house.request("POST", "/v1/files").header("x-keywheel-model", "early");
    let got = house.send(early, Bytes::from(vec![b'x'; 390_000])).await;
    assert_eq!((got.status, got.body.as_ref()), (200, b"early".as_slice()), "an upload that the gateway left unread");
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn a_client_that_sends_everything_before_it_reads_still_hears_its_refusal() {
    let house = house();
    let key = house.key.expose();
    for (path, key, status) in [
        ("/v1/chat/completions", key, 413),
        ("/v1/files", key, 413),
        ("/v1/chat/completions", "kw-no", 401),
        ("/nowhere", "kw-no", 404),
        ("/v1/models", key, 405),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\nconnection: close\r\n\
             content-length: 8000000\r\n\r\n"
        );
        let mut all = head.into_bytes();
        all.resize(all.len() + 8_000_000, b' ');
        let mut client = house.tcp().await;
        client.write_all(&all).await.expect("the door reads on, for clients that give up when they cannot send");
        let said = raw(client, b"").await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {said:?}");
    }
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_refused_without_being_told_to_send() {
    let house = house();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\nexpect: 100-continue\r\n\
         content-length: 999999999\r\n\r\n",
        house.key.expose()
    );
    let said = raw(house.tcp().await, head.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 413") && !said.contains("100 Continue"), "{said}");
}

#[tokio::test]
async fn a_body_that_is_not_what_the_endpoint_takes_is_a_415() {
    let house = house();
    let post = || house.request("POST", "/v1/chat/completions");
    let form = post().header("content-type", "multipart/form-data; boundary=B");
    assert_eq!(house.send(form, "--B--").await.status, 415);
    let packed = post().header("content-type", "application/json").header("content-encoding", "zstd");
    let got = house.send(packed, "x").await;
    assert!(got.status == 415 && got.error()["message"].as_str().is_some_and(|said| said.contains("content-encoding")));
    // curl's own content type is not held against it
    let curl = post().header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(house.send(curl, "{\"model\":\"m\"}").await.status, 200);
    assert_eq!(house.only().headers["content-type"], "application/json");
}

#[tokio::test]
async fn an_unknown_endpoint_names_the_known_ones_and_a_wrong_method_the_right_one() {
    let house = house();
    for path in [
        "/",
        "/chat/completions",
        "/v2/models",
        "/v1",
        "/v1/../healthz",
        "/v1/a/%2e%2e/%2e%2e/b",
        "/keywheel",
        "/openai/",
    ] {
        let got = house.send(house.request("POST", path), "{}").await;
        assert_eq!((got.status, got.error()["code"].as_str()), (404, Some("unknown_endpoint")), "{path}");
        assert!(got.error()["message"].as_str().is_some_and(|said| said.contains("chat/completions")), "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/responses", "POST"),
        ("POST", "/v1/models", "GET,HEAD"),
        ("POST", "/healthz", "GET,HEAD"),
    ] {
        let got = house.send(house.request(method, path), "").await;
        assert_eq!((got.status, got.error()["code"].as_str()), (405, Some("method_not_allowed")), "{method} {path}");
        assert_eq!(got.headers["allow"], allow, "{method} {path}");
    }
    let socket = house.request("GET", "/v1/responses").header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(house.send(socket, "").await.status, 426);
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn a_missing_wrong_or_expired_key_is_a_401_that_says_how_to_get_one() {
    let house = house();
    let options = KeyOptions { ttl: Some(std::time::Duration::ZERO), ..KeyOptions::default() };
    let expired = house.keys.add("old", options).expect("a key");
    for (name, value, words) in [
        ("x-none", "", "keywheel client add"),
        ("authorization", "Bearer sk-wrong", "client.key"),
        ("authorization", "Basic a3c6eA==", "keywheel client add"),
        ("x-api-key", "kw-abcdefgh-wrong", "not known"),
        ("api-key", expired.expose(), "keywheel client rotate"),
    ] {
        for path in ["/v1/chat/completions", "/v1/models", "/v1/models/m", "/openai/v1/files"] {
            let method = if path.ends_with("completions") { "POST" } else { "GET" };
            let request =
                http::Request::builder().method(method).uri(path).header("host", "127.0.0.1").header(name, value);
            let got = house.send(request, "").await;
            let error = got.error();
            assert_eq!((got.status, error["code"].as_str()), (401, Some("invalid_api_key")), "{name} {path}");
            let said = error["message"].as_str().expect("a sentence");
            assert!(said.contains(words) && !said.contains("kw-abc") && !said.contains(expired.expose()), "{said}");
            assert_eq!(got.headers["www-authenticate"], "Bearer");
        }
    }
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn a_key_over_its_rate_gets_a_429_with_whole_seconds_to_wait() {
    let house = house();
    let key = house.keys.add("slow", KeyOptions { rpm: Some(2), ..KeyOptions::default() }).expect("a key");
    let ask = || http::Request::get("/v1/models").header("host", "localhost").header("x-api-key", key.expose());
    for _ in 0..2 {
        assert_eq!(house.send(ask(), "").await.status, 200);
    }
    let got = house.send(ask(), "").await;
    assert_eq!((got.status, got.error()["code"].as_str()), (429, Some("client_rate_limit")));
    let wait: u64 = got.headers["retry-after"].to_str().expect("text").parse().expect("whole seconds");
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(house.send(house.request("GET", "/v1/models"), "").await.status, 200, "other keys are not held up");
}

#[tokio::test]
async fn a_rotated_key_works_on_at_an_open_door_and_a_removed_one_stops() {
    let house = house();
    // what `keywheel client` does in a process of its own
    let cli = keywheel::serve::Keys::open(&house.home.path().join("clients.toml")).expect("the store");
    let status = async |key: &keywheel::kit::Secret| {
        let request = http::Request::get("/v1/models").header("host", "localhost").header("x-api-key", key.expose());
        house.send(request, "").await.status
    };
    let until = async |key: &keywheel::kit::Secret, wanted: u16| {
        let began = std::time::Instant::now();
        while status(key).await != wanted {
            assert!(began.elapsed() < LONG, "never {wanted}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let first = cli.add("ci", KeyOptions::default()).expect("a key");
    until(&first, 200).await;
    let second = cli.rotate("ci", keywheel::serve::keys::OVERLAP).expect("another key");
    until(&second, 200).await;
    assert_eq!(status(&first).await, 200, "the overlap");
    cli.remove("ci").expect("removed");
    until(&second, 401).await;
    assert_eq!(status(&first).await, 401);
}

#[tokio::test]
async fn a_head_over_64_kib_is_a_431_and_a_malformed_one_a_400() {
    let house = house();
    let large = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(65 * 1024));
    assert!(raw(house.tcp().await, large.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert!(raw(house.tcp().await, many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let fits = format!(
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: {}\r\n\r\n",
        "y".repeat(60 * 1024)
    );
    assert!(raw(house.tcp().await, fits.as_bytes()).await.starts_with("HTTP/1.1 200"));
    for bad in [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\r\n\r\n",
    ] {
        assert!(raw(house.tcp().await, bad.as_bytes()).await.starts_with("HTTP/1.1 400"), "{bad:?}");
    }
    let smuggled = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ncontent-length: 3\r\n\
         content-length: 4\r\n\r\n{{}} ",
        house.key.expose()
    );
    assert!(raw(house.tcp().await, smuggled.as_bytes()).await.starts_with("HTTP/1.1 400"));

    let uri = format!("http://{}/healthz", house.addr());
    let request = http::Request::get(uri).header("x", "y".repeat(65 * 1024)).body(Full::new(Bytes::new()));
    let got = open(house.tcp().await, Version::Two, request.expect("a request")).await;
    assert!(got.is_err() || got.is_ok_and(|got| got.status() == 431));
    assert_eq!(house.calls(), 0);
}
