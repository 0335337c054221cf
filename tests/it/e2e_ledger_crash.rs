//! `kill -9` under load: what clients received completely is in the ledger, once and with the provider's tokens, and
//! nothing is in it that the provider has not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use keywheel::sim::Persona;
use keywheel::sim::lab::Setup;
use keywheel::store::{Entry, Filter, Ledger, Outcome, Sqlite};
use serde_json::{Value, json};

use crate::e2e_rig::{Rig, json_lines, until};
use crate::support::{Client, SOON};

/// Clients that call without a pause.
const CLIENTS: usize = 12;

/// How often a gateway is killed: 20 times, and 100 by hand.
fn runs() -> u64 {
    match std::env::var("KEYWHEEL_TEST_SOAK").is_ok_and(|value| value == "1") {
        true => 100,
        false => 20,
    }
}

/// A call that a client received to its end: its name, and the tokens that the answer told.
type Received = (String, [u64; 2]);

/// One call; `None` when it broke off.
async fn call(client: &Client, name: &str, stream: bool) -> Option<Received> {
    let mut body = json!({"model": "lab/gpt-4o-mini", "messages": [{"role": "user", "content": name}]});
    if stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    let client = client.clone().header("x-session-id", name);
    let sent = client.send(Method::POST, "/v1/chat/completions", body.to_string().into()).await;
    let (bytes, end) = sent.ok().filter(|answer| answer.status == 200)?.read().await;
    let whole = String::from_utf8_lossy(&bytes);
    let usage: Value = match stream {
        // what follows the last frame does not matter to a client that has it
        true if whole.contains("data: [DONE]") => {
            let frames =
                whole.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
            frames.map(|frame| frame["usage"].clone()).rfind(Value::is_object)?
        }
        false if format!("{end:?}") == "Clean" => serde_json::from_slice::<Value>(&bytes).ok()?["usage"].clone(),
        _ => return None,
    };
    Some((name.to_owned(), [usage["prompt_tokens"].as_u64()?, usage["completion_tokens"].as_u64()?]))
}

/// Clients call until the gateway dies; gives what they received.
async fn load(rig: &Rig, run: u64) -> Vec<Received> {
    let count = Arc::new(AtomicUsize::new(0));
    let clients = (0..CLIENTS).map(|who| {
        let (client, count) = (rig.keywheel.client(), Arc::clone(&count));
        tokio::spawn(async move {
            let mut received = Vec::new();
            for at in 0.. {
                match call(&client, &format!("call-{who}-{at}"), (who + at) % 2 == 0).await {
                    Some(whole) => received.push(whole),
                    None => break,
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
            received
        })
    });
    let clients: Vec<_> = clients.collect();
    while count.load(Ordering::SeqCst) < CLIENTS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // the moment differs from run to run
    tokio::time::sleep(Duration::from_micros(run * 7_919 % 300_000)).await;
    let pid = nix::unistd::Pid::from_raw(rig.keywheel.pid().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it is ours");
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.expect("no client panics"));
    }
    all
}

fn check(run: u64, received: &[Received], entries: &[Entry], seen: &BTreeSet<String>) {
    let mut ledger: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        ledger.entry(entry.context.session_id.as_deref().expect("each names itself")).or_default().push(entry);
    }
    for (name, tokens) in received {
        let found = ledger.get(name.as_str()).unwrap_or_else(|| panic!("run {run}: {name} is not in the ledger"));
        assert_eq!(found.len(), 1, "run {run}: {name}");
        assert_eq!(found[0].outcome, Outcome::Completed, "run {run}: {name}");
        let usage = found[0].spend.usage.expect("it told its tokens");
        assert_eq!([usage.input, usage.output], *tokens, "run {run}: {name}");
    }
    for (name, found) in &ledger {
        assert!(seen.contains(*name), "run {run}: {name} is in the ledger, and the lab never saw it");
        assert_eq!(found.len(), 1, "run {run}: {name}");
    }
}

#[test]
fn what_clients_received_is_in_the_ledger_and_what_is_in_it_was_sent_however_the_gateway_is_killed() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (mut whole, mut kept, mut sent) = (0, 0, 0);
    for run in 0..runs() {
        let mut rig =
            Rig::with(Setup::new(Persona::Openai), &["a"], |config| config.provider("models = [\"gpt-4o-mini\"]"));
        let received = runtime.block_on(load(&rig, run));
        let content = |body: &[u8]| -> Option<String> {
            let body: Value = serde_json::from_slice(body).ok()?;
            body["messages"][0]["content"].as_str().map(str::to_owned)
        };
        let seen: BTreeSet<String> = rig.calls().iter().filter_map(|seen| content(&seen.body)).collect();
        runtime.block_on(until("it is dead", SOON, async || !rig.keywheel.runs()));
        // a command finds the file as the dead gateway left it
        let rows = json_lines(&rig.keywheel.run(["requests", "--json", "--limit", "100000"]));
        let ledger = Sqlite::open(&rig.keywheel.home().join("data/ledger.sqlite")).expect("the ledger opens");
        let entries = ledger.list(&Filter { limit: 100_000, ..Filter::default() }).expect("entries");
        assert_eq!(rows.len(), entries.len(), "run {run}");
        check(run, &received, &entries, &seen);
        (whole, kept, sent) = (whole + received.len(), kept + entries.len(), sent + seen.len());
    }
    eprintln!("{} kills: {whole} calls received whole, {kept} in the ledger, {sent} seen by the lab", runs());
    assert!(whole >= CLIENTS, "there was a load");
}
