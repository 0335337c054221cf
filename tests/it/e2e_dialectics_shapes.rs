//! What providers have their own shapes for, and a dialectic tells in one: usage and reasoning.

use std::fs;

use keywheel::sim::Script;
use serde_json::{Value, json};

use crate::dialectics_rig::{CHAT, RESPONSES, Trio, WAYS, Way, body, read, speech};
use crate::e2e_rig::said;
use crate::support::client::{End, Frame};

/// A judge that says these deltas and this usage.
fn judge(deltas: &[Value], usage: &Value) -> Script {
    let chunk = |delta: &Value| json!({"choices": [{"index": 0, "finish_reason": null, "delta": delta}]});
    let mut chunks: Vec<Value> = deltas.iter().map(chunk).collect();
    chunks.push(json!({"choices": [{"index": 0, "finish_reason": "stop", "delta": {}}], "usage": usage}));
    let frames = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    Script::events(frames.chain(["data: [DONE]\n\n".to_owned()]))
}

#[tokio::test]
async fn usage_is_read_in_the_shape_of_the_provider_that_told_it() {
    let trio = Trio::start("");
    let file = trio.keywheel.home().join("config/pricing/judge.toml");
    let priced = fs::read_to_string(&file).expect("prices");
    fs::write(&file, format!("usage = \"reasoning_apart\"\n{priced}")).expect("written");
    said(&trio.keywheel.run(["reload"]));
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 150,
        "completion_tokens_details": {"reasoning_tokens": 40}});
    for stream in [true, false] {
        trio.one.on("one").then(speech("yes"));
        trio.two.on("two").then(speech("no"));
        trio.judge.on("judge").then(judge(&[json!({"content": "well"})], &usage));
        let way = Way { path: RESPONSES, stream };
        let read = read(trio.ask("duel", way).await, way).await;
        let of = |usage: &Value| ["input_tokens", "output_tokens", "total_tokens"].map(|name| usage[name].clone());
        assert_eq!(of(&read.usage), [100, 50, 150].map(Value::from), "{}", read.usage);
        assert_eq!(read.usage["output_tokens_details"]["reasoning_tokens"], 40);
        assert_eq!(of(&read.about["usage"]), [300, 70, 370].map(Value::from), "{}", read.about);
    }
}

#[tokio::test]
async fn the_reasoning_of_a_synthesis_is_read_by_either_name_and_once() {
    let trio = Trio::start("");
    for way in WAYS {
        for deltas in [
            [json!({"reasoning": "so I think"}), json!({"content": "well"})],
            [json!({"reasoning_content": "so I think"}), json!({"content": "well"})],
            [json!({"reasoning": "so I think", "reasoning_content": "so I think"}), json!({"content": "well"})],
        ] {
            trio.one.on("one").then(speech("yes"));
            trio.two.on("two").then(speech("no"));
            trio.judge.on("judge").then(judge(&deltas, &Value::Null));
            let read = read(trio.ask("duel", way).await, way).await;
            assert_eq!(
                (read.reasoning.matches("so I think").count(), &*read.content),
                (1, "well"),
                "{way:?} {deltas:?}"
            );
        }
    }
}

#[tokio::test]
async fn usage_comes_in_a_stream_of_chunks_only_where_it_was_asked_for() {
    let trio = Trio::start("");
    for (options, wanted) in [
        (json!({"include_usage": true}), true),
        (json!({"include_usage": false, "include_obfuscation": true}), false),
        (Value::Null, false),
    ] {
        for path in [CHAT, "/v1/completions"] {
            trio.one.on("one").then(speech("yes"));
            trio.two.on("two").then(speech("no"));
            trio.judge.on("judge").then(speech("well"));
            let mut asked = body("duel", Way { path: CHAT, stream: true });
            if path != CHAT {
                asked.as_object_mut().expect("an object").remove("messages");
                asked["prompt"] = json!("hi");
            }
            asked["stream_options"] = options.clone();
            let (frames, end) = trio.keywheel.client().post(path, &asked).await.frames().await;
            assert_eq!(end, End::Clean);
            let told: Vec<Value> =
                frames[..frames.len() - 1].iter().map(Frame::json).filter(|chunk| chunk["usage"].is_object()).collect();
            assert_eq!(told.len(), usize::from(wanted), "{path} {options}");
            assert!(told.iter().all(|chunk| chunk["choices"] == json!([]) && chunk["usage"]["total_tokens"] == 110));
        }
    }
}
