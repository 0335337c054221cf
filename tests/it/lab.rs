//! The lab itself: what it records, which protocols it speaks, how it notices clients that leave.

use std::time::{Duration, Instant};

use http::{Method, Version};
use keywheel::sim::lab::{Keys, Setup};
use keywheel::sim::{Lab, Persona, Script};
use serde_json::json;

use crate::support::{Client, SOON, tls::Pems};

const CHAT: &str = "/v1/chat/completions";

fn lab() -> (Lab, Client) {
    let lab = Lab::start(Persona::Openai).expect("a lab");
    let client = Client::tcp(lab.addr()).key(&lab.key("k1"));
    (lab, client)
}

#[tokio::test]
async fn a_request_is_recorded_byte_for_byte() {
    let (lab, client) = lab();
    let body = "{ \"model\":\t\"gpt-4o-mini\",\"messages\" :[{\"role\":\"user\",\"content\":\"h\\u00e9\"}] }\n";
    let before = Instant::now();
    let path = "/v1/chat/completions?a=1&b=%20";
    let answer = client.clone().header("x-odd", "one  two").post_bytes(path, body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json().await["choices"][0]["message"]["content"], "h\u{e9}");
    let seen = lab.seen();
    assert_eq!(seen.len(), 1);
    let seen = &seen[0];
    assert_eq!((seen.key.as_str(), &seen.method, seen.path_and_query.as_str()), ("k1", &Method::POST, path));
    assert_eq!(seen.body, body);
    assert_eq!(seen.headers["x-odd"], "one  two");
    assert_eq!(seen.http_version, Version::HTTP_11);
    assert!(seen.peer.ip().is_loopback() && seen.at >= before && seen.at <= Instant::now());
    assert_eq!(seen.closed, None);
}

#[tokio::test]
async fn http2_without_tls_is_spoken_too() {
    let (lab, client) = lab();
    let body = json!({"model": "echo", "stream": true, "messages": [{"role": "user", "content": "one two"}]});
    let (frames, _) = client.http2().post(CHAT, &body).await.frames().await;
    assert_eq!(frames.last().map(|frame| &frame.bytes[..]), Some(&b"data: [DONE]\n\n"[..]));
    assert_eq!(lab.seen()[0].http_version, Version::HTTP_2);
}

#[tokio::test]
async fn with_a_certificate_it_offers_http2_inside_tls() {
    let pems = Pems::new();
    let identity = Some(pems.identity());
    let lab = Lab::start_with(Setup { identity, ..Setup::new(Persona::Generic) }).expect("a lab");
    // another test may have been first
    drop(rustls::crypto::ring::default_provider().install_default());
    let ca = reqwest::Certificate::from_pem(pems.ca.as_bytes()).expect("a certificate");
    let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().expect("a client");
    let answer = client.get(lab.base_url() + "/models").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    assert_eq!(lab.seen()[0].http_version, Version::HTTP_2);
    assert!(lab.base_url().starts_with("https://127.0.0.1:"));
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_before_the_head_and_in_the_middle() {
    let (lab, client) = lab();
    lab.on("k1").then(Script::chunks(9).hang(3)).then(Script::usual().after(Duration::from_secs(600)));
    let body = json!({"model": "gpt-4o-mini", "stream": true, "messages": []});
    let mut answer = client.post(CHAT, &body).await;
    for _ in 0..3 {
        answer.frame().await.expect("a frame");
    }
    assert_eq!((lab.in_flight(), lab.seen()[0].closed), (1, None));
    let left = Instant::now();
    drop(answer);
    let closed = lab.wait_closed(1, SOON).await.expect("the lab notices");
    assert!(closed[0].closed.is_some_and(|at| at >= left));

    let waiting = client.clone();
    let call = tokio::spawn(async move { waiting.post(CHAT, &body).await.status });
    lab.wait_seen(2, SOON).await.expect("the call arrives");
    call.abort();
    let closed = lab.wait_closed(2, SOON).await.expect("the lab notices");
    assert_eq!(closed.len(), 2);
    assert_eq!(lab.in_flight(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_an_http2_stream_is_noticed() {
    let (lab, client) = lab();
    lab.on("k1").then(Script::chunks(9).hang(1));
    let mut answer = client.http2().post(CHAT, &json!({"model": "echo", "messages": []})).await;
    answer.frame().await.expect("a frame");
    drop(answer);
    assert!(lab.wait_closed(1, SOON).await.is_some());
}

#[tokio::test]
async fn an_answer_read_to_its_end_is_not_counted_as_left() {
    let (lab, client) = lab();
    lab.on("k1").then(Script::chunks(50)).then(Script::chunks(50).cut(2)).then(Script::huge(300_000));
    let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]});
    for _ in 0..4 {
        client.post(CHAT, &body).await.read().await;
    }
    assert_eq!(client.get("/v1/models").await.status, 200);
    assert!(lab.wait_closed(1, Duration::from_millis(300)).await.is_none());
    assert_eq!((lab.in_flight(), lab.count("k1")), (0, 5));
}

#[tokio::test]
async fn the_gauge_shows_how_many_calls_were_under_way_at_once() {
    let (lab, client) = lab();
    lab.on("k1").always(Script::usual().after(Duration::from_millis(300)));
    let body = json!({"model": "gpt-4o-mini", "messages": []});
    tokio::join!(client.post(CHAT, &body), client.post(CHAT, &body), client.post(CHAT, &body));
    assert_eq!((lab.max_in_flight(), lab.connections()), (3, 3));
    lab.on("k1").clear();
    client.post(CHAT, &body).await.bytes().await;
    assert_eq!((lab.max_in_flight(), lab.count("k1"), lab.count("k2")), (3, 4, 0));
}

#[tokio::test]
async fn a_key_can_expire_and_come_back() {
    let (lab, client) = lab();
    let body = json!({"model": "gpt-4o-mini", "messages": []});
    assert_eq!(client.post(CHAT, &body).await.status, 200);
    lab.expire("k1", Duration::ZERO);
    let answer = client.post(CHAT, &body).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json().await["error"]["code"], "invalid_api_key");
    lab.key("k1");
    assert_eq!(client.post(CHAT, &body).await.status, 200);
    assert_eq!(lab.count("k1"), 3, "an expired key keeps its name");
}

#[tokio::test]
async fn a_lab_may_take_any_key_and_offer_more_models() {
    let setup = Setup { keys: Keys::Any, models: vec!["mine".to_owned()], ..Setup::new(Persona::Openai) };
    let lab = Lab::start_with(setup).expect("a lab");
    let client = Client::tcp(lab.addr()).key("anything");
    let answer = client.post(CHAT, &json!({"model": "mine", "messages": [{"role": "user", "content": "x"}]})).await;
    assert_eq!(answer.json().await["model"], "mine");
    assert_eq!(lab.seen()[0].key, "");
}
