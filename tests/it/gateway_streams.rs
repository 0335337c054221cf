//! Streams through the gateway against a lab: whole, cut, silent, late, and left by their clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use keywheel::sim::Script;
use keywheel::sim::lab::frames;
use keywheel::store::{Filter, Ledger, Outcome};
use serde_json::json;

use crate::gateway::{CHAT, Rig, STREAM, error_of, read};

#[tokio::test]
async fn a_stream_of_ten_thousand_chunks_arrives_byte_for_byte() {
    let rig = Rig::new(&["a"], "");
    rig.lab.on("a").then(Script::chunks(10_000));
    let (status, _, body, whole) = read(rig.call(STREAM).await).await;
    assert!(status == 200 && whole);
    assert!(body == frames(10_000).concat(), "{} bytes", body.len());
    assert_eq!(rig.ledger.list(&Filter::default()).expect("the ledger")[0].outcome, Outcome::Completed);
}

#[tokio::test]
async fn every_byte_of_a_stream_is_in_its_entry_however_it_came() {
    let rig = Rig::new(&["a"], "");
    let whole = frames(20).concat();
    for size in [1, 100, 1000, whole.len()] {
        rig.lab.on("a").then(Script::events(whole.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>()));
        let (_, _, body, _) = read(rig.call(STREAM).await).await;
        let entry = rig.ledger.list(&Filter::default()).expect("the ledger").remove(0);
        assert_eq!((entry.bytes_out, body.len()), (whole.len() as u64, whole.len()), "in chunks of {size}");
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_in_an_error_event_and_never_cleanly() {
    for script in [Script::chunks(5).cut(3), Script::chunks(5).end(3)] {
        let rig = Rig::new(&["a", "b"], "");
        rig.lab.on("a").then(script);
        let (status, _, body, whole) = read(rig.call(STREAM).await).await;
        assert!(status == 200 && !whole);
        let last = body.split(|&byte| byte == b'\n').rfind(|line| line.starts_with(b"data: ")).expect("a frame");
        let error = error_of(&last[6..]);
        assert_eq!(
            (error["type"].as_str(), error["code"].as_str()),
            (Some("server_error"), Some("upstream_disconnected"))
        );
        assert_eq!(rig.keys_seen(), ["a"], "nothing is retried once a byte has gone out");
        assert_eq!(rig.ledger.list(&Filter::default()).expect("the ledger")[0].outcome, Outcome::Broken);
    }
}

#[tokio::test]
async fn a_stream_without_done_is_whole_when_it_has_finished() {
    let rig = Rig::new(&["a"], "");
    rig.lab.on("a").then(Script::usual().without_done());
    let (_, _, body, whole) = read(rig.call(STREAM).await).await;
    assert!(whole && !body.windows(6).any(|at| at == b"[DONE]"));
}

#[tokio::test]
async fn a_slow_stream_gets_its_head_and_keep_alives_and_then_the_answer() {
    let rig = Rig::new(&["a"], "header_after = \"200ms\"\nkeep_alive = \"200ms\"\n");
    rig.lab.on("a").then(Script::usual().after(Duration::from_millis(1_500)));
    let began = Instant::now();
    let answer = rig.call(STREAM).await;
    assert!(began.elapsed() < Duration::from_millis(1_200), "the head does not wait");
    let (status, _, body, whole) = read(answer).await;
    let text = String::from_utf8(body).expect("UTF-8");
    assert!(status == 200 && whole && text.ends_with("data: [DONE]\n\n"));
    let alive = text.matches("chatcmpl-keepalive").count();
    assert!((3..=9).contains(&alive), "{alive}");
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with("data: ")));
}

#[tokio::test]
async fn a_late_failure_is_an_event_and_a_reset() {
    let rig = Rig::new(&["a"], "header_after = \"100ms\"\nkeep_alive = \"100ms\"\n");
    rig.lab.on("a").always(Script::json(400, &json!({"error": {"message": "no"}})).after(Duration::from_millis(400)));
    let (status, _, body, whole) = read(rig.call(STREAM).await).await;
    let text = String::from_utf8(body).expect("UTF-8");
    assert!(status == 200 && !whole && text.contains("\"error\""), "{text}");
}

#[tokio::test]
async fn a_late_answer_that_is_no_stream_is_recorded_as_what_it_was() {
    let rig = Rig::new(&["a"], "header_after = \"100ms\"\nkeep_alive = \"100ms\"\n");
    let whole_answer = json!({"id": "x", "object": "chat.completion", "choices": []});
    rig.lab.on("a").always(Script::json(200, &whole_answer).after(Duration::from_millis(400)));
    let (status, _, body, whole) = read(rig.call(STREAM).await).await;
    let text = String::from_utf8(body).expect("UTF-8");
    assert!(status == 200 && !whole && text.contains("without a stream"), "{text}");
    let entry = rig.ledger.list(&Filter::default()).expect("the ledger").remove(0);
    assert_eq!((entry.outcome, entry.status), (Outcome::Broken, 200));
    let why = entry.attempts[0].why.as_deref().unwrap_or_default();
    assert!(why.contains("without a stream (application/json)"), "{why}");

    // what an upstream says of itself is not repeated unless it is plain, and the account is no worse for it
    for odd in ["text/sk-live_1234567890", "text/a b", &"x".repeat(65)] {
        let odd = Script::json(200, &whole_answer).header("content-type", odd).after(Duration::from_millis(400));
        drop(rig.lab.on("a").then(odd));
        let (.., body, _) = read(rig.call(STREAM).await).await;
        let text = String::from_utf8(body).expect("UTF-8");
        assert!(text.contains("without a stream (another content type)"), "{text}");
    }
    for _ in 0..3 {
        drop(read(rig.call(STREAM).await).await);
    }
    assert_eq!(rig.keys_seen().len(), 7, "the provider is asked every time");
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_kept_alive_and_then_given_up() {
    let rig = Rig::new(&["a"], "keep_alive = \"200ms\"\n[timeouts]\nstall = \"900ms\"\n");
    rig.lab.on("a").then(Script::chunks(5).hang(2));
    let (_, _, body, whole) = read(rig.call(STREAM).await).await;
    let text = String::from_utf8(body).expect("UTF-8");
    assert!(!whole && text.contains("upstream_timeout"));
    assert!((2..=5).contains(&text.matches("chatcmpl-keepalive").count()), "{text}");
}

#[tokio::test]
async fn a_leaving_client_closes_the_upstream_in_every_phase() {
    let rig = Rig::new(&["a"], "");
    rig.lab
        .on("a")
        .then(Script::usual().after(Duration::from_secs(30)))
        .then(Script::chunks(50).every(Duration::from_millis(200)));
    let early = tokio::time::timeout(Duration::from_millis(300), rig.call(STREAM)).await;
    assert!(early.is_err());
    assert!(rig.lab.wait_closed(1, Duration::from_secs(2)).await.is_some(), "before the first byte");
    let mut answer = rig.call(STREAM).await;
    assert!(answer.body.next().await.is_some());
    drop(answer);
    assert!(rig.lab.wait_closed(2, Duration::from_secs(2)).await.is_some(), "in the middle");
    let outcomes: Vec<_> =
        rig.ledger.list(&Filter::default()).expect("the ledger").iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [Outcome::Left, Outcome::Left]);
    assert!(rig.all_ready());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_left_by_all_at_once_leaves_the_way_free() {
    let rig = Arc::new(Rig::limited(&["a"], "", "limits = { concurrency = 1 }"));
    for round in 0..100 {
        rig.lab.on("a").then(Script::chunks(9).hang(2));
        let mut first = rig.call(STREAM).await;
        assert!(first.body.next().await.is_some());
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let own = Arc::clone(&rig);
                tokio::spawn(async move { drop(own.call(CHAT).await) })
            })
            .collect();
        while rig.gateway.parked() < 5 {
            tokio::task::yield_now().await;
        }
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        drop(first);
        let next = tokio::time::timeout(Duration::from_secs(10), rig.call(CHAT)).await;
        assert_eq!(next.unwrap_or_else(|_| panic!("round {round} hangs")).status, 200);
    }
}
