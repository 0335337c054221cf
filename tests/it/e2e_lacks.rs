//! Accounts without a secret at the real binary: told with the command that mends them, passed over by calls, and well
//! again at once when the secret appears.

use keywheel::sim::lab::Setup;
use keywheel::sim::{Lab, Persona};

use crate::e2e_rig::{chat, json_lines, text, words};
use crate::e2e_vault::{A, BY_FILE, Safe, credential};
use crate::support::Keywheel;

const UNSET: &str = "[[accounts]]\nid = \"u\"\nprovider = \"lab\"\nsecret = { env = \"KEY_U\" }\n";
const B: &str = "[[accounts]]\nid = \"b\"\nprovider = \"lab\"\nsecret = { env = \"KEY_B\" }\n";

fn safe(stanzas: &str) -> Safe {
    let lab = Lab::start_with(Setup::new(Persona::Openai)).expect("a lab");
    let base = lab.base_url();
    let text = format!("{BY_FILE}\n[providers.lab]\nadapter = \"openai\"\nbase_url = \"{base}\"\n{stanzas}");
    let start = Keywheel::with(&text).env("KEY_B", lab.key("b"));
    credential(start.home());
    Safe { keywheel: start.start(), lab }
}

/// A call of another session, so that it stays with no account.
async fn another(safe: &Safe) {
    let mut body = chat("lab/gpt-4o-mini");
    body["messages"][0]["content"] = "something else".into();
    assert_eq!(safe.keywheel.client().post("/v1/chat/completions", &body).await.status, 200);
}

fn row(safe: &Safe, id: &str) -> (String, String) {
    let rows = json_lines(&safe.keywheel.run(["account", "list", "--json"]));
    let row = rows.iter().find(|row| row["id"] == id).expect("the account");
    (text(&row["state"]).to_owned(), text(&row["says"]).to_owned())
}

#[tokio::test]
async fn an_account_without_a_secret_has_a_state_of_its_own_and_the_command_that_mends_it() {
    let safe = safe(&format!("{A}{UNSET}{B}"));
    let (state, says) = row(&safe, "a");
    assert!(state == "no_secret" && says.ends_with("put its key there: keywheel account add a"), "{state}: {says}");
    let (state, says) = row(&safe, "u");
    assert!(state == "no_secret" && says.contains("KEY_U is not set; set it where keywheel is started"), "{says}");
    assert_eq!(row(&safe, "b").0, "ready");
    let shown = safe.done(&["account", "show", "a"], "");
    assert!(shown.starts_with("a takes no calls, since it has no secret: "), "{shown}");
    let status = safe.done(&["status", "--json"], "");
    let status: serde_json::Value = serde_json::from_str(status.lines().next().unwrap()).unwrap();
    // the two offline accounts are always there
    assert_eq!((&status["accounts_ready"], &status["accounts"]), (&3.into(), &5.into()), "{status}");
    let quota = json_lines(&safe.keywheel.run(["quota", "a", "--json"]));
    assert_eq!(quota[0]["state"], "no_secret");

    let response = safe.keywheel.client().post("/v1/chat/completions", &chat("lab/gpt-4o-mini")).await;
    assert_eq!((response.status, response.header("x-keywheel-attempts")), (200, "1"));
    assert_eq!(safe.lab.seen().last().unwrap().key, "b");

    safe.done(&["account", "add", "a"], &safe.lab.key("a"));
    another(&safe).await;
    assert_eq!(safe.lab.seen().last().unwrap().key, "a", "it takes the very next call");
    assert_eq!(row(&safe, "a").0, "ready");
}

#[tokio::test]
async fn a_locked_account_is_passed_over_with_its_reason_and_heals_by_the_unlocking() {
    let safe = safe(&format!("{A}{UNSET}{B}"));
    safe.done(&["account", "add", "a"], &safe.lab.key("a"));
    safe.done(&["vault", "lock"], "");
    let (state, says) = row(&safe, "a");
    assert_eq!(state, "no_secret");
    assert!(says.ends_with("the vault is locked; run: keywheel vault unlock"), "{says}");

    let response = safe.keywheel.client().post("/v1/chat/completions", &chat("lab/gpt-4o-mini")).await;
    assert_eq!((response.status, response.header("x-keywheel-attempts")), (200, "1"));
    let id = response.header("x-keywheel-request-id").to_owned();
    let (out, err) = words(&safe.run(&["explain", &id], ""));
    assert!(
        out.contains("vault is locked; run: keywheel vault unlock") && out.contains("KEY_U is not set"),
        "{out}{err}"
    );

    safe.done(&["vault", "unlock"], "");
    another(&safe).await;
    assert_eq!(safe.lab.seen().last().unwrap().key, "a");
    assert_eq!(row(&safe, "a").0, "ready");
}
