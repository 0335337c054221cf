//! Two accounts behind one endpoint: what rotates, what does not, and what is told.

use std::time::Duration;

use keywheel::sim::Script;
use keywheel::sim::lab::Hint;
use serde_json::json;

use crate::e2e_rig::{Rig, chat, json_lines, stream};

const MODEL: &str = "lab/gpt-4o-mini";

#[tokio::test]
async fn a_429_of_the_first_account_is_answered_by_the_second() {
    for body in [chat(MODEL), stream(MODEL)] {
        let rig = Rig::start(&["a", "b"]);
        rig.lab.on("a").then(Script::throttled(Hint::Seconds(30)));
        let response = rig.keywheel.client().post("/v1/chat/completions", &body).await;
        assert_eq!(response.status, 200);
        assert_eq!((response.header("x-keywheel-account"), response.header("x-keywheel-attempts")), ("b", "2"));
        assert_eq!(
            (response.header("x-keywheel-provider"), response.header("x-keywheel-model")),
            ("lab", "gpt-4o-mini")
        );
        assert!(response.text().await.contains("hello"));
        assert_eq!(rig.keys_seen(), ["a", "b"]);
        let accounts = rig.accounts();
        assert!(accounts[0].contains("gpt-4o-mini rests until") && accounts[1] == "b: ready", "{accounts:?}");
        let row = &json_lines(&rig.keywheel.run(["requests", "--json"]))[0];
        assert_eq!((&row["account"], &row["attempts"], &row["status"]), (&json!("b"), &json!(2), &json!(200)), "{row}");
    }
}

#[tokio::test]
async fn a_mistake_of_the_client_reaches_it_once_and_touches_no_account() {
    let rig = Rig::start(&["a", "b"]);
    let mut wrong = chat(MODEL);
    wrong["messages"] = json!("hello");
    let mut filtered = chat(MODEL);
    filtered["messages"][0]["content"] = json!(keywheel::sim::FILTERED);
    let mut too_long = chat(MODEL);
    too_long["messages"][0]["content"] = json!(keywheel::sim::TOO_LONG);
    let mut unknown = chat(MODEL);
    unknown["no_such_field"] = json!(1);
    for (number, body) in [wrong, filtered, too_long, unknown].iter().enumerate() {
        let response = rig.keywheel.client().post("/v1/chat/completions", body).await;
        assert_eq!((response.status, response.header("x-keywheel-attempts")), (400, "1"), "{body}");
        assert!(response.json().await["error"]["message"].is_string());
        assert_eq!(rig.calls().len(), number + 1, "{body}");
        rig.assert_untouched(&body.to_string());
    }
}

#[tokio::test]
async fn an_account_that_cools_down_is_passed_over_until_its_time_is_over() {
    let rig = Rig::start(&["a", "b"]);
    rig.lab.on("a").then(Script::throttled(Hint::Seconds(2)));
    let client = rig.keywheel.client();
    let mut by = Vec::new();
    for _ in 0..3 {
        by.push(client.post("/v1/chat/completions", &chat(MODEL)).await.header("x-keywheel-account").to_owned());
    }
    assert_eq!(by, ["b", "b", "b"]);
    tokio::time::sleep(Duration::from_millis(2200)).await;
    rig.lab.on("b").then(Script::throttled(Hint::Seconds(30)));
    let response = client.post("/v1/chat/completions", &chat(MODEL)).await;
    assert_eq!((response.status, response.header("x-keywheel-account")), (200, "a"));
    assert_eq!(rig.accounts()[0], "a: ready");
}

#[tokio::test]
async fn when_all_accounts_are_spent_the_client_hears_when_to_come_back() {
    let rig =
        Rig::with(crate::e2e_rig::open_lab(), &["a", "b"], |config| config.more("[parking]\nmax_wait = \"1s\"\n"));
    for account in ["a", "b"] {
        rig.lab.on(account).always(Script::throttled(Hint::Seconds(40)));
    }
    let response = rig.keywheel.client().post("/v1/chat/completions", &chat(MODEL)).await;
    assert_eq!(response.status, 429);
    let wait: u64 = response.header("retry-after").parse().expect("whole seconds");
    assert!((35..=40).contains(&wait), "{wait}");
    assert!(response.header("x-keywheel-reset-at").contains('T'));
    let error = response.json().await["error"].take();
    assert_eq!(error["code"], "no_account_available");
    assert!(error["message"].as_str().expect("a sentence").contains("before"), "{error}");
    assert_eq!(rig.keys_seen(), ["a", "b"]);
}

#[tokio::test]
async fn a_call_that_meets_one_429_after_another_ends_with_what_the_provider_said() {
    let rig = Rig::start(&["a"]);
    rig.lab.on("a").always(Script::throttled(Hint::Millis(200)));
    let response = rig.keywheel.client().post("/v1/chat/completions", &chat(MODEL)).await;
    assert_eq!((response.status, response.header("x-keywheel-attempts")), (429, "5"));
    assert!(response.header("x-keywheel-parked-ms").parse::<u64>().is_ok_and(|ms| ms > 500));
    let wait: u64 = response.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&wait));
    let error = response.json().await["error"].take();
    assert!(error["message"].as_str().is_some_and(|words| words.contains("Rate limit reached")), "{error}");
}
