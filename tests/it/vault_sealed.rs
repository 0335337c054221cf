//! The vault's homes: what each must do, and what the sealed file promises besides.

mod answers;
pub mod contract;
mod crash;
mod damage;
mod homes;
mod opening;
mod sharing;

use std::fs;
use std::path::PathBuf;

use keywheel::kit::Secret;
use keywheel::kit::seal::Cost;
use keywheel::vault::{Item, Keychain, KeychainError, Machine, Opener, Sealed};
use tempfile::TempDir;

/// A word that must appear nowhere in the clear.
const CANARY: &str = "sk-canary-b1946ac92492d234";

/// A folder with what the tests need to make vaults.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn vault(&self) -> PathBuf {
        self.path("vault.sealed")
    }

    /// A vault that this place's key file opens.
    fn by_key_file(&self) -> Sealed {
        Sealed::create(self.vault(), &[self.key_file()]).unwrap()
    }

    fn key_file(&self) -> Opener {
        let path = self.path("credential");
        if !path.exists() {
            keywheel::kit::file::replace(&path, &[7; 40]).unwrap();
        }
        Opener::KeyFile(path)
    }

    fn machine(&self, id: &str) -> Machine {
        Machine::with_id(self.path("machine.key"), Some(id))
    }

    /// The names of all files that are there.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A passphrase that costs next to nothing to try.
fn cheap(passphrase: &str) -> Opener {
    Opener::Passphrase(Secret::new(passphrase), Cost::new(32, 1, 1).unwrap())
}

fn key(secret: &str) -> Item {
    Item::key(Secret::new(secret))
}

/// A system without a keychain.
fn no_keychain() -> Keychain {
    struct None;
    impl keywheel::vault::keychain::Keep for None {
        fn get(&self, _: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, KeychainError> {
            Err(KeychainError::Absent("no bus".into()))
        }
        fn put(&self, _: &str, _: &[u8]) -> Result<(), KeychainError> {
            Err(KeychainError::Absent("no bus".into()))
        }
        fn remove(&self, _: &str) -> Result<(), KeychainError> {
            Err(KeychainError::Absent("no bus".into()))
        }
    }
    Keychain::over(None, std::time::Duration::from_secs(5))
}
