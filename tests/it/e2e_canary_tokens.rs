//! A canary: tokens that are refreshed, rotated, refused and repeated by an identity provider stand nowhere.

use std::time::Duration;

use keywheel::sim::idp::{Client, Setup};

use crate::e2e_canary::Heard;
use crate::e2e_rig::{chat, text, words};
use crate::support::Keywheel;
use crate::tokens_rig::{Town, state, wait};

const CLIENT_SECRET: &str = "canary-client-secret-5d1c9e7a";
const CHAT: &str = "/v1/chat/completions";

/// Every secret that this town has made so far.
fn secrets(town: &Town, accounts: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = town.idp.asked().into_iter().map(|asked| asked.with).collect();
    for account in accounts {
        let item = town.stored(account);
        all.extend(item.refresh.iter().map(|refresh| refresh.expose().to_owned()));
        all.push(item.secret.expose().to_owned());
    }
    all.push(CLIENT_SECRET.to_owned());
    all.sort();
    all.dedup();
    all
}

async fn calls(heard: &mut Heard, keywheel: &Keywheel) -> u16 {
    heard.answer("chat", keywheel.client().post(CHAT, &chat("lab/m")).await).await
}

/// All that a gateway said, answered, wrote and was started with.
fn search(keywheel: &Keywheel, mut heard: Heard, secrets: &[String]) {
    for args in [&["account", "list", "--json"][..], &["account", "show", "a"], &["status", "--json"]] {
        heard.command(keywheel, args);
    }
    let rows = heard.command(keywheel, &["requests", "--json", "--limit", "1000"]);
    for row in words(&rows).0.lines() {
        let row: serde_json::Value = serde_json::from_str(row).expect("JSON");
        heard.command(keywheel, &["requests", text(&row["id"])]);
    }
    heard.files(keywheel.home(), &["state/client.key"]);
    for name in ["cmdline", "environ"] {
        let path = format!("/proc/{}/{name}", keywheel.pid());
        let mut found = std::fs::read(&path).expect("our own process");
        // the one variable that a person put there
        if name == "environ" {
            found = String::from_utf8_lossy(&found).replace(CLIENT_SECRET, "").into_bytes();
        }
        heard.0.push((path, found));
    }
    assert!(keywheel.words().contains("TRACE"), "the log is at its loudest");
    heard.0.push(("the log".to_owned(), keywheel.words().into_bytes()));
    assert!(secrets.len() > 6, "{}", secrets.len());
    secrets.iter().for_each(|secret| heard.holds_no(secret));
}

#[tokio::test]
async fn a_token_that_is_refreshed_and_rotated_stands_nowhere() {
    for basic in [false, true] {
        let client = Client { id: "keywheel-test".into(), secret: Some(CLIENT_SECRET.into()), basic };
        let town = Town::new(Setup { client, echo: true, ..Setup::default() });
        town.log_in("a", Duration::from_secs(3600));
        let style = if basic { "basic" } else { "post" };
        let more = format!("client_secret = {{ env = \"CLIENT_SECRET\" }}\nstyle = \"{style}\"\n");
        let start = Keywheel::with(&town.config(&["a"], &more));
        let keywheel = start.env("KEYWHEEL_LOG", "trace").env("CLIENT_SECRET", CLIENT_SECRET).start();
        let mut heard = Heard::default();
        let mut known = secrets(&town, &["a"]);
        for _ in 0..3 {
            town.lab.expire("a", Duration::ZERO);
            assert_eq!(calls(&mut heard, &keywheel).await, 200);
            known.extend(secrets(&town, &["a"]));
        }
        heard.command(&keywheel, &["account", "refresh", "a"]);
        // the identity provider refuses and repeats all that it was sent
        let stolen = town.idp.asked()[0].with.clone();
        let mut item = town.stored("a");
        item.refresh = Some(keywheel::kit::Secret::new(stolen));
        keywheel::vault::Vault::put(&town.vault, "a", item).expect("stored");
        town.lab.expire("a", Duration::ZERO);
        assert_eq!(calls(&mut heard, &keywheel).await, 403, "{}", keywheel.words());
        wait("the login has ended", || state(&keywheel, "a").starts_with("needs_login"));
        let reason = state(&keywheel, "a");
        assert!(reason.contains("You sent") && reason.contains("[redacted]"), "it was repeated, and masked: {reason}");
        known.extend(secrets(&town, &["a"]));
        search(&keywheel, heard, &known);
    }
}
