//! The sealed file on the disk: read whole, replaced whole, its previous generation beside it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use super::Sealed;
use crate::kit::file::{self, FileError};
use crate::vault::body::Body;
use crate::vault::data_key::DataKey;
use crate::vault::format::{Header, MAX_FILE, SealedBytes};
use crate::vault::{VaultError, locks};

impl Sealed {
    /// The file, checked.
    pub(super) fn read(&self) -> Result<SealedBytes, VaultError> {
        let failed = |error| FileError::Io("read", self.path.clone(), error);
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(VaultError::Missing(self.path.clone()));
            }
            opened => opened.map_err(failed)?,
        };
        file::check_private(&self.path)?;
        if file.metadata().map_err(failed)?.len() > MAX_FILE {
            return Err(VaultError::TooLarge(self.path.clone(), MAX_FILE));
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes).map_err(failed)?;
        SealedBytes::read(&self.path, bytes)
    }

    /// Puts the next generation in place of `old`, which is kept beside it. Called under the writers' lock.
    pub(super) fn write(
        &self,
        old: &SealedBytes,
        mut new: Header,
        key: &DataKey,
        body: &Body,
    ) -> Result<u64, VaultError> {
        new.generation = old.header.generation + 1;
        let bytes = new.seal(&self.path, key, body)?;
        self.sweep();
        file::replace(&self.backup(), old.bytes())?;
        file::replace(&self.path, &bytes)?;
        Ok(new.generation)
    }

    /// `Exists` where there is a file.
    pub(super) fn must_not_exist(&self) -> Result<(), VaultError> {
        match self.path.exists() {
            true => Err(VaultError::Exists(self.path.clone())),
            false => Ok(()),
        }
    }

    /// Keeps all other writers out, in this process and others.
    pub(super) fn writer(&self) -> Result<file::Lock, VaultError> {
        locks::exclusive(&self.beside("lock"))
    }

    /// The previous generation.
    pub(super) fn backup(&self) -> PathBuf {
        self.beside("bak")
    }

    /// A file that belongs to the vault.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".");
        path.push(suffix);
        path.into()
    }

    /// Removes what writers that were killed left behind. Only they leave it, as living ones hold the lock.
    fn sweep(&self) {
        let Some((folder, name)) = self.path.parent().zip(self.path.file_name()) else { return };
        let prefix = format!(".{}.", name.to_string_lossy());
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(&prefix) && name.ends_with(file::UNFINISHED) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
