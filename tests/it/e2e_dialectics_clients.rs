//! Real clients ask a dialectic over `/v1/responses`.

use serde_json::{Value, json};

use crate::dialectics_rig::{RESPONSES, Trio, speech};
use crate::e2e_clients::Program;
use crate::e2e_rig::{quiet, text, words};

const MODEL: (&str, &str) = ("KW_MODEL", "dialectics/debate");
const PROMPT: (&str, &str) = ("KW_PROMPT", "Is it going to rain?");

/// Without ranks the providers come by name: `judge` speaks for the thesis and judges, `one` speaks against it.
fn debate() -> Trio {
    let trio = Trio::start("");
    trio.judge.on("judge").always(speech("so take an umbrella"));
    trio.one.on("one").always(speech("the antithesis says it stays dry"));
    trio
}

/// What an SDK saw of the debate, as a stream and whole.
fn assert_debated(saw: &Value) {
    for said in [&saw["text"], &saw["final"], &saw["whole"]["text"]] {
        assert_eq!(said, "so take an umbrella", "{saw}");
    }
    assert_eq!(saw["state"], "completed", "{saw}");
    for said in ["thesis · judge/m", "antithesis · one/m", "the antithesis says it stays dry"] {
        assert!(text(&saw["thoughts"]).contains(said), "{said}: {saw}");
    }
    for usage in [&saw["usage"], &saw["whole"]["usage"]] {
        assert_eq!((&usage["input_tokens"], &usage["total_tokens"]), (&json!(100), &json!(110)), "{saw}");
    }
}

#[test]
fn the_python_sdk_reads_a_debate_by_its_own_reader_and_whole() {
    let Some(python) = Program::python() else { return };
    let saw = python.sees(&debate().keywheel, "responses_helper", &[MODEL, PROMPT]);
    assert_debated(&saw);
    assert_eq!((&saw["kinds"], &saw["snapshot"]), (&json!(["reasoning", "message"]), &json!("so take an umbrella")));
    assert!(text(&saw["whole"]["thoughts"]).contains("the antithesis says it stays dry"), "{saw}");
}

#[test]
fn the_python_sdk_gets_the_calls_of_tools_of_a_dialectic() {
    let Some(python) = Program::python() else { return };
    let trio = debate();
    let saw = python.sees(&trio.keywheel, "responses_tool", &[("KW_MODEL", "dialectics/sim"), PROMPT]);
    assert_eq!(saw["calls"], json!([]), "sim/echo calls nothing: {saw}");
    let call = json!({"choices": [{"index": 0, "finish_reason": null, "delta": {"tool_calls": [{"index": 0, "id": "c1",
        "type": "function", "function": {"name": "weather", "arguments": "{}"}}]}}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    let frames = [format!("data: {call}\n\n"), format!("data: {end}\n\n"), "data: [DONE]\n\n".to_owned()];
    trio.two.on("two").then(speech("no"));
    trio.judge.on("judge").always(keywheel::sim::Script::events(frames));
    let saw = python.sees(&trio.keywheel, "responses_tool", &[("KW_MODEL", "dialectics/duel"), PROMPT]);
    assert_eq!(saw["calls"], json!([{"name": "weather", "arguments": "{}", "id": "c1"}]), "{saw}");
}

#[test]
fn the_node_sdk_reads_a_debate_by_its_own_reader_and_whole() {
    let Some(node) = Program::node() else { return };
    let saw = node.sees(&debate().keywheel, "responses", &[MODEL, PROMPT]);
    assert_debated(&saw);
    assert_eq!(saw["whole"]["kinds"], json!(["reasoning", "message"]), "{saw}");
}

#[test]
fn opencode_shows_a_debate_over_responses_with_its_reasoning() {
    let Some(opencode) = Program::opencode() else { return };
    let _quiet = quiet();
    let trio = debate();
    let folder = trio.keywheel.home().join("opencode");
    std::fs::create_dir(&folder).expect("a folder");
    let env = [MODEL, PROMPT, ("KW_NPM", "@ai-sdk/openai")];
    let output = opencode.run(&trio.keywheel, &[folder.as_os_str(), "--thinking".as_ref()], &env);
    let (out, err) = words(&output);
    assert!(output.status.success(), "{}: {out}{err}\n{}", output.status, trio.keywheel.words());
    for shown in ["so take an umbrella", "the antithesis says it stays dry", "antithesis · one/m"] {
        assert!(out.contains(shown), "{shown} is missing:\n{out}\n{err}");
    }
    let endpoint = trio.record()["endpoint"].clone();
    assert!(text(&endpoint).contains(RESPONSES.trim_start_matches("/v1/")), "{endpoint}");
}
