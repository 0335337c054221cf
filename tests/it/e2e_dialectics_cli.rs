//! `keywheel dialectics`: the answer on stdout, the legs beside it, one object for scripts, and what becomes of mistakes.

use std::time::Duration;

use keywheel::sim::Script;
use serde_json::{Value, json};

use crate::dialectics_rig::{QUESTION, Trio, speech};
use crate::e2e_rig::{said, text, words};

const PAUSE: Duration = Duration::from_millis(5);

#[tokio::test]
async fn the_answer_is_on_stdout_alone_and_the_legs_are_labelled_beside_it() {
    let trio = Trio::start("");
    trio.say("yes\nit rains", "no \u{1b}[2Jit does not", "take an umbrella", PAUSE);
    let output = trio.keywheel.run(["dialectics", "--mode", "duel", QUESTION]);
    let (out, err) = words(&output);
    assert_eq!((output.status.code(), &*out), (Some(0), "take an umbrella\n"), "{err}");
    for line in
        ["thesis · one/m | yes", "thesis · one/m | it rains", "antithesis · two/m | no [2Jit does not", "$0.0006"]
    {
        assert!(err.contains(line), "{line} is missing:\n{err}");
    }
}

#[tokio::test]
async fn with_json_a_script_gets_the_answer_the_legs_the_report_and_the_cost() {
    let trio = Trio::start("");
    let report = r#"{"agreed":["it is grey"],"disputed":[],"confidence":1}"#;
    trio.one.on("one").then(speech("it rains"));
    trio.two.on("two").always(Script::json(500, &json!({"error": {"message": "no"}})));
    trio.judge.on("judge").then(speech(&format!("an umbrella\n```keywheel-report\n{report}\n```")));
    let args = ["dialectics", "--mode", "duel", "--rounds", "2", "--json", QUESTION];
    let record: Value = serde_json::from_str(&said(&trio.keywheel.run(args))).expect("one object");
    assert_eq!((&record["answer"], &record["synthesis"]), (&json!("an umbrella"), &json!("judge/m")));
    assert_eq!((&record["legs"][0]["text"], &record["legs"][0]["state"]), (&json!("it rains"), &json!("done")));
    assert_eq!(
        (&record["legs"][1]["state"], &record["absent"]),
        (&json!("absent"), &json!(["antithesis (two/m): failed"]))
    );
    assert_eq!((&record["report"]["complied"], &record["report"]["agreed"]), (&json!(true), &json!(["it is grey"])));
    assert_eq!(record["cost_usd"], "0.0004", "two calls were answered");
    assert_eq!(record["id"], trio.record()["id"]);
    let id = text(&record["id"]);
    let explained = said(&trio.keywheel.run(["explain", id]));
    let sentence = format!("several models had the call, which completed; see them: keywheel requests {id}");
    assert!(explained.contains(&sentence) && explained.contains("  two/m: antithesis is absent: "), "{explained}");
}

#[tokio::test]
async fn flags_choose_the_cast_and_mistakes_end_with_a_sentence() {
    let trio = Trio::start("");
    trio.judge.on("judge").always(speech("a"));
    let chosen = ["dialectics", "--legs", "judge/m,one/m", "--synthesis", "judge/m", "--mode", "panel", "--json", "hi"];
    let record: Value = serde_json::from_str(&said(&trio.keywheel.run(chosen))).expect("one object");
    let legs: Vec<&str> = record["legs"].as_array().expect("legs").iter().map(|leg| text(&leg["model"])).collect();
    assert_eq!(legs, ["judge/m", "one/m"]);
    let before = trio.all_calls();
    for (args, sentence) in [
        (["dialectics", "--mode", "nobody", "hi"], "there is no dialectics/nobody"),
        (["dialectics", "--max-cost", "0.00001", "hi"], "nothing was begun"),
        (["dialectics", "--legs", "one/m", "hi"], "two to eight"),
        (["dialectics", "--mode", "duel", " "], "the question is empty"),
    ] {
        let output = trio.keywheel.run(args);
        let (out, err) = words(&output);
        assert_eq!((output.status.code(), &*out), (Some(1), ""), "{args:?}: {err}");
        assert!(err.starts_with("keywheel: ") && err.contains(sentence), "{err}");
    }
    assert_eq!(trio.all_calls(), before, "no leg was asked");
}
