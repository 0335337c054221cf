//! A refused call that the adapter can mend is sent once more to the same account, and nobody is punished for it.

use keywheel::sim::Script;
use serde_json::Value;

use crate::matrix::{DEEPSEEK, Labs, Rig};
use crate::support::vendor;

/// A tool turn, with the reasoning of its two assistant turns.
fn turn(model: &str, first: &str, second: &str) -> String {
    format!(
        r#"{{ "model":"{model}", "n":1.10, "messages" : [{{"role":"user","content":"what time is it?"}},
 {{"role":"assistant", "content":"","tool_calls":[{{"id":"1","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]{first}}} ,
 {{"role":"tool","tool_call_id":"1","content":"twelve"}},{{"role":"assistant","content":"twelve"{second}}},
 {{"role":"user","content":"thanks"}}] }}"#
    )
}

#[tokio::test]
async fn a_tool_turn_without_its_reasoning_is_mended_and_sent_once_more() {
    let labs = Labs::start(DEEPSEEK);
    let (full, model, blank) = (DEEPSEEK.full(), DEEPSEEK.model, r#","reasoning_content":" ""#);
    let kept = r#","reasoning_content":"I thought""#;
    for (first, second, mended_second) in [("", "", blank), ("", kept, kept)] {
        labs.reset();
        let rig = Rig::new(&labs);
        let got = rig.chat(&turn(&full, first, second)).await;
        assert_eq!((got.status, got.whole), (200, true), "{}", got.text());
        assert_eq!((got.header("x-keywheel-account"), got.header("x-keywheel-attempts")), ("a", "2"));
        let sent: Vec<String> = labs.seen().iter().map(|seen| String::from_utf8_lossy(&seen.body).into()).collect();
        assert_eq!(sent, [turn(model, first, second), turn(model, blank, mended_second)], "the rest is as it came");
        assert_eq!((labs.keys().as_str(), rig.ailing().as_str()), ("a a", ""));
        let attempts = rig.entry().attempts;
        assert_eq!((attempts[0].fault.as_deref(), attempts[1].fault.as_deref()), (Some("invalid_request"), None));
    }
}

#[tokio::test]
async fn a_null_in_its_place_is_filled_and_the_turn_goes_on_through_another_account() {
    let labs = Labs::start(DEEPSEEK);
    let rig = Rig::new(&labs);
    drop(labs.of("a").on("a").then(Script::usual()).then(vendor::row("deepseek/rate_limit").script()));
    let null = r#","reasoning_content":null"#;
    let got = rig.chat(&turn(&DEEPSEEK.full(), null, "")).await;
    assert_eq!((got.status, labs.keys().as_str()), (200, "a a b"), "{}", got.text());
    let last = labs.seen().pop().expect("a call").body;
    let (blank, filled) = (r#","reasoning_content":" ""#, String::from_utf8_lossy(&last).into_owned());
    assert_eq!(filled, turn(DEEPSEEK.model, blank, blank), "what was mended stays mended");
}

#[tokio::test]
async fn a_refusal_that_stays_is_the_clients_after_one_more_try() {
    let labs = Labs::start(DEEPSEEK);
    let answer = vendor::row("deepseek/reasoning_content_missing");
    labs.always(&answer.script());
    for stream in [false, true] {
        let rig = Rig::new(&labs);
        let body = turn(&DEEPSEEK.full(), "", "").replace("\"n\"", &format!("\"stream\":{stream},\"n\""));
        let got = rig.chat(&body).await;
        assert_eq!((got.status, got.text()), (400, answer.body.as_str()));
        assert_eq!(rig.ailing(), "");
        assert_eq!(rig.chat(&DEEPSEEK.chat()).await.status, 400, "nothing to mend");
    }
    assert_eq!(labs.keys(), "a a a a a a");
    let said: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert!(said["error"]["message"].as_str().is_some_and(|text| text.contains("must be passed back")));
}
