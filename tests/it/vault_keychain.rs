//! The keychain: it always answers in time, and a real one keeps the contract of every other home.

mod real;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keywheel::vault::keychain::Keep;
use keywheel::vault::{Keychain, KeychainError, Opener, Sealed, Vault, VaultError, Way};
use zeroize::Zeroizing;

type Kept = Result<Option<Zeroizing<Vec<u8>>>, KeychainError>;

/// A keychain that waits for a person until the sender is dropped.
struct Waiting(Mutex<Receiver<()>>);

fn waiting() -> (Sender<()>, Keychain) {
    let (person, comes) = channel();
    (person, Keychain::over(Waiting(Mutex::new(comes)), Duration::from_millis(60)))
}

impl Keep for Waiting {
    fn get(&self, _: &str) -> Kept {
        let _ = self.0.lock().unwrap().recv();
        Ok(None)
    }
    fn put(&self, name: &str, _: &[u8]) -> Result<(), KeychainError> {
        self.get(name).map(|_| ())
    }
    fn remove(&self, name: &str) -> Result<(), KeychainError> {
        self.get(name).map(|_| ())
    }
}

/// A keychain whose library has a defect, or which forgets all it is given.
struct Odd {
    panics: Arc<std::sync::atomic::AtomicBool>,
}

impl Keep for Odd {
    fn get(&self, _: &str) -> Kept {
        match self.panics.load(std::sync::atomic::Ordering::SeqCst) {
            true => panic!("a defect of the library, on purpose"),
            false => Ok(None),
        }
    }
    fn put(&self, _: &str, _: &[u8]) -> Result<(), KeychainError> {
        Ok(())
    }
    fn remove(&self, _: &str) -> Result<(), KeychainError> {
        Ok(())
    }
}

/// A keychain in memory.
#[derive(Clone, Default)]
struct Notebook(Arc<Mutex<std::collections::BTreeMap<String, Vec<u8>>>>);

impl Keep for Notebook {
    fn get(&self, name: &str) -> Kept {
        Ok(self.0.lock().unwrap().get(name).cloned().map(Zeroizing::new))
    }
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), KeychainError> {
        self.0.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
    fn remove(&self, name: &str) -> Result<(), KeychainError> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

#[test]
fn a_keychain_that_waits_for_a_person_is_given_up_and_later_asked_again() {
    let (person, keychain) = waiting();
    let began = Instant::now();
    for _ in 0..4 {
        assert_eq!(keychain.get("x"), Err(KeychainError::Silent));
    }
    assert!(began.elapsed() >= Duration::from_millis(4 * 60));
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(
            keychain.put("x", b"y"),
            Err(KeychainError::Silent),
            "with four threads stuck nothing more is asked"
        );
    }
    assert!(began.elapsed() < Duration::from_millis(50 * 60));
    drop(person);
    let end = Instant::now() + Duration::from_secs(20);
    while keychain.get("x") != Ok(None) {
        assert!(Instant::now() < end, "it is never asked again");
    }
}

#[test]
fn a_keychain_that_panics_or_forgets_is_an_error_and_nothing_more() {
    let panics = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let keychain = Keychain::over(Odd { panics: panics.clone() }, Duration::from_secs(20));
    for _ in 0..10 {
        assert_eq!(keychain.get("x"), Err(KeychainError::Failed("its library broke down".into())));
    }
    panics.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(keychain.get("x"), Ok(None));
    assert_eq!(keychain.put("x", b"y"), Err(KeychainError::Failed("it does not keep what it is given".into())));
}

#[test]
fn a_vault_is_not_made_by_a_keychain_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (_person, keychain) = waiting();
    let made = Sealed::create(folder.path().join("vault"), &[Opener::Keychain(keychain)]);
    assert!(matches!(made, Err(VaultError::Keychain(KeychainError::Silent))));
    assert!(!folder.path().join("vault").exists());
}

#[test]
fn a_keychain_keeps_one_key_and_no_secret_and_gives_it_up_when_its_wrap_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (notebook, path) = (Notebook::default(), folder.path().join("vault"));
    let keychain = Keychain::over(notebook.clone(), Duration::from_secs(20));
    let by_keychain = || Opener::Keychain(keychain.clone());
    let vault = Sealed::create(&path, &[by_keychain()]).unwrap();
    vault.put("lab", keywheel::vault::Item::key(keywheel::kit::Secret::new("sk-secret"))).unwrap();
    let kept = || notebook.0.lock().unwrap().clone();
    assert_eq!(kept().values().map(Vec::len).collect::<Vec<_>>(), [32]);

    let fresh = Sealed::at(&path);
    fresh.unlock(&by_keychain()).unwrap();
    let before: Vec<_> = kept().into_keys().collect();
    vault.rekey(&[by_keychain()], keywheel::vault::Outsiders::Refuse).unwrap();
    let after: Vec<_> = kept().into_keys().collect();
    assert_eq!(after.len(), 1, "the old key is gone");
    assert_ne!(before, after);
    assert_eq!(fresh.secret("lab").unwrap().unwrap().expose(), "sk-secret");

    let passphrase = keywheel::kit::Secret::new("words");
    let cost = keywheel::kit::seal::Cost::new(32, 1, 1).unwrap();
    vault.add_wrap(&Opener::Passphrase(passphrase, cost)).unwrap();
    let id = vault.status().unwrap().wraps[0].0.clone();
    vault.remove_wrap(&id, &keychain).unwrap();
    assert!(kept().is_empty());
    assert!(matches!(fresh.unlock(&by_keychain()), Err(VaultError::NoWrap(Way::Keychain, _))));
}
