//! The OpenAI Node SDK on the port, and curl on the Unix socket.

use serde_json::{Value, json};

use crate::e2e_clients::{MODEL, Program, assert_failed_over, first_throttled, next_cut};
use crate::e2e_rig::{Rig, text, words};

const ENV: [(&str, &str); 2] = [("KW_MODEL", MODEL), ("KW_PROMPT", "Say hello.")];

#[test]
fn the_node_sdk_chats_and_streams() {
    let Some(node) = Program::node() else { return };
    let rig = Rig::start(&["a"]);
    for scenario in ["chat", "stream"] {
        let saw = node.sees(&rig.keywheel, scenario, &ENV);
        assert_eq!((&saw["status"], &saw["text"]), (&json!(200), &json!("Say hello.")), "{saw}");
        assert_eq!(
            (&saw["finish_reason"], &saw["headers"]["x-keywheel-account"]),
            (&json!("stop"), &json!("a")),
            "{saw}"
        );
        assert!(saw["usage"]["total_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{saw}");
        assert!(scenario == "chat" || saw["clean_end"] == true, "{saw}");
    }
}

#[test]
fn the_node_sdk_notices_nothing_of_a_429_but_the_second_account() {
    let Some(node) = Program::node() else { return };
    for scenario in ["chat", "stream"] {
        let rig = first_throttled();
        let saw = node.sees(&rig.keywheel, scenario, &ENV);
        assert_eq!((&saw["text"], &saw["headers"]["x-keywheel-account"]), (&json!("Say hello."), &json!("b")), "{saw}");
        assert_failed_over(&rig.lab);
    }
}

#[test]
fn the_node_sdk_never_takes_a_cut_stream_for_the_whole_answer() {
    let Some(node) = Program::node() else { return };
    for after in [1, 2] {
        let rig = next_cut(after);
        let saw = node.sees(&rig.keywheel, "cut_stream", &ENV);
        assert!(!saw["error"].is_null() && saw["clean_end"] == false, "{after}: {saw}");
        assert!(text(&saw["error"]["message"]).contains("connection lost"), "our words reach the user: {saw}");
    }
    let rig = Rig::start(&["a"]);
    let saw = node.sees(&rig.keywheel, "expect_error", &[("KW_MODEL", "nowhere/model"), ("KW_PROMPT", "x")]);
    assert_eq!((&saw["error"]["class"], &saw["error"]["status"]), (&json!("NotFoundError"), &json!(404)), "{saw}");
}

/// The text of a stream as curl printed it.
fn streamed(out: &str) -> String {
    let frames = out.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let chunks = frames.map(|data| serde_json::from_str::<Value>(data).unwrap_or_else(|e| panic!("{e}: {data}")));
    chunks.map(|chunk| text(&chunk["choices"][0]["delta"]["content"]).to_owned()).collect()
}

#[test]
fn curl_streams_over_the_socket_without_a_key() {
    let Some(curl) = Program::curl() else { return };
    let rig = Rig::start(&["a"]);
    let output = curl.run_on_socket(&rig.keywheel, &[""; 0], &ENV);
    let (out, err) = words(&output);
    assert!(output.status.success() && err.is_empty(), "{out}{err}");
    assert_eq!(streamed(&out), "Say hello.");
    assert!(out.ends_with("data: [DONE]\n\n"), "{out}");
}

#[test]
fn curl_on_the_socket_meets_failover_and_a_cut() {
    let Some(curl) = Program::curl() else { return };
    let rig = first_throttled();
    let output = curl.run_on_socket(&rig.keywheel, &[""; 0], &ENV);
    assert_eq!(streamed(&words(&output).0), "Say hello.");
    assert_failed_over(&rig.lab);

    let rig = next_cut(2);
    let output = curl.run_on_socket(&rig.keywheel, &[""; 0], &ENV);
    let (out, err) = words(&output);
    assert!([Some(18), Some(56)].contains(&output.status.code()), "{:?} {out}{err}", output.status);
    assert!(out.contains("\"type\":\"server_error\"") && !out.contains("[DONE]"), "{out}");

    let output = curl.run_on_socket(&rig.keywheel, &[""; 0], &[("KW_MODEL", "deepseek/deepseek-chat")]);
    let (out, _) = words(&output);
    assert_eq!(output.status.code(), Some(22));
    assert!(out.contains("account add"), "{out}");
}

#[test]
fn curl_that_asks_before_it_sends_a_large_body_is_told_to_go_on_or_why_not() {
    let Some(_) = Program::curl() else { return };
    let rig = Rig::with(crate::e2e_rig::open_lab(), &["a"], |config| config.top("body_limit = \"3MiB\""));
    let post = |size: usize| {
        let file = rig.keywheel.home().join("body.json");
        let mut body = crate::e2e_rig::chat(MODEL);
        body["messages"][0]["content"] = Value::from("x".repeat(size));
        std::fs::write(&file, body.to_string()).expect("a file");
        let mut curl = std::process::Command::new("curl");
        curl.args(["-q", "-sS", "--max-time", "20", "-H", "expect: 100-continue", "-w", "\n%{http_code}"]);
        curl.arg("--unix-socket").arg(rig.keywheel.socket()).arg("--data").arg(format!("@{}", file.display()));
        curl.arg("http://localhost/v1/chat/completions").env_clear();
        curl.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        curl.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        words(&crate::e2e_home::finish(curl.spawn().expect("curl")))
    };
    let (out, err) = post(2 << 20);
    assert!(out.ends_with("\n200") && err.is_empty(), "{err}");
    let (out, err) = post(4 << 20);
    assert!(out.ends_with("\n413") && out.contains("body_limit"), "{out}{err}");
}
