//! A fresh machine: no configuration, and whatever keys and local servers there are.

use std::time::Duration;

use keywheel::sim::lab::{Keys, Setup};
use keywheel::sim::{Lab, Persona};
use nix::unistd::Pid;

use crate::e2e_home::{Home, finish};
use crate::e2e_rig::{chat, json_lines, open_lab, said, stream, text, until, words};
use crate::support::{Client, SOON};

const CANARY: &str = "sk-canary-4b1d0c2f9a7e";
const CHAT: &str = "/v1/chat/completions";

/// Servers of this machine are none of a test's business: they are looked for where nobody is.
const NOBODY: &str = "[providers.ollama]\ndiscover = 'http://127.0.0.1:9/v1'\n[providers.lmstudio]\ndiscover = \
                      'http://127.0.0.1:9/v1'\n[providers.vllm]\ndiscover = 'http://127.0.0.1:9/v1'\n";
const NO_LLAMA: &str = "[providers.llamacpp]\ndiscover = 'http://127.0.0.1:9/v1'\n";

/// A gateway that looks around, in the background.
fn detach(home: &Home) -> String {
    let output = home.run(["serve", "-d", "--listen", "tcp://127.0.0.1:0", "--listen", "unix:"]);
    let (out, told) = words(&output);
    assert!(output.status.success(), "{out}{told}");
    assert!(out.is_empty(), "data belongs on stdout, and this is none: {out}");
    told
}

fn at(provider: &str, lab: &Lab) -> String {
    format!("[providers.{provider}]\nbase_url = '{}'\n", lab.base_url())
}

#[tokio::test]
async fn a_key_in_the_environment_is_named_and_used_and_its_value_never_shown() {
    let lab = Lab::start_with(open_lab()).expect("a lab");
    let config = [NOBODY, NO_LLAMA, &at("openai", &lab)].concat();
    let home = Home::with(&config).env("OPENAI_API_KEY", CANARY).env("KEYWHEEL_LOG", "trace");
    let told = detach(&home);
    assert!(told.contains("openai  from OPENAI_API_KEY"), "{told}");
    assert!(told.contains("3 accounts") && told.contains("models"), "{told}");
    let client = home.client(&told);
    let response = client.post(CHAT, &chat("openai/gpt-4o-mini")).await;
    assert_eq!((response.status, response.header("x-keywheel-account")), (200, "openai"));
    let bare = client.post(CHAT, &chat("gpt-4o-mini")).await;
    assert_eq!((bare.status, bare.header("x-keywheel-provider")), (200, "openai"), "the only one that offers it");
    let sent = lab.seen().pop().expect("a call").headers["authorization"].clone();
    assert_eq!(sent.to_str().unwrap(), format!("Bearer {CANARY}"));

    let (pid, log) = (home.pid().expect("a leader"), home.read("state/keywheel.log"));
    let rows = said(&home.run(["account", "list", "--json"]));
    let origins = said(&home.run(["config", "show", "--origin"]));
    let commands = command_lines(pid);
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is at its loudest");
    for (what, shown) in
        [("stderr", &told), ("log", &log), ("accounts", &rows), ("origins", &origins), ("argv", &commands)]
    {
        assert!(!shown.contains(CANARY), "{what}: {shown}");
    }
}

/// The command lines of a process and its children.
fn command_lines(pid: Pid) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks.flat_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    });
    let all = std::iter::once(pid.to_string()).chain(children);
    let line = |pid: String| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let lines: Vec<String> = all.map(line).collect();
    assert!(lines[0].contains("serve"), "{lines:?}");
    lines.join("\n")
}

#[tokio::test]
async fn azure_needs_its_key_and_its_endpoint() {
    let lab = Lab::start_with(Setup { keys: Keys::Any, ..Setup::new(Persona::Azure) }).expect("a lab");
    let config = [NOBODY, NO_LLAMA].concat();
    let half = Home::with(&config).env("AZURE_OPENAI_API_KEY", CANARY);
    let told = detach(&half);
    assert!(!told.contains("azure  from"), "{told}");
    let whole = Home::with(&config).env("AZURE_OPENAI_API_KEY", CANARY).env("AZURE_OPENAI_ENDPOINT", &lab.origin());
    let told = detach(&whole);
    assert!(told.contains("azure  from AZURE_OPENAI_API_KEY"), "{told}");
    let response = whole.client(&told).post(CHAT, &chat("azure/gpt-4o-mini")).await;
    let status = response.status;
    assert_eq!(status, 200, "{}", response.text().await);
    let call = lab.seen().pop().expect("a call");
    assert_eq!(call.headers["api-key"].to_str().unwrap(), CANARY);
    assert!(call.path_and_query.starts_with("/openai/"), "{}", call.path_and_query);
}

#[tokio::test]
async fn a_local_server_is_noticed_where_its_provider_says_and_not_when_told_not_to_look() {
    let lab = Lab::start_with(Setup { keys: Keys::Any, ..Setup::new(Persona::Generic) }).expect("a lab");
    let config = format!("{NOBODY}[providers.llamacpp]\ndiscover = '{}'\n", lab.base_url());
    let home = Home::with(&config);
    let told = detach(&home);
    assert!(told.contains(&format!("llamacpp  from {}", lab.addr())), "{told}");
    let response = home.client(&told).post(CHAT, &chat("llamacpp/any")).await;
    assert_eq!((response.status, response.header("x-keywheel-account")), (200, "llamacpp"));
    assert!(!lab.seen().pop().expect("a call").headers.contains_key("authorization"), "there is no key to send");
    said(&home.run(["stop"]));

    let seen = lab.seen().len();
    let blind = Home::with(&config).env("OPENAI_API_KEY", CANARY);
    let (_, told) = words(&blind.detach());
    assert!(!told.contains("llamacpp") && !told.contains("OPENAI_API_KEY"), "{told}");
    assert_eq!(lab.seen().len(), seen);
}

#[tokio::test]
async fn with_no_account_other_models_get_a_404_that_names_account_add() {
    let home = Home::new();
    let (_, told) = words(&home.detach());
    let client = home.client(&told);
    for model in ["gpt-4o-mini", "openai/gpt-4o-mini", "deepseek/deepseek-chat", "no/such/thing"] {
        for body in [chat(model), stream(model)] {
            let response = client.post(CHAT, &body).await;
            let (status, error) = (response.status, response.json().await["error"].take());
            assert_eq!((status, text(&error["code"])), (404, "model_not_found"), "{model}: {error}");
            assert!(text(&error["message"]).contains("keywheel account add"), "{model}: {error}");
        }
    }
    assert_eq!(client.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_line_to_paste_reads_the_key_from_its_file_and_streams_an_answer() {
    let home = Home::new();
    let output = home.run(["serve", "-d", "--no-discover", "--listen", "tcp://127.0.0.1:0"]);
    let (_, told) = words(&output);
    let key = home.read("state/client.key").trim().to_owned();
    assert!(!told.contains(&key) && told.contains("client.key"), "{told}");
    let line = told.lines().find_map(|line| line.trim().strip_prefix("curl ")).expect("a line to paste");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("curl -q -sS --max-time 20 {line}")]);
    shell.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let (out, err) = words(&finish(shell.spawn().expect("a shell")));
    assert!(out.contains("hello") && out.ends_with("data: [DONE]\n\n"), "{line}\n{out}{err}");
    // without a socket the command still finds the gateway by its lock
    said(&home.run(["stop"]));
}

#[tokio::test]
async fn the_offline_provider_echoes_calls_tools_and_is_slow() {
    let home = Home::new();
    let (_, told) = words(&home.detach());
    let client = home.client(&told);
    let ids: Vec<String> =
        json_lines(&home.run(["model", "list", "--json"])).iter().map(|row| text(&row["id"]).to_owned()).collect();
    assert_eq!(ids, ["sim/echo", "sim/tools", "sim/slow", "sim/limited", "dialectics/sim"]);
    let echoed = client.post(CHAT, &chat("sim/echo")).await.json().await;
    assert_eq!(echoed["choices"][0]["message"]["content"], "hello there");
    let mut body = chat("sim/tools");
    body["tools"] = serde_json::json!([{"type": "function", "function": {"name": "bash", "parameters":
        {"type": "object", "required": ["command"], "properties": {"command": {"type": "string"}}}}}]);
    let called = client.post(CHAT, &body).await.json().await;
    let choice = &called["choices"][0];
    assert_eq!(
        (text(&choice["finish_reason"]), text(&choice["message"]["tool_calls"][0]["function"]["name"])),
        ("tool_calls", "bash")
    );
    let began = std::time::Instant::now();
    let (frames, _) = client.post(CHAT, &stream("sim/slow")).await.frames().await;
    assert!(
        began.elapsed() > Duration::from_secs(2)
            && frames.last().is_some_and(|last| last.bytes.starts_with(b"data: [DONE]"))
    );
    let unknown = client.post(CHAT, &chat("sim/nothing")).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn the_limited_model_shows_rotation_and_then_parking() {
    let home = Home::new();
    let (_, told) = words(&home.detach());
    let client = Client::unix(home.socket());
    assert!(told.contains("listening"), "{told}");
    let mut by = Vec::new();
    let mut parked = Vec::new();
    for n in 0..7 {
        let mut body = chat("sim/limited");
        body["messages"][0]["content"] = serde_json::json!(format!("question {n}"));
        let response = client.post(CHAT, &body).await;
        assert_eq!(response.status, 200, "{n}");
        by.push(response.header("x-keywheel-account").to_owned());
        parked.push(response.header("x-keywheel-parked-ms").parse::<u64>().unwrap_or(0));
    }
    let mut accounts = by.clone();
    accounts.sort();
    accounts.dedup();
    assert!(accounts.len() >= 2, "it rotates: {by:?}");
    assert!(parked.iter().any(|ms| *ms > 500), "and then it waits: {by:?} {parked:?}");
    until("accounts heal", SOON, async || {
        let rows = json_lines(&home.run(["account", "list", "--json"]));
        rows.iter().all(|row| row["state"] == "ready")
    })
    .await;
}
