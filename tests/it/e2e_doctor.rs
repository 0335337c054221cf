//! `doctor`: with and without a gateway, for people and for scripts.

use serde_json::Value;

use crate::e2e_rig::{Rig, text, words};
use crate::e2e_vault::{BY_FILE, Safe};
use crate::home_support::{Home, Ran, set_mode};

/// The findings, and the exit code.
fn look(home: &Home) -> (Vec<Value>, i32) {
    let Ran { code, out, err } = home.run(&["doctor", "--json"]);
    assert!(!err.contains("panicked"), "{err}");
    (out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), code)
}

fn of<'a>(findings: &'a [Value], check: &str) -> Vec<&'a Value> {
    let found: Vec<&Value> = findings.iter().filter(|finding| finding["check"] == check).collect();
    assert!(!found.is_empty(), "{check} was not looked at: {findings:?}");
    found
}

const CHECKS: [&str; 10] =
    ["configuration", "home", "gateway", "vault", "accounts", "ledger", "disk", "prices", "clock", "descriptors"];

#[test]
fn a_fresh_home_without_a_gateway_has_something_to_look_at_and_nothing_broken() {
    let home = Home::new();
    let (findings, code) = look(&home);
    for check in CHECKS {
        assert!(of(&findings, check).iter().all(|finding| finding["level"] != "fail"), "{findings:?}");
    }
    assert_eq!(code, 5, "no gateway runs: {findings:?}");
    assert!(!home.path().join("data").exists(), "it changes nothing");
    let ran = home.run(&["doctor"]);
    assert!(ran.out.contains("\nwarn  gateway") && ran.out.contains("→ start it: keywheel serve -d"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}') && ran.err.contains("to look at"), "{}\n{}", ran.out, ran.err);
}

#[test]
fn what_is_broken_is_said_with_what_to_do_and_the_exit_code_tells() {
    let home = Home::new();
    home.configure("max_wait = 3\n[[accounts]]\n");
    let (findings, code) = look(&home);
    assert_eq!((code, &of(&findings, "configuration")[0]["level"]), (1, &"fail".into()), "{findings:?}");

    let account = "[[accounts]]\nid = \"a\"\nprovider = \"openai\"\nsecret = { env = \"NO_SUCH_KEY\" }\n\
                   [[accounts]]\nid = \"b\"\nprovider = \"openai\"\n";
    home.configure(account);
    let (findings, code) = look(&home);
    let accounts = of(&findings, "accounts");
    assert!(text(&accounts[0]["says"]).contains("NO_SUCH_KEY"), "{findings:?}");
    assert_eq!((&of(&findings, "vault")[0]["level"], code), (&"fail".into(), 1), "{findings:?}");

    home.configure("");
    drop(home.serve());
    set_mode(&home.path().join("data/ledger.sqlite"), 0o644);
    let (findings, code) = look(&home);
    assert!(of(&findings, "home").iter().any(|row| text(&row["says"]).contains("chmod 600")), "{findings:?}");
    assert_eq!(code, 1);
    set_mode(&home.path().join("data/ledger.sqlite"), 0o600);
    // its log would mend it
    drop(std::fs::remove_file(home.path().join("data/ledger.sqlite-wal")));
    std::fs::write(home.path().join("data/ledger.sqlite"), "no database".repeat(1000)).unwrap();
    let (findings, _) = look(&home);
    assert!(of(&findings, "ledger").iter().any(|row| row["level"] == "fail"), "{findings:?}");
}

#[tokio::test]
async fn a_running_gateway_is_asked_how_it_is() {
    let rig = Rig::start(&["a"]);
    rig.keywheel.client().post("/v1/chat/completions", &crate::e2e_rig::chat("lab/gpt-4o-mini")).await.json().await;
    let config = rig.keywheel.home().join("keywheel.toml");
    let output = rig.keywheel.run(["doctor", "--json", "--config", config.to_str().unwrap()]);
    let (out, err) = words(&output);
    let findings: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for check in CHECKS.into_iter().chain(["doors"]) {
        assert!(of(&findings, check).iter().all(|finding| finding["level"] != "fail"), "{check}: {out}\n{err}");
    }
    let pid = format!("pid {}", rig.keywheel.pid());
    assert!(text(&of(&findings, "gateway")[0]["says"]).starts_with(&pid), "{out}");
    assert!(text(&of(&findings, "ledger")[0]["says"]).starts_with("1 calls, "), "{out}");
    assert!(matches!(output.status.code(), Some(0 | 5)), "{out}");
    // an account that rests is told of
    rig.lab.on("a").always(keywheel::sim::Script::bad_key());
    rig.keywheel.client().post("/v1/chat/completions", &crate::e2e_rig::chat("lab/gpt-4o-mini")).await.text().await;
    let (out, _) = words(&rig.keywheel.run(["doctor", "--config", config.to_str().unwrap()]));
    assert!(out.contains("FAIL  accounts") && out.contains("keywheel account test a"), "{out}");
}

#[tokio::test]
async fn accounts_without_a_key_in_the_vault_are_named_with_and_without_a_gateway() {
    let accounts = "[[accounts]]\nid = \"a\"\nprovider = \"lab\"\n[[accounts]]\nid = \"b\"\nprovider = \"lab\"\n\
                    [[accounts]]\nid = \"off\"\nprovider = \"lab\"\ndisabled = true\n";
    let safe = Safe::start(accounts, BY_FILE);
    let config = safe.keywheel.home().join("keywheel.toml");
    let doctor = || words(&safe.keywheel.run(["doctor", "--json", "--config", config.to_str().unwrap()])).0;
    let told = |out: &str, check: &str| -> Vec<String> {
        let findings: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let keys = findings.iter().filter(|row| row["check"] == check && text(&row["says"]).contains("not kept here"));
        keys.map(|row| text(&row["says"]).to_owned()).collect()
    };
    safe.done(&["account", "add", "a"], &safe.lab.key("a"));
    let missing =
        "the key of this account is not kept here: b; give it: keywheel account add b --provider lab --replace";
    assert_eq!(told(&doctor(), "gateway"), [missing]);
    safe.done(&["stop"], "");
    assert_eq!(told(&doctor(), "vault"), [missing], "and where none runs");
    safe.done(&["account", "add", "b", "--replace"], &safe.lab.key("b"));
    assert!(told(&doctor(), "vault").is_empty());
}
