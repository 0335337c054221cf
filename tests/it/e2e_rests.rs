//! Why accounts rest: kept over a kill, told in a sentence, ended by hand.

use std::time::Duration;

use keywheel::sim::lab::Hint;
use keywheel::sim::{Lab, Persona, Script};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::e2e_home::Home;
use crate::e2e_rig::{chat, json_lines, said, until, words};
use crate::support::{Client, SOON};

const CHAT: &str = "/v1/chat/completions";

fn home(lab: &Lab, key: &str) -> Home {
    let text = format!(
        "[parking]\nmax_wait = \"1s\"\n[providers.lab]\nadapter = \"openai\"\nbase_url = \"{}\"\nmodels = [\"m\"]\n\
         balance = {{ path = \"models\", left = \"/data/0/id\", unit = \"USD\" }}\n\
         [[accounts]]\nid = \"a\"\nprovider = \"lab\"\nsecret = {{ env = \"KEY_A\" }}\nlimits = {{ rpm = 600, concurrency = 4 }}\n\
         [[accounts]]\nid = \"b\"\nprovider = \"lab\"\nquota_group = \"org\"\ntags = [\"work\"]\nsecret = {{ env = \"KEY_B\" }}\n",
        lab.base_url()
    );
    Home::with(&text).env("KEY_A", key).env("KEY_B", &lab.key("b"))
}

fn account(home: &Home, id: &str) -> Value {
    json_lines(&home.run(["account", "show", id, "--json"])).remove(0)
}

async fn kill_hard(home: &Home) {
    let pid = home.pid().expect("a leader");
    kill(pid, Signal::SIGKILL).expect("ours");
    until("it is gone", SOON, async || kill(pid, None).is_err()).await;
}

async fn kept(home: &Home, word: &str) {
    let path = home.path().join("state/accounts.json");
    until("it is written down", SOON, async || std::fs::read_to_string(&path).is_ok_and(|text| text.contains(word)))
        .await;
}

/// Both accounts rest: `a` for its key, `b` with its group for its limit.
async fn tired(lab: &Lab, home: &Home) {
    lab.on("a").always(Script::bad_key());
    lab.on("b").always(Script::throttled(Hint::Seconds(3)).header("retry-after", "1800"));
    assert_eq!(Client::unix(home.socket()).post(CHAT, &chat("lab/m")).await.status, 429);
    kept(home, "account_key_rejected").await;
    kept(home, "rate_limit_exceeded").await;
}

#[tokio::test]
async fn a_rest_and_its_reason_outlive_a_kill_and_a_new_key_starts_afresh() {
    let lab = Lab::start(Persona::Generic).expect("a lab");
    let home = home(&lab, &lab.key("a"));
    said(&home.detach());
    tired(&lab, &home).await;
    let before = [account(&home, "a"), account(&home, "b")];
    assert_eq!((&before[0]["state"], &before[1]["state"]), (&json!("cooling"), &json!("ready")), "{before:?}");
    kill_hard(&home).await;
    said(&home.detach());
    for (id, old) in ["a", "b"].iter().zip(&before) {
        let new = account(&home, id);
        for field in ["state", "reason", "since", "until"] {
            assert_eq!(new[field], old[field], "{id}: {field}");
        }
    }
    let calls = lab.seen().iter().filter(|seen| seen.method == "POST").count();
    let refused = Client::unix(home.socket()).post(CHAT, &chat("lab/m")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "60"));
    assert_eq!(lab.seen().iter().filter(|seen| seen.method == "POST").count(), calls, "nobody asked again");
    let page = home.read("state/accounts.json");
    assert!(!page.contains(&lab.key("a")) && !page.contains(&lab.key("b")));
    kill_hard(&home).await;
    let home = home.env("KEY_A", &lab.key("another"));
    said(&home.detach());
    assert_eq!(
        (&account(&home, "a")["state"], &account(&home, "b")["reason"]),
        (&json!("ready"), &before[1]["reason"])
    );
}

#[tokio::test]
async fn a_damaged_file_is_named_and_the_gateway_serves() {
    let lab = Lab::start(Persona::Generic).expect("a lab");
    for damage in
        ["{\"version\":1", "{\"version\":9,\"salt\":\"\",\"rests\":{\"accounts\":[],\"groups\":{}}}", "\u{0}\u{1}"]
    {
        let home = home(&lab, &lab.key("a"));
        home.write("state/accounts.json", damage);
        let (_, told) = words(&home.detach());
        assert!(told.contains("accounts.json is not used") && told.contains("afresh"), "{told}");
        assert_eq!(Client::unix(home.socket()).post(CHAT, &chat("lab/m")).await.status, 200);
    }
}

#[tokio::test]
async fn a_person_reads_why_it_rests_ends_it_and_switches_accounts() {
    let lab = Lab::start(Persona::Generic).expect("a lab");
    let home = home(&lab, &lab.key("a"));
    said(&home.detach());
    assert!(said(&home.run(["account", "show", "a"])).starts_with("a is ready and takes calls\n"));
    tired(&lab, &home).await;
    let sentence = said(&home.run(["account", "show", "a"]));
    assert!(
        sentence.starts_with("a rests until 20") && sentence.contains(" min ") && sentence.contains("because: "),
        "{sentence}"
    );
    let sentence = said(&home.run(["account", "show", "b"]));
    assert!(sentence.contains("b is ready, but not for every model: m rests until"), "{sentence}");
    lab.on("a").clear();
    lab.on("b").clear();
    said(&home.run(["account", "enable", "a", "--now"]));
    assert_eq!(account(&home, "a")["state"], "ready");
    let answer = Client::unix(home.socket()).post(CHAT, &chat("lab/m")).await;
    assert_eq!((answer.status, answer.header("x-keywheel-account")), (200, "a"));
    assert!(account(&home, "a")["used"].is_string());

    said(&home.run(["account", "disable", "--tag", "work"]));
    until("it follows", SOON, async || account(&home, "b")["state"] == "disabled").await;
    assert!(account(&home, "b")["says"].as_str().is_some_and(|says| says.contains("keywheel account enable b")));
    assert!(home.read("config/keywheel.toml").contains("disabled = true"));
    let again = home.run(["account", "disable", "b"]);
    assert!(again.status.success() && words(&again).1.contains("switched off already"));
    said(&home.run(["account", "enable", "b"]));
    until("it follows", SOON, async || account(&home, "b")["state"] == "ready").await;
    assert!(!home.read("config/keywheel.toml").contains("disabled"));
    assert!(!home.run(["account", "disable", "nobody"]).status.success());
    assert!(words(&home.run(["account", "disable", "sim-a"])).1.contains("--no-discover"));
}

#[tokio::test]
async fn quota_shows_limits_use_and_balances() {
    let lab = Lab::start(Persona::Generic).expect("a lab");
    let home = home(&lab, &lab.key("a"));
    said(&home.detach());
    lab.on("a").then(
        Script::usual()
            .header("x-ratelimit-limit-requests", "100")
            .header("x-ratelimit-remaining-requests", "40")
            .header("x-ratelimit-reset-requests", "30s"),
    );
    assert_eq!(Client::unix(home.socket()).post(CHAT, &chat("lab/m")).await.status, 200);
    let row = json_lines(&home.run(["quota", "a", "--refresh", "--json"])).remove(0);
    let windows = row["windows"].as_array().expect("a list");
    let told = windows.iter().find(|window| window["source"] == "provider").expect("what the answer told");
    assert_eq!((&told["limit"], &told["model"]), (&json!(100), &json!("m")), "{told}");
    assert!(told["used"].as_u64().is_some_and(|used| (55..=60).contains(&used)), "{told}");
    assert_eq!(windows.iter().filter(|window| window["source"] == "settings").count(), 2);
    assert_eq!(row["balance"], "echo USD");
    let table = said(&home.run(["quota"]));
    assert!(table.contains("████") && table.contains("requests") && table.contains("sim-a"), "{table}");
    assert_eq!(words(&home.run(["quota", "nobody"])).0, "");
}

#[tokio::test]
async fn a_rotation_takes_no_longer_than_a_call_and_one_502_benches_nobody() {
    let rig = crate::e2e_rig::Rig::start(&["a", "b"]);
    let client = rig.keywheel.client();
    let model = "lab/gpt-4o-mini";
    assert_eq!(client.post(CHAT, &chat(model)).await.status, 200);
    let mut took = Vec::new();
    for number in 0..15 {
        // a session of its own, since the one before stays with the other account
        let mut body = chat(model);
        body["messages"][0]["content"] = json!(format!("question {number}"));
        let plain = std::time::Instant::now();
        assert_eq!(client.post(CHAT, &body).await.header("x-keywheel-account"), "a");
        let plain = plain.elapsed();
        rig.lab.on("a").then(Script::throttled(Hint::Seconds(600)));
        let rotated = std::time::Instant::now();
        let response = client.post(CHAT, &body).await;
        took.push(rotated.elapsed().saturating_sub(plain));
        assert_eq!((response.header("x-keywheel-account"), response.header("x-keywheel-attempts")), ("b", "2"));
        assert_eq!(response.header("x-keywheel-parked-ms"), "", "never parked");
        let config = rig.keywheel.home().join("keywheel.toml");
        said(&rig.keywheel.run(["--config", config.to_str().expect("UTF-8"), "account", "enable", "a", "--now"]));
    }
    let (median, worst) = crate::e2e_rig::median_and_worst(took);
    eprintln!("a rotation takes {median:?} more than a plain call (median of 15), {worst:?} at worst");
    assert!(median < Duration::from_millis(50), "{median:?}, {worst:?}");

    let alone = crate::e2e_rig::Rig::start(&["a"]);
    alone.lab.on("a").then(Script::reply(502, "text/plain", "bad gateway"));
    let response = alone.keywheel.client().post(CHAT, &chat(model)).await;
    assert_eq!((response.status, response.header("x-keywheel-attempts")), (200, "2"));
    alone.assert_untouched("one 502");
}
