//! Secrets from the environment and from programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keywheel::config::{self, Account};
use keywheel::kit::{Clock, Time};
use keywheel::vault::Source;

const CANARY: &str = "sk-canary-0123456789";

/// An account with this secret.
fn account(secret: &str) -> Account {
    let text = format!(
        "[providers.lab]\nadapter = 'openai'\nbase_url = 'http://127.0.0.1:1/v1'\n\
         [[accounts]]\nid = 'lab-a'\nprovider = 'lab'\nsecret = {secret}\n"
    );
    config::parse(&text).unwrap().accounts[0].as_ref().clone()
}

fn source() -> (Source, Clock) {
    let clock = Clock::manual(Time::from_micros(0));
    let env = |name: &str| (name == "LAB_KEY").then(|| format!("  {CANARY}\n"));
    (Source::new(env, clock.clone()), clock)
}

/// A program, run by `sh`, that appends a line to `runs` whenever it runs.
struct Program {
    dir: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn runs(&self) -> PathBuf {
        self.dir.path().join("runs")
    }

    fn count(&self) -> usize {
        fs::read_to_string(self.runs()).unwrap_or_default().lines().count()
    }

    fn account(&self, script: &str, more: &str) -> Account {
        let argv = toml::Value::from(vec![
            "sh",
            "-c",
            &format!("RUNS='{}'; echo run >> \"$RUNS\"; {script}", self.runs().display()),
        ]);
        account(&format!("{{ command = {argv}{more} }}"))
    }
}

async fn refused(source: &Source, account: &Account) -> String {
    match source.resolve(account).await {
        Ok(_) => panic!("a secret came"),
        Err(error) => {
            let told = format!("{error} {error:?}");
            assert!(!told.contains("canary"), "{told}");
            error.to_string()
        }
    }
}

#[tokio::test]
async fn an_account_gets_the_value_of_its_variable() {
    let (source, _) = source();
    let secret = source.resolve(&account("{ env = 'LAB_KEY' }")).await.unwrap().unwrap();
    assert_eq!(secret.expose(), CANARY);
    let told = refused(&source, &account("{ env = 'LAB_OTHER' }")).await;
    assert!(told.starts_with("account lab-a: the environment variable LAB_OTHER is not set"), "{told}");
}

#[tokio::test]
async fn an_account_without_a_secret_needs_none_and_the_vault_is_not_there_yet() {
    let (source, _) = source();
    let settings = config::parse("").unwrap();
    let sim = settings.accounts.iter().find(|account| account.id == "sim-a").unwrap();
    assert!(source.resolve(sim).await.unwrap().is_none());
    let told = refused(&source, &account("{ vault = 'lab-a' }")).await;
    assert!(told.contains("cannot be kept in the vault yet; set secret = { env"), "{told}");
}

#[tokio::test]
async fn a_program_runs_once_and_again_when_its_time_is_over_or_the_key_was_rejected() {
    let (source, clock) = source();
    let program = Program::new();
    let account = program.account(&format!("echo ' {CANARY} '; echo {CANARY} >&2"), ", ttl = '1m'");
    for _ in 0..3 {
        let secret = source.resolve(&account).await.unwrap().unwrap();
        assert_eq!(secret.expose(), CANARY);
    }
    assert_eq!(program.count(), 1);
    clock.advance(Duration::from_secs(61));
    source.resolve(&account).await.unwrap();
    assert_eq!(program.count(), 2, "the ttl is over");
    source.invalidate("lab-a");
    source.resolve(&account).await.unwrap();
    assert_eq!(program.count(), 3, "the key was rejected");
}

#[tokio::test]
async fn many_calls_wait_for_one_run_and_share_its_failure() {
    let (source, _) = source();
    let good = Program::new();
    let bad = Program::new();
    let ok = good.account(&format!("sleep 0.3; echo {CANARY}"), "");
    let failing = bad.account(&format!("sleep 0.3; echo {CANARY}; exit 3"), "");
    let failing = Account { id: "lab-b".into(), ..failing };
    let secrets = futures_util::future::join_all((0..20).map(|_| source.resolve(&ok)));
    let failures = futures_util::future::join_all((0..20).map(|_| refused(&source, &failing)));
    let (secrets, failures) = tokio::join!(secrets, failures);
    assert!(secrets.into_iter().all(|secret| secret.is_ok_and(|secret| secret.is_some())));
    assert!(failures.iter().all(|told| told == &failures[0]), "{failures:?}");
    assert!(failures[0].contains("sh failed (exit status: 3); run it by hand to see why"), "{}", failures[0]);
    assert_eq!((good.count(), bad.count()), (1, 1));
    refused(&source, &failing).await;
    assert_eq!(bad.count(), 2, "a failure is not kept for those who come later");
}

#[tokio::test]
async fn a_refused_secret_is_fetched_anew_once_for_all_who_were_refused_with_it() {
    let (source, _) = source();
    let program = Program::new();
    let account = program.account("sleep 0.2; wc -l < \"$RUNS\" | tr -d ' ' | sed s/^/key-of-run-/", "");
    let old = source.resolve(&account).await.unwrap().unwrap();
    let newer = futures_util::future::join_all((0..20).map(|_| source.renew(&account, &old))).await;
    for newer in newer {
        assert_eq!(newer.unwrap().unwrap().expose(), "key-of-run-2");
    }
    assert_eq!(source.renew(&account, &old).await.unwrap().unwrap().expose(), "key-of-run-2", "a late refusal");
    assert_eq!(program.count(), 2);

    let fixed = Program::new();
    let account = Account { id: "lab-b".into(), ..fixed.account(&format!("echo {CANARY}"), "") };
    let same = source.resolve(&account).await.unwrap().unwrap();
    assert!(source.renew(&account, &same).await.unwrap().is_none(), "the same is nothing newer");
    assert_eq!(fixed.count(), 2);
    let variable = source.resolve(&self::account("{ env = 'LAB_KEY' }")).await.unwrap().unwrap();
    assert!(source.renew(&self::account("{ env = 'LAB_KEY' }"), &variable).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_not_one_word_is_no_secret_and_is_not_shown() {
    let (source, _) = source();
    let program = Program::new();
    for script in [
        "true".to_owned(),
        format!("echo {CANARY}; echo {CANARY}"),
        format!("echo '{CANARY} is the key'"),
        "printf '\\377canary'".to_owned(),
        "yes canary".to_owned(),
    ] {
        let told = refused(&source, &program.account(&script, "")).await;
        assert!(told.ends_with("sh must print the secret alone, in one word"), "{script}: {told}");
    }
    let told = refused(&source, &account("{ command = ['/nowhere/at-all', 'canary'] }")).await;
    assert!(told.contains("/nowhere/at-all cannot be started"), "{told}");
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_its_children() {
    let (source, _) = source();
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let script = format!("sleep 600 & echo $! > '{}'; wait", pid.display());
    let account = account(&format!("{{ command = {} }}", toml::Value::from(vec!["sh", "-c", script.as_str()])));
    // a caller that leaves ends the program too, so the test need not wait out the 10 s
    let waited = tokio::time::timeout(Duration::from_millis(1500), source.resolve(&account)).await;
    assert!(waited.is_err(), "it does not print anything");
    let sleeper = fs::read_to_string(pid).unwrap().trim().to_owned();
    let began = Instant::now();
    while runs(&sleeper) {
        assert!(began.elapsed() < Duration::from_secs(10), "process {sleeper} lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process still runs; one that is dead and not yet buried does not.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
