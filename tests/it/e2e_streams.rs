//! Streams in trouble: slow to begin, silent in the middle, faster than their reader; and what is recorded of them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use keywheel::sim::lab::{Hint, Setup, frames};
use keywheel::sim::{Persona, Script};
use nix::sys::signal::{Signal, kill};
use serde_json::json;

use crate::e2e_home::Home;
use crate::e2e_rig::{Config, Rig, chat, json_lines, stream, text, until, words};
use crate::support::SOON;
use crate::support::client::End;

const CHAT: &str = "/v1/chat/completions";
const MODEL: &str = "lab/m";

fn rig(settings: impl FnOnce(Config) -> Config) -> Rig {
    Rig::with(Setup::new(Persona::Generic), &["a"], settings)
}

/// Keep-alives come soon and often.
fn hurried(config: Config) -> Config {
    config.top("header_after = \"1s\"\nkeep_alive = \"1s\"")
}

#[tokio::test]
async fn a_stream_that_is_slow_to_begin_is_kept_alive_with_data_frames() {
    let rig = rig(hurried);
    rig.lab.on("a").then(Script::chunks(5).after(Duration::from_millis(3500)));
    let began = Instant::now();
    let mut response = rig.keywheel.client().post(CHAT, &stream(MODEL)).await;
    assert!((Duration::from_millis(900)..Duration::from_secs(3)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!((response.status, response.header("content-type")), (200, "text/event-stream; charset=utf-8"));
    let mut kept = 0;
    let first = loop {
        let frame = response.frame().await.expect("a frame");
        let json = frame.json();
        if json["id"] != "chatcmpl-keepalive" {
            break frame.bytes;
        }
        assert_eq!((&json["object"], &json["choices"][0]["delta"]), (&json!("chat.completion.chunk"), &json!({})));
        kept += 1;
    };
    let (rest, end) = response.read().await;
    assert!(kept >= 2, "{kept}");
    assert_eq!((end, [first, rest].concat()), (End::Clean, frames(5).concat()), "the stream itself is untouched");
}

#[tokio::test]
async fn a_failure_after_the_head_was_sent_is_told_in_the_stream_and_never_ends_cleanly() {
    let rig = rig(|config| hurried(config).more("[parking]\nmax_wait = \"2s\"\n"));
    let mistake = Script::json(400, &json!({"error": {"message": "no"}}));
    for (model, script) in [("lab/one", Script::throttled(Hint::Seconds(40))), ("lab/two", mistake)] {
        rig.lab.on("a").then(script.after(Duration::from_millis(1500)));
        let response = rig.keywheel.client().post(CHAT, &stream(model)).await;
        assert_eq!(response.status, 200);
        let (frames, end) = response.frames().await;
        assert_eq!(end, End::Broken);
        let last = frames.last().expect("frames").json();
        assert!(last["error"]["message"].is_string(), "{last}");
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_given_up_with_an_error_event() {
    let rig = rig(|config| config.top("[timeouts]\nstall = \"1s\""));
    rig.lab.on("a").then(Script::chunks(9).hang(3));
    let (frames, end) = rig.keywheel.client().post(CHAT, &stream(MODEL)).await.frames().await;
    assert_eq!((frames.len(), end), (4, End::Broken));
    let error = &frames[3].json()["error"];
    assert_eq!((text(&error["code"]), text(&error["type"])), ("upstream_timeout", "server_error"), "{error}");
    assert!(rig.lab.wait_closed(1, SOON).await.is_some(), "the upstream is let go");
    rig.assert_untouched("one silent stream");
}

/// Kibibytes that a process has in memory.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test]
async fn a_reader_that_is_slow_holds_the_upstream_back_and_fills_no_memory() {
    const LARGE: usize = 64 << 20;
    let rig = rig(|config| config);
    let client = rig.keywheel.client();
    assert_eq!(client.post(CHAT, &chat(MODEL)).await.status, 200);
    let before = resident(rig.keywheel.pid());
    for client in [client.clone(), client.http2()] {
        rig.lab.on("a").then(Script::huge(LARGE));
        let response = client.post(CHAT, &chat(MODEL)).await;
        assert_eq!(response.status, 200);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let grown = resident(rig.keywheel.pid()).saturating_sub(before);
        assert!(grown < 24 << 10, "{grown} KiB are held for a reader that does not read");
        assert_eq!(rig.lab.in_flight(), 1, "the lab waits");
        let (body, end) = response.read().await;
        assert!(body.len() > LARGE && end == End::Clean);
    }
}

#[tokio::test]
async fn who_leaves_after_the_last_frame_has_had_its_answer() {
    let rig = rig(|config| config);
    rig.lab.on("a").then(Script::chunks(5));
    let mut response = rig.keywheel.client().post(CHAT, &stream(MODEL)).await;
    while response.frame().await.expect("a frame").bytes.as_ref() != b"data: [DONE]\n\n" {}
    drop(response);
    rig.lab.on("a").then(Script::chunks(5).hang(2));
    let mut left = rig.keywheel.client().post(CHAT, &stream(MODEL)).await;
    left.frame().await.expect("a frame");
    drop(left);
    let mut rows = Vec::new();
    until("both are recorded", SOON, async || {
        rows = json_lines(&rig.keywheel.run(["requests", "--json"]));
        rows.len() == 2
    })
    .await;
    assert_eq!([&rows[0]["status"], &rows[1]["status"]], [&json!(499), &json!(200)], "{rows:?}");
    rig.assert_untouched("clients that left");
}

#[tokio::test]
async fn what_was_answered_is_recorded_even_if_the_gateway_is_killed_at_once() {
    let home = Home::new();
    let (_, told) = words(&home.detach());
    let client = home.client(&told);
    for calls in [1, 40] {
        let one = async |n: usize| {
            let body = if n.is_multiple_of(2) { chat("sim/echo") } else { stream("sim/echo") };
            let response = client.post(CHAT, &body).await;
            let id = response.header("x-keywheel-request-id").to_owned();
            assert!(!response.bytes().await.is_empty());
            id
        };
        let answered = join_all((0..calls).map(one)).await;
        if calls > 1 {
            kill(home.pid().expect("a leader"), Signal::SIGKILL).expect("it is ours");
            until("it is gone", SOON, async || home.run(["status"]).status.code() == Some(3)).await;
        }
        let rows = json_lines(&home.run(["requests", "--json", "--limit", "1000"]));
        for id in answered {
            let row = rows.iter().find(|row| text(&row["id"]) == id);
            assert!(row.is_some_and(|row| row["status"] == 200), "{id} is not in {rows:?}");
        }
    }
}
