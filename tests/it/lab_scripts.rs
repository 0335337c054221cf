//! Scripts do what they say.

use std::time::{Duration, Instant};

use bytes::Bytes;
use keywheel::sim::lab::{Hint, frames};
use keywheel::sim::{Lab, Persona, Script};
use serde_json::{Value, json};

use crate::support::client::End;
use crate::support::{Client, vendor};

const CHAT: &str = "/v1/chat/completions";
const MS: fn(u64) -> Duration = Duration::from_millis;

fn lab() -> (Lab, Client) {
    let lab = Lab::start(Persona::Openai).expect("a lab");
    let client = Client::tcp(lab.addr()).key(&lab.key("k1"));
    (lab, client)
}

fn ask() -> Value {
    json!({"model": "gpt-4o-mini", "stream": true, "messages": [{"role": "user", "content": "a b c"}]})
}

#[tokio::test]
async fn a_reply_is_sent_byte_for_byte() {
    let (lab, client) = lab();
    let script = Script::reply(418, "text/plain", " no\r\n").header("x-cup", "tea").header("retry-after", "0");
    lab.on("k1").then(script);
    let answer = client.post(CHAT, &ask()).await;
    assert_eq!((answer.status, answer.header("x-cup"), answer.header("retry-after")), (418, "tea", "0"));
    assert_eq!((answer.header("content-type"), answer.header("content-length")), ("text/plain", "5"));
    assert_eq!(answer.bytes().await, " no\r\n");
}

#[tokio::test]
async fn scripts_are_played_in_turn_and_only_for_their_key() {
    let (lab, client) = lab();
    let other = Client::tcp(lab.addr()).key(&lab.key("k2"));
    lab.on("k1").then(Script::json(500, &json!(1))).then(Script::json(502, &json!(2)));
    assert_eq!(client.get("/v1/models").await.status, 200, "a look-up uses no script up");
    assert_eq!(other.post(CHAT, &ask()).await.status, 200);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.post(CHAT, &ask()).await.status);
    }
    assert_eq!(statuses, [500, 502, 200]);
    lab.on("k1").always(Script::json(503, &json!(3)));
    lab.on_any().then(Script::json(504, &json!(4)));
    assert_eq!(other.post(CHAT, &ask()).await.status, 504);
    assert_eq!(client.post(CHAT, &ask()).await.status, 503);
    assert_eq!(client.post(CHAT, &ask()).await.status, 503);
    lab.on("k1").clear();
    assert_eq!(client.post(CHAT, &ask()).await.status, 200);
}

#[tokio::test]
async fn ten_thousand_chunks_arrive_as_they_were_written() {
    let (lab, client) = lab();
    lab.on("k1").then(Script::chunks(10_000));
    let (got, end) = client.post(CHAT, &ask()).await.read().await;
    assert_eq!(end, End::Clean);
    let sent = frames(10_000);
    assert_eq!(sent.len(), 10_000);
    assert!(got == sent.concat(), "{} bytes", got.len());
}

#[tokio::test]
async fn waits_stand_where_the_script_puts_them() {
    let (lab, client) = lab();
    let five = || Script::chunks(5);
    lab.on("k1").then(five().after(MS(300))).then(five().stall(0, MS(300))).then(five().stall(3, MS(300)));
    let began = Instant::now();
    let answer = client.post(CHAT, &ask()).await;
    assert!(began.elapsed() >= MS(300), "the head is slow");
    drop(answer);

    let mut answer = client.post(CHAT, &ask()).await;
    let head = Instant::now();
    answer.frame().await.expect("a frame");
    assert!(head.elapsed() >= MS(250), "the first byte is slow");

    let (frames, end) = client.post(CHAT, &ask()).await.frames().await;
    assert_eq!((frames.len(), end), (5, End::Clean));
    assert!(frames[3].at.duration_since(frames[2].at) >= MS(250), "chunk 3 is late");
}

#[tokio::test]
async fn two_frames_may_be_half_a_millisecond_apart() {
    let (lab, client) = lab();
    lab.on("k1").always(Script::chunks(3).every(Duration::from_micros(500)));
    let mut gaps = Vec::new();
    for _ in 0..31 {
        let (frames, _) = client.post(CHAT, &ask()).await.frames().await;
        gaps.push(frames[1].at.duration_since(frames[0].at));
    }
    gaps.sort();
    assert!(gaps[15] < MS(20), "median {:?}: a delayed acknowledgement would give 40 ms", gaps[15]);
}

#[tokio::test]
async fn a_cut_stream_breaks_and_an_ended_one_does_not() {
    let (lab, client) = lab();
    lab.on("k1").then(Script::chunks(9).cut(4)).then(Script::chunks(9).end(4)).then(Script::chunks(9).without_done());
    let (frames, end) = client.post(CHAT, &ask()).await.frames().await;
    assert_eq!((frames.len(), end), (4, End::Broken));
    let (frames, end) = client.post(CHAT, &ask()).await.frames().await;
    assert_eq!((frames.len(), end), (4, End::Clean));
    let (frames, end) = client.post(CHAT, &ask()).await.frames().await;
    assert_eq!((frames.len(), end), (8, End::Clean));
    assert_eq!(frames[7].json()["choices"][0]["finish_reason"], "stop");

    lab.on("k1").then(Script::chunks(9).cut(4));
    let (frames, end) = client.http2().post(CHAT, &ask()).await.frames().await;
    assert_eq!((frames.len(), end), (4, End::Broken), "HTTP/2 resets the stream");
}

#[tokio::test]
async fn a_connection_may_end_without_an_answer_or_after_one() {
    let (lab, client) = lab();
    lab.on("k1").then(Script::hang_up()).then(Script::usual().last_of_connection());
    let lost = client.send(http::Method::POST, CHAT, Bytes::from(ask().to_string())).await;
    assert!(lost.is_err());
    let answer = client.post(CHAT, &ask()).await;
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
}

#[tokio::test]
async fn a_retired_http2_connection_takes_no_second_request() {
    // whichever test comes first chooses; all choose the same
    drop(rustls::crypto::ring::default_provider().install_default());
    let (lab, _) = lab();
    lab.on("k1").then(Script::usual().last_of_connection());
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().expect("a client");
    for _ in 0..2 {
        let call = client.post(lab.base_url() + "/chat/completions").bearer_auth(lab.key("k1"));
        let answer = call.body(ask().to_string()).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.is_ok_and(|text| text.ends_with("[DONE]\n\n")), "the stream runs to its end");
    }
    assert_eq!(lab.connections(), 2);
}

#[tokio::test]
async fn broken_streams_are_sent_as_they_are() {
    let (lab, client) = lab();
    let error = json!({"error": {"message": "overloaded", "code": "server_error"}});
    lab.on("k1").then(Script::malformed_sse()).then(Script::error_first(&error)).then(Script::json(200, &error));
    let answer = client.post(CHAT, &ask()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
    assert_eq!(&answer.bytes().await[..], b"nonsense\n\ndata: {\"choices\": [\n\ndata: \xff\xfe{}\n\n");
    let (frames, end) = client.post(CHAT, &ask()).await.frames().await;
    assert_eq!((frames.len(), end, frames[0].json()), (1, End::Clean, error.clone()));
    let answer = client.post(CHAT, &ask()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.json().await, error);
}

#[tokio::test]
async fn a_huge_body_is_valid_json() {
    let (lab, client) = lab();
    lab.on("k1").then(Script::huge(5_000_000));
    let body = client.post(CHAT, &ask()).await.bytes().await;
    assert!(body.len() > 5_000_000);
    let value: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(value["choices"][0]["message"]["content"].as_str().map(str::len), Some(5_000_000));
}

#[tokio::test]
async fn hints_are_sent_in_each_form_and_alone() {
    let (lab, client) = lab();
    let secs = Duration::from_secs;
    let table = [
        (Hint::Silent, "retry-after", ""),
        (Hint::Seconds(7), "retry-after", "7"),
        (Hint::Fraction(MS(1500)), "retry-after", "1.5"),
        (Hint::Millis(1500), "retry-after-ms", "1500"),
        (Hint::Go(secs(360)), "x-ratelimit-reset-requests", "6m0s"),
        (Hint::Go(MS(12)), "x-ratelimit-reset-requests", "12ms"),
        (Hint::ResetSeconds(10), "x-ratelimit-reset-requests", "10"),
        (Hint::Header("x-ratelimit-timeremaining", "9"), "x-ratelimit-timeremaining", "9"),
    ];
    for (hint, name, value) in table {
        lab.on("k1").then(Script::throttled(hint.clone()));
        let answer = client.post(CHAT, &ask()).await;
        assert_eq!((answer.status, answer.header(name)), (429, value), "{hint:?}");
        let hints = answer
            .headers
            .keys()
            .filter(|name| name.as_str().starts_with("retry-after") || name.as_str().starts_with("x-ratelimit"));
        assert_eq!(hints.count(), usize::from(!value.is_empty()), "{hint:?}");
        assert_eq!(answer.json().await["error"]["code"], "rate_limit_exceeded");
    }
}

#[tokio::test]
async fn hints_that_name_an_instant_lie_ahead() {
    let (lab, client) = lab();
    let minute = Duration::from_secs(60);
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs()).expect("before 2262");
    let near = |seconds: i64| (now + 58..now + 90).contains(&seconds);
    for (hint, name) in [
        (Hint::Epoch(minute), "x-ratelimit-reset"),
        (Hint::EpochMillis(minute), "x-ratelimit-reset"),
        (Hint::Rfc3339(minute), "x-ratelimit-reset"),
        (Hint::Date(minute), "retry-after"),
    ] {
        lab.on("k1").then(Script::throttled(hint.clone()));
        let answer = client.post(CHAT, &ask()).await;
        let text = answer.header(name);
        let seconds = match hint {
            Hint::Epoch(_) => text.parse().expect("a number"),
            Hint::EpochMillis(_) => text.parse::<i64>().expect("a number") / 1000,
            Hint::Rfc3339(_) => text.parse::<jiff::Timestamp>().expect("RFC 3339").as_second(),
            _ => jiff::fmt::rfc2822::parse(text).expect("a date").timestamp().as_second(),
        };
        assert!(near(seconds), "{hint:?} gave {text}");
    }
}

#[tokio::test]
async fn every_documented_error_can_be_played() {
    let (lab, client) = lab();
    for name in ["openai", "azure", "xai", "deepseek"] {
        for row in vendor::rows(name) {
            lab.on("k1").then(row.script());
            let answer = client.post(CHAT, &ask()).await;
            assert_eq!(answer.status, row.status, "{name}/{}", row.name);
            for (header, value) in &row.headers {
                assert_eq!(answer.header(header), value, "{name}/{}", row.name);
            }
            assert_eq!(answer.text().await, row.body, "{name}/{}", row.name);
        }
    }
    assert_eq!(vendor::row("deepseek/bad_key_plain").body, "Authentication Fails (governor)");
}
