//! Dialectics through the real binary: what three labs were sent, and what the client reads of it.

use std::time::{Duration, Instant};

use keywheel::sim::lab::Seen;
use keywheel::sim::{Lab, Script};
use serde_json::{Value, json};

use crate::dialectics_rig::{CHAT, QUESTION, RESPONSES, Trio, WAYS, Way, body, prompt, read, speech};
use crate::e2e_rig::{json_lines, median_and_worst, quiet, said, text, until};
use crate::support::SOON;
use crate::support::client::End;

const STREAM: Way = Way { path: CHAT, stream: true };
const WHOLE: Way = Way { path: CHAT, stream: false };
const PAUSE: Duration = Duration::from_millis(150);

fn only(lab: &Lab) -> Seen {
    let mut calls = Trio::calls(lab);
    assert_eq!(calls.len(), 1);
    calls.remove(0)
}

#[tokio::test]
async fn the_legs_of_a_debate_and_of_a_panel_overlap_and_the_synthesis_begins_when_the_last_one_ends() {
    for (name, roles) in [("duel", ["thesis", "antithesis"]), ("jury", ["voice-1", "voice-2"])] {
        for way in WAYS {
            let trio = Trio::start("");
            trio.say("yes it will rain", "no it stays dry \"today\"", "take an umbrella", PAUSE);
            let answer = trio.ask(name, way).await;
            assert_eq!(answer.status, 200, "{name}");
            let legs = format!("{}=one/m, {}=two/m", roles[0], roles[1]);
            assert_eq!((answer.header("x-keywheel-legs"), answer.header("x-keywheel-synthesis")), (&*legs, "judge/m"));
            let read = read(answer, way).await;
            assert_eq!((&*read.content, &*read.finish), ("take an umbrella", "stop"), "{name} {way:?}");
            for words in ["yes it will rain", "no it stays dry", roles[0], roles[1], "one/m", "two/m", "judge/m"] {
                assert!(read.reasoning.contains(words), "{name}: {words} in {}", read.reasoning);
            }
            // the synthesis' own: clients measure their context by it
            assert_eq!(read.usage["total_tokens"], 110);
            let sum = &read.about["usage"]["total_tokens"];
            assert!(way.path == CHAT || sum == 330, "what all took: {sum}");
            let (one, two, judge) = (only(&trio.one), only(&trio.two), only(&trio.judge));
            let (one_ended, two_ended) = (one.ended.expect("an end"), two.ended.expect("an end"));
            assert!(one.at < two_ended && two.at < one_ended, "the legs overlap");
            let gap = judge.at.checked_duration_since(one_ended.max(two_ended)).expect("the synthesis comes last");
            assert!(gap < Duration::from_secs(1), "{gap:?}");
            let (asked, _) = prompt(&judge);
            assert!(asked.contains("yes it will rain") && asked.contains(r#"no it stays dry \"today\""#), "{asked}");
            let ((_, one), (_, two)) = (prompt(&one), prompt(&two));
            assert!(one.contains(QUESTION) && two.contains(QUESTION));
            assert_eq!(one == two, name == "jury", "a debate's briefs are opposed, those of a panel are the same");
        }
    }
}

#[tokio::test]
async fn a_split_sends_different_parts_by_plan_or_without_one() {
    for (plan, parts) in [
        (
            r#"```json {"parts": ["look at the sky", "look for the umbrella"]} ```"#,
            ["look at the sky", "look for the umbrella"],
        ),
        ("I would rather not plan", ["Is it going to rain?", "Should I take an umbrella?"]),
    ] {
        for way in WAYS {
            let trio = Trio::start("");
            trio.judge.on("judge").then(speech(plan));
            trio.say("grey clouds", "in the hall", "yes, the one in the hall", PAUSE);
            let read = read(trio.ask("parts", way).await, way).await;
            assert_eq!(read.content, "yes, the one in the hall");
            assert!(read.reasoning.contains(parts[0]) && read.reasoning.contains(parts[1]), "{}", read.reasoning);
            assert_eq!(read.reasoning.contains("gave no plan"), plan.starts_with("I "), "{}", read.reasoning);
            let (one, two) = (only(&trio.one), only(&trio.two));
            assert!(one.at < two.ended.expect("an end") && two.at < one.ended.expect("an end"), "they overlap");
            let told = [prompt(&one).0, prompt(&two).0];
            assert_eq!(told, parts.map(|part| format!("Your part of the request:\n{part}")));
            let judged = Trio::calls(&trio.judge);
            assert_eq!(judged.len(), 2, "the plan and the synthesis");
            let material = prompt(&judged[1]).0;
            assert!(["grey clouds", "in the hall", parts[0], parts[1]].iter().all(|words| material.contains(words)));
        }
    }
}

#[tokio::test]
async fn from_the_second_round_on_each_side_has_read_the_other() {
    let trio = Trio::start("rounds = 2");
    trio.one.on("one").then(speech("first thesis")).then(speech("second thesis"));
    trio.two.on("two").then(speech("first antithesis")).then(speech("second antithesis"));
    trio.judge.on("judge").then(speech("done"));
    let read = read(trio.ask("duel", STREAM).await, STREAM).await;
    assert!(read.reasoning.contains("thesis · one/m, round 2"), "{}", read.reasoning);
    let second = &Trio::calls(&trio.one)[1];
    let (last, all) = prompt(second);
    assert!(last.contains("first antithesis") && !last.contains("first thesis") && all.contains("first thesis"));
    let material = prompt(&only(&trio.judge)).0;
    assert!(material.contains("second thesis") && material.contains("second antithesis"));
}

#[tokio::test]
async fn a_dead_and_a_slow_leg_are_structured_absences_and_the_other_still_answers() {
    let dead = || Script::json(500, &json!({"error": {"message": "Error: the engine room is flooded"}}));
    for (script, reason) in [
        (dead(), "failed"),
        (speech("too late").after(Duration::from_secs(20)), "late"),
        (speech("a b c d").cut(2), "broke_off"),
    ] {
        for way in WAYS {
            let trio = Trio::start("leg_timeout = \"2s\"");
            trio.one.on("one").then(speech("it rains"));
            trio.two.on("two").always(script.clone());
            trio.judge.on("judge").then(speech("take an umbrella"));
            let began = Instant::now();
            let answer = trio.ask("duel", way).await;
            let named = answer.header("x-keywheel-absent").to_owned();
            assert!(way.stream || named == format!("antithesis (two/m): {reason}"), "{named}");
            let read = read(answer, way).await;
            assert!(began.elapsed() < Duration::from_secs(10));
            assert_eq!(read.content, "take an umbrella");
            assert!(read.reasoning.contains("antithesis (two/m) is absent"), "{}", read.reasoning);
            assert_eq!(read.about["absent"], json!([format!("antithesis (two/m): {reason}")]));
            let material = prompt(&only(&trio.judge)).0;
            assert!(material.contains(&format!("\"absent\":{{\"reason\":\"{reason}\"}}")), "{material}");
            assert!(material.contains("it rains") && !material.contains("Error") && !material.contains("flooded"));
            let record = trio.record();
            assert!(
                record["decisions"][0]["verdict"].as_str().is_some_and(|why| why.starts_with("antithesis is absent"))
            );
        }
    }
}

#[tokio::test]
async fn when_no_leg_answers_the_client_gets_one_clear_error_and_no_synthesis_is_asked() {
    let mistake =
        Script::json(400, &json!({"error": {"message": "this is too long", "code": "context_length_exceeded"}}));
    for (script, status) in [(Script::json(500, &json!({"error": {"message": "no"}})), 502), (mistake, 400)] {
        for way in WAYS {
            let trio = Trio::start("");
            trio.one.on("one").always(script.clone());
            trio.two.on("two").always(script.clone());
            let answer = trio.ask("duel", way).await;
            assert_eq!(answer.status, status, "a real status, also for a stream");
            let error = answer.json().await["error"].clone();
            assert_eq!(error["code"], "no_leg_answered", "{error}");
            let message = text(&error["message"]).to_owned();
            assert!(message.contains("thesis (one/m)") && message.contains("antithesis (two/m)"), "{message}");
            assert!(Trio::calls(&trio.judge).is_empty());
            assert_eq!((&trio.record()["status"], &trio.record()["outcome"]), (&json!(status), &json!("failed")));
        }
    }
}

#[tokio::test]
async fn a_synthesis_that_fails_is_taken_over_by_the_model_of_a_leg() {
    let silent = json!({"choices": [{"index": 0, "finish_reason": "stop", "delta": {"content": "", "tool_calls": []}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}});
    let silent = Script::events([format!("data: {silent}\n\n"), "data: [DONE]\n\n".to_owned()]);
    for script in [Script::json(500, &json!({"error": {"message": "no"}})), silent] {
        for way in WAYS {
            let trio = Trio::start("");
            trio.one.on("one").then(speech("it rains")).then(speech("an umbrella, then"));
            trio.two.on("two").then(speech("it does not"));
            trio.judge.on("judge").always(script.clone());
            let read = read(trio.ask("duel", way).await, way).await;
            assert_eq!((&*read.content, &read.usage["total_tokens"]), ("an umbrella, then", &json!(110)), "{way:?}");
            assert!(read.reasoning.contains("one/m takes over"), "{}", read.reasoning);
        }
    }
}

#[tokio::test]
async fn over_the_cap_no_leg_starts_and_the_error_says_the_estimate() {
    // two legs and the synthesis, 1000 tokens of output each, ten dollars a million: three cents and the input
    let trio = Trio::start("max_cost_usd = \"0.02\"");
    let dear = trio.ask("duel", STREAM).await;
    assert_eq!(dear.status, 402);
    let error = dear.json().await["error"].clone();
    assert_eq!(error["code"], "cost_cap");
    assert!(text(&error["message"]).contains("up to $0.04"), "{error}");
    assert_eq!(trio.all_calls(), 0, "no leg was started");
    for (way, limit) in [(WHOLE, "max_tokens"), (Way { path: RESPONSES, ..WHOLE }, "max_output_tokens")] {
        assert_eq!(trio.ask("duel", way).await.status, 402);
        let mut cheap = body("duel", way);
        cheap[limit] = json!(100);
        trio.say("a", "b", "c", PAUSE);
        let answer = trio.keywheel.client().post(way.path, &cheap).await;
        assert_eq!(answer.status, 200);
        let estimate: f64 = answer.header("x-keywheel-estimate-usd").parse().expect("a number");
        assert!((0.003..0.02).contains(&estimate), "{estimate}");
    }
    // what the legs are sent counts, whatever stands beside it
    for (way, limit) in [(WHOLE, "max_tokens"), (Way { path: RESPONSES, ..WHOLE }, "max_output_tokens")] {
        let mut dear = body("duel", way);
        (dear["max_completion_tokens"], dear[limit]) = (json!(1), json!(100_000));
        assert_eq!(trio.keywheel.client().post(way.path, &dear).await.status, 402, "{limit}");
    }
    // a client lowers the cap and never raises it
    for (cap, status) in [("0.001", 402), ("9", 402), ("much", 400)] {
        let capped = trio.keywheel.client().header("x-keywheel-max-cost", cap);
        assert_eq!(capped.post(CHAT, &body("duel", WHOLE)).await.status, status, "{cap}");
    }
    assert_eq!(trio.all_calls(), 6);
}

#[tokio::test]
async fn the_parent_costs_what_its_legs_cost_and_no_sum_counts_it_twice() {
    for way in WAYS {
        let trio = Trio::start("");
        trio.say("yes it rains", "no", "umbrella", PAUSE);
        let answer = trio.ask("duel", way).await;
        let id = answer.header("x-keywheel-request-id").to_owned();
        read(answer, way).await;
        let record = trio.record();
        let legs = record["legs"].as_array().expect("legs").clone();
        assert_eq!((legs.len(), text(&record["id"])), (3, &*id), "{record}");
        // 100 tokens in and 10 out: 100 + 100 millionths of a dollar each
        assert!(legs.iter().all(|leg| leg["cost_usd"] == "0.0002" && leg["status"] == 200), "{legs:?}");
        assert_eq!((&record["cost_usd"], &record["usage"]["input"]), (&json!("0.0006"), &json!(300)));
        let providers: Vec<&str> = legs.iter().map(|leg| text(&leg["provider"])).collect();
        assert!(providers.contains(&"one") && providers.contains(&"two") && providers[2] == "judge");
        let rows = json_lines(&trio.keywheel.run(["cost", "--json"]));
        let sum: f64 = rows.iter().map(|row| text(&row["cost_usd"]).parse::<f64>().expect("a number")).sum();
        assert!((sum - 0.0006).abs() < 1e-9, "{rows:?}");
        assert!(rows.iter().all(|row| row["untold"] == 0 && row["unpriced"] == 0), "{rows:?}");
        let rows = json_lines(&trio.keywheel.run(["requests", "--json"]));
        let sum: f64 = rows.iter().filter_map(|row| row["cost_usd"].as_str()?.parse::<f64>().ok()).sum();
        assert!((sum - 0.0006).abs() < 1e-9, "whoever adds rows up counts each leg once: {rows:?}");
    }
}

#[test]
fn when_the_client_leaves_every_leg_is_closed_at_once() {
    let _quiet = quiet();
    for path in [CHAT, RESPONSES] {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(left_by_its_client(path));
    }
}

async fn left_by_its_client(path: &'static str) {
    let trio = Trio::start("");
    trio.one.on("one").always(speech("a b c d e f g h").hang(4));
    trio.two.on("two").always(speech("a b c d e f g h").hang(4));
    let mut took = Vec::new();
    for round in 1..=20 {
        let mut answer = trio.ask("duel", Way { path, stream: true }).await;
        // whichever spoke first, both were asked; neither will end
        for lab in [&trio.one, &trio.two] {
            lab.wait_seen(round, SOON).await.expect("a call");
        }
        answer.frame().await.expect("a frame");
        let gone = Instant::now();
        drop(answer);
        for lab in [&trio.one, &trio.two] {
            let closed = lab.wait_closed(round, SOON).await.expect("it is closed");
            let last = closed.iter().filter_map(|seen| seen.closed).max().expect("a time");
            took.push(last.saturating_duration_since(gone));
        }
    }
    let (median, worst) = median_and_worst(took);
    eprintln!("{path}: closed after {median:?} in the median, {worst:?} at worst");
    assert!(median < Duration::from_millis(100) && worst < Duration::from_secs(3), "{median:?}, {worst:?}");
    until("the calls are recorded", SOON, async || trio.record()["outcome"] == "left").await;
    assert!(Trio::calls(&trio.judge).is_empty());
}

#[tokio::test]
async fn a_waiting_client_is_kept_alive_while_the_legs_work() {
    let trio = Trio::with("", "header_after = \"1s\"\nkeep_alive = \"1s\"");
    trio.one.on("one").then(speech("yes").after(Duration::from_millis(3500)));
    trio.two.on("two").then(speech("no").after(Duration::from_millis(3500)));
    trio.judge.on("judge").then(speech("well"));
    let began = Instant::now();
    let answer = trio.ask("duel", STREAM).await;
    assert!(began.elapsed() < Duration::from_secs(3), "the head does not wait for the legs");
    let (frames, end) = answer.frames().await;
    let kept = frames.iter().filter(|frame| frame.json()["id"] == "chatcmpl-keepalive").count();
    assert_eq!(end, End::Clean);
    assert!(kept >= 2, "{kept}");
}

#[tokio::test]
async fn a_report_is_taken_out_of_the_answer_and_given_as_json() {
    let report = r#"{"agreed":["it is grey"],"disputed":[{"point":"rain","positions":[{"leg":"thesis","says":"yes"},{"leg":"antithesis","says":"no"}]}],"confidence":0.6}"#;
    for (more, complied) in [(format!("\n```keywheel-report\n{report}\n```"), true), (String::new(), false)] {
        for way in WAYS {
            let trio = Trio::start("report = true");
            trio.say("yes", "no", &format!("an umbrella{more}"), PAUSE);
            let read = read(trio.ask("duel", way).await, way).await;
            assert_eq!(read.content, "an umbrella");
            let told: &Value = &read.about["report"];
            assert_eq!(told["complied"], complied, "{told}");
            if complied {
                assert_eq!((&told["agreed"][0], &told["confidence"]), (&json!("it is grey"), &json!(0.6)));
                assert_eq!(told["disputed"][0]["positions"][1], json!({"leg": "antithesis", "says": "no"}));
            }
            assert!(prompt(&only(&trio.judge)).1.contains("keywheel-report"), "it was asked for");
        }
    }
}

#[tokio::test]
async fn tools_go_to_the_synthesis_alone_or_to_all_and_images_go_to_every_leg() {
    for (lines, legs_have_them) in [("", false), ("tools = \"all\"", true)] {
        let trio = Trio::start(lines);
        let mut asked = body("duel", WHOLE);
        asked["tools"] =
            json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
        asked["messages"][0]["content"] = json!([{"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]);
        trio.one.on("one").then(speech("a cloud"));
        trio.two.on("two").then(speech("a sheep"));
        let call = json!({"choices": [{"index": 0, "finish_reason": null, "delta": {"tool_calls": [{"index": 0, "id": "c1",
            "type": "function", "function": {"name": "weather", "arguments": "{}"}}]}}]});
        let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
        let frames = [format!("data: {call}\n\n"), format!("data: {end}\n\n"), "data: [DONE]\n\n".to_owned()];
        trio.judge.on("judge").then(Script::events(frames));
        let whole = trio.keywheel.client().post(CHAT, &asked).await.json().await;
        let choice = &whole["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls", "{whole}");
        assert_eq!(choice["message"]["tool_calls"][0]["function"], json!({"name": "weather", "arguments": "{}"}));
        for lab in [&trio.one, &trio.two] {
            let sent: Value = serde_json::from_slice(&only(lab).body).expect("JSON");
            assert_eq!(sent["tools"].is_array(), legs_have_them);
            assert_eq!(sent["messages"][1], asked["messages"][0], "array-shaped content and images pass unharmed");
        }
        let sent: Value = serde_json::from_slice(&only(&trio.judge).body).expect("JSON");
        assert_eq!(sent["tools"], asked["tools"]);
    }
}

#[tokio::test]
async fn the_shipped_dialectics_are_listed_and_pick_different_providers() {
    let trio = Trio::start("");
    let list = trio.keywheel.client().get("/v1/models").await.json().await;
    let ids: Vec<&str> = list["data"].as_array().expect("rows").iter().map(|row| text(&row["id"])).collect();
    for name in ["debate", "split", "panel", "sim", "duel"] {
        assert!(ids.contains(&&*format!("dialectics/{name}")), "{name}: {ids:?}");
    }
    let answer = trio.ask("panel", WHOLE).await;
    assert_eq!(
        (answer.status, answer.header("x-keywheel-legs")),
        (200, "voice-1=judge/m, voice-2=one/m, voice-3=two/m")
    );
    let (before, offline) = (trio.all_calls(), trio.ask("sim", STREAM).await);
    assert!(read(offline, STREAM).await.content.contains(QUESTION));
    assert_eq!(trio.all_calls(), before, "dialectics/sim asks nobody outside");
    for (path, name, status) in [
        (CHAT, "nobody", 404),
        (RESPONSES, "nobody", 404),
        ("/v1/embeddings", "duel", 400),
        ("/v1/batches", "duel", 400),
    ] {
        let mut asked = body(name, WHOLE);
        asked["input"] = json!("hi");
        let refused = trio.keywheel.client().post(path, &asked).await;
        assert_eq!(refused.status, status, "{path} {name}");
        let words = refused.text().await;
        assert!(words.contains("chat/completions") || words.contains("dialectics/debate"), "{words}");
    }
}

#[tokio::test]
async fn a_client_with_a_scope_meets_only_models_of_its_own() {
    let trio = Trio::start("");
    let key = said(&trio.keywheel.run(["client", "add", "narrow", "--models", "one/*", "--models", "judge/*"]));
    trio.one.on("one").then(speech("alone"));
    trio.judge.on("judge").then(speech("well"));
    let client = trio.keywheel.client().key(key.trim());
    until("the key is known", SOON, async || client.get("/v1/models").await.status == 200).await;
    let read = read(client.post(CHAT, &body("duel", STREAM)).await, STREAM).await;
    assert_eq!(read.content, "well");
    assert!(read.reasoning.contains("antithesis (two/m) is absent"), "{}", read.reasoning);
    assert!(Trio::calls(&trio.two).is_empty());
}

#[tokio::test]
async fn a_secret_that_a_provider_echoes_inside_a_leg_reaches_nobody() {
    let trio = Trio::start("");
    let secret = trio.two.key("two");
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": "no"}, "finish_reason": null}]});
    let error = json!({"error": {"message": format!("what is {secret} doing here")}});
    trio.one.on("one").then(speech("yes"));
    trio.two.on("two").then(Script::events([format!("data: {chunk}\n\n"), format!("data: {error}\n\n")]));
    trio.judge.on("judge").then(speech("well"));
    let answer = trio.ask("duel", STREAM).await.text().await;
    assert!(answer.contains("antithesis (two/m) is absent") && answer.contains("doing here"), "{answer}");
    assert!(!answer.contains(&secret) && !trio.record().to_string().contains(&secret));
    assert!(!prompt(&only(&trio.judge)).1.contains("doing here"), "the judge hears no error text at all");
}
