//! The vault of a running gateway: its accounts take their keys from it, and nothing that a person does to it needs a
//! restart.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use keywheel::sim::lab::Setup;
use keywheel::sim::{Lab, Persona};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::e2e_rig::{chat, text, until, words};
use crate::home_support::{Home, Ran};
use crate::support::{Client, Keywheel, SOON};

const MODEL: &str = "lab/gpt-4o-mini";

/// A gateway whose accounts `a` and `b` take their keys from the vault, which a key file opens.
pub struct Safe {
    pub lab: Lab,
    pub keywheel: Keywheel,
}

impl Safe {
    pub fn start(stanzas: &str, vault: &str) -> Self {
        let lab = Lab::start_with(Setup::new(Persona::Openai)).expect("a lab");
        let text =
            format!("{vault}\n[providers.lab]\nadapter = \"openai\"\nbase_url = \"{}\"\n{stanzas}", lab.base_url());
        let start = Keywheel::with(&text);
        credential(start.home());
        Self { lab, keywheel: start.start() }
    }

    /// A command with this on its stdin.
    pub fn run(&self, args: &[&str], stdin: &str) -> Output {
        let config = self.keywheel.home().join("keywheel.toml");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keywheel"));
        command.env_clear().env("KEYWHEEL_HOME", self.keywheel.home()).env("KEYWHEEL_CONFIG", config);
        command.args(args).current_dir(self.keywheel.home());
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        // a command that fails early does not read
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Its words, after it did what was asked.
    #[track_caller]
    pub fn done(&self, args: &[&str], stdin: &str) -> String {
        let output = self.run(args, stdin);
        let (out, err) = words(&output);
        assert!(output.status.success(), "{args:?}: {out}{err}");
        out + &err
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.keywheel.home().join(name);
        keywheel::kit::file::replace(&path, content.as_bytes()).unwrap();
        path
    }

    pub async fn call(&self) -> (u16, Value) {
        let response = self.keywheel.client().post("/v1/chat/completions", &chat(MODEL)).await;
        (response.status, response.json().await)
    }

    /// The account that took the last call; that models were asked for is none.
    fn used(&self) -> String {
        let seen = self.lab.seen();
        seen.into_iter().rfind(|seen| seen.method == http::Method::POST).expect("a call").key
    }

    async fn becomes(&self, status: u16) -> Value {
        let mut last = Value::Null;
        until(&format!("calls end with {status}"), SOON, async || {
            let (found, body) = self.call().await;
            last = body;
            found == status
        })
        .await;
        last
    }
}

/// The key file that `BY_FILE` names.
pub fn credential(home: &Path) {
    keywheel::kit::file::private_dir(&home.join("config")).unwrap();
    keywheel::kit::file::replace(&home.join("config/credential"), &[9; 40]).unwrap();
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub const BY_FILE: &str = "vault = { home = \"key-file\", key_file = \"credential\" }";
pub const A: &str = "[[accounts]]\nid = \"a\"\nprovider = \"lab\"\n";
const B: &str = "[[accounts]]\nid = \"b\"\nprovider = \"lab\"\nsecret = { env = \"KEY_B\" }\n";

#[tokio::test]
async fn a_key_that_the_command_line_puts_into_the_vault_is_used_without_a_restart() {
    let safe = Safe::start(A, BY_FILE);
    let (status, body) = safe.call().await;
    let error = &body["error"];
    assert_eq!((status, text(&error["code"])), (503, "account_secret_missing"), "{body}");
    assert!(text(&error["message"]).contains("keywheel account add a"), "{body}");

    let key = safe.lab.key("a");
    safe.done(&["account", "add", "a"], "sk-wrong-key");
    let body = safe.becomes(403).await;
    assert_eq!(text(&body["error"]["code"]), "account_key_rejected", "{body}");
    safe.done(&["account", "add", "a", "--replace"], &key);
    // the wrong key benched it, and that ends with it
    assert_eq!(safe.call().await.0, 200);
    assert_eq!(safe.used(), "a");
    let other = safe.lab.key("c");
    safe.done(&["account", "add", "c", "--provider", "lab"], &other);
    safe.done(&["account", "disable", "a"], "");
    until("the new account answers", SOON, async || safe.call().await.0 == 200 && safe.used() == "c").await;
    safe.done(&["account", "rm", "c"], "");
    let list = safe.done(&["vault", "status", "--json"], "");
    assert!(!list.contains("\"c\"") && list.contains("\"gateway\":\"unlocked\""), "{list}");
}

#[tokio::test]
async fn a_locked_vault_is_told_with_the_command_and_other_accounts_go_on() {
    let lab = Lab::start_with(Setup::new(Persona::Openai)).expect("a lab");
    let base = lab.base_url();
    let text_of =
        |stanzas: &str| format!("{BY_FILE}\n[providers.lab]\nadapter = \"openai\"\nbase_url = \"{base}\"\n{stanzas}");
    let start = Keywheel::with(&text_of(&format!("{A}{B}"))).env("KEY_B", lab.key("b"));
    credential(start.home());
    let safe = Safe { keywheel: start.start(), lab };
    let key = safe.lab.key("a");
    safe.done(&["account", "add", "a"], &key);
    assert_eq!(safe.call().await.0, 200);
    assert_eq!(safe.used(), "a");

    let told = safe.done(&["vault", "lock"], "");
    assert!(told.contains("keywheel vault unlock") && told.contains("next start"), "{told}");
    for _ in 0..3 {
        assert_eq!(safe.call().await.0, 200);
        assert_eq!(safe.used(), "b", "a is locked, b goes on");
    }
    let rows = safe.done(&["account", "list"], "");
    let states = ["a      lab       no_secret", "b      lab       ready"];
    assert!(states.iter().all(|state| rows.contains(state)), "nobody rests: {rows}");

    safe.keywheel.write_config(&text_of(A));
    let body = safe.becomes(503).await;
    let error = &body["error"];
    assert_eq!(text(&error["code"]), "vault_locked", "{body}");
    assert!(text(&error["message"]).contains("run: keywheel vault unlock"), "{body}");
    let status = safe.done(&["vault", "status"], "");
    assert!(status.contains("gateway     locked") && status.contains("run: keywheel vault unlock"), "{status}");
    assert!(safe.done(&["vault", "unlock"], "").contains("the running gateway has unlocked the vault"));
    assert_eq!(safe.call().await.0, 200, "unlocking needs no restart");
}

#[tokio::test]
async fn a_passphrase_unlocks_a_running_gateway_and_a_rekey_does_not_lock_it_out() {
    let safe = Safe::start(A, "");
    let (one, two) = (safe.file("one", "correct horse\n"), safe.file("two", "battery staple"));
    let key = safe.lab.key("a");
    let told = safe.done(&["account", "add", "a", "--passphrase-file", path(&one)], &key);
    assert!(told.contains("made a vault that your passphrase opens"), "{told}");
    let (status, body) = safe.call().await;
    assert_eq!((status, text(&body["error"]["code"])), (503, "vault_locked"), "{body}");

    let wrong = safe.run(&["vault", "unlock"], "battery staple");
    assert!(!wrong.status.success() && words(&wrong).1.contains("wrong passphrase"), "{wrong:?}");
    assert_eq!(safe.call().await.0, 503);
    safe.done(&["vault", "unlock"], "correct horse\n");
    let both = safe.done(&["vault", "status"], "");
    assert!(both.contains("here        locked") && both.contains("gateway     unlocked"), "{both}");
    assert!(both.contains("the running gateway has it open") && !both.contains("run: keywheel vault unlock"), "{both}");
    assert_eq!(safe.call().await.0, 200);

    let args = ["vault", "rekey", "--passphrase-file", path(&one), "--new-passphrase-file", path(&two)];
    safe.done(&args, "");
    assert_eq!(safe.call().await.0, 200, "the gateway was handed the new key");
    safe.done(&["vault", "lock"], "");
    assert_eq!(safe.call().await.0, 503);
    assert!(!safe.run(&["vault", "unlock"], "correct horse").status.success(), "the old passphrase is gone");
    safe.done(&["vault", "unlock"], "battery staple");
    assert_eq!(safe.call().await.0, 200);

    let copy = safe.keywheel.home().join("copy");
    let export = ["vault", "export", path(&copy), "--passphrase-file", path(&two), "--new-passphrase-file", path(&one)];
    assert!(safe.done(&export, "").contains("1 entries"));
    let import = ["vault", "import", path(&copy), "--passphrase-file", path(&two), "--import-passphrase-file"];
    let with = |file: &Path| safe.run(&[&import[..], &[path(file)]].concat(), "");
    assert!(words(&with(&two)).1.contains("not the passphrase of the exported file"));
    assert!(words(&with(&one)).1.contains("kept as it was: a"));
}

#[tokio::test]
async fn a_hundred_calls_at_once_open_the_vault_and_all_succeed() {
    let safe = Safe::start(A, BY_FILE);
    let key = safe.lab.key("a");
    safe.done(&["account", "add", "a"], &key);
    let client: Client = safe.keywheel.client();
    let body = chat(MODEL);
    let calls = (0..100).map(|_| client.post("/v1/chat/completions", &body));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[test]
fn what_is_refused_leaves_neither_a_key_nor_a_stanza() {
    let home = Home::new();
    home.configure("[vault]\nhome = \"key-file\"\nkey_file = \"credential\"\n");
    keywheel::kit::file::replace(&home.path().join("config/credential"), &[9; 40]).unwrap();
    let run = |args: &[&str], stdin: &str| {
        let mut child =
            home.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Ran::of(child.wait_with_output().unwrap())
    };
    let config = || std::fs::read_to_string(home.path().join("config/keywheel.toml")).unwrap();
    let before = config();
    let rows = [
        (&["account", "add", "x"][..], "sk", "--provider ID"),
        (&["account", "add", "x", "--provider", "nobody"], "sk", "keywheel provider list"),
        (&["account", "add", "x", "--provider", "azure"], "sk", "--base-url URL"),
        (&["account", "add", "x", "--provider", "openai", "--base-url", "ftp://x"], "sk", "base_url"),
        (&["account", "add", "x y", "--provider", "openai"], "sk", "an id has at most"),
        (&["account", "add", "x", "--provider", "openai"], "", "stdin is no terminal"),
        (&["account", "add", "x", "--provider", "openai"], "sk\nsk", "one line"),
        (&["account", "add", "x", "--provider", "openai", "--proxy", "http://u:p@127.0.0.1:1"], "sk", "settings file"),
        (&["account", "add", "x", "--provider", "openai", "--key-file", "none"], "sk", "cannot read none"),
        (&["account", "rm", "sim-a"], "", "built-in"),
        (&["account", "rm", "nobody"], "", "account list"),
    ];
    for (args, stdin, said) in rows {
        let ran = run(args, stdin);
        assert!(ran.code != 0 && ran.err.contains(said), "{args:?}: {ran:?}");
        assert_eq!(config(), before, "{args:?}");
    }
    let status = run(&["vault", "status", "--json"], "").done();
    assert!(status.contains("\"entries\":[]"), "{status}");
    run(&["account", "add", "x", "--provider", "openai", "--tag", "t"], "sk").done();
    run(&["account", "add", "y", "--provider", "openai", "--tag", "t"], "sk").done();
    assert!(run(&["account", "rm", "--tag", "t"], "").failed(1).contains("--yes"));
    run(&["account", "rm", "x", "--keep-secret"], "").done();
    run(&["account", "rm", "--tag", "t", "--yes"], "").done();
    let status = run(&["vault", "status", "--json"], "").done();
    assert!(status.contains("\"name\":\"x\"") && !status.contains("\"name\":\"y\""), "{status}");
    assert!(!run(&["config", "show"], "").done().contains("accounts[0].id = \"x\""));
}

#[tokio::test]
async fn a_key_and_a_passphrase_appear_nowhere_but_sealed() {
    const PASSPHRASE: &str = "canary passphrase 91c0";
    let lab = Lab::start_with(Setup::new(Persona::Openai)).expect("a lab");
    let config = format!("[providers.lab]\nadapter = \"openai\"\nbase_url = \"{}\"\n{A}", lab.base_url());
    let safe = Safe { keywheel: Keywheel::with(&config).env("KEYWHEEL_LOG", "trace").start(), lab };
    // outside of the home, which is searched below
    let folder = tempfile::tempdir().unwrap();
    let (one, key) = (folder.path().join("one"), folder.path().join("key"));
    std::fs::write(&one, PASSPHRASE).unwrap();
    let secret = format!("{}-canary-4d1e", safe.lab.key("a"));
    std::fs::write(&key, &secret).unwrap();
    let with = ["--passphrase-file", path(&one)];
    let mut said = safe.done(&[&["account", "add", "a", "--key-file", path(&key)][..], &with].concat(), "");
    said += &safe.done(&[&["vault", "unlock"][..], &with].concat(), "");
    let (status, body) = safe.call().await;
    assert_eq!(status, 403, "the lab does not know this key: {body}");
    said += &body.to_string();
    for words in [&["account", "list"][..], &["account", "test", "a"], &["requests", "--json"], &["config", "show"]] {
        let output = safe.run(words, "");
        said += &(self::words(&output).0 + &self::words(&output).1);
    }
    said += &safe.done(&[&["vault", "status", "--json"][..], &with].concat(), "");
    said += &safe.keywheel.words();
    for file in ["cmdline", "environ"] {
        said += &String::from_utf8_lossy(&std::fs::read(format!("/proc/{}/{file}", safe.keywheel.pid())).unwrap());
    }
    let mut folders = vec![safe.keywheel.home().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => {
                    files += 1;
                    said += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap());
                }
                _ => {}
            }
        }
    }
    assert!(files > 5 && said.contains("trace") | said.contains("TRACE"), "{files} files were searched");
    for canary in ["canary-4d1e", PASSPHRASE] {
        assert!(!said.contains(canary), "{canary} was found");
    }
}

#[tokio::test]
async fn status_warns_of_a_vault_that_is_missing_or_locked() {
    let safe = Safe::start(A, BY_FILE);
    let warned = || safe.done(&["status"], "");
    assert!(warned().contains("make it: keywheel account add a"), "{}", warned());
    safe.done(&["account", "add", "a"], "sk");
    assert!(!warned().contains("warning"), "{}", warned());
    safe.done(&["vault", "lock"], "");
    assert!(warned().contains("warning: the vault is locked; run: keywheel vault unlock"), "{}", warned());
}

#[tokio::test]
async fn status_does_not_ask_for_keys_again_where_the_vault_cannot_be_listed() {
    let safe = Safe::start(A, BY_FILE);
    safe.done(&["account", "add", "a"], "sk");
    let path = safe.keywheel.home().join("data/vault.sealed");
    let mut content = std::fs::read(&path).unwrap();
    // the last byte of the sealed body, under a checksum that is right
    content.truncate(content.len() - 32);
    *content.last_mut().unwrap() ^= 1;
    let sum = Sha256::digest(&content);
    content.extend(sum);
    keywheel::kit::file::replace(&path, &content).unwrap();
    let warned = safe.done(&["status"], "");
    assert!(warned.contains("tampered with") && !warned.contains("--replace"), "{warned}");
}

#[test]
fn a_keychain_that_was_asked_for_and_is_not_there_is_no_reason_to_take_something_else() {
    let home = Home::new();
    home.configure("[vault]\nhome = \"keychain\"\n");
    std::fs::write(home.path().join("key"), "sk").unwrap();
    let add = ["account", "add", "a", "--provider", "openai", "--key-file", "key"];
    let mut command = home.command(&add);
    // no bus there, whatever this machine has
    let ran = Ran::of(command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere").output().unwrap());
    assert!(ran.failed(1).contains("no keychain here"), "it fails");
    assert!(!home.path().join("data/vault.sealed").exists());
    home.configure("[vault]\nhome = \"machine\"\n");
    let ran = home.run(&add);
    // a machine without an id can have no machine key, and says so
    assert!(ran.code == 0 || ran.err.contains("no machine id"), "{ran:?}");
    assert!(home.run(&["vault", "status", "--json"]).out.contains(r#""because":null"#), "nothing was fallen back to");
}
