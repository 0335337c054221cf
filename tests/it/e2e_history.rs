//! Prompts and answers with the real binary: kept sealed, shown on demand, and never at a call's expense.

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use keywheel::config::VaultHome;
use keywheel::sim::Script;
use keywheel::vault::home::Home;
use serde_json::{Value, json};

use crate::e2e_canary::Heard;
use crate::e2e_rig::{Config, Rig, chat, json_lines, open_lab, said, text, until, words};
use crate::support::SOON;
use crate::support::client::End;

pub const CHAT: &str = "/v1/chat/completions";
const CANARY: &str = "a \"canary\" sings über/den wolken 8f31b7";

/// A rig with a vault that the machine opens, and these lines under `[capture]`.
pub async fn rig(capture: &str) -> Rig {
    let rig = without_vault(capture, |config| config);
    make_vault(&rig);
    until("history has its key", SOON, async || !status(&rig).contains("are not kept")).await;
    rig
}

pub fn without_vault(capture: &str, settings: impl FnOnce(Config) -> Config) -> Rig {
    Rig::with(open_lab(), &["a"], |config| settings(config.more(&format!("[capture]\n{capture}\n"))))
}

/// A vault that the machine opens; no keychain of whoever runs the tests is asked.
pub fn make_vault(rig: &Rig) {
    let (data, state) = (rig.keywheel.home().join("data"), rig.keywheel.home().join("state"));
    let home = Home { keeper: Some(VaultHome::Machine), ..Home::new(data, state) };
    home.open_or_create().expect("a vault");
}

/// Runs a command that reads the settings: those of the gateway, and not as a project's.
pub fn run(rig: &Rig, args: &[&str]) -> Output {
    let file = rig.keywheel.home().join("keywheel.toml");
    rig.keywheel.run(args.iter().copied().chain(["--config", file.to_str().expect("UTF-8")]))
}

pub fn status(rig: &Rig) -> String {
    said(&rig.keywheel.run(["status"]))
}

pub fn prompt(model: &str, words: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": words}]})
}

/// Places a call and gives its id and status.
pub async fn call(rig: &Rig, body: &Value) -> (String, u16) {
    let response = rig.keywheel.client().post(CHAT, body).await;
    let id = response.header("x-keywheel-request-id").to_owned();
    let status = response.status;
    drop(response.read().await);
    (id, status)
}

pub fn files(rig: &Rig) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(rig.keywheel.home().join("data/history")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "sealed")).collect()
}

pub async fn kept(rig: &Rig, count: usize) {
    until(&format!("{count} exchanges are kept"), SOON, async || files(rig).len() == count).await;
}

#[tokio::test]
async fn a_canary_prompt_is_found_nowhere_under_the_home_and_shown_on_demand() {
    let rig = rig("mode = 'all'").await;
    let mut ids = Vec::new();
    for stream in [false, true] {
        ids.push(call(&rig, &prompt("lab/echo", CANARY, stream)).await.0);
    }
    rig.lab.on("a").then(Script::json(400, &json!({"error": {"message": "no", "type": "t"}})));
    let (failed, status) = call(&rig, &prompt("lab/echo", CANARY, false)).await;
    assert_eq!(status, 400);
    kept(&rig, 3).await;
    for id in ids {
        let shown = said(&rig.keywheel.run(["requests", &id, "--body"]));
        assert_eq!(shown.matches("sings über/den wolken 8f31b7").count(), 2, "both sides: {shown}");
        let record: Value = json_lines(&rig.keywheel.run(["requests", &id, "--ndjson"])).remove(0);
        assert_eq!(record["request"]["body"]["text"], prompt("lab/echo", CANARY, record["stream"] == true).to_string());
        assert!(text(&record["request"]["body"]["digest"]).len() == 64, "{record}");
        assert!(record["answer"]["pieces"].as_array().is_some_and(|pieces| !pieces.is_empty()));
        let headers = record["request"]["headers"].to_string();
        assert!(headers.contains("content-type") && !headers.contains("authorization"), "{headers}");
    }
    let mut heard = Heard::default();
    heard.files(rig.keywheel.home(), &[]);
    assert!(heard.0.iter().filter(|(file, _)| file.ends_with(".sealed")).count() >= 4, "vault and history were read");
    let escaped = serde_json::Value::from(CANARY).to_string();
    let url: String = CANARY.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let base64 = STANDARD_NO_PAD.encode(CANARY);
    for form in [CANARY, escaped.trim_matches('"'), &url, &base64, "über/den", "wolken 8f31b7"] {
        heard.holds_no(form);
    }
    assert!(heard.0.iter().any(|(file, _)| file.contains("ledger.sqlite-wal")), "also what is not yet in its place");
    assert!(said(&rig.keywheel.run(["requests", &failed, "--body"])).contains("8f31b7"), "a failed one too");
}

#[tokio::test]
async fn a_secret_in_a_prompt_is_shown_by_nobody_also_when_a_stream_cuts_it() {
    let rig = rig("mode = 'all'").await;
    let secret = format!("sk-{}-{}", "proj", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6");
    let words = format!("my key is {secret} and my card 4111 1111 1111 1111");
    let delta = |text: &str| {
        format!(
            "data: {}\n\n",
            json!({"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]})
        )
    };
    let last = "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let mut chunks: Vec<String> =
        words.as_bytes().chunks(7).map(|part| delta(std::str::from_utf8(part).unwrap())).collect();
    chunks.extend([last.to_owned(), "data: [DONE]\n\n".to_owned()]);
    rig.lab.on("a").then(Script::events(chunks));
    let (id, status) = call(&rig, &prompt("lab/m", &words, true)).await;
    assert_eq!(status, 200);
    kept(&rig, 1).await;
    let mut shown = String::new();
    for args in [
        &["requests", &id, "--body"][..],
        &["requests", &id, "--har"],
        &["requests", "--ndjson"],
        &["requests", &id, "--curl"],
        &["requests", "--har"],
    ] {
        let (out, err) = words_of(&rig, args);
        assert!(out.contains("[redacted]"), "{args:?}: {out}{err}");
        shown += &(out + &err);
    }
    assert!(!shown.contains(&secret) && !shown.contains("4111"), "{shown}");
    // not in pieces either: what the stream says all in all is masked
    let record: Value = json_lines(&rig.keywheel.run(["requests", &id, "--ndjson"])).remove(0);
    let said = keywheel::wire::said("text/event-stream", text(&record["answer"]["body"]["text"]).as_bytes());
    assert!(said.starts_with("my key is [redacted]") && !said.contains("o5P6") && !said.contains("1111"), "{said}");
    assert!(record["request"]["body"]["rules"].as_array().is_some_and(|rules| rules.len() >= 2), "{record}");
}

fn words_of(rig: &Rig, args: &[&str]) -> (String, String) {
    words(&rig.keywheel.run(args))
}

#[tokio::test]
async fn with_mode_failed_only_failures_reach_the_disk() {
    let rig = rig("mode = 'failed'").await;
    for stream in [true, false] {
        assert_eq!(call(&rig, &prompt("lab/echo", "fine", stream)).await.1, 200);
    }
    rig.lab.on("a").then(Script::json(400, &json!({"error": {"message": "no", "type": "t"}})));
    let (refused, _) = call(&rig, &prompt("lab/echo", "refused", false)).await;
    rig.lab.on("a").then(Script::usual().cut(2));
    let response = rig.keywheel.client().post(CHAT, &prompt("lab/echo", "cut off in the middle of it", true)).await;
    let cut = response.header("x-keywheel-request-id").to_owned();
    let (_, end) = response.frames().await;
    assert_ne!(end, End::Clean);
    kept(&rig, 2).await;
    assert!(said(&rig.keywheel.run(["requests", &refused, "--body"])).contains("\"content\": \"refused\""));
    assert!(said(&rig.keywheel.run(["requests", &cut, "--body"])).contains("< 200 broken"));
    let rows = json_lines(&rig.keywheel.run(["requests", "--ndjson"]));
    assert_eq!(rows.iter().filter(|row| !row["request"].is_null()).count(), 2);
}

#[tokio::test]
async fn what_is_excluded_is_not_kept() {
    let rig = rig("mode = 'all'\nexclude = { models = ['*-private'] }\ninclude = { paths = ['chat/*'] }").await;
    call(&rig, &prompt("lab/m-private", "one", false)).await;
    let body = json!({"model": "lab/e", "input": "two"});
    drop(rig.keywheel.client().post("/v1/embeddings", &body).await.read().await);
    let (id, _) = call(&rig, &prompt("lab/m", "three", false)).await;
    kept(&rig, 1).await;
    assert!(files(&rig)[0].ends_with(format!("{id}.sealed")));
}

#[tokio::test]
async fn with_capture_off_nothing_is_kept_and_the_first_start_says_how_to_turn_it_on() {
    let rig = without_vault("mode = 'off'", |config| config);
    let (id, _) = call(&rig, &chat("lab/echo")).await;
    assert!(!rig.keywheel.home().join("data/history").exists());
    let (_, err) = words(&rig.keywheel.run(["requests", &id, "--body"]));
    assert!(err.contains("config set capture.mode failed"), "{err}");
    assert!(rig.keywheel.wait_words("config set capture.mode failed", SOON), "{}", rig.keywheel.words());
}

#[tokio::test]
async fn without_a_vault_and_while_it_is_locked_nothing_is_kept_and_calls_go_on() {
    let rig = without_vault("mode = 'all'", |config| config);
    assert!(rig.keywheel.wait_words("prompts and answers are not kept: there is no vault", SOON));
    assert!(status(&rig).contains("there is no vault to seal them with"));
    assert_eq!(call(&rig, &chat("lab/echo")).await.1, 200);
    make_vault(&rig);
    until("the vault is found", SOON, async || !status(&rig).contains("are not kept")).await;
    let (first, _) = call(&rig, &chat("lab/echo")).await;
    kept(&rig, 1).await;
    said(&run(&rig, &["vault", "lock"]));
    until("the lock is noticed", SOON, async || status(&rig).contains("are not kept: the vault is locked")).await;
    assert_eq!(call(&rig, &chat("lab/echo")).await.1, 200);
    let (_, err) = words(&rig.keywheel.run(["requests", &first, "--body"]));
    assert!(err.contains("cannot be opened") && err.contains("vault unlock"), "{err}");
    said(&run(&rig, &["vault", "unlock"]));
    until("the vault is open", SOON, async || !status(&rig).contains("are not kept")).await;
    assert_eq!(files(&rig).len(), 1, "nothing was kept meanwhile");
    assert!(said(&rig.keywheel.run(["requests", &first, "--body"])).contains("hello there"));
}

#[tokio::test]
async fn after_a_rekey_old_and_new_exchanges_are_readable_with_and_without_a_gateway() {
    let rig = rig("mode = 'all'").await;
    let (before, _) = call(&rig, &prompt("lab/echo", "said before", false)).await;
    kept(&rig, 1).await;
    said(&run(&rig, &["vault", "rekey"]));
    let (after, _) = call(&rig, &prompt("lab/echo", "said after", false)).await;
    kept(&rig, 2).await;
    let keys: Vec<Vec<u8>> = files(&rig).iter().map(|file| std::fs::read(file).unwrap()[4..36].to_vec()).collect();
    assert_ne!(keys[0], keys[1], "the second is sealed with the new key");
    let look = |id: &str, words: &str| assert!(said(&run(&rig, &["requests", id, "--body"])).contains(words));
    look(&before, "said before");
    look(&after, "said after");
    said(&rig.keywheel.run(["stop"]));
    look(&before, "said before");
    look(&after, "said after");
}

#[tokio::test]
async fn what_is_too_old_and_what_is_too_much_is_deleted() {
    let rig = rig("mode = 'all'\nmax_size = '30kB'").await;
    let noise = |seed: u64| -> String {
        // packs badly, and looks like no secret
        (0..2000u64).map(|n| format!("{} ", (n + 1).wrapping_mul(seed).wrapping_mul(2_654_435_761) % 997)).collect()
    };
    let mut last = String::new();
    for seed in 1..=12 {
        last = call(&rig, &prompt("lab/m", &noise(seed * 7919), false)).await.0;
    }
    until("the last is there", SOON, async || files(&rig).iter().any(|file| file.ends_with(format!("{last}.sealed"))))
        .await;
    let sizes = || files(&rig).iter().map(|file| file.metadata().map_or(0, |data| data.len())).sum::<u64>();
    until("the oldest are gone", SOON, async || sizes() <= 30_000).await;
    assert!((2..12).contains(&files(&rig).len()), "{}", files(&rig).len());
    rig.keywheel.write_config(&rig.config().more("[capture]\nmode = 'all'\nkeep = '1s'\n").text());
    until("all are gone", SOON, async || files(&rig).is_empty()).await;
}

#[tokio::test]
async fn a_body_of_50_mb_passes_untouched_and_only_its_beginning_is_kept() {
    let rig = rig("mode = 'all'\nmax_body = '1MiB'").await;
    rig.lab.on("a").always(Script::reply(200, "application/json", "{\"choices\":[]}"));
    let filler = "lorem ipsum dolor ".repeat(50_000_000 / 18);
    let body = prompt("lab/m", &filler, false);
    let (id, status) = call(&rig, &body).await;
    assert_eq!(status, 200);
    let mut sent: Value = serde_json::from_slice(&rig.calls()[0].body).unwrap();
    sent["model"] = json!("lab/m");
    assert!(sent == body, "every byte arrived");
    until("it is kept", Duration::from_secs(60), async || files(&rig).len() == 1).await;
    let record: Value = json_lines(&rig.keywheel.run(["requests", &id, "--ndjson"])).remove(0);
    assert_eq!(record["request"]["body"]["size"], body.to_string().len());
    assert_eq!(text(&record["request"]["body"]["text"]).len(), 1 << 20);
    assert!(
        text(&record["request"]["body"]["lacks"]).contains("only the first 1048576"),
        "{}",
        record["request"]["body"]["lacks"]
    );
    let (_, err) = words(&rig.keywheel.run(["requests", &id, "--curl"]));
    assert!(err.contains("cannot be repeated"), "{err}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_no_call_a_thing() {
    let rig = rig("mode = 'all'").await;
    std::fs::write(rig.keywheel.home().join("data/history"), "in the way").unwrap();
    let began = Instant::now();
    for _ in 0..5 {
        let (frames, end) =
            rig.keywheel.client().post(CHAT, &prompt("lab/echo", "one two three", true)).await.frames().await;
        assert_eq!(end, End::Clean);
        assert!(frames.last().is_some_and(|frame| frame.bytes.starts_with(b"data: [DONE]")));
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    until("it is said", SOON, async || status(&rig).contains("exchanges were dropped")).await;
    assert_eq!(json_lines(&rig.keywheel.run(["requests", "--json"])).len(), 5, "money is never dropped");
}

#[tokio::test]
async fn a_picture_is_noted_by_type_size_and_digest() {
    let rig = rig("mode = 'all'").await;
    rig.lab.on("a").then(Script::reply(200, "image/png", vec![0x89, b'P', 0, 1, 2, 3]));
    let (id, _) = call(&rig, &chat("lab/m")).await;
    kept(&rig, 1).await;
    let (_, err) = words(&rig.keywheel.run(["requests", &id, "--body"]));
    assert!(err.contains("6 bytes of image/png, not kept since it is no text, digest "), "{err}");
}
