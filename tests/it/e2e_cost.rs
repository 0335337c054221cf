//! What calls consumed and cost, as the ledger has it.

use std::fs;

use keywheel::kit::Money;
use keywheel::sim::lab::Setup;
use keywheel::sim::{Persona, Script};
use serde_json::{Value, json};

use crate::e2e_rig::{Rig, chat, json_lines, said, stream, until, words};
use crate::home_support::PATIENCE;

const MODEL: &str = "lab/gpt-4o-mini";

/// A rig whose price file says: a dollar for a million input tokens, ten for output, a fee for each call.
fn priced(accounts: &[&str]) -> Rig {
    let rig = Rig::with(Setup::new(Persona::Openai), accounts, |config| config.provider("ask_usage = true"));
    let folder = rig.keywheel.home().join("config/pricing");
    fs::create_dir_all(&folder).unwrap();
    let text = "provider = \"lab\"\n[[models]]\nid = \"gpt-4o-mini\"\nfees = { per_request = \"0.001\" }\nrates = [{ input = \"1\", output = \"10\" }]\n";
    fs::write(folder.join("lab.toml"), text).unwrap();
    said(&rig.keywheel.run(["reload"]));
    rig
}

fn newest(rig: &Rig) -> Value {
    json_lines(&rig.keywheel.run(["requests", "--json", "--limit", "1"])).remove(0)
}

/// What the price file makes of a usage: picodollars by hand.
fn by_hand(input: u64, output: u64) -> String {
    let pico = 1_000_000_000 + input * 1_000_000 + output * 10_000_000;
    let text = format!("0.{pico:012}");
    text.trim_end_matches('0').to_owned()
}

#[tokio::test]
async fn a_whole_answer_and_a_stream_are_priced_by_what_they_say_they_used() {
    let rig = priced(&["a"]);
    let client = rig.keywheel.client();
    let whole = client.post("/v1/chat/completions", &chat(MODEL)).await.json().await;
    let (input, output) = (whole["usage"]["prompt_tokens"].as_u64(), whole["usage"]["completion_tokens"].as_u64());
    let (input, output) = (input.unwrap(), output.unwrap());
    let row = newest(&rig);
    assert_eq!(
        row["usage"],
        json!({"input": input, "cache_read": 0, "cache_write": 0, "output": output, "reasoning": 0})
    );
    assert_eq!((&row["cost_usd"], &row["estimated"]), (&json!(by_hand(input, output)), &json!(false)), "{row}");

    let mut asked = stream(MODEL);
    asked["stream_options"] = json!({"include_usage": true});
    let told = client.post("/v1/chat/completions", &asked).await.text().await;
    assert!(told.contains("\"choices\":[]"), "the client asked for the usage frame: {told}");
    let row = newest(&rig);
    assert_eq!((&row["usage"]["input"], &row["stream"]), (&json!(input), &json!(true)), "{row}");
    assert_eq!(row["cost_usd"], by_hand(input, row["usage"]["output"].as_u64().unwrap()));
}

#[tokio::test]
async fn a_stream_is_asked_for_usage_and_the_client_sees_nothing_of_it() {
    let rig = priced(&["a"]);
    let client = rig.keywheel.client();
    let mut body = stream(MODEL);
    body["stream_options"] = json!({"include_obfuscation": false});
    let answer = client.post("/v1/chat/completions", &body).await.text().await;
    assert!(!answer.contains("\"choices\":[]") && answer.ends_with("data: [DONE]\n\n"), "{answer}");
    let asked: Value = serde_json::from_slice(&rig.calls()[0].body).unwrap();
    assert_eq!(asked["stream_options"], json!({"include_obfuscation": false, "include_usage": true}));
    assert!(newest(&rig)["cost_usd"].is_string());
}

#[tokio::test]
async fn the_frame_of_usage_is_taken_out_however_the_stream_is_cut() {
    let rig = priced(&["a"]);
    let client = rig.keywheel.client();
    let content = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ö\"},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n";
    let usage = "data: {\"choices\": [ ],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\r\n\r\n";
    let first = "data: {\"choices\":[],\"prompt_filter_results\":[],\"usage\":null}\n\n";
    for end in ["data: [DONE]\n\n", "data: [DONE]", ""] {
        let whole = format!("{first}: note\n\n{content}{usage}{end}");
        let expected = format!("{first}: note\n\n{content}{end}");
        for size in [1, 2, 3, 7, 50, 61, 100, whole.len()] {
            let chunks: Vec<Vec<u8>> = whole.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
            rig.lab.on("a").then(Script::events(chunks));
            let answer = client.post("/v1/chat/completions", &stream(MODEL)).await.text().await;
            assert_eq!(answer, expected, "cut every {size} bytes, ended by {end:?}");
            assert_eq!(newest(&rig)["cost_usd"], by_hand(3, 5), "cut every {size} bytes, ended by {end:?}");
        }
    }
}

#[tokio::test]
async fn other_endpoints_are_metered_too_and_what_has_no_price_is_unpriced() {
    let rig = priced(&["a"]);
    let client = rig.keywheel.client();
    let answer = client.post("/v1/responses", &json!({"model": MODEL, "input": "hello"})).await.json().await;
    let row = newest(&rig);
    assert_eq!(row["usage"]["input"], answer["usage"]["input_tokens"], "{row}");
    assert!(row["cost_usd"].is_string(), "{row}");
    let embeddings = json!({"model": "lab/text-embedding-3-small", "input": "hello"});
    client.post("/v1/embeddings", &embeddings).await.json().await;
    let row = newest(&rig);
    assert!(row["usage"]["input"].as_u64() > Some(0), "{row}");
    assert_eq!(row["cost_usd"], Value::Null, "no price is not nothing: {row}");
    assert!(said(&rig.keywheel.run(["requests"])).contains("unpriced"));
}

#[tokio::test]
async fn the_providers_own_price_counts_and_what_the_table_says_is_kept_beside_it() {
    let rig = priced(&["a"]);
    let file = rig.keywheel.home().join("config/pricing/lab.toml");
    let text = fs::read_to_string(&file).unwrap();
    let told = "provider = \"lab\"\nreported_cost = { field = \"cost\", unit = \"1\" }";
    fs::write(&file, text.replace("provider = \"lab\"", told)).unwrap();
    said(&rig.keywheel.run(["reload"]));
    let client = rig.keywheel.client();
    for cost in ["0.001025", "0.002", "0.002", "0.002", "0.002", "0.002"] {
        let message = json!({"role": "assistant", "content": "x"});
        let body = format!(
            "{{\"choices\":[{{\"message\":{message},\"finish_reason\":\"stop\"}}],\
             \"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":2,\"cost\":{cost}}}}}"
        );
        rig.lab.on("a").then(Script::reply(200, "application/json", body));
        client.post("/v1/chat/completions", &chat(MODEL)).await.json().await;
        let row = newest(&rig);
        assert_eq!((&row["cost_usd"], &row["estimated"]), (&json!(cost), &json!(false)), "{row}");
    }
    let words = "lab/gpt-4o-mini was billed 0.002 where the price table says 0.001025";
    assert!(rig.keywheel.wait_words(words, PATIENCE), "{}", rig.keywheel.words());
    // whoever watches the files may put the same table in force once more
    let said = rig.keywheel.words().matches(words).count();
    assert!(said <= 2, "it is said once for a table: {}", rig.keywheel.words());
}

#[tokio::test]
async fn a_failed_call_costs_nothing() {
    let rig = priced(&["a"]);
    rig.lab.on("a").then(Script::json(400, &json!({"error": {"message": "no"}})));
    assert_eq!(rig.keywheel.client().post("/v1/chat/completions", &chat(MODEL)).await.status, 400);
    // a failure is told at once, without waiting for its record
    until("it is recorded", PATIENCE, async || !json_lines(&rig.keywheel.run(["requests", "--json"])).is_empty()).await;
    let row = newest(&rig);
    assert_eq!((&row["usage"], &row["cost_usd"]), (&Value::Null, &Value::Null), "{row}");
}

#[tokio::test]
async fn costs_are_summed_by_a_key_for_people_scripts_and_sheets() {
    let rig = priced(&["a", "b"]);
    let client = rig.keywheel.client();
    for _ in 0..3 {
        client.post("/v1/chat/completions", &chat(MODEL)).await.json().await;
    }
    client.post("/v1/embeddings", &json!({"model": "lab/text-embedding-3-small", "input": "hi"})).await.json().await;
    let rows = json_lines(&rig.keywheel.run(["cost", "--json"]));
    let one = newest_priced(&rig);
    assert_eq!((&rows[0]["key"], &rows[0]["calls"]), (&json!("lab/gpt-4o-mini"), &json!(3)));
    let pico = |text: &Value| Money::parse(text.as_str().unwrap()).unwrap().pico();
    assert_eq!(pico(&rows[0]["cost_usd"]), 3 * pico(&one["cost_usd"]), "{rows:?}");
    assert_eq!((&rows[1]["unpriced"], &rows[1]["cost_usd"]), (&json!(1), &json!("0")));
    let (out, words) = words(&rig.keywheel.run(["cost", "--since", "1d"]));
    assert!(out.contains("█") && out.contains("unpriced") && words.contains("for 4 calls"), "{out}\n{words}");
    let sheet = said(&rig.keywheel.run(["cost", "--by", "client", "--csv"]));
    assert!(sheet.starts_with("key,calls,") && sheet.contains("\ndefault,4,"), "{sheet}");
    let (_, words) = self::words(&rig.keywheel.run(["cost", "--by", "colour"]));
    assert!(words.contains("model, provider"), "{words}");
}

fn newest_priced(rig: &Rig) -> Value {
    let rows = json_lines(&rig.keywheel.run(["requests", "--json"]));
    rows.into_iter().find(|row| row["cost_usd"].is_string()).unwrap()
}
