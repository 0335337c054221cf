//! Secrets that were taken out of the vault, kept for as long as its file stays the one they were read from: a call
//! costs one look at the file system, and no call works with what another process has replaced.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::strongbox::Stamp;
use super::{SecretError, Strongbox, Vault, VaultError};
use crate::kit::Secret;

/// What was read lately.
pub(super) struct Shelf {
    vault: Arc<Strongbox>,
    // a std mutex: held to look and to put, never while the vault is read
    kept: Mutex<Option<Kept>>,
    /// One caller reads, and all others that want something wait for it without holding a thread.
    reading: tokio::sync::Mutex<()>,
}

struct Kept {
    stamp: Stamp,
    /// `None`: there is no such entry.
    secrets: HashMap<String, Option<Secret>>,
}

/// Why there is no secret.
pub(super) enum Lack {
    NoEntry,
    Vault(VaultError),
}

impl Shelf {
    pub(super) fn of(vault: Arc<Strongbox>) -> Self {
        Self { vault, kept: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    /// The secret under this name.
    pub(super) async fn secret(&self, name: &str) -> Result<Secret, Lack> {
        if let Some(kept) = self.kept(name) {
            return kept.ok_or(Lack::NoEntry);
        }
        let _one_at_a_time = self.reading.lock().await;
        if let Some(kept) = self.kept(name) {
            return kept.ok_or(Lack::NoEntry);
        }
        let (vault, wanted) = (Arc::clone(&self.vault), name.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            // taken before the look: what is written or locked meanwhile is read again
            let stamp = vault.stamp();
            Ok((stamp, vault.secret(&wanted)?))
        });
        let read = read.await.unwrap_or_else(|defect| std::panic::resume_unwind(defect.into_panic()));
        let (stamp, secret) = read.map_err(Lack::Vault)?;
        let mut kept = self.lock();
        match &mut *kept {
            Some(kept) if kept.stamp == stamp => drop(kept.secrets.insert(name.to_owned(), secret.clone())),
            kept => *kept = Some(Kept { stamp, secrets: HashMap::from([(name.to_owned(), secret.clone())]) }),
        }
        secret.ok_or(Lack::NoEntry)
    }

    fn kept(&self, name: &str) -> Option<Option<Secret>> {
        let stamp = self.vault.stamp();
        let mut kept = self.lock();
        if kept.as_ref().is_some_and(|kept| kept.stamp != stamp) {
            // locked or replaced: it shall not stay in memory either
            *kept = None;
        }
        kept.as_ref()?.secrets.get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lack {
    /// The words for an account whose secret should lie under this name.
    pub(super) fn of(self, account: &str, name: &str) -> SecretError {
        let (id, name) = (account.to_owned(), name.to_owned());
        match self {
            Self::NoEntry | Self::Vault(VaultError::Missing(_)) => SecretError::NoEntry { id, name },
            Self::Vault(VaultError::Locked) => SecretError::Locked(id),
            Self::Vault(error) => SecretError::Vault(id, Arc::new(error)),
        }
    }
}
