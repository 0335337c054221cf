//! Client keys on a running gateway: what they open, how they change, how they end.

use std::time::{Duration, Instant};

use keywheel::sim::lab::Setup;
use keywheel::sim::{Lab, Persona};
use serde_json::Value;

use crate::e2e_rig::{Rig, chat, key, said, stream, text, until};
use crate::support::{Client, Keywheel};

const MODEL: &str = "lab/gpt-4o-mini";

async fn status(rig: &Rig, key: &str) -> u16 {
    Client::tcp(rig.keywheel.addr()).key(key).get("/v1/models").await.status
}

/// A key that was made on the command line reaches the running gateway within a second.
async fn known(rig: &Rig, key: &str) {
    until("the key is known", Duration::from_secs(2), async || status(rig, key).await == 200).await;
}

#[tokio::test]
async fn a_key_for_one_provider_is_refused_elsewhere_and_sees_no_other_models() {
    let (openai, deepseek) = (Lab::start(Persona::Openai).unwrap(), Lab::start(Persona::Deepseek).unwrap());
    let account = |provider: &str| {
        format!("[[accounts]]\nid = '{provider}-1'\nprovider = '{provider}'\nsecret = {{ env = 'KEY' }}\n")
    };
    let config = format!(
        "[providers.openai]\nbase_url = '{}'\n[providers.deepseek]\nbase_url = '{}'\n{}{}[models.fast]\nroute = ['openai/gpt-4o-mini']\n[models.cheap]\nroute = ['deepseek/deepseek-v4-flash']\n",
        openai.base_url(),
        deepseek.base_url(),
        account("openai"),
        account("deepseek"),
    );
    openai.key("one");
    deepseek.key("one");
    let keywheel = Keywheel::with(&config).env("KEY", deepseek.key("one")).start();
    let made = key(&keywheel.run(["client", "add", "narrow", "--models", "deepseek/*"]));
    let client = Client::tcp(keywheel.addr()).key(&made);
    until("the key is known", Duration::from_secs(2), async || client.get("/v1/models").await.status == 200).await;

    let mut allowed = Vec::new();
    until("models are listed", Duration::from_secs(10), async || {
        let list = client.get("/v1/models").await.json().await;
        allowed = list["data"].as_array().unwrap().iter().map(|row| text(&row["id"]).to_owned()).collect();
        allowed.len() > 1
    })
    .await;
    // a dialectic is asked of what the key may call
    let own = |id: &String| id.starts_with("deepseek/") || id.starts_with("dialectics/") || id == "cheap";
    assert!(allowed.iter().all(own) && !allowed.contains(&"dialectics/sim".to_owned()), "{allowed:?}");
    let all = keywheel.client().get("/v1/models").await.text().await;
    assert!(all.contains("openai/gpt-4o-mini") && all.contains("sim/echo"));

    let may = allowed.iter().find(|id| id.starts_with("deepseek/")).unwrap();
    assert_eq!(client.post("/v1/chat/completions", &chat(may)).await.status, 200);
    for other in ["openai/gpt-4o-mini", "fast", "gpt-4o-mini", "sim/echo", "DeepSeek/deepseek-chat"] {
        let response = client.post("/v1/chat/completions", &stream(other)).await;
        let (status, error) = (response.status, response.json().await);
        assert!(status == 403 || (status == 404 && other.contains("DeepSeek")), "{other}: {status} {error}");
        assert!(error["error"]["message"].is_string());
    }
    assert_eq!(client.get("/v1/models/openai/gpt-4o-mini").await.status, 404);
    assert!(openai.seen().iter().all(|seen| seen.method == http::Method::GET), "nothing reached the other provider");
}

#[tokio::test]
async fn a_removed_key_stops_working_within_a_second() {
    let rig = Rig::start(&["a"]);
    let made = rig.add_client("guest", &[]);
    known(&rig, &made).await;
    assert!(said(&rig.keywheel.run(["client", "list", "--json"])).contains("guest"));
    said(&rig.keywheel.run(["client", "rm", "guest"]));
    let removed = Instant::now();
    until("the key is refused", Duration::from_secs(5), async || status(&rig, &made).await == 401).await;
    assert!(removed.elapsed() < Duration::from_millis(1100), "{:?}", removed.elapsed());
    assert_eq!(status(&rig, &rig.keywheel.key()).await, 200, "the others stay");
}

#[tokio::test]
async fn a_rotated_key_works_on_for_its_overlap_only() {
    let rig = Rig::start(&["a"]);
    let old = rig.add_client("app", &[]);
    known(&rig, &old).await;
    let new = key(&rig.keywheel.run(["client", "rotate", "app", "--overlap", "3s"]));
    assert_ne!(old, new);
    known(&rig, &new).await;
    assert_eq!(status(&rig, &old).await, 200, "within the overlap");
    until("the overlap ends", Duration::from_secs(5), async || status(&rig, &old).await == 401).await;
    assert_eq!(status(&rig, &new).await, 200);
    let last = key(&rig.keywheel.run(["client", "rotate", "app", "--overlap", "0s"]));
    known(&rig, &last).await;
    assert_eq!(status(&rig, &new).await, 401, "no overlap");
    let expired = Client::tcp(rig.keywheel.addr()).key(&new).get("/v1/models").await.json().await;
    assert!(text(&expired["error"]["message"]).contains("keywheel client"), "{expired}");
}

#[tokio::test]
async fn a_client_over_its_own_limit_waits_and_the_accounts_do_not() {
    let rig = Rig::start(&["a"]);
    let made = rig.add_client("slow", &["--rpm", "2"]);
    let client = Client::tcp(rig.keywheel.addr()).key(&made);
    let mut seen: Vec<u16> = Vec::new();
    until("the limit is reached", Duration::from_secs(5), async || {
        seen.push(client.post("/v1/chat/completions", &chat(MODEL)).await.status);
        seen.last() == Some(&429)
    })
    .await;
    seen.retain(|status| *status != 401);
    assert_eq!(seen, [200, 200, 429]);
    let response = client.post("/v1/chat/completions", &chat(MODEL)).await;
    let wait: u64 = response.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&wait));
    assert_eq!(response.json().await["error"]["code"], "client_rate_limit");
    assert_eq!(rig.calls().len(), 2);
    rig.assert_untouched("a client's own limit");
    assert_eq!(status(&rig, &rig.keywheel.key()).await, 200, "other clients go on");
}

#[tokio::test]
async fn a_key_that_ends_or_hides_accounts_does_so() {
    let rig = Rig::with(Setup::new(Persona::Openai), &["a"], |config| config);
    let brief = rig.add_client("brief", &["--ttl", "2s"]);
    let shy = rig.add_client("shy", &["--hide-account"]);
    known(&rig, &shy).await;
    let response = Client::tcp(rig.keywheel.addr()).key(&shy).post("/v1/chat/completions", &chat(MODEL)).await;
    assert_eq!((response.status, response.header("x-keywheel-account")), (200, ""));
    assert_eq!(response.header("x-keywheel-provider"), "lab");
    until("it ends", Duration::from_secs(5), async || status(&rig, &brief).await == 401).await;
    let store: Value = Value::String(std::fs::read_to_string(rig.keywheel.home().join("state/clients.toml")).unwrap());
    for secret in [&brief, &shy, &rig.keywheel.key()] {
        assert!(!text(&store).contains(secret.as_str()), "only hashes are stored");
    }
}
