//! Tokens that expire under load: one refresh, whoever asks, and nobody is logged out, whenever a process dies.

use std::time::Duration;

use futures_util::future::join_all;
use keywheel::kit::Time;
use keywheel::sim::idp::{Rotation, Setup, Stage};
use keywheel::vault::Vault;

use crate::support::Keywheel;
use crate::tokens_rig::{Town, call, state, wait};

const HOUR: Duration = Duration::from_secs(3600);
const EXPIRED: Duration = Duration::ZERO;

/// How often each kill is repeated.
fn runs() -> usize {
    if std::env::var_os("KEYWHEEL_TEST_SOAK").is_some_and(|value| value == "1") { 200 } else { 20 }
}

#[tokio::test]
async fn a_hundred_calls_that_are_refused_with_an_expired_token_refresh_it_once_and_all_succeed() {
    let town = Town::new(Setup::default());
    town.log_in("a", HOUR);
    let keywheel = Keywheel::start(&town.config(&["a"], ""));
    assert_eq!(call(&keywheel).await.0, 200);
    town.lab.expire("a", EXPIRED);
    let answers = join_all((0..100).map(|_| call(&keywheel))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}\n{}", keywheel.words());
    assert_eq!(town.idp.asked().len(), 1, "one request left");
    assert_eq!(town.idp.refreshed(), 1);
    assert!(!town.idp.revoked("a"));
}

#[tokio::test]
async fn a_hundred_calls_that_find_the_token_expired_wait_for_one_refresh() {
    let town = Town::new(Setup::default());
    town.log_in("a", EXPIRED);
    town.hold(Stage::Arrived);
    let keywheel = Keywheel::start(&town.config(&["a"], ""));
    town.wait_held(1);
    let calls = join_all((0..100).map(|_| call(&keywheel)));
    let release = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        town.idp.release();
    };
    let (answers, ()) = tokio::join!(calls, release);
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert_eq!(town.idp.asked().len(), 1);
}

#[tokio::test]
async fn four_gateways_of_different_homes_that_share_a_vault_refresh_once() {
    let town = Town::new(Setup::default());
    town.log_in("a", HOUR);
    let gateways: Vec<Keywheel> = (0..4).map(|_| Keywheel::start(&town.config(&["a"], ""))).collect();
    for gateway in &gateways {
        assert_eq!(call(gateway).await.0, 200);
    }
    for round in 1..=3 {
        town.lab.expire("a", EXPIRED);
        let answers = join_all(gateways.iter().flat_map(|gateway| (0..25).map(move |_| call(gateway)))).await;
        let failed: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
        assert!(failed.is_empty(), "round {round}: {failed:?}");
        assert_eq!((town.idp.asked().len(), town.idp.refreshed()), (round, round), "round {round}");
    }
    assert!(!town.idp.revoked("a"));
}

/// A gateway is killed just there, and another one starts on the same vault.
async fn killed(town: &Town, stage: Option<Stage>) -> Keywheel {
    let generation = town.generation();
    if let Some(stage) = stage {
        town.hold(stage);
    }
    let first = Keywheel::start(&town.config(&["a", "b"], ""));
    match stage {
        Some(_) => town.wait_held(1),
        // the mark is one generation, the new token the next
        None => wait("the new token is durable", || town.generation() >= generation + 2),
    }
    // SIGKILL, and reaped
    drop(first);
    wait("the request has gone with its sender", || town.idp.held() == 0);
    town.idp.release();
    Keywheel::start(&town.config(&["a", "b"], ""))
}

#[tokio::test]
async fn a_kill_before_the_token_was_asked_for_logs_nobody_out() {
    for run in 0..runs() {
        let town = Town::new(Setup::default());
        town.log_in("a", EXPIRED);
        let second = killed(&town, Some(Stage::Arrived)).await;
        let (status, body) = call(&second).await;
        assert_eq!(status, 200, "run {run}: {body}\n{}", second.words());
        assert!(!town.idp.revoked("a"), "run {run}");
        assert_eq!(town.idp.refreshed(), 1, "run {run}");
    }
}

#[tokio::test]
async fn a_kill_after_the_token_is_durable_logs_nobody_out() {
    for run in 0..runs() {
        let town = Town::new(Setup::default());
        town.log_in("a", EXPIRED);
        let second = killed(&town, None).await;
        let (status, body) = call(&second).await;
        assert_eq!(status, 200, "run {run}: {body}\n{}", second.words());
        assert!(!town.idp.revoked("a"), "run {run}");
        assert_eq!(town.idp.asked().len(), 1, "run {run}: the second one had no need to ask");
    }
}

#[tokio::test]
async fn a_kill_in_between_is_healed_by_an_identity_provider_that_repeats_the_successor() {
    for run in 0..runs() {
        let town = Town::new(Setup { grace: Duration::from_secs(60), ..Setup::default() });
        town.log_in("a", EXPIRED);
        let second = killed(&town, Some(Stage::Answered)).await;
        let (status, body) = call(&second).await;
        assert_eq!(status, 200, "run {run}: {body}\n{}", second.words());
        let asked = town.idp.asked();
        assert!(asked.len() == 2 && asked[0] == asked[1], "run {run}: the old token twice: {asked:?}");
        assert!(!town.idp.revoked("a") && town.stored("a").refreshing.is_none(), "run {run}");
    }
}

#[tokio::test]
async fn a_kill_in_between_without_grace_tries_once_more_and_then_says_so() {
    for run in 0..runs() {
        let town = Town::new(Setup::default());
        let (_, refresh) = town.log_in("a", EXPIRED);
        town.log_in("b", HOUR);
        let second = killed(&town, Some(Stage::Answered)).await;
        let marked: Time = town.stored("a").refreshing.expect("a mark");
        wait("its login has ended", || state(&second, "a").starts_with("needs_login"));
        let words = format!("a refresh was interrupted at {marked}");
        assert!(state(&second, "a").contains(&words), "run {run}: {}", state(&second, "a"));
        for _ in 0..3 {
            assert_eq!(call(&second).await.0, 200, "run {run}: the other account answers");
        }
        assert_eq!(town.lab.count("b"), 3);
        tokio::time::sleep(Duration::from_millis(if run == 0 { 7000 } else { 50 })).await;
        assert_eq!(town.idp.asked().len(), 2, "run {run}: once more, and no loop");
        assert_eq!(town.stored("a").refresh.unwrap().expose(), refresh, "run {run}: nothing is deleted");
        assert_eq!(state(&second, "b"), "ready ", "run {run}");
        if run == 0 {
            // a third process believes it without asking, and a login ends it
            let third = Keywheel::start(&town.config(&["a"], ""));
            let (status, body) = call(&third).await;
            assert!(status == 403 && body.contains(&words), "{status} {body}");
            assert_eq!(town.idp.asked().len(), 2);
            town.log_in("a", HOUR);
            wait("the login is seen", || state(&third, "a").starts_with("ready"));
            assert_eq!(call(&third).await.0, 200);
        }
    }
}

#[tokio::test]
async fn an_identity_provider_that_keeps_its_refresh_token_is_asked_with_it_again() {
    let town = Town::new(Setup { rotation: Rotation::Keep, ..Setup::default() });
    let (_, refresh) = town.log_in("a", HOUR);
    let keywheel = Keywheel::start(&town.config(&["a"], ""));
    for round in 1..=3 {
        town.lab.expire("a", EXPIRED);
        assert_eq!(call(&keywheel).await.0, 200, "round {round}");
        assert_eq!(town.idp.refreshed(), round);
    }
    assert!(town.idp.asked().iter().all(|asked| asked.with == refresh));
    assert_eq!(town.stored("a").refresh.unwrap().expose(), refresh);
}

#[tokio::test]
async fn a_short_lived_token_is_renewed_before_its_end_without_any_call() {
    let town = Town::new(Setup { life: Duration::from_secs(6), ..Setup::default() });
    town.log_in("a", EXPIRED);
    let keywheel = Keywheel::start(&town.config(&["a"], ""));
    tokio::time::sleep(Duration::from_secs(11)).await;
    let refreshed = town.idp.refreshed();
    assert!((3..=6).contains(&refreshed), "half of 6 s is its lead, so about one in 3 to 5 s: {refreshed}");
    let before = town.idp.asked().len();
    assert_eq!(call(&keywheel).await.0, 200);
    assert!(
        town.lab.seen().iter().filter(|seen| seen.method == http::Method::POST).count() == 1,
        "no replay was needed"
    );
    assert!(town.idp.asked().len() - before <= 1);
    assert!(town.vault.get("a").unwrap().unwrap().refreshing.is_none() || town.idp.refreshed() > refreshed);
}

#[tokio::test]
async fn an_order_to_stop_waits_for_the_refresh_under_way() {
    let town = Town::new(Setup::default());
    town.log_in("a", EXPIRED);
    town.hold(Stage::Answered);
    let keywheel = Keywheel::start(&town.config(&["a"], ""));
    town.wait_held(1);
    let stopping = std::thread::spawn(move || keywheel.run(["stop"]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    town.idp.release();
    assert!(stopping.join().unwrap().status.success());
    let stored = town.stored("a");
    assert!(stored.refreshing.is_none() && stored.secret.expose().contains("access-a-0003"), "it is stored");
}
