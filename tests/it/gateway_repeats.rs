//! How often a call is sent, and to whom: second chances, and the moment before one where capacity is short.

use std::time::{Duration, Instant};

use keywheel::gateway::Gate;
use keywheel::sim::Script;
use serde_json::json;

use crate::e2e_rig::until;
use crate::gateway::{CHAT, Rig, call, header, read};

fn overloaded() -> Script {
    Script::json(503, &json!({"error": {"message": "busy", "type": "server_error", "code": "server_is_overloaded"}}))
}

fn broken() -> Script {
    Script::json(500, &json!({"error": {"message": "boom", "type": "server_error"}}))
}

const CHAIN: &str = "models.chain.route = [\"lab/m\", \"sim/echo\"]\n";

#[tokio::test]
async fn an_overloaded_provider_is_asked_once_more_after_a_moment() {
    let rig = Rig::new(&["a", "b"], "");
    for (script, least) in [(overloaded(), 500), (overloaded().header("retry-after-ms", "700"), 700)] {
        drop(rig.lab.on("a").then(script));
        let began = Instant::now();
        let (status, headers, ..) = read(rig.call(CHAT).await).await;
        let took = began.elapsed();
        assert_eq!((status, header(&headers, "x-keywheel-account")), (200, "a"));
        assert!((Duration::from_millis(least)..Duration::from_secs(5)).contains(&took), "{took:?}");
        let parked: u64 = header(&headers, "x-keywheel-parked-ms").parse().expect("a number");
        assert!((least..5000).contains(&parked), "{parked}");
    }
    assert_eq!(rig.keys_seen(), ["a", "a", "a", "a"]);
    assert!(rig.all_ready());
}

#[tokio::test]
async fn an_overload_that_stays_or_lasts_goes_to_another_route() {
    let chain = CHAT.replace("lab/m", "chain");
    for (script, keys, least) in [
        (overloaded(), ["a", "a"].as_slice(), 500),
        (overloaded().header("retry-after", "30"), &["a"], 0),
        (broken(), &["a", "a", "b"], 0),
    ] {
        let rig = Rig::new(&["a", "b"], CHAIN);
        drop(rig.lab.on_any().always(script));
        let began = Instant::now();
        let (status, headers, ..) = read(rig.call(&chain).await).await;
        let took = began.elapsed();
        assert_eq!((status, header(&headers, "x-keywheel-provider")), (200, "sim"));
        assert_eq!(rig.keys_seen(), keys);
        let most = if least == 0 { 450 } else { 5000 };
        assert!((Duration::from_millis(least)..Duration::from_millis(most)).contains(&took), "{took:?}");
        assert!(rig.all_ready(), "a provider's failure benches no account");
    }
}

#[tokio::test]
async fn the_moment_never_outlasts_the_clients_patience() {
    let rig = Rig::new(&["a"], "");
    drop(rig.lab.on("a").always(overloaded()));
    let hurried = keywheel::wire::Call { patience: Some(Duration::from_millis(200)), ..call(CHAT) };
    let began = Instant::now();
    let (status, ..) = read(rig.gateway.call(hurried).await).await;
    assert!(began.elapsed() < Duration::from_millis(450), "{:?}", began.elapsed());
    assert_eq!((status, rig.keys_seen()), (503, vec!["a".to_owned()]));
}

#[tokio::test]
async fn a_client_that_leaves_in_that_moment_leaves_nothing_behind() {
    let rig = Rig::new(&["a"], "");
    drop(rig.lab.on("a").then(overloaded().header("retry-after", "5")));
    let gateway = rig.gateway.clone();
    let waiting = tokio::spawn(async move { drop(gateway.call(call(CHAT)).await) });
    until("it waits", Duration::from_secs(5), async || rig.gateway.parked() == 1).await;
    waiting.abort();
    until("it has left", Duration::from_secs(1), async || rig.gateway.parked() == 0 && rig.all_ready()).await;
    assert_eq!((rig.keys_seen().len(), rig.gateway.in_flight()), (1, 0));
    assert_eq!(read(rig.call(CHAT).await).await.0, 200);
}

#[tokio::test]
async fn a_call_is_sent_five_times_at_most_however_many_accounts_there_are() {
    let accounts = ["a", "b", "c", "d", "e", "f", "g"];
    let throttled = || Script::throttled(keywheel::sim::lab::Hint::Seconds(300));
    for (script, keys) in [(broken(), ["a", "a", "b", "c", "d"]), (throttled(), ["a", "b", "c", "d", "e"])] {
        let rig = Rig::new(&accounts, "");
        drop(rig.lab.on_any().always(script));
        let (status, headers, body, _) = read(rig.call(CHAT).await).await;
        assert!(status >= 429, "{status}");
        assert_eq!((rig.keys_seen(), header(&headers, "x-keywheel-attempts")), (keys.map(str::to_owned).to_vec(), "5"));
        let said = String::from_utf8_lossy(&body);
        assert!(said.contains("given up after 5 attempts, the most that one call gets; the last one: "), "{said}");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_sixth_time() {
    let rig = Rig::new(&["a", "b", "c", "d", "e"], "");
    for throttled in ["a", "b", "c", "d"] {
        drop(rig.lab.on(throttled).always(Script::throttled(keywheel::sim::lab::Hint::Seconds(300))));
    }
    drop(rig.lab.on("e").always(overloaded().header("retry-after", "4")));
    let began = Instant::now();
    let (status, headers, ..) = read(rig.call(CHAT).await).await;
    assert_eq!((status, header(&headers, "x-keywheel-attempts")), (503, "5"));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_call_that_is_given_up_says_when_another_could_do_better() {
    // all five rest when it ends, and none is left
    let rig = Rig::new(&["a", "b", "c", "d", "e"], "");
    drop(rig.lab.on_any().always(Script::throttled(keywheel::sim::lab::Hint::Seconds(40))));
    let (status, headers, body, _) = read(rig.call(CHAT).await).await;
    assert_eq!(status, 429, "{}", String::from_utf8_lossy(&body));
    let wait: u64 = header(&headers, "retry-after").parse().expect("whole seconds");
    assert!((30..=40).contains(&wait), "{wait}");
    assert!(header(&headers, "x-keywheel-reset-at").contains('T'));

    // the provider is left alone after five failures
    let rig = Rig::new(&["a", "b", "c", "d", "e"], "");
    drop(rig.lab.on_any().always(broken()));
    let (status, headers, body, _) = read(rig.call(CHAT).await).await;
    assert_eq!((status, header(&headers, "x-keywheel-attempts")), (500, "5"), "{}", String::from_utf8_lossy(&body));
    let wait: u64 = header(&headers, "retry-after").parse().expect("whole seconds");
    assert!((1..=15).contains(&wait) && header(&headers, "x-keywheel-reset-at").contains('T'), "{wait}");
}
