//! The real command killed at any moment, and several at once: the vault and the settings are the old or the new, whole,
//! and nothing that was said to be done is lost.

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::Duration;

use keywheel::config;
use serde_json::Value;

use crate::home_support::Home;

/// How often a command is killed: 20 times, and 200 by hand.
fn runs() -> u64 {
    match std::env::var("KEYWHEEL_TEST_SOAK").is_ok_and(|value| value == "1") {
        true => 200,
        false => 20,
    }
}

fn home() -> Home {
    let home = Home::new();
    home.configure("[vault]\nhome = \"key-file\"\nkey_file = \"credential\"\n");
    crate::e2e_vault::credential(home.path());
    home
}

fn begin(home: &Home, args: &[&str], stdin: &str) -> Child {
    let mut command = home.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child
}

/// The generation and the names in the vault; it must open.
fn seen(home: &Home) -> (u64, Vec<String>) {
    let status: Value = serde_json::from_str(&home.run(&["vault", "status", "--json"]).done()).unwrap();
    assert_eq!(status["locked"], false, "{status}");
    let names = status["entries"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned());
    (status["generation"].as_u64().unwrap(), names.collect())
}

fn written(home: &Home) -> Vec<String> {
    let text = std::fs::read_to_string(home.path().join("config/keywheel.toml")).unwrap();
    let settings = config::parse(&text).unwrap();
    let own = settings.accounts.iter().filter(|account| account.provider != "sim");
    own.map(|account| account.id.clone()).collect()
}

/// Kills it after a while that differs from run to run, from nothing to twice what the whole command takes; whether it
/// was done by then.
fn killed(mut child: Child, run: u64, longest: Duration) -> bool {
    std::thread::sleep(longest.mul_f64((run * 7 % 20) as f64 / 10.0));
    let done = child.try_wait().unwrap();
    let _ = child.kill();
    child.wait().unwrap();
    done.is_some_and(|status| status.success())
}

/// How long a command takes that nobody kills.
fn takes(child: Child) -> Duration {
    let began = std::time::Instant::now();
    let mut child = child;
    assert!(child.wait().unwrap().success());
    began.elapsed()
}

#[test]
fn an_account_add_that_is_killed_leaves_no_account_without_its_key() {
    let home = home();
    let add = |id: &str| begin(&home, &["account", "add", id, "--provider", "openai"], "sk-one");
    let longest = takes(add("first"));
    let (mut done, mut cut) = (vec!["first".to_owned()], 0);
    for run in 0..runs() {
        let id = format!("a{run}");
        match killed(add(&id), run, longest) {
            true => done.push(id),
            false => cut += 1,
        }
        let (accounts, (_, names)) = (written(&home), seen(&home));
        assert!(accounts.iter().all(|id| names.contains(id)), "run {run}: {accounts:?} {names:?}");
        assert!(done.iter().all(|id| accounts.contains(id)), "run {run}: said and lost: {done:?} {accounts:?}");
    }
    assert!(cut > 0 && done.len() > 1, "killed {cut} of {}", runs());
}

#[test]
fn a_rekey_that_is_killed_leaves_a_vault_that_opens_with_all_that_was_in_it() {
    let home = home();
    begin(&home, &["account", "add", "one", "--provider", "openai"], "sk-one").wait().unwrap();
    let rekey = || begin(&home, &["vault", "rekey"], "");
    let longest = takes(rekey());
    let (mut generation, _) = seen(&home);
    let (mut cut, mut whole) = (0, 0);
    for run in 0..runs() {
        let done = killed(rekey(), run, longest);
        let (now, names) = seen(&home);
        assert_eq!(names, ["one"], "run {run}");
        assert!((generation..=generation + 1).contains(&now) && (!done || now > generation), "run {run}: {now}");
        generation = now;
        *(if done { &mut whole } else { &mut cut }) += 1;
    }
    assert!(cut > 0 && whole > 0, "killed {cut}, done {whole}");
}

#[test]
fn commands_that_add_accounts_at_once_lose_nothing() {
    let home = home();
    let ids: Vec<String> = (0..8).map(|at| format!("a{at}")).collect();
    let add = |id: &String| begin(&home, &["account", "add", id, "--provider", "openai"], "sk-one");
    let children: Vec<Child> = ids.iter().map(add).collect();
    assert!(children.into_iter().all(|mut child| child.wait().unwrap().success()));
    let mut accounts = written(&home);
    accounts.sort();
    assert_eq!((&accounts, &seen(&home).1), (&ids, &ids));
}
