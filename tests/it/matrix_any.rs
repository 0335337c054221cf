//! The rows of section 6 that concern every vendor alike: clients that leave, ways that are closed, streams that break
//! off, empty answers; and what repeated failures of a provider do.

use std::time::Duration;

use futures_util::StreamExt;
use keywheel::gateway::Gate;
use keywheel::sim::Script;
use keywheel::sim::lab::frames;
use keywheel::store::Outcome;
use keywheel::wire::Endpoint;
use serde_json::json;

use crate::e2e_rig::until;
use crate::matrix::{ALL, AZURE, Labs, OPENAI, Rig, Vendor, call, caller};

const SOON: Duration = Duration::from_secs(10);
const SLOW: Duration = Duration::from_secs(1);

fn rig(vendor: Vendor) -> (Labs, Rig) {
    let labs = Labs::start(vendor);
    let rig = Rig::new(&labs);
    (labs, rig)
}

#[tokio::test]
async fn a_client_that_leaves_is_seen_by_every_vendor_and_punishes_nobody() {
    for vendor in ALL {
        let (labs, rig) = rig(vendor);
        let slow = Script::usual().after(Duration::from_secs(30));
        drop(
            labs.of("a")
                .on("a")
                .then(slow.clone())
                .then(slow)
                .then(Script::chunks(50).every(Duration::from_millis(200))),
        );
        for body in [vendor.chat(), vendor.stream()] {
            let early = tokio::time::timeout(Duration::from_millis(300), rig.chat(&body)).await;
            assert!(early.is_err(), "{}", vendor.id);
        }
        assert!(labs.of("a").wait_closed(2, SOON).await.is_some(), "{}: before the first byte", vendor.id);
        let mut answer = rig.gateway.call(call(Endpoint::Chat, &vendor.stream())).await;
        assert!(answer.body.next().await.is_some());
        drop(answer);
        assert!(labs.of("a").wait_closed(3, SOON).await.is_some(), "{}: in the middle", vendor.id);
        assert_eq!((labs.keys().as_str(), rig.ailing().as_str()), ("a a a", ""), "{}", vendor.id);
        assert_eq!((rig.entry().outcome, rig.entry().status), (Outcome::Left, 499), "{}", vendor.id);
    }
}

#[tokio::test]
async fn a_closed_way_is_tried_with_the_next_account_and_then_by_another_route() {
    for vendor in ALL {
        // a port that is taken and yet not listened to
        let closed = tokio::net::TcpSocket::new_v4().expect("a socket");
        closed.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let mut labs = Labs::start(vendor);
        labs.elsewhere = closed.local_addr().ok();
        let rig = Rig::with(&labs, &format!("models.chain.route = [\"{}\", \"sim/echo\"]", vendor.full()));
        for _ in 0..10 {
            let got = rig.chat(&vendor.chat()).await;
            let error = &got.json()["error"];
            assert_eq!((got.status, &error["code"]), (502, &json!("upstream_unreachable")), "{}: {error}", vendor.id);
            let asked: Vec<String> = rig.entry().attempts.into_iter().map(|attempt| attempt.account).collect();
            assert_eq!(asked, ["a", "b"], "{}", vendor.id);
            assert_eq!(rig.ailing(), "", "{}: a dead network benches nobody", vendor.id);
        }
        let got = rig.chat(&vendor.chat().replace(&vendor.full(), "chain")).await;
        assert_eq!((got.status, got.header("x-keywheel-provider")), (200, "sim"), "{}", vendor.id);
    }
}

#[tokio::test]
async fn one_closed_region_leaves_the_other_open() {
    let labs = Labs::start(AZURE);
    let rig = Rig::new(&labs);
    // hung up on without an answer: the request may have been read, so it is the provider's failure
    drop(labs.of("a").on("a").always(Script::hang_up()));
    let got = rig.chat(&AZURE.chat()).await;
    assert_eq!((got.status, got.header("x-keywheel-account"), labs.keys().as_str()), (200, "b", "a a b"));
    assert_eq!(rig.ailing(), "");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_told_in_band_and_not_sent_again() {
    for vendor in ALL {
        for script in [Script::chunks(6).cut(4), Script::chunks(6).end(4)] {
            let (labs, rig) = rig(vendor);
            drop(labs.of("a").on("a").then(script));
            let got = rig.chat(&vendor.stream()).await;
            assert_eq!((got.status, got.whole), (200, false), "{}", vendor.id);
            let sent = frames(6)[..4].concat();
            assert!(got.body.starts_with(&sent), "{}: what came is passed on as it is", vendor.id);
            let last = got.text()[sent.len()..].strip_prefix("data: ").and_then(|text| text.strip_suffix("\n\n"));
            let error: serde_json::Value = serde_json::from_str(last.expect("one event more")).expect("JSON");
            assert_eq!(error["error"]["code"], "upstream_disconnected", "{}", vendor.id);
            assert_eq!((labs.keys().as_str(), rig.ailing().as_str()), ("a", ""), "{}", vendor.id);
            assert_eq!(rig.entry().outcome, Outcome::Broken, "{}", vendor.id);
        }
    }
}

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    for vendor in ALL {
        let (labs, rig) = rig(vendor);
        let empty = json!({"id": "1", "object": "chat.completion", "created": 1, "model": vendor.model, "choices": [
            {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10,
                "completion_tokens_details": {"reasoning_tokens": 9}}});
        drop(labs.of("a").on("a").then(Script::json(200, &empty)));
        let got = rig.chat(&vendor.chat()).await;
        assert_eq!((got.status, got.text()), (200, empty.to_string().as_str()), "{}", vendor.id);
        assert_eq!((labs.keys().as_str(), rig.ailing().as_str()), ("a", ""), "{}", vendor.id);
    }
}

#[tokio::test]
async fn five_failures_in_half_a_minute_close_the_provider_for_a_quarter_and_one_call_probes() {
    for vendor in ALL {
        let (labs, rig) = rig(vendor);
        // two places have two breakers
        let places = if vendor.id == "azure" { 2 } else { 1 };
        labs.always(&Script::json(500, &json!({"error": {"message": "oops", "type": "server_error"}})));
        for _ in 0..2 * places {
            assert_eq!(rig.chat(&vendor.chat()).await.status, 500, "{}", vendor.id);
        }
        assert_eq!(labs.seen().len(), 5 * places, "{}: then nobody is asked any more", vendor.id);
        let got = rig.chat(&vendor.chat()).await;
        let error = &got.json()["error"];
        assert_eq!((got.status, &error["code"]), (503, &json!("server_is_overloaded")), "{}: {error}", vendor.id);
        assert_eq!(got.header("retry-after"), "15", "{}", vendor.id);
        assert_eq!((labs.seen().len(), rig.ailing().as_str()), (5 * places, ""), "{}", vendor.id);
        labs.reset();
        rig.clock.advance(Duration::from_secs(15));
        assert_eq!(rig.chat(&vendor.chat()).await.status, 200, "{}", vendor.id);
        assert_eq!(labs.seen().len(), 1, "{}", vendor.id);
    }
}

#[tokio::test]
async fn under_every_strategy_the_second_try_meets_the_same_account() {
    for strategy in ["sticky", "round-robin", "fill-first", "least-busy", "weighted"] {
        let labs = Labs::start(OPENAI);
        let more = format!("models.fast = {{ route = [\"openai/gpt-4o-mini\"], strategy = \"{strategy}\" }}");
        let rig = Rig::with(&labs, &more);
        labs.always(&Script::reply(502, "text/html", "<html>"));
        rig.chat(&OPENAI.chat().replace("openai/gpt-4o-mini", "fast")).await;
        let keys = labs.keys();
        assert!(keys == "a a b" || keys == "b b a", "{strategy}: {keys}");
    }
}

#[tokio::test]
async fn who_only_rests_is_worth_waiting_for_although_the_other_lacks_the_model() {
    let (labs, rig) = rig(OPENAI);
    drop(labs.of("a").on("a").then(crate::support::vendor::row("openai/rate_limit_exceeded").script()));
    drop(labs.of("b").on("b").then(crate::support::vendor::row("openai/model_not_found").script()));
    for _ in 0..2 {
        let got = rig.chat(&OPENAI.chat()).await;
        assert_eq!((got.status, got.header("retry-after")), (429, "7"), "{}", got.text());
    }
    assert_eq!(labs.keys(), "a b");
}

#[tokio::test]
async fn a_missing_model_makes_its_provider_be_asked_for_the_list_in_the_background_and_not_too_often() {
    let (labs, rig) = rig(OPENAI);
    let lab = labs.of("a");
    let asked = || lab.seen().iter().filter(|seen| seen.path_and_query == "/v1/models").count();
    assert!(rig.gateway.models(&caller()).iter().all(|row| row.provider != "openai"), "nobody has asked yet");
    for (model, wait, times) in [("gone-1", 0, 1), ("gone-2", 59, 1), ("gone-3", 2, 2)] {
        rig.clock.advance(Duration::from_secs(wait));
        // first the call, then the list, which takes its time
        drop(lab.on("a").then(Script::usual()).then(Script::usual().after(SLOW)));
        let began = std::time::Instant::now();
        let body = OPENAI.chat().replace(OPENAI.model, model);
        assert_eq!(rig.chat(&body).await.status, 404, "{model}");
        assert!(began.elapsed() < SLOW, "the call waits for no list");
        until("the list is asked for", SOON, async || asked() >= times).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(asked(), times, "{model}");
        lab.on("a").clear();
        assert!(rig.row("a").reason.contains(model), "{}", rig.row("a").reason);
    }
    let full = OPENAI.full();
    until("it is learnt", SOON, async || rig.gateway.models(&caller()).iter().any(|row| row.id == full)).await;
}
