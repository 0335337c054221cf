//! The trait that every home of secrets keeps: the sealed file, and memory for tests.

use std::time::Duration;

use super::{Item, Label, VaultError};
use crate::kit::Secret;

/// A home of secrets. Every method may read and write files, wait for a lock or ask a keychain: call it on a blocking
/// thread (`spawn_blocking`), never on an async one.
pub trait Vault: Send + Sync {
    /// The entry under this name.
    fn get(&self, name: &str) -> Result<Option<Item>, VaultError>;

    /// What may be shown of every entry, by name.
    fn list(&self) -> Result<Vec<Label>, VaultError>;

    /// Changes one entry as a single step that no other writer can come between: `edit` sees what is stored now, in
    /// whatever process it was written; `None` in or out is no entry. What it leaves is durable on return.
    fn update(&self, name: &str, edit: &mut dyn FnMut(&mut Option<Item>)) -> Result<(), VaultError>;

    /// Keeps every other caller with the same name out, across all processes that share this vault, until the hold is
    /// dropped. This is the fence around a token refresh. `Busy` when it is not free within `wait`.
    fn hold(&self, name: &str, wait: Duration) -> Result<Hold, VaultError>;

    /// Stores an entry in place of any other under this name.
    fn put(&self, name: &str, item: Item) -> Result<(), VaultError> {
        let mut item = Some(item);
        self.update(name, &mut |stored| *stored = item.take())
    }

    /// Removes an entry; whether there was one.
    fn remove(&self, name: &str) -> Result<bool, VaultError> {
        let mut found = false;
        self.update(name, &mut |stored| found = stored.take().is_some())?;
        Ok(found)
    }

    /// The secret under this name, without what is known about it.
    fn secret(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        Ok(self.get(name)?.map(|item| item.secret))
    }
}

/// A name held against other callers, until dropped.
#[must_use]
pub struct Hold(#[expect(dead_code, reason = "held for its drop alone")] Box<dyn Send>);

impl Hold {
    pub(super) fn new(until_dropped: impl Send + 'static) -> Self {
        Self(Box::new(until_dropped))
    }
}

/// Names are account ids; the bound keeps a broken caller from filling the vault.
pub(super) fn check_name(name: &str) -> Result<(), VaultError> {
    match !name.is_empty() && name.len() <= 256 && !name.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(VaultError::Name),
    }
}
