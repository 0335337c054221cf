//! The vault of a running gateway: opened once, when it is needed; locked and unlocked; never older than its file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keywheel::config::{self, Account};
use keywheel::kit::{Clock, Secret, Time};
use keywheel::vault::home::Home;
use keywheel::vault::keychain::Keep;
use keywheel::vault::{
    DataKey, Item, Keychain, KeychainError, Machine, Opener, Sealed, SecretError, Source, Strongbox, Vault, VaultError,
};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::vault_sealed::contract;

/// A keychain that counts how often it is asked, and says that it is locked until somebody unlocks it.
#[derive(Clone, Default)]
struct Desk(Arc<(AtomicUsize, Mutex<Option<Notes>>)>);

type Notes = BTreeMap<String, Vec<u8>>;

impl Desk {
    fn asked(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    fn with<T>(&self, then: impl FnOnce(&mut Notes) -> T) -> Result<T, KeychainError> {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.lock().unwrap().as_mut().map(then).ok_or_else(|| KeychainError::Locked("no one at the desk".into()))
    }
}

impl Keep for Desk {
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        self.with(|kept| kept.get(name).cloned().map(Zeroizing::new))
    }
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), KeychainError> {
        self.with(|kept| drop(kept.insert(name.to_owned(), bytes.to_vec())))
    }
    fn remove(&self, name: &str) -> Result<(), KeychainError> {
        self.with(|kept| drop(kept.remove(name)))
    }
}

fn home(place: &TempDir, keychain: impl Keep + 'static) -> Home {
    let path = |name: &str| place.path().join(name);
    Home {
        machine: Machine::with_id(path("machine.key"), Some("machine-a")),
        keychain: Keychain::over(keychain, Duration::from_secs(20)),
        ..Home::new(path("data"), path("state"))
    }
}

fn account(id: &str) -> Account {
    let text = format!("[[accounts]]\nid = '{id}'\nprovider = 'openai'\n");
    config::parse(&text).unwrap().accounts[0].as_ref().clone()
}

fn key(secret: &str) -> Item {
    Item::key(Secret::new(secret))
}

async fn told(source: &Source, id: &str) -> String {
    match source.resolve(&account(id)).await {
        Ok(secret) => secret.unwrap().expose().to_owned(),
        Err(SecretError::Locked(_)) => "locked".to_owned(),
        Err(SecretError::NoEntry { .. }) => "no entry".to_owned(),
        Err(other) => other.to_string(),
    }
}

#[test]
fn it_keeps_the_contract_of_every_home() {
    let place = tempfile::tempdir().unwrap();
    let strongbox = Strongbox::new(home(&place, Desk::default()), Clock::system());
    assert_eq!(strongbox.open_or_create().unwrap().len(), 1, "no keychain, which is said");
    contract::holds(&strongbox);
}

#[tokio::test]
async fn many_calls_open_it_once_and_what_others_write_is_seen() {
    let place = tempfile::tempdir().unwrap();
    let desk = Desk::default();
    *desk.0.1.lock().unwrap() = Some(Default::default());
    let home = home(&place, desk.clone());
    let source = Source::new(|_| None, Clock::system()).with(Arc::new(Strongbox::new(home.clone(), Clock::system())));
    assert_eq!(told(&source, "a").await, "no entry", "there is no vault yet");
    let other = home.open_or_create().unwrap().vault;
    other.put("a", key("sk-1")).unwrap();
    let before = desk.asked();
    let calls = futures_util::future::join_all((0..100).map(|_| told(&source, "a"))).await;
    assert!(calls.iter().all(|secret| secret == "sk-1"), "{calls:?}");
    assert_eq!(desk.asked() - before, 1, "one opening for a hundred calls");
    for turn in 2..20 {
        other.put("a", key(&format!("sk-{turn}"))).unwrap();
        assert_eq!(told(&source, "a").await, format!("sk-{turn}"));
    }
    other.remove("a").unwrap();
    assert_eq!(told(&source, "a").await, "no entry");
    other.put("a", key("sk-x")).unwrap();
    other.rekey(&[Opener::Keychain(home.keychain.clone())], keywheel::vault::Outsiders::Refuse).unwrap();
    assert_eq!(told(&source, "a").await, "sk-x", "a new data key is found by the same keychain");
}

#[tokio::test]
async fn a_locked_keychain_is_not_asked_without_pause_and_is_found_once_it_opens() {
    let place = tempfile::tempdir().unwrap();
    let desk = Desk::default();
    *desk.0.1.lock().unwrap() = Some(Default::default());
    let home = home(&place, desk.clone());
    home.open_or_create().unwrap().vault.put("a", key("sk-1")).unwrap();
    let kept = desk.0.1.lock().unwrap().take();
    let clock = Clock::manual(Time::from_micros(0));
    let source = Source::new(|_| None, clock.clone()).with(Arc::new(Strongbox::new(home, clock.clone())));
    let before = desk.asked();
    for _ in 0..20 {
        assert_eq!(told(&source, "a").await, "locked");
    }
    assert_eq!(desk.asked() - before, 1);
    *desk.0.1.lock().unwrap() = kept;
    assert_eq!(told(&source, "a").await, "locked");
    clock.advance(Duration::from_secs(11));
    assert_eq!(told(&source, "a").await, "sk-1", "it opens by itself once the desktop is unlocked");
}

#[tokio::test]
async fn what_a_person_locked_stays_locked_until_the_right_key_is_handed_over() {
    let place = tempfile::tempdir().unwrap();
    let home = home(&place, Desk::default());
    let clock = Clock::manual(Time::from_micros(0));
    let strongbox = Arc::new(Strongbox::new(home.clone(), clock.clone()));
    let source = Source::new(|_| None, clock.clone()).with(Arc::clone(&strongbox));
    let other = home.open_or_create().unwrap().vault;
    other.put("a", key("sk-1")).unwrap();
    assert_eq!(told(&source, "a").await, "sk-1");
    strongbox.lock().unwrap();
    clock.advance(Duration::from_secs(3600));
    assert_eq!(told(&source, "a").await, "locked", "the machine key would open it, but a person locked it");
    let stranger = Sealed::create(place.path().join("other"), &[Opener::Machine(home.machine.clone())]).unwrap();
    let strange = DataKey::handed_over(&stranger.data_key().unwrap().hand_over()).unwrap();
    assert!(matches!(strongbox.take_key(strange), Err(VaultError::Locked)));
    for word in ["", "00", &"zz".repeat(32), &"ä".repeat(32), &"00".repeat(33)] {
        assert!(DataKey::handed_over(&Secret::new(word)).is_none(), "{word}");
    }
    assert_eq!(told(&source, "a").await, "locked");
    let word = other.data_key().unwrap().hand_over();
    strongbox.take_key(DataKey::handed_over(&word).unwrap()).unwrap();
    assert_eq!(told(&source, "a").await, "sk-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_secret_that_is_read_while_a_person_locks_the_vault_is_not_kept() {
    let place = tempfile::tempdir().unwrap();
    let home = home(&place, Desk::default());
    let clock = Clock::manual(Time::from_micros(0));
    let strongbox = Arc::new(Strongbox::new(home.clone(), clock.clone()));
    let source = Arc::new(Source::new(|_| None, clock.clone()).with(Arc::clone(&strongbox)));
    let other = home.open_or_create().unwrap().vault;
    other.put("a", key("sk-1")).unwrap();
    let word = other.data_key().unwrap().hand_over();
    for round in 0..200 {
        strongbox.take_key(DataKey::handed_over(&word).unwrap()).unwrap();
        let reader = Arc::clone(&source);
        let reading = tokio::spawn(async move { while told(&reader, "a").await != "locked" {} });
        let locking = Arc::clone(&strongbox);
        tokio::task::spawn_blocking(move || locking.lock()).await.unwrap().unwrap();
        assert_eq!(told(&source, "a").await, "locked", "round {round}");
        reading.await.unwrap();
    }
}
