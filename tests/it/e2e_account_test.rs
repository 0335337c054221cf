//! `account test`: what providers say of keys, through a running gateway and without one.

use keywheel::sim::lab::Setup;
use keywheel::sim::{Lab, Persona};
use serde_json::Value;

use crate::e2e_rig::words;
use crate::e2e_vault::{A, BY_FILE, Safe};
use crate::home_support::Home;

const PROBE: &str = "probe = { path = \"models\" }\n";

/// The rows that `account test` printed, whatever it thought of them.
fn rows(output: &std::process::Output) -> Vec<Value> {
    let (out, err) = words(output);
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!rows.is_empty(), "{err}");
    rows
}

#[tokio::test]
async fn a_running_gateway_says_whether_providers_take_the_keys() {
    let more = "[[accounts]]\nid = \"b\"\nprovider = \"lab\"\ntags = [\"t\"]\nsecret = { env = \"NOT_SET\" }\n\
        [[accounts]]\nid = \"c\"\nprovider = \"lab\"\ntags = [\"t\"]\nbase_url = \"http://127.0.0.1:1/v1\"\n";
    let safe = Safe::start(&format!("{PROBE}{A}{more}"), BY_FILE);
    let key = safe.lab.key("a");
    safe.done(&["account", "add", "a"], &key);
    safe.done(&["account", "add", "c"], "sk-canary-of-c");
    let good = safe.run(&["account", "test", "a"], "");
    assert!(good.status.success(), "{good:?}");
    assert!(words(&good).0.contains("the provider takes its key"), "{good:?}");

    let all = safe.run(&["account", "test", "--tag", "t", "--json"], "");
    assert_eq!(all.status.code(), Some(1));
    assert!(words(&all).1.contains("2 of 2 accounts cannot be used now"), "{all:?}");
    let rows = rows(&all);
    assert_eq!((&rows[0]["id"], &rows[0]["code"]), (&"b".into(), &"account_secret_missing".into()), "{rows:?}");
    assert_eq!((&rows[1]["id"], &rows[1]["code"]), (&"c".into(), &"upstream_unreachable".into()), "{rows:?}");

    safe.done(&["account", "add", "a", "--replace"], "sk-canary-wrong");
    let wrong = safe.run(&["account", "test", "a"], "");
    let (out, err) = words(&wrong);
    assert!(!wrong.status.success() && out.contains("failed") && err.contains("1 of 1"), "{out}{err}");
    assert!(!format!("{out}{err}{all:?}").contains("canary"), "no key is shown: {out}");
    safe.done(&["account", "list", "--tag", "t"], "");
    let list = safe.done(&["account", "list", "--json"], "");
    let rests = |row: &str| row.contains("cooling") || row.contains("half_open");
    assert!(!list.lines().any(rests), "a test punishes nobody: {list}");
    assert_eq!(list.matches("\"state\":\"no_secret\"").count(), 1, "{list}");
    safe.done(&["vault", "lock"], "");
    let locked = words(&safe.run(&["account", "test", "a"], "")).0;
    assert!(locked.contains("run: keywheel vault unlock"), "{locked}");
    assert!(words(&safe.run(&["account", "test", "nobody"], "")).1.contains("account list"));
}

#[test]
fn without_a_gateway_the_same_is_found_out() {
    let lab = Lab::start_with(Setup::new(Persona::Openai)).expect("a lab");
    let home = Home::new();
    let (base, key) = (lab.base_url(), lab.key("a"));
    home.configure(&format!(
        "{BY_FILE}\n[providers.lab]\nadapter = \"openai\"\nbase_url = \"{base}\"\n{PROBE}\
         [providers.plain]\nadapter = \"openai\"\nbase_url = \"{base}\"\n\
         [[accounts]]\nid = \"p\"\nprovider = \"plain\"\nsecret = {{ env = \"KEY_A\" }}\n"
    ));
    crate::e2e_vault::credential(home.path());
    std::fs::write(home.path().join("key"), &key).unwrap();
    home.run(&["account", "add", "a", "--provider", "lab", "--key-file", "key"]).done();
    assert!(home.run(&["account", "test", "a"]).done().contains("the provider takes its key"));
    let mut plain = home.command(&["account", "test", "p"]);
    let told = words(&plain.env("KEY_A", &key).output().unwrap()).0;
    assert!(told.contains("whether it looked at a key is not known"), "{told}");
    std::fs::write(home.path().join("key"), "sk-wrong").unwrap();
    home.run(&["account", "add", "a", "--replace", "--key-file", "key"]).done();
    let wrong = home.run(&["account", "test", "a", "--json"]);
    assert_eq!((wrong.code, rows_of(&wrong.out)[0]["code"].as_str()), (1, Some("account_key_rejected")), "{wrong:?}");
    assert!(home.run(&["account", "test", "sim-a"]).done().contains("ok"));
}

fn rows_of(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
