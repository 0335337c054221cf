//! opencode against the binary: a tool call and its answer, failover, a cut stream.
//!
//! Its first request is a title for the session, without tools; the one with tools is the turn itself.

use keywheel::sim::Script;
use keywheel::sim::lab::Seen;
use serde_json::Value;

use crate::dialectics_rig::{Trio, speech};
use crate::e2e_clients::{MODEL, Program, assert_failed_over, first_throttled};
use crate::e2e_rig::{Rig, quiet, text, words};

const ENV: [(&str, &str); 2] = [("KW_MODEL", MODEL), ("KW_PROMPT", "Run the tool, then say what it said.")];

/// Runs one prompt in a folder of its own; gives what was printed.
fn run(opencode: &Program, rig: &Rig) -> String {
    let folder = rig.keywheel.home().join("opencode");
    std::fs::create_dir(&folder).expect("a folder");
    let output = opencode.run(&rig.keywheel, &[&folder], &ENV);
    let (out, err) = words(&output);
    assert!(output.status.success(), "{}: {out}{err}\n{}", output.status, rig.keywheel.words());
    out
}

/// The requests of the turn itself: those with tools.
fn turns(rig: &Rig) -> Vec<Value> {
    let body = |seen: &Seen| serde_json::from_slice::<Value>(&seen.body).expect("JSON");
    let with_tools = |body: &Value| body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    rig.calls().iter().map(body).filter(with_tools).collect()
}

#[test]
fn opencode_calls_a_tool_and_gives_its_answer_back() {
    let Some(opencode) = Program::opencode() else { return };
    let _quiet = quiet();
    let rig = Rig::start(&["a"]);
    let out = run(&opencode, &rig);
    assert_eq!(out.matches("The tool said: keywheel").count(), 1, "{out}");
    let turns = turns(&rig);
    assert_eq!(turns.len(), 2, "a call of the tool, and the answer to its result");
    let last = turns[1]["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(text(&last["role"]), "tool", "{last}");
    assert!(text(&last["content"]).contains("keywheel"), "{last}");
    assert!(turns.iter().all(|turn| turn["model"] == "gpt-4o-mini" && turn["stream"] == true));
    rig.assert_untouched("opencode");
}

#[test]
fn opencode_notices_nothing_of_a_429() {
    let Some(opencode) = Program::opencode() else { return };
    let _quiet = quiet();
    let rig = first_throttled();
    let out = run(&opencode, &rig);
    assert_eq!(out.matches("The tool said: keywheel").count(), 1, "{out}");
    assert_failed_over(&rig.lab);
    assert!(turns(&rig).len() <= 4, "no retries of its own");
}

#[test]
fn opencode_tries_a_cut_stream_again_and_prints_the_answer_once() {
    let Some(opencode) = Program::opencode() else { return };
    let _quiet = quiet();
    let rig = Rig::start(&["a"]);
    // the title and the turn race each other, so both are cut once
    rig.lab.on("a").then(Script::usual().cut(2)).then(Script::usual().cut(2));
    let out = run(&opencode, &rig);
    assert_eq!(out.matches("The tool said: keywheel").count(), 1, "{out}");
    assert!(turns(&rig).len() >= 3, "it was sent again");
}

#[test]
fn opencode_shows_the_answer_of_a_debate_and_its_reasoning() {
    let Some(opencode) = Program::opencode() else { return };
    let _quiet = quiet();
    let trio = Trio::start("");
    // without ranks the providers come by name: `judge` speaks for the thesis, `one` against it
    trio.judge.on("judge").always(speech("so take an umbrella"));
    trio.one.on("one").always(speech("the antithesis says it stays dry"));
    let folder = trio.keywheel.home().join("opencode");
    std::fs::create_dir(&folder).expect("a folder");
    let env = [("KW_MODEL", "dialectics/debate"), ("KW_PROMPT", "Is it going to rain?")];
    let output = opencode.run(&trio.keywheel, &[folder.as_os_str(), "--thinking".as_ref()], &env);
    let (out, err) = words(&output);
    assert!(output.status.success(), "{}: {out}{err}\n{}", output.status, trio.keywheel.words());
    for shown in ["so take an umbrella", "the antithesis says it stays dry", "antithesis · one/m"] {
        assert!(out.contains(shown), "{shown} is missing:\n{out}\n{err}");
    }
}
