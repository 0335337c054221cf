//! Calls that were kept and are sent again, with the real binary: the same bytes, the old call's name, a comparison.

use keywheel::sim::Script;
use serde_json::{Value, json};

use crate::e2e_clients::Program;
use crate::e2e_history::{CHAT, call, kept, prompt, rig};
use crate::e2e_rig::{Rig, json_lines, said, text, words};

const ODD: &str = "{ \"model\" : \"lab/echo\",\n\t\"messages\":[{\"content\":\"H\\u00e9llo \\/ w\u{f6}rld\",\"role\":\"user\"}],  \"temperature\":0.70}\n";

/// The lab's record of the last call, as bytes.
fn sent(rig: &Rig) -> Vec<u8> {
    rig.calls().last().expect("a call").body.to_vec()
}

#[tokio::test]
async fn a_replay_is_byte_identical_and_names_the_call_that_it_repeats() {
    let rig = rig("mode = 'all'").await;
    let response = rig.keywheel.client().header("x-keywheel-project", "atlas").post_bytes(CHAT, ODD).await;
    let id = response.header("x-keywheel-request-id").to_owned();
    assert_eq!(response.status, 200);
    drop(response.read().await);
    kept(&rig, 1).await;
    let before = sent(&rig);
    let shown = said(&rig.keywheel.run(["replay", &id]));
    assert!(shown.contains("the answer is the same") && shown.contains("first byte"), "{shown}");
    assert_eq!(rig.calls().len(), 2);
    assert_eq!(sent(&rig), before, "the lab got the same bytes");
    kept(&rig, 2).await;
    let rows = json_lines(&rig.keywheel.run(["requests", "--ndjson"]));
    assert_eq!(rows[0]["request"]["body"]["text"], ODD, "and the gateway did");
    assert_eq!(rows[0]["request"]["body"]["digest"], rows[1]["request"]["body"]["digest"]);
    let again: Value = json_lines(&rig.keywheel.run(["requests", text(&rows[0]["id"]), "--json"])).remove(0);
    assert_eq!((text(&again["parent_id"]), text(&again["project"])), (id.as_str(), "atlas"));
    let compared = json_lines(&rig.keywheel.run(["replay", &id, "--json"])).remove(0);
    assert_eq!((&compared["same_answer"], &compared["then"]["id"]), (&json!(true), &json!(id)), "{compared}");
    assert!(compared["now"]["total_ms"].is_number() && compared["now"]["usage"]["input"].is_number(), "{compared}");
}

#[tokio::test]
async fn another_model_gets_the_same_question_and_the_difference_is_shown() {
    let rig = rig("mode = 'all'").await;
    let (id, _) = call(&rig, &prompt("lab/echo", "one\ntwo", true)).await;
    kept(&rig, 1).await;
    let before: Value = serde_json::from_slice(&sent(&rig)).unwrap();
    let answer = json!({"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "other", "choices": [{"index": 0, "delta": {"content": "one\nthree"}, "finish_reason": "stop"}]});
    rig.lab.on("a").then(Script::events([format!("data: {answer}\n\n"), "data: [DONE]\n\n".to_owned()]));
    let shown = said(&rig.keywheel.run(["replay", &id[..30], "--model", "lab/other"]));
    let mut after: Value = serde_json::from_slice(&sent(&rig)).unwrap();
    assert_eq!(after["model"], "other");
    after["model"] = before["model"].clone();
    assert_eq!(after, before, "nothing else is changed");
    for part in ["the answer differs:", "  one", "- two", "+ three", "lab/echo", "lab/other", "cost"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[tokio::test]
async fn a_body_that_redaction_changed_is_sent_only_on_a_word() {
    let rig = rig("mode = 'all'").await;
    let (id, _) = call(&rig, &prompt("lab/echo", "write to jane.doe@example.org", false)).await;
    kept(&rig, 1).await;
    let (_, err) = words(&rig.keywheel.run(["replay", &id]));
    assert!(err.contains("redaction changed its body (email)") && err.contains("--redacted"), "{err}");
    assert_eq!(rig.calls().len(), 1, "nothing was sent");
    said(&rig.keywheel.run(["replay", &id, "--redacted"]));
    assert!(String::from_utf8(sent(&rig)).unwrap().contains("write to [redacted]"));
}

#[tokio::test]
async fn what_failed_is_sent_again_and_what_cannot_be_is_listed_with_its_reason() {
    let rig = rig("mode = 'failed'").await;
    let no = || Script::json(400, &json!({"error": {"message": "no", "type": "t"}}));
    let mut ids = Vec::new();
    for words in ["try again", "mail jane.doe@example.org"] {
        rig.lab.on("a").then(no());
        ids.push(call(&rig, &prompt("lab/echo", words, false)).await.0);
    }
    assert_eq!(call(&rig, &prompt("lab/echo", "fine", false)).await.1, 200);
    rig.lab.on("a").then(no());
    let upload = rig.keywheel.client().header("x-keywheel-model", "lab/m").header("content-type", "text/plain");
    let upload = upload.post_bytes("/v1/files", "x".repeat(100_000)).await;
    ids.push(upload.header("x-keywheel-request-id").to_owned());
    drop(upload.read().await);
    kept(&rig, 3).await;
    let rows = json_lines(&rig.keywheel.run(["replay", "--failed", "--since", "1h", "--json"]));
    assert_eq!(rows.len(), 3, "{rows:?}");
    let row = |id: &str| rows.iter().find(|row| row["then"]["id"] == id || row["id"] == id).expect("a row");
    assert_eq!((&row(&ids[0])["then"]["status"], &row(&ids[0])["now"]["status"]), (&json!(400), &json!(200)));
    assert!(text(&row(&ids[1])["skipped"]).contains("(email)"), "{rows:?}");
    assert!(text(&row(&ids[2])["skipped"]).contains("passed on while it arrived"), "{rows:?}");
    let (out, err) = words(&rig.keywheel.run(["replay", "--failed", "--since", "1h"]));
    assert!(out.contains("is not sent again: ") && err.contains("1 calls were sent again, 2 were not"), "{out}{err}");
}

#[tokio::test]
async fn a_har_export_can_be_replayed_and_a_public_parser_takes_it() {
    let rig = rig("mode = 'all'").await;
    call(&rig, &prompt("lab/echo", "whole \u{1f600} </script>", false)).await;
    call(&rig, &prompt("lab/echo", "a stream", true)).await;
    rig.lab.on("a").then(Script::json(400, &json!({"error": {"message": "no", "type": "t"}})));
    call(&rig, &prompt("lab/echo", "refused", false)).await;
    kept(&rig, 3).await;
    let har = said(&rig.keywheel.run(["requests", "--har"]));
    let file = rig.keywheel.home().join("calls.har");
    std::fs::write(&file, &har).unwrap();
    let parsed: Value = serde_json::from_str(&har).unwrap();
    assert_eq!(
        (parsed["log"]["version"].as_str(), parsed["log"]["entries"].as_array().unwrap().len()),
        (Some("1.2"), 3)
    );
    let first: Vec<Vec<u8>> = rig.calls().into_iter().map(|call| call.body.to_vec()).collect();
    let rows = json_lines(&rig.keywheel.run(["replay", "--har", file.to_str().unwrap(), "--json"]));
    assert_eq!(rows.len(), 3);
    assert_eq!(rows.iter().filter(|row| row["same_answer"] == true).count(), 2, "{rows:?}");
    let mut again: Vec<Vec<u8>> = rig.calls()[3..].iter().map(|call| call.body.to_vec()).collect();
    again.reverse();
    assert_eq!(again, first, "an export lists the newest first");
    // what could not be kept is in an export too
    let (refused, status) = call(&rig, &json!({"model": "nowhere/m", "messages": []})).await;
    assert_eq!(status, 404);
    std::fs::write(&file, said(&rig.keywheel.run(["requests", "--har"]))).unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().contains(&refused));
    let Some(validator) = Program::har() else { return };
    let saw = validator.run(&rig.keywheel, &[&file], &[]);
    assert_eq!(said(&saw).trim(), "7 entries, valid HAR 1.2");
    // and the parser does look
    std::fs::write(&file, har.replace("\"startedDateTime\"", "\"started\"")).unwrap();
    assert!(!validator.run(&rig.keywheel, &[&file], &[]).status.success());
}

#[tokio::test]
async fn the_curl_line_sends_the_same_bytes_and_holds_no_key() {
    let Some(_) = Program::curl() else { return };
    let rig = rig("mode = 'all'").await;
    let body = ODD.replace("H\\u00e9llo", "it's $HOME `x` \\\\ \\\"q\\\"");
    let response = rig.keywheel.client().post_bytes(CHAT, body).await;
    let id = response.header("x-keywheel-request-id").to_owned();
    drop(response.read().await);
    kept(&rig, 1).await;
    let line = said(&rig.keywheel.run(["requests", &id, "--curl"]));
    assert!(!line.contains(&rig.keywheel.key()), "{line}");
    let done = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(done.status.success() && String::from_utf8_lossy(&done.stdout).contains("it's $HOME"), "{done:?}");
    let calls = rig.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body, calls[1].body);
}
