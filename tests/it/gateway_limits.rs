//! Limits on the request path: calls wait for their turn instead of meeting a 429, and what answers tell is taken in.

use std::time::{Duration, Instant};

use keywheel::accounts::{Need, Wanted, choose_again};
use keywheel::sim::Script;
use keywheel::sim::lab::Hint;
use keywheel::store::{Filter, Ledger, Outcome};
use serde_json::json;

use crate::gateway::{CHAT, Rig, STREAM, header, read};

fn answer(usage: &serde_json::Value) -> Script {
    Script::json(200, &json!({"id": "c", "object": "chat.completion", "choices": [], "usage": usage}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_at_once_go_at_the_permitted_pace_and_none_of_them_meets_a_429() {
    let rig = Rig::limited(&["a"], "", "limits = { rpm = 3000 }");
    let began = Instant::now();
    let calls: Vec<_> = (0..300).map(|_| rig.call(CHAT)).collect();
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(5800), "{took:?} is faster than permitted");
    assert!(took < Duration::from_millis(7500), "{took:?} leaves too much unused");
    let seen: Vec<Instant> = rig.lab.seen().iter().map(|seen| seen.at).collect();
    let most = seen
        .iter()
        .map(|at| seen.iter().filter(|other| (*at..*at + Duration::from_millis(990)).contains(*other)).count());
    assert!(most.max().is_some_and(|most| most <= 55), "no second sees many more than its fifty");
}

#[tokio::test]
async fn what_an_answer_tells_of_its_window_keeps_the_next_call_from_a_429() {
    for status in [200, 400] {
        let rig = Rig::new(&["a"], "");
        let body = match status {
            200 => json!({"choices": []}),
            _ => json!({"error": {"message": "no", "type": "invalid_request_error"}}),
        };
        let script = Script::json(status, &body)
            .header("x-ratelimit-limit-requests", "50")
            .header("x-ratelimit-remaining-requests", "0")
            .header("x-ratelimit-reset-requests", "1");
        rig.lab.on("a").then(script);
        assert_eq!(read(rig.call(CHAT).await).await.0, status);
        let began = Instant::now();
        let (second, headers, ..) = read(rig.call(CHAT).await).await;
        let waited = began.elapsed();
        assert_eq!((second, header(&headers, "x-keywheel-attempts")), (200, "1"));
        assert!(waited >= Duration::from_millis(800) && waited < Duration::from_secs(5), "{waited:?}");
        assert_eq!(rig.lab.seen().len(), 2);
    }
}

#[tokio::test]
async fn the_estimate_of_tokens_is_corrected_by_what_a_whole_answer_and_a_stream_report() {
    let rig = Rig::limited(&["a"], "", "limits = { tpm = 60000 }");
    let fits = |tokens| {
        let need = Need { input: tokens, output: 0 };
        rig.pool.try_lease(Wanted { provider: "lab", model: "m", need, ..Wanted::default() }).is_ok()
    };
    // an answer of a thousand tokens is expected of it, and it has thirty
    rig.lab.on("a").then(answer(&json!({"prompt_tokens": 20, "completion_tokens": 10})));
    assert_eq!(read(rig.call(CHAT).await).await.0, 200);
    assert!(fits(2900), "the rest is there again");
    tokio::time::sleep(Duration::from_secs(4)).await;
    rig.lab.on("a").then(answer(&json!({"prompt_tokens": 20, "completion_tokens": 6000})));
    assert_eq!(read(rig.call(CHAT).await).await.0, 200);
    assert!(!fits(1), "overdrawn by three seconds");
    tokio::time::sleep(Duration::from_millis(7500)).await;
    let last = r#"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2800}}"#;
    let events =
        ["data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n", &format!("{last}\n\n"), "data: [DONE]\n\n"];
    rig.lab.on("a").then(Script::events(events.map(str::to_owned)));
    let (status, _, _, whole) = read(rig.call(STREAM).await).await;
    assert!(status == 200 && whole);
    assert!(!fits(1500) && fits(1), "more than was expected of it");
}

#[tokio::test]
async fn what_is_counted_here_corrects_the_limits_too() {
    let rig = Rig::limited(&["a"], "", "limits = { tpm = 60000 }");
    let fits = |tokens| {
        let need = Need { input: tokens, output: 0 };
        rig.pool.try_lease(Wanted { provider: "lab", model: "m", need, ..Wanted::default() }).is_ok()
    };
    // a hundred letters of it are twelve tokens, and are taken for twenty-five until they are counted
    let text = "a".repeat(100_000);
    rig.lab.on("a").then(Script::json(200, &json!({"choices": [{"message": {"content": text}}]})));
    assert_eq!(read(rig.call(CHAT).await).await.0, 200);
    assert!(!fits(1), "overdrawn by 22 seconds");
    rig.gateway.settle();
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    assert!(fits(500), "by ten, now that they are counted");
}

#[tokio::test]
async fn a_choice_is_recorded_where_there_was_one_and_comes_out_the_same_again() {
    for (accounts, choices) in [(&["a"][..], 0), (&["a", "b", "c"], 1)] {
        let pool = "[models.pool]\nroute = [\"lab/m\"]\nstrategy = \"hybrid\"";
        let rig = Rig::new(accounts, pool);
        let (status, headers, ..) = read(rig.call(&CHAT.replace("lab/m", "pool")).await).await;
        let id = header(&headers, "x-keywheel-request-id").to_owned();
        assert_eq!(status, 200);
        let entry = rig.ledger.find(&id).expect("a ledger").expect("the call");
        assert_eq!(entry.choices.len(), choices);
        for choice in &entry.choices {
            assert_eq!(choice.candidates.len(), 3);
            assert_eq!(choose_again(choice), Some(choice.chosen));
            assert_eq!(entry.account.as_deref(), Some(choice.candidates[choice.chosen].account.as_str()));
            assert!(choice.candidates.iter().all(|one| one.route == "lab/m"));
        }
    }
}

#[tokio::test]
async fn the_cheapest_route_answers_whatever_its_place_in_the_list() {
    let pool = "[models.pool]\nroute = [\"lab/m\", \"deepseek/deepseek-v4-pro\", \"deepseek/deepseek-flash\"]\nstrategy = \"cheapest\"\n\
                [[accounts]]\nid = \"d\"\nprovider = \"deepseek\"\nsecret = { env = \"KEY_A\" }\n\
                [providers.deepseek]\nbase_url = \"http://127.0.0.1:9\"";
    let rig = Rig::new(&["a"], pool);
    drop(rig.call(&CHAT.replace("lab/m", "pool")).await);
    let entry = rig.ledger.list(&Filter::default()).expect("a ledger").remove(0);
    let entry = rig.ledger.find(&entry.id.to_string()).expect("a ledger").expect("the call");
    assert_eq!(entry.attempts[0].model, "deepseek-flash", "{entry:?}");
    let choice = &entry.choices[0];
    let routes: Vec<&str> = choice.candidates.iter().map(|one| one.route.as_str()).collect();
    assert_eq!(routes, ["lab/m", "deepseek/deepseek-v4-pro", "deepseek/deepseek-flash"]);
    assert_eq!(choice.candidates.iter().map(|one| one.price.is_some()).collect::<Vec<_>>(), [false, true, true]);
}

#[tokio::test]
async fn a_client_over_its_own_limits_hears_when_to_come_again() {
    let rig = Rig::new(&["a"], "[clients.tester]\nlimits = { rpm = 2 }");
    assert_eq!(read(rig.call(CHAT).await).await.0, 200);
    let (status, headers, body, _) = read(rig.call(CHAT).await).await;
    assert_eq!((status, header(&headers, "retry-after")), (429, "30"));
    let error = crate::gateway::error_of(&body);
    assert!(error["message"].as_str().is_some_and(|words| words.contains("clients.tester.limits")), "{error}");
    assert!(rig.all_ready());
}

#[tokio::test]
async fn a_client_that_leaves_while_its_call_waits_is_recorded_with_its_wait() {
    let rig = Rig::new(&["a"], "");
    rig.lab.on("a").always(Script::throttled(Hint::Seconds(20)));
    let gone = tokio::time::timeout(Duration::from_millis(400), rig.call(CHAT)).await;
    assert!(gone.is_err(), "it waits");
    let entry = rig.ledger.list(&Filter::default()).expect("the ledger").remove(0);
    assert_eq!((entry.outcome, entry.status), (Outcome::Left, 499));
    assert!((200_000..=entry.total_us).contains(&entry.parked_us), "{} of {} us", entry.parked_us, entry.total_us);
}
