//! The machine key: a random file that only its owner may read, bound to this machine, so that a copied folder alone
//! opens nothing.

mod id;

use std::path::{Path, PathBuf};

use super::VaultError;
use crate::kit::file;
use crate::kit::seal::{self, Key};

/// Where this machine's key comes from.
#[derive(Clone, Debug)]
pub struct Machine {
    key: PathBuf,
    id: Option<String>,
}

impl Machine {
    /// This machine, with its random key in the file `key`, which is made when it is first needed.
    pub fn here(key: impl Into<PathBuf>) -> Self {
        Self { key: key.into(), id: id::read() }
    }

    /// A machine with another id, or none: for tests.
    pub fn with_id(key: impl Into<PathBuf>, id: Option<&str>) -> Self {
        Self { key: key.into(), id: id.map(str::to_owned) }
    }

    /// The file with the random key.
    pub fn file(&self) -> &Path {
        &self.key
    }

    /// Makes the random key unless it is there. Vaults made at the same moment agree on one.
    pub(super) fn make_key(&self) -> Result<(), VaultError> {
        self.id()?;
        let mut lock = self.key.clone().into_os_string();
        lock.push(".lock");
        let _lock = super::locks::exclusive(Path::new(&lock))?;
        if self.key.exists() {
            return Ok(());
        }
        Ok(file::replace(&self.key, Key::random()?.bytes())?)
    }

    /// The wrapping key for one vault. HKDF-SHA256 with the machine id as salt.
    pub(super) fn key(&self, label: &str) -> Result<Key, VaultError> {
        let id = self.id()?;
        let random = super::key_file::read(&self.key)?;
        Ok(seal::derive(&random, id.as_bytes(), label.as_bytes())?)
    }

    fn id(&self) -> Result<&str, VaultError> {
        self.id.as_deref().ok_or(VaultError::NoMachineId)
    }
}
