//! The page of counters: whether it can be read, whether it is right, how large it gets, and who may see it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;
use http_body_util::Full;
use keywheel::config::Listen;
use keywheel::gateway::{Accounts, Gate};
use keywheel::kit::Money;
use keywheel::redact::rules::{anchored, personal};
use keywheel::serve::{Bounds, KeyOptions};
use keywheel::sim::Script;
use keywheel::sim::lab::Hint;
use keywheel::store::{Entry, Filter, Ledger, Outcome};
use keywheel::wire::Caller;
use serde_json::json;
use wildmatch::WildMatch;

use crate::gateway::{CHAT, Rig, STREAM, call, read as body};
use crate::metrics_page::{Read, read};
use crate::serve_support::{Got, House, Version, exchange, house, house_with, settings, tcp};

const SIM: &str = r#"{"model":"sim/echo","messages":[{"role":"user","content":"hello there"}]}"#;

fn page(rig: &Rig) -> Read {
    read(&rig.gateway.metrics(Accounts::Shown).finish())
}

#[tokio::test]
async fn ten_thousand_clients_make_no_more_series_than_one() {
    let rig = Rig::new(&["a"], "");
    let of = |client: usize| {
        let caller = Caller { name: format!("client-{client}"), models: Vec::new(), hide_account: false };
        let mut call = call(SIM);
        (call.caller, call.headers) = (Arc::new(caller), HeaderMap::new());
        call
    };
    assert_eq!(body(rig.gateway.call(of(0)).await).await.0, 200);
    let one = page(&rig).samples.len();
    for client in 1..10_000 {
        assert_eq!(body(rig.gateway.call(of(client)).await).await.0, 200);
    }
    let many = page(&rig);
    // a slower call may be the first that was parked, or the first of a bucket: whole histograms, not series by client
    assert!(many.samples.len() <= one + 25, "{one} series became {}", many.samples.len());
    assert_eq!(many.sum("keywheel_requests_total", &[("provider", "sim"), ("model", "echo")]), 10_000.0);
    assert!(many.values("client").is_empty());
}

#[tokio::test]
async fn models_that_nobody_answers_to_share_one_series_and_others_have_a_bound() {
    let rig = Rig::new(&["a"], "");
    let missing = json!({"error": {"message": "no such model", "type": "invalid_request_error", "code": "x"}});
    rig.lab.on("a").always(Script::json(400, &missing));
    for model in 0..40 {
        body(rig.call(&CHAT.replace("lab/m", &format!("lab/made-up-{model}"))).await).await;
    }
    let read = page(&rig);
    assert_eq!(read.values("model"), BTreeSet::from(["other"]));
    assert_eq!(read.sum("keywheel_requests_total", &[("model", "other"), ("status", "4xx")]), 40.0);
    rig.lab.on("a").always(Script::usual());
    for model in 0..150 {
        assert_eq!(body(rig.call(&CHAT.replace("lab/m", &format!("lab/answered-{model}"))).await).await.0, 200);
    }
    let read = page(&rig);
    assert_eq!(read.values("model").len(), 101, "a hundred by name, and the rest together");
    assert_eq!(read.sum("keywheel_requests_total", &[("outcome", "completed")]), 150.0);
}

/// Calls that end in every way there is.
async fn mixed(rig: &Rig) {
    for text in [CHAT, STREAM, CHAT, SIM] {
        assert_eq!(body(rig.call(text).await).await.0, 200);
    }
    let asked = STREAM.replace("\"stream\":true", "\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    assert_eq!(body(rig.call(&asked).await).await.0, 200);
    rig.lab.on("a").then(Script::throttled(Hint::Seconds(20)));
    assert_eq!(body(rig.call(CHAT).await).await.0, 200);
    let wrong = json!({"error": {"message": "bad field", "type": "invalid_request_error", "param": "x", "code": null}});
    rig.lab.on_any().then(Script::json(400, &wrong));
    assert_eq!(body(rig.call(CHAT).await).await.0, 400);
    rig.lab.on_any().then(Script::chunks(20).every(Duration::from_millis(5)).cut(10));
    assert!(!body(rig.call(STREAM).await).await.3, "it broke off");
    rig.lab.on_any().then(Script::chunks(20).every(Duration::from_millis(20)));
    let mut left = rig.call(STREAM).await;
    drop(left.body.next().await);
    drop(left);
    let mut barred = call(CHAT);
    barred.caller = Arc::new(Caller { models: vec![WildMatch::new("other/*")], ..Caller::owner() });
    assert_eq!(body(rig.gateway.call(barred).await).await.0, 403);
}

#[tokio::test]
async fn the_numbers_agree_with_the_ledger_after_a_mixed_run() {
    let rig = Rig::new(&["a", "b"], "");
    mixed(&rig).await;
    let entries = rig.ledger.list(&Filter::default()).expect("the ledger");
    let read = page(&rig);
    assert_eq!(entries.len(), 10);
    for outcome in ["completed", "failed", "broken", "left"] {
        let booked = entries.iter().filter(|entry| entry.outcome.word() == outcome).count();
        assert!(booked > 0, "the run has one that is {outcome}");
        assert_eq!(read.sum("keywheel_requests_total", &[("outcome", outcome)]), booked as f64, "{outcome}");
    }
    for provider in ["lab", "sim", "none"] {
        let of: Vec<&Entry> =
            entries.iter().filter(|entry| entry.provider.as_deref().unwrap_or("none") == provider).collect();
        let with = [("provider", provider)];
        assert_eq!(read.sum("keywheel_requests_total", &with), of.len() as f64, "{provider}");
        assert_eq!(read.sum("keywheel_call_seconds_count", &with), of.len() as f64, "{provider}");
        let cost: Money = of.iter().filter_map(|entry| entry.spend.cost).sum();
        assert_eq!(read.sum("keywheel_cost_usd_total", &with), cost.exact().parse::<f64>().unwrap(), "{provider}");
        let sums = |at: usize| of.iter().filter_map(|entry| Some(entry.spend.usage?.sums()[at])).sum::<u64>() as f64;
        for (at, bucket) in [(0, "input"), (1, "cache_read"), (3, "output"), (4, "reasoning")] {
            let with = [("provider", provider), ("bucket", bucket)];
            assert_eq!(read.sum("keywheel_tokens_total", &with), sums(at), "{provider} {bucket}");
        }
    }
    let attempts: usize = entries.iter().map(|entry| entry.attempts.len()).sum();
    assert_eq!(read.sum("keywheel_attempts_total", &[]), attempts as f64);
    assert_eq!(read.sum("keywheel_attempts_total", &[("fault", "rate_limit_exceeded")]), 1.0);
    assert!(read.sum("keywheel_tokens_total", &[("bucket", "output")]) > 0.0, "something was counted");
    assert!(read.sum("keywheel_inter_token_seconds_count", &[]) >= 9.0, "nine gaps of 5 ms before it broke off");
    assert_eq!(read.sum("keywheel_account_state", &[("account", "a")]), 1.0, "one state is so");
    assert_eq!(read.sum("keywheel_account_state", &[("account", "a"), ("state", "cooling")]), 0.0, "the model rests");
    assert_eq!(read.sum("keywheel_in_flight", &[]), 0.0);
}

#[tokio::test]
async fn what_the_gateway_takes_is_told_apart_from_what_the_provider_takes() {
    let rig = Rig::new(&["a", "b"], "");
    rig.lab.on("a").then(Script::throttled(Hint::Seconds(20)).after(Duration::from_millis(200)));
    rig.lab.on("b").then(Script::usual().after(Duration::from_millis(300)));
    assert_eq!(body(rig.call(CHAT).await).await.0, 200);
    let read = page(&rig);
    let (total, overhead) =
        (read.sum("keywheel_call_seconds_sum", &[]), read.sum("keywheel_overhead_seconds_sum", &[]));
    assert!(total >= 0.5, "{total}");
    assert!(overhead > 0.0 && overhead < 0.2, "{overhead} s of {total} s");
    assert!(read.sum("keywheel_time_to_first_token_seconds_sum", &[]) >= 0.5);
}

#[tokio::test]
async fn secrets_masked_and_calls_refused_for_one_are_counted() {
    let rig = Rig::new(
        &["a"],
        "[models.veiled]\nroute = [\"lab/m\"]\nredact = \"mask\"\n[models.strict]\nroute = [\"lab/m\"]\nredact = \"block\"\n",
    );
    let telling = CHAT.replace("hello there", "write to jane.roe@example.com and john.doe@example.com");
    assert_eq!(body(rig.call(&telling.replace("lab/m", "veiled")).await).await.0, 200);
    assert_eq!(body(rig.call(&telling.replace("lab/m", "strict")).await).await.0, 400);
    let read = page(&rig);
    assert_eq!(read.sum("keywheel_redactions_total", &[("action", "mask"), ("rule", "email")]), 2.0);
    assert_eq!(read.sum("keywheel_redactions_total", &[("action", "block"), ("rule", "email")]), 1.0, "a call");
    let card = CHAT.replace("hello there", "jane.roe@example.com pays with 4111 1111 1111 1111");
    assert_eq!(body(rig.call(&card.replace("lab/m", "veiled")).await).await.0, 200);
    assert_eq!(body(rig.call(&card.replace("lab/m", "strict")).await).await.0, 400);
    let read = page(&rig);
    for (rule, masked, blocked) in [("email", 3.0, 2.0), ("card", 1.0, 1.0)] {
        assert_eq!(read.sum("keywheel_redactions_total", &[("action", "mask"), ("rule", rule)]), masked, "{rule}");
        assert_eq!(read.sum("keywheel_redactions_total", &[("action", "block"), ("rule", rule)]), blocked, "{rule}");
    }
    let named: BTreeSet<&str> = anchored().chain(personal()).map(|rule| rule.id).collect();
    assert!(read.values("rule").is_subset(&named), "{:?}", read.values("rule"));
    assert_eq!(rig.ledger.list(&Filter::default()).expect("the ledger")[0].outcome, Outcome::Failed);
}

#[tokio::test]
async fn a_label_may_hold_whatever_a_model_is_called() {
    let rig = Rig::new(&["a"], "");
    let odd = "a\\\\b \\\"c\\\" {d=\\\"e\\\"} ö";
    assert_eq!(body(rig.call(&CHAT.replace("lab/m", &format!("lab/{odd}"))).await).await.0, 200);
    assert_eq!(page(&rig).values("model"), BTreeSet::from(["a\\b \"c\" {d=\"e\"} ö"]));
}

#[tokio::test]
async fn the_page_is_the_owners_and_each_key_holders_and_nobody_elses() {
    let house = house();
    let shown = |got: Got| {
        assert_eq!(got.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let read = read(std::str::from_utf8(&got.body).expect("text"));
        assert!(read.sum("keywheel_connections", &[]) >= 1.0);
        read.sum("paper", &[])
    };
    assert_eq!(shown(house.send(house.request("GET", "/metrics"), "").await), 1.0, "a key");
    let bare = |house: &House| http::Request::builder().uri("/metrics").header("host", house.addr());
    let refused = house.send(bare(&house), "").await;
    assert_eq!(refused.status, 401);
    let veiled = house.keys.add("veiled", KeyOptions { hide_account: true, ..KeyOptions::default() }).expect("a key");
    let request = bare(&house).header("authorization", format!("Bearer {}", veiled.expose()));
    assert_eq!(shown(house.send(request, "").await), 0.0, "a key from which accounts are kept");
    #[cfg(unix)]
    {
        let request = bare(&house).body(Full::new(Bytes::new())).expect("a request");
        let got = exchange(house.unix().await, Version::One, request).await;
        assert_eq!(shown(got), 1.0, "the owner of the socket");
    }

    let mut open = settings(vec![tcp(), Listen::Unix(None)]);
    open.metrics_public = true;
    let house = house_with(open, Bounds::default());
    assert_eq!(shown(house.send(bare(&house), "").await), 0.0, "nobody in particular");
}
